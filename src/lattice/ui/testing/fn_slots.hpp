// SPDX-License-Identifier: MIT
// Slots made from functions, for tests of the live tree: as free as Python's, without Python.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "lattice/ui/slot.hpp"

namespace lattice::ui::testing {

using Body = std::function<vdom::VNode(SlotArena&)>;

struct FnInstance final : Instance {
  explicit FnInstance(Body body) : body_(std::move(body)) {}
  vdom::VNode render(SlotArena& arena) override { return body_(arena); }
  Body body_;
};

// A component that runs again when what it read changes, or when `props` differ.
struct FnComponent final : Component {
  FnComponent(std::string name, Body body, int64_t props = 0)
      : name_(std::move(name)), body_(std::move(body)), props_(props) {}
  std::string_view name() const override { return name_; }
  bool same_component(const Component& next) const override {
    return name_ == static_cast<const FnComponent&>(next).name_;
  }
  uint64_t type_token() const override { return std::hash<std::string>{}(name_); }
  std::unique_ptr<Instance> instantiate() override { return std::make_unique<FnInstance>(body_); }
  bool update(Instance& instance) override {
    static_cast<FnInstance&>(instance).body_ = body_;
    return true;
  }
  std::string name_;
  Body body_;
  int64_t props_;
};

struct FnBinding final : Binding {
  vdom::VNode content(SlotArena& arena) override {
    return content_ ? content_(arena) : vdom::VNode::text(value_());
  }
  vdom::Value value(std::string_view) override { return value_(); }
  bool same_source(const Binding& next) const override {
    return source_ != 0 && source_ == static_cast<const FnBinding&>(next).source_;
  }
  bool writable() const override { return static_cast<bool>(write_); }
  bool write(const Edit& edit) override {
    write_(edit);
    return true;
  }

  Body content_;
  std::function<vdom::Value()> value_;
  std::function<void(const Edit&)> write_;
  uint64_t source_ = 0;  // equal and not 0: the same source
};

struct FnHandler final : Handler {
  using Call = std::function<void(const vdom::ClientEvent&)>;
  explicit FnHandler(Call call, vdom::ListenOptions options = {})
      : call_(std::move(call)), options_(std::move(options)) {}
  void call(const vdom::ClientEvent& event) override { call_(event); }
  vdom::ListenOptions options() const override { return options_; }
  Call call_;
  vdom::ListenOptions options_;
};

inline vdom::SlotId component(SlotArena& arena, std::string name, Body body, int64_t props = 0) {
  return arena.add(std::make_unique<FnComponent>(std::move(name), std::move(body), props));
}
inline vdom::SlotId bound(SlotArena& arena, std::function<vdom::Value()> value,
                          uint64_t source = 0) {
  auto made = std::make_unique<FnBinding>();
  made->value_ = std::move(value);
  made->source_ = source;
  return arena.add(std::move(made));
}
inline vdom::SlotId bound_content(SlotArena& arena, Body content) {
  auto made = std::make_unique<FnBinding>();
  made->content_ = std::move(content);
  return arena.add(std::move(made));
}
inline vdom::SlotId two_way(SlotArena& arena, std::function<vdom::Value()> value,
                            std::function<void(const Edit&)> write) {
  auto made = std::make_unique<FnBinding>();
  made->value_ = std::move(value);
  made->write_ = std::move(write);
  return arena.add(std::move(made));
}
inline vdom::SlotId handler(SlotArena& arena, FnHandler::Call call,
                            vdom::ListenOptions options = {}) {
  return arena.add(std::make_unique<FnHandler>(std::move(call), std::move(options)));
}

}  // namespace lattice::ui::testing
