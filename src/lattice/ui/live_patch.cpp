// SPDX-License-Identifier: MIT
// The reconciling half of the live tree: a new description against what is mounted.
//
// Children are matched by plan_children (vdom/keyed.hpp: keys, then types in order, longest
// increasing subsequence for the fewest moves) and then placed from right to left, so that the
// node each one has to stand before is always final already.
#include <algorithm>
#include <charconv>

#include "lattice/reactive/runtime.hpp"
#include "lattice/ui/internal/live_links.hpp"
#include "lattice/ui/live_tree.hpp"
#include "lattice/ui/vdom/html.hpp"
#include "lattice/ui/vdom/keyed.hpp"

namespace lattice::ui {

namespace {

// What must be equal, beside key and tag, for a live node to become the next one.
constexpr uint64_t kComponentBit = uint64_t{1} << 63;

vdom::ChildIdentity identity(const LiveNode& node) {
  vdom::ChildIdentity made;
  made.key = node.key ? &*node.key : nullptr;
  made.tag = node.tag;
  made.type = node.kind == LiveNode::Kind::Component ? node.component->type_token() | kComponentBit
                                                     : static_cast<uint64_t>(node.kind);
  return made;
}

vdom::ChildIdentity identity(const vdom::VNode& node, const SlotArena& arena) {
  using Kind = vdom::VNode::Kind;
  vdom::ChildIdentity made;
  made.key = node.key ? &*node.key : nullptr;
  made.tag = node.tag;
  auto type = LiveNode::Kind::Element;
  switch (node.kind) {
    case Kind::Element:
      break;
    case Kind::Text:
      type = LiveNode::Kind::Text;
      break;
    case Kind::RawHtml:
      type = LiveNode::Kind::RawHtml;
      break;
    case Kind::Fragment:
      type = LiveNode::Kind::Fragment;
      break;
    case Kind::Slot: {
      Slot& slot = arena.at(std::get<vdom::SlotId>(node.value));
      if (auto* component = dynamic_cast<Component*>(&slot)) {
        made.type = component->type_token() | kComponentBit;
        return made;
      }
      type = LiveNode::Kind::Binding;
      break;
    }
  }
  made.type = static_cast<uint64_t>(type);
  return made;
}

}  // namespace

bool LiveTree::can_patch(const LiveNode& node, const vdom::VNode& next, const SlotArena& arena) {
  using Kind = vdom::VNode::Kind;
  if (node.key != next.key) return false;
  switch (next.kind) {
    case Kind::Element:
      return node.kind == LiveNode::Kind::Element && node.tag == next.tag;
    case Kind::Text:
      return node.kind == LiveNode::Kind::Text;
    case Kind::RawHtml:
      return node.kind == LiveNode::Kind::RawHtml && node.text == vdom::to_text(next.value);
    case Kind::Fragment:
      return node.kind == LiveNode::Kind::Fragment;
    case Kind::Slot:
      break;
  }
  Slot& slot = arena.at(std::get<vdom::SlotId>(next.value));
  if (auto* component = dynamic_cast<Component*>(&slot)) {
    return node.kind == LiveNode::Kind::Component && node.component->same_component(*component);
  }
  return node.kind == LiveNode::Kind::Binding;
}

void LiveTree::patch(LiveNode& node, vdom::VNode&& next, SlotArena& arena) {
  using Kind = vdom::VNode::Kind;
  switch (next.kind) {
    case Kind::Element:
      patch_attributes(node, std::move(next.attrs), arena);
      patch_children(node, std::move(next.children), arena);
      return;
    case Kind::Text: {
      std::string text = vdom::to_text(next.value);
      if (text == node.text) return;
      node.text = std::move(text);
      if (vdom::FrameEncoder* frame = host_.frame(); frame && node.attached) {
        frame->text(node.id, node.text);
      }
      return;
    }
    case Kind::RawHtml:
      return;  // can_patch only accepts the same HTML
    case Kind::Fragment:
      return patch_children(node, std::move(next.children), arena);
    case Kind::Slot:
      return patch_slot(node, std::get<vdom::SlotId>(next.value), arena);
  }
}

void LiveTree::patch_slot(LiveNode& node, vdom::SlotId slot, SlotArena& arena) {
  if (node.kind == LiveNode::Kind::Component) {
    auto next = arena.take<Component>(slot);
    bool must_run = next->update(*node.instance);
    node.component = std::move(next);
    if (must_run) node.effect.schedule();
    return;
  }
  auto next = arena.take<Binding>(slot);
  if (node.binding->same_source(*next)) return;
  node.binding = std::move(next);
  node.effect.schedule();
}

// ---- Attributes ---------------------------------------------------------------------------------

namespace {

vdom::Value shown_class(LiveNode& node) {
  const LiveAttribute* whole = node.find_attribute("class");
  return whole != nullptr ? whole->value : vdom::Value{};
}

}  // namespace

void LiveTree::patch_attributes(LiveNode& node, std::vector<vdom::Attribute>&& next,
                                SlotArena& arena) {
  const vdom::Value class_before = shown_class(node);
  std::vector<LiveAttribute> old = std::move(node.attributes);
  node.attributes.clear();
  node.attributes.reserve(next.size());
  for (vdom::Attribute& attribute : next) {
    auto match = std::find_if(old.begin(), old.end(), [&](const LiveAttribute& candidate) {
      return candidate.name == attribute.name;
    });
    if (match == old.end()) {
      LiveAttribute made = make_attribute(std::move(attribute), arena);
      if (!made.binding && !made.handler) {
        vdom::Value value = std::exchange(made.value, vdom::Value{});
        set_attribute(node, made, std::move(value));
      }
      node.attributes.push_back(std::move(made));
      continue;
    }
    LiveAttribute kept = std::move(*match);
    old.erase(match);
    auto* slot = std::get_if<vdom::SlotId>(&attribute.value);
    auto* binding = slot ? dynamic_cast<Binding*>(&arena.at(*slot)) : nullptr;
    if (binding && kept.binding) {
      if (!kept.binding->same_source(*binding)) {
        kept.binding = arena.take<Binding>(*slot);
        kept.effect.schedule();
      }
    } else {
      kept.effect.reset();
      kept.binding.reset();
      kept.handler.reset();
      if (slot) {
        take_slot(kept, *slot, arena);
      } else {
        set_attribute(node, kept, std::move(attribute.value));
      }
    }
    node.attributes.push_back(std::move(kept));
  }
  for (LiveAttribute& gone : old) {
    gone.effect.reset();
    if (!gone.handler) remove_attribute(node, gone);
  }
  if (class_before != shown_class(node)) repeat_class_switches(node);
  start_attribute_bindings(node);
  update_listening(node);
}

namespace {

// Whether a field that shows `shown` (what the user typed) already shows `next`: "5." need not
// become "5.0" while someone is still typing.
bool shows(const vdom::Value& shown, const vdom::Value& next) {
  if (vdom::same_value(shown, next)) return true;
  const auto* text = std::get_if<std::string>(&shown);
  if (text == nullptr) return false;
  if (std::holds_alternative<std::nullptr_t>(next)) return text->empty();
  double number = 0;
  if (const auto* integer = std::get_if<int64_t>(&next)) {
    number = static_cast<double>(*integer);
  } else if (const auto* real = std::get_if<double>(&next)) {
    number = *real;
  } else {
    return false;
  }
  double typed = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), typed);
  return error == std::errc{} && end == text->data() + text->size() && typed == number;
}

}  // namespace

bool LiveTree::set_attribute(LiveNode& node, LiveAttribute& attribute, vdom::Value&& value) {
  bool known = attribute.name == "value" ? shows(attribute.value, value)
                                         : vdom::same_value(attribute.value, value);
  if (known) return false;
  attribute.value = std::move(value);
  vdom::FrameEncoder* frame = node.attached ? host_.frame() : nullptr;
  if (frame) frame->set(node.id, node.tag, attribute.name, attribute.value, node.input_revision);
  return true;
}

// Setting "class" as a whole drops the switches of class={"done": ...} on the client.
void LiveTree::repeat_class_switches(LiveNode& node) {
  vdom::FrameEncoder* frame = host_.frame();
  if (!node.attached || !frame) return;
  for (const LiveAttribute& other : node.attributes) {
    if (other.name.starts_with("class.") && other.value == vdom::Value{true}) {
      frame->set(node.id, node.tag, other.name, other.value);
    }
  }
}

void LiveTree::remove_attribute(LiveNode& node, const LiveAttribute& attribute) {
  vdom::FrameEncoder* frame = host_.frame();
  if (!node.attached || !frame) return;
  frame->set(node.id, node.tag, attribute.name, vdom::Value{nullptr}, node.input_revision);
}

// ---- Children -----------------------------------------------------------------------------------

void LiveTree::patch_children(LiveNode& node, std::vector<vdom::VNode>&& next, SlotArena& arena) {
  std::vector<vdom::ChildIdentity> before, after;
  before.reserve(node.children.size());
  after.reserve(next.size());
  for (const auto& child : node.children) {
    before.push_back(identity(*child));
  }
  for (const vdom::VNode& child : next) {
    after.push_back(identity(child, arena));
  }
  vdom::ChildPlan plan = vdom::plan_children(before, after);

  for (uint32_t index : plan.removed) {
    remove(*node.children[index]);
  }
  std::vector<std::unique_ptr<LiveNode>> old = std::exchange(node.children, {});
  node.children.resize(next.size());
  for (size_t i = 0; i < next.size(); ++i) {
    if (plan.source[i] < 0) continue;
    node.children[i] = std::move(old[plan.source[i]]);
    node.children[i]->index = static_cast<uint32_t>(i);
  }
  for (size_t i = next.size(); i-- > 0;) {
    if (LiveNode* child = node.children[i].get()) {
      if (!plan.stay[i]) move(*child);
      // Same identity, yet not the same (other raw HTML, a component's token): replaced in place.
      if (can_patch(*child, next[i], arena)) {
        patch(*child, std::move(next[i]), arena);
        continue;
      }
      remove(*child);
      node.children[i].reset();
    }
    auto fresh = mount_node(std::move(next[i]), arena, &node);
    fresh->index = static_cast<uint32_t>(i);
    node.children[i] = std::move(fresh);
    if (node.attached) insert(*node.children[i]);
  }
}

void LiveTree::move(LiveNode& node) {
  vdom::FrameEncoder* frame = host_.frame();
  if (!node.attached || !frame) return;
  uint32_t parent = internal::dom_parent_id(node);
  uint32_t before = internal::next_dom_id(node);
  internal::for_each_dom_root(node, [&](LiveNode& root) { frame->move(root.id, parent, before); });
}

// ---- On and off the client ----------------------------------------------------------------------

void LiveTree::attach(LiveNode& node) {
  node.attached = true;
  if (node.is_dom()) node.id = next_id_++;
  if (!node.listening.empty()) listening_[node.id] = &node;
  for (auto& child : node.children) attach(*child);
}

void LiveTree::detach(LiveNode& node) {
  if (!node.listening.empty()) listening_.erase(node.id);
  node.attached = false;
  for (auto& child : node.children) detach(*child);
}

void LiveTree::insert(LiveNode& node) {
  uint32_t parent = internal::dom_parent_id(node);
  uint32_t before = internal::next_dom_id(node);
  vdom::FrameEncoder* frame = host_.frame();
  uint32_t first_id = next_id_;
  const uint32_t first_new = first_id;
  attach(node);
  if (!frame) return;
  resolved_options_.clear();
  std::vector<vdom::VNode> trees;
  resolve(node, trees);
  std::vector<uint32_t> sent;
  try {
    for (const vdom::VNode& tree : trees) {
      frame->insert(parent, before, first_id, tree, listen_resolver());
      sent.push_back(first_id);
      first_id += static_cast<uint32_t>(vdom::count_nodes(tree));
    }
  } catch (...) {
    // Refused by the encoder: the client knows none of it, and its ids are lost.
    for (uint32_t id : sent) frame->remove(id);
    detach(node);
    throw;
  }
  LATTICE_ASSERT(first_id == next_id_);
  for (const auto& [failed, report] : errors_) {
    bool is_new = failed->attached && failed->id >= first_new;
    if (is_new) frame->error(failed->id, report.title, report.detail);
  }
}

void LiveTree::remove(LiveNode& node) {
  vdom::FrameEncoder* frame = host_.frame();
  if (node.attached && frame) {
    internal::for_each_dom_root(node, [&](LiveNode& root) { frame->remove(root.id); });
  }
  release(node);
}

void LiveTree::release(LiveNode& node) {
  ++counters_.nodes_removed;
  if (!errors_.empty()) errors_.erase(&node);
  if (node.attached && !node.listening.empty()) listening_.erase(node.id);
  node.attached = false;
  // Last first: what is below ends before what it may refer to.
  for (size_t i = node.children.size(); i-- > 0;) {
    if (node.children[i]) release(*node.children[i]);
  }
  for (LiveAttribute& attribute : node.attributes) attribute.effect.reset();
  if (node.kind == LiveNode::Kind::Component) components_.erase(node.owner.handle().index);
  if (node.owner.alive()) node.owner.dispose();
}

uint32_t LiveTree::number_all() {
  const uint32_t first_id = next_id_;
  listening_.clear();
  attach(*root_);
  return next_id_ - first_id;
}

std::vector<vdom::VNode> LiveTree::resolve_all() {
  resolved_options_.clear();
  std::vector<vdom::VNode> trees;
  resolve(*root_, trees);
  return trees;
}

vdom::ListenResolver LiveTree::listen_resolver() const {
  return [this](vdom::SlotId slot) { return &resolved_options_[slot.value]; };
}

void LiveTree::resolve(const LiveNode& node, std::vector<vdom::VNode>& out) {
  switch (node.kind) {
    case LiveNode::Kind::Text:
      out.push_back(vdom::VNode::text(node.text));
      return;
    case LiveNode::Kind::RawHtml:
      out.push_back(vdom::VNode::raw_html(node.text));
      return;
    case LiveNode::Kind::Element:
      break;
    default:
      for (const auto& child : node.children) resolve(*child, out);
      return;
  }
  vdom::VNode element = vdom::VNode::element(node.tag);
  for (const LiveAttribute& attribute : node.attributes) {
    if (!attribute.handler) element.attrs.push_back({attribute.name, attribute.value});
  }
  for (const auto& [type, options] : node.listening) {
    element.attrs.push_back(
        {"on_" + type, vdom::SlotId{static_cast<uint32_t>(resolved_options_.size())}});
    resolved_options_.push_back(options);
  }
  element.children.reserve(node.children.size());
  for (const auto& child : node.children) resolve(*child, element.children);
  out.push_back(std::move(element));
}

LiveNode* LiveTree::first_dom(LiveNode& node) {
  if (node.is_dom()) return &node;
  for (auto& child : node.children) {
    if (!child) continue;
    if (LiveNode* found = first_dom(*child)) return found;
  }
  return nullptr;
}

}  // namespace lattice::ui
