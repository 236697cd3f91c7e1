// SPDX-License-Identifier: MIT
// Mounting, re-rendering and releasing; the reconciling half is in live_patch.cpp.
#include "lattice/ui/live_tree.hpp"

#include <algorithm>
#include <functional>

#include "lattice/reactive/runtime.hpp"
#include "lattice/ui/internal/live_links.hpp"
#include "lattice/ui/vdom/keyed.hpp"

namespace lattice::ui {

namespace {

// Phrasing content only, so that the box is legal wherever text is.
vdom::VNode error_content(const ErrorReport& report) {
  using vdom::VNode;
  std::vector<VNode> parts;
  parts.push_back(VNode::element("strong", {}, {VNode::text(report.title)}));
  if (!report.detail.empty()) {
    parts.push_back(VNode::element("code", {}, {VNode::text(report.detail)}));
  }
  return VNode::element("span",
                        {{"class", std::string("lattice-error")}, {"role", std::string("alert")}},
                        std::move(parts));
}

// Mounting recurses, through user code, so that a component that contains itself would end the
// process. A level of components takes up to 10 KB of a handler thread's stack.
constexpr uint32_t kRegionDepthMax = 150;

std::string nested_too_deep(const LiveNode& node) {
  std::string path;
  int shown = 0;
  for (const LiveNode* at = node.parent; at != nullptr && shown < 4; at = at->parent) {
    if (!at->component) continue;
    path += (shown++ > 0 ? " in " : "") + std::string(at->component->name());
  }
  return "components and functions are nested more than " + std::to_string(kRegionDepthMax) +
         " levels deep (" + path + " ...); does one contain itself without an end?";
}

void check_nesting(const LiveNode& node) {
  if (node.level <= vdom::kTreeDepthMax) return;
  throw Error("the page is nested more than " + std::to_string(vdom::kTreeDepthMax) +
              " levels deep");
}

}  // namespace

LiveAttribute* LiveNode::find_attribute(std::string_view name) {
  for (LiveAttribute& attribute : attributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

LiveTree::~LiveTree() { unmount(); }

void LiveTree::mount(std::unique_ptr<Component> root) {
  LATTICE_ASSERT(!root_);
  SlotArena arena;
  vdom::SlotId slot = arena.add(std::move(root));
  root_ = std::make_unique<LiveNode>();
  root_->kind = LiveNode::Kind::Component;
  ++counters_.nodes_created;
  untracked([&] { mount_slot(*root_, slot, arena); });
}

void LiveTree::unmount() {
  if (!root_) return;
  release(*root_);
  root_.reset();
  listening_.clear();
  errors_.clear();
}

std::unique_ptr<LiveNode> LiveTree::mount_node(vdom::VNode&& tree, SlotArena& arena,
                                               LiveNode* parent) {
  auto node = std::make_unique<LiveNode>();
  ++counters_.nodes_created;
  node->parent = parent;
  node->depth = parent->depth;
  node->level = parent->level + 1;
  node->key = std::move(tree.key);
  try {
    check_nesting(*node);
    mount_kind(*node, std::move(tree), arena);
  } catch (...) {
    release(*node);  // what is mounted below already has effects
    throw;
  }
  return node;
}

void LiveTree::mount_kind(LiveNode& node, vdom::VNode&& tree, SlotArena& arena) {
  using Kind = vdom::VNode::Kind;
  switch (tree.kind) {
    case Kind::Element:
      node.kind = LiveNode::Kind::Element;
      return mount_element(node, std::move(tree), arena);
    case Kind::Text:
      node.kind = LiveNode::Kind::Text;
      node.text = vdom::to_text(tree.value);
      return;
    case Kind::RawHtml:
      node.kind = LiveNode::Kind::RawHtml;
      node.text = vdom::to_text(tree.value);
      return;
    case Kind::Fragment:
      node.kind = LiveNode::Kind::Fragment;
      return mount_children(node, std::move(tree.children), arena);
    case Kind::Slot:
      return mount_slot(node, std::get<vdom::SlotId>(tree.value), arena);
  }
}

void LiveTree::mount_element(LiveNode& node, vdom::VNode&& tree, SlotArena& arena) {
  vdom::check_tag(tree.tag);
  node.tag = std::move(tree.tag);
  node.attributes.reserve(tree.attrs.size());
  for (vdom::Attribute& attribute : tree.attrs) {
    node.attributes.push_back(make_attribute(std::move(attribute), arena));
  }
  mount_children(node, std::move(tree.children), arena);
  start_attribute_bindings(node);
  update_listening(node);
}

void LiveTree::mount_children(LiveNode& node, std::vector<vdom::VNode>&& children,
                              SlotArena& arena) {
  std::vector<vdom::ChildIdentity> identities;
  identities.reserve(children.size());
  for (const vdom::VNode& child : children) identities.push_back(vdom::identity_of(child));
  vdom::check_unique_keys(identities);
  node.children.reserve(children.size());
  for (vdom::VNode& child : children) {
    auto mounted = mount_node(std::move(child), arena, &node);
    mounted->index = static_cast<uint32_t>(node.children.size());
    node.children.push_back(std::move(mounted));
  }
}

void LiveTree::mount_slot(LiveNode& node, vdom::SlotId slot, SlotArena& arena) {
  if (++node.depth > kRegionDepthMax) throw Error(nested_too_deep(node));
  // Outer regions first: a parent that drops a child must run before the child would.
  EffectOptions options{.phase = Phase::Render, .priority = static_cast<int>(node.depth)};
  if (dynamic_cast<Component*>(&arena.at(slot)) != nullptr) {
    node.kind = LiveNode::Kind::Component;
    node.component = arena.take<Component>(slot);
    node.owner = Owner::create();
    components_[node.owner.handle().index] = &node;
    options.name = node.component->name();
    node.owner.run([&] {
      node.content = Owner::create();
      try {
        node.instance = node.component->instantiate();
      } catch (...) {
        return show_failure(node, node.component->name());
      }
      node.effect = effect([this, &node] { run_component(node); }, std::move(options));
    });
  } else {
    node.kind = LiveNode::Kind::Binding;
    node.binding = arena.take<Binding>(slot);
    node.owner = Owner::create();
    node.owner.run([&] {
      node.content = Owner::create();
      node.effect = effect([this, &node] { run_binding(node); }, std::move(options));
    });
  }
}

void LiveTree::run_component(LiveNode& node) {
  ++counters_.renders;
  SlotArena arena;
  vdom::VNode tree;
  try {
    tree = node.owner.run([&] { return node.instance->render(arena); });
  } catch (...) {
    tree = error_content(host_.report(std::current_exception(), node.component->name()));
  }
  set_content(node, std::move(tree), arena, node.component->name());
}

void LiveTree::run_binding(LiveNode& node) {
  ++counters_.binding_runs;
  SlotArena arena;
  vdom::VNode tree;
  try {
    tree = node.owner.run([&] { return node.binding->content(arena); });
  } catch (...) {
    tree = error_content(host_.report(std::current_exception(), "a bound value"));
  }
  set_content(node, std::move(tree), arena, "a bound value");
}

void LiveTree::set_content(LiveNode& region, vdom::VNode&& tree, SlotArena& arena,
                           std::string_view where) {
  untracked([&] {
    region.content.run([&] {
      try {
        fill_region(region, std::move(tree), arena);
      } catch (...) {
        // Duplicate keys and the like: found while reconciling, so what is below may be half done.
        SlotArena none;
        replace_content(region, error_content(host_.report(std::current_exception(), where)), none);
      }
    });
  });
}

// For a component that could not even start: there is nothing that would run it again.
void LiveTree::show_failure(LiveNode& region, std::string_view where) {
  SlotArena none;
  vdom::VNode tree = error_content(host_.report(std::current_exception(), where));
  untracked([&] { region.content.run([&] { fill_region(region, std::move(tree), none); }); });
}

void LiveTree::fill_region(LiveNode& region, vdom::VNode&& tree, SlotArena& arena) {
  if (!region.children.empty() && region.children[0] &&
      can_patch(*region.children[0], tree, arena)) {
    patch(*region.children[0], std::move(tree), arena);
  } else {
    replace_content(region, std::move(tree), arena);
  }
}

void LiveTree::replace_content(LiveNode& region, vdom::VNode&& tree, SlotArena& arena) {
  auto fresh = mount_node(std::move(tree), arena, &region);
  for (auto& old : region.children) {
    if (old) remove(*old);
  }
  region.children.clear();
  region.children.push_back(std::move(fresh));
  if (region.attached) insert(*region.children[0]);
}

// ---- Attributes ---------------------------------------------------------------------------------

LiveAttribute LiveTree::make_attribute(vdom::Attribute&& attribute, SlotArena& arena) {
  // Refused here, by throwing, so that what is mounted can always be sent.
  vdom::check_attribute(attribute.name, attribute.value);
  LiveAttribute made;
  made.name = std::move(attribute.name);
  if (auto* slot = std::get_if<vdom::SlotId>(&attribute.value)) {
    take_slot(made, *slot, arena);
  } else {
    made.value = std::move(attribute.value);
  }
  return made;
}

void LiveTree::take_slot(LiveAttribute& attribute, vdom::SlotId slot, SlotArena& arena) {
  if (dynamic_cast<Handler*>(&arena.at(slot)) != nullptr) {
    attribute.handler = arena.take<Handler>(slot);
  } else {
    attribute.binding = arena.take<Binding>(slot);
  }
}

void LiveTree::start_attribute_bindings(LiveNode& node) {
  for (LiveAttribute& attribute : node.attributes) {
    if (!attribute.binding || attribute.effect.alive()) continue;
    EffectOptions options{.phase = Phase::Render, .priority = static_cast<int>(node.depth) + 1};
    attribute.effect = effect([this, &node, name = attribute.name] { run_attribute(node, name); },
                              std::move(options));
  }
}

void LiveTree::run_attribute(LiveNode& node, const std::string& name) {
  ++counters_.binding_runs;
  LiveAttribute* attribute = node.find_attribute(name);
  LATTICE_ASSERT(attribute != nullptr && attribute->binding);
  vdom::Value value;
  try {
    value = attribute->binding->value(name);
    vdom::check_attribute(name, value);
  } catch (...) {
    ErrorReport report = host_.report(std::current_exception(), name);
    return untracked([&] { show_error(node, std::move(report)); });
  }
  untracked([&] {
    clear_error(node);
    bool sent = set_attribute(node, *node.find_attribute(name), std::move(value));
    if (sent && name == "class") repeat_class_switches(node);
  });
}

// ---- Listeners ----------------------------------------------------------------------------------

namespace {

// The event by which the browser reports that the user edited this attribute.
std::string_view edit_event(std::string_view attribute_name) {
  if (attribute_name == "value" || attribute_name == "checked") return "input";
  if (attribute_name == "open") return "toggle";
  if (attribute_name == "selected") return "change";
  return {};
}

}  // namespace

std::shared_ptr<Handler> LiveTree::find_handler(LiveNode& node, std::string_view type) {
  for (LiveAttribute& attribute : node.attributes) {
    if (attribute.handler && vdom::event_name(attribute.name) == type) return attribute.handler;
  }
  return nullptr;
}

LiveAttribute* LiveTree::find_two_way(LiveNode& node, std::string_view type) {
  for (LiveAttribute& attribute : node.attributes) {
    if (attribute.binding && edit_event(attribute.name) == type && attribute.binding->writable()) {
      return &attribute;
    }
  }
  return nullptr;
}

// Brings what the client listens to in line with the attributes, and tells it about differences.
void LiveTree::update_listening(LiveNode& node) {
  std::vector<std::pair<std::string, vdom::ListenOptions>> next;
  for (LiveAttribute& attribute : node.attributes) {
    if (attribute.handler) {
      vdom::ListenOptions options = attribute.handler->options();
      std::string type = vdom::event_name(attribute.name);
      if (type == "submit") options.prevent_default = true;  // the page must not navigate away
      next.emplace_back(std::move(type), std::move(options));
    }
  }
  for (LiveAttribute& attribute : node.attributes) {
    std::string_view type = edit_event(attribute.name);
    if (!attribute.binding || type.empty() || !attribute.binding->writable()) continue;
    if (find_handler(node, type) != nullptr) continue;  // the handler's event carries the value too
    vdom::ListenOptions options;
    options.two_way = true;
    next.emplace_back(std::string(type), std::move(options));
  }
  if (node.attached) {
    vdom::FrameEncoder* frame = host_.frame();
    for (const auto& [type, options] : node.listening) {
      bool kept = std::any_of(next.begin(), next.end(),
                              [&](const auto& entry) { return entry.first == type; });
      if (!kept && frame) frame->unlisten(node.id, type);
    }
    for (const auto& entry : next) {
      bool known =
          std::find(node.listening.begin(), node.listening.end(), entry) != node.listening.end();
      if (!known && frame) frame->listen(node.id, entry.first, entry.second);
    }
    if (next.empty()) {
      listening_.erase(node.id);
    } else {
      listening_[node.id] = &node;
    }
  }
  node.listening = std::move(next);
}

LiveNode* LiveTree::find_listening(uint32_t id) const {
  auto found = listening_.find(id);
  return found == listening_.end() ? nullptr : found->second;
}

namespace {

template <class F>
void for_each_element(LiveNode& node, const F& visit) {
  if (node.kind == LiveNode::Kind::Element) visit(node);
  for (auto& child : node.children) {
    if (child) for_each_element(*child, visit);
  }
}

}  // namespace

void LiveTree::emit_unadopted() {
  vdom::FrameEncoder* frame = host_.frame();
  LATTICE_ASSERT(frame != nullptr);
  for_each_element(*root_, [&](LiveNode& node) {
    for (const auto& [type, options] : node.listening) frame->listen(node.id, type, options);
    for (const LiveAttribute& attribute : node.attributes) {
      if (!attribute.handler && vdom::is_property_only(node.tag, attribute.name)) {
        frame->set(node.id, node.tag, attribute.name, attribute.value);
      }
    }
  });
}

LiveNode* LiveTree::find_component(reactive::NodeHandle owned) const {
  if (reactive::node_of(owned) == nullptr) return nullptr;
  auto* at = reactive::at<reactive::Computation>(owned.index);
  while (at->owner != 0) {
    auto found = components_.find(at->owner);
    if (found != components_.end()) return found->second;
    at = reactive::at<reactive::Computation>(at->owner);
  }
  return nullptr;
}

// ---- Errors -------------------------------------------------------------------------------------

void LiveTree::show_error(LiveNode& node, ErrorReport report) {
  vdom::FrameEncoder* frame = host_.frame();
  if (node.attached && frame) frame->error(node.id, report.title, report.detail);
  errors_[&node] = std::move(report);
}

void LiveTree::clear_error(LiveNode& node) {
  if (errors_.empty() || errors_.erase(&node) == 0) return;
  vdom::FrameEncoder* frame = host_.frame();
  if (node.attached && frame) frame->clear_error(node.id);
}

void LiveTree::emit_errors() {
  vdom::FrameEncoder* frame = host_.frame();
  LATTICE_ASSERT(frame != nullptr);
  for (const auto& [node, report] : errors_) {
    if (node->attached) frame->error(node->id, report.title, report.detail);
  }
}

}  // namespace lattice::ui
