// SPDX-License-Identifier: MIT
// The live tree: what one page shows now, and how a new render changes it.
//
//   VNode (a description)  --mount-->  LiveNode (has ids, effects, owners)  --resolve-->  VNode,
//   HTML
//         next VNode       --patch-->  ops by node id, for the nodes that differ
//
// A LiveNode is one of: an element, a text, raw HTML (these are DOM nodes and have an id once the
// client has them); a fragment, a component, a binding (these are regions: they have DOM nodes
// below them and none of their own). Components and bindings own an effect that re-renders just
// them.
//
// Ids are given in document order when a tree is sent, and never reused. A node that is not
// attached is not on the client yet, so changes to it emit nothing: they are part of the INSERT to
// come.
//
// Invariant: after the ops of a flush are applied, the client's DOM equals resolve_all()
// (live_tree_test.cpp drives random trees through a model of the client).
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/ui/slot.hpp"
#include "lattice/ui/vdom/vnode.hpp"
#include "lattice/ui/vdom/wire.hpp"

namespace lattice::ui {

// Ends its effect with itself, so that no binding outlives what it writes to.
class OwnedEffect {
 public:
  OwnedEffect() = default;
  OwnedEffect(OwnedEffect&& other) noexcept
      : effect_(std::exchange(other.effect_, Effect{reactive::NodeHandle{}})) {}
  OwnedEffect& operator=(OwnedEffect&& other) noexcept {
    std::swap(effect_, other.effect_);
    other.reset();
    return *this;
  }
  OwnedEffect& operator=(Effect effect) noexcept {
    reset();
    effect_ = effect;
    return *this;
  }
  ~OwnedEffect() { reset(); }
  bool alive() const noexcept { return effect_.alive(); }
  void schedule() const { effect_.schedule(); }
  void reset() noexcept { std::exchange(effect_, Effect{reactive::NodeHandle{}}).dispose(); }

 private:
  Effect effect_{reactive::NodeHandle{}};
};

// An attribute of a mounted element. Exactly one of value, binding + value, handler is in use.
struct LiveAttribute {
  std::string name;
  vdom::Value value;                 // what the client has, or will get with the INSERT to come
  std::unique_ptr<Binding> binding;  // set for a bound attribute
  std::shared_ptr<Handler> handler;  // set for on_*; shared with a call that is running
  OwnedEffect effect;                // of the binding
};

struct LiveNode {
  enum class Kind : uint8_t { Element, Text, RawHtml, Fragment, Component, Binding };

  Kind kind = Kind::Text;
  bool attached = false;  // on the client, or a region whose place is there
  uint32_t id = 0;        // of a DOM node, once attached
  uint32_t index = 0;     // position among the parent's children
  uint32_t depth = 0;     // components and bindings above; effects of outer ones run first
  uint32_t level = 0;     // nodes of any kind above
  LiveNode* parent = nullptr;
  std::optional<vdom::Key> key;
  std::string tag;   // Element
  std::string text;  // Text, RawHtml
  std::vector<LiveAttribute> attributes;
  std::vector<std::pair<std::string, vdom::ListenOptions>> listening;  // what the client listens to
  std::vector<std::unique_ptr<LiveNode>> children;

  // Component: its props and state. Binding: its source. Both: the effect and the owners.
  std::unique_ptr<Component> component;
  std::unique_ptr<Instance> instance;
  std::unique_ptr<Binding> binding;
  Owner owner{reactive::NodeHandle{}};    // of the component's state
  Owner content{reactive::NodeHandle{}};  // of everything mounted below
  Effect effect{reactive::NodeHandle{}};
  uint32_t input_revision = 0;  // of the newest edit seen from the client

  bool is_dom() const { return kind <= Kind::RawHtml; }
  LiveAttribute* find_attribute(std::string_view name);
};

// What a failure looks like to people: shown in dev mode, logged always.
struct ErrorReport {
  std::string title;   // one line: type and message
  std::string detail;  // the user's own frames
};

// What the tree needs from the session that holds it.
class LiveTreeHost {
 public:
  virtual ~LiveTreeHost() = default;
  // The frame being built, or null while no client is connected.
  virtual vdom::FrameEncoder* frame() = 0;
  // Logs an error raised by user code, once, and describes it as the page may show it.
  virtual ErrorReport report(std::exception_ptr error, std::string_view where) = 0;
};

class LiveTree {
 public:
  explicit LiveTree(LiveTreeHost& host) : host_(host) {}
  ~LiveTree();
  LiveTree(const LiveTree&) = delete;
  LiveTree& operator=(const LiveTree&) = delete;

  // Mounts the page. REQUIRES: not mounted; the session's runtime is current.
  void mount(std::unique_ptr<Component> root);
  void unmount();

  // Numbers every DOM node anew in document order, from next_id(); returns how many there are.
  uint32_t number_all();
  uint32_t next_id() const { return next_id_; }
  // The page without regions and slots, for HTML and INSERT.
  std::vector<vdom::VNode> resolve_all();
  vdom::ListenResolver listen_resolver() const;
  // Emits what HTML cannot say: listeners, and properties without an attribute.
  void emit_unadopted();
  void emit_errors();

  // The element of that id that listens to something, or null when it is gone.
  LiveNode* find_listening(uint32_t id) const;
  // The component whose instance owns a node of the graph, directly or through effects; else null.
  LiveNode* find_component(reactive::NodeHandle owned) const;
  static std::shared_ptr<Handler> find_handler(LiveNode& node, std::string_view event_type);
  // The two-way bound attribute that an event of this type edits, or null.
  static LiveAttribute* find_two_way(LiveNode& node, std::string_view event_type);

  void show_error(LiveNode& node, ErrorReport report);
  void clear_error(LiveNode& node);
  // The first DOM node at or below `node`, else null.
  static LiveNode* first_dom(LiveNode& node);
  LiveNode* root() const { return root_.get(); }

  // Work is proportional to what changed; tests read these.
  struct Counters {
    uint64_t renders = 0;       // component bodies run
    uint64_t binding_runs = 0;  // bindings evaluated
    uint64_t nodes_created = 0;
    uint64_t nodes_removed = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  std::unique_ptr<LiveNode> mount_node(vdom::VNode&& tree, SlotArena& arena, LiveNode* parent);
  void mount_kind(LiveNode& node, vdom::VNode&& tree, SlotArena& arena);
  void mount_element(LiveNode& node, vdom::VNode&& tree, SlotArena& arena);
  void mount_slot(LiveNode& node, vdom::SlotId slot, SlotArena& arena);
  void mount_children(LiveNode& node, std::vector<vdom::VNode>&& children, SlotArena& arena);

  void run_component(LiveNode& node);
  void run_binding(LiveNode& node);
  void set_content(LiveNode& region, vdom::VNode&& tree, SlotArena& arena, std::string_view where);
  void show_failure(LiveNode& region, std::string_view where);
  void fill_region(LiveNode& region, vdom::VNode&& tree, SlotArena& arena);
  void replace_content(LiveNode& region, vdom::VNode&& tree, SlotArena& arena);

  static bool can_patch(const LiveNode& node, const vdom::VNode& next, const SlotArena& arena);
  void patch(LiveNode& node, vdom::VNode&& next, SlotArena& arena);
  void patch_slot(LiveNode& node, vdom::SlotId slot, SlotArena& arena);
  void patch_attributes(LiveNode& node, std::vector<vdom::Attribute>&& next, SlotArena& arena);
  void patch_children(LiveNode& node, std::vector<vdom::VNode>&& next, SlotArena& arena);

  LiveAttribute make_attribute(vdom::Attribute&& attribute, SlotArena& arena);
  void take_slot(LiveAttribute& attribute, vdom::SlotId slot, SlotArena& arena);
  void start_attribute_bindings(LiveNode& node);
  void run_attribute(LiveNode& node, const std::string& name);
  // Returns whether the client has to show something else now.
  bool set_attribute(LiveNode& node, LiveAttribute& attribute, vdom::Value&& value);
  void remove_attribute(LiveNode& node, const LiveAttribute& attribute);
  void repeat_class_switches(LiveNode& node);
  void update_listening(LiveNode& node);

  void insert(LiveNode& node);
  void remove(LiveNode& node);
  void move(LiveNode& node);
  void release(LiveNode& node);
  void attach(LiveNode& node);
  void detach(LiveNode& node);
  void resolve(const LiveNode& node, std::vector<vdom::VNode>& out);

  LiveTreeHost& host_;
  std::unique_ptr<LiveNode> root_;
  uint32_t next_id_ = 1;
  std::unordered_map<uint32_t, LiveNode*> listening_;
  std::unordered_map<reactive::Index, LiveNode*> components_;  // by their owner
  std::unordered_map<LiveNode*, ErrorReport> errors_;          // shown at elements
  std::vector<vdom::ListenOptions> resolved_options_;          // of the tree being resolved
  Counters counters_;
};

}  // namespace lattice::ui
