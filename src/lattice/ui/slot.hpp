// SPDX-License-Identifier: MIT
// Slots: what a tree refers to but does not contain: bindings, handlers, components.
//
// A vdom value is a string, a number, a bool or a SlotId. One render (of a component body or of a
// binding's content) puts its slots into a SlotArena and refers to them by number; the live tree
// then takes the ones it mounts. What it does not take dies with the arena, so a render that is
// thrown away leaks nothing.
//
// The embedding layer (Python, or the C++ face in element.hpp) derives from these classes; nothing
// here knows about either. All calls come from the session's thread, inside its runtime.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/ui/vdom/vnode.hpp"
#include "lattice/ui/vdom/wire.hpp"

namespace lattice::ui {

class SlotArena;

class Slot {
 public:
  virtual ~Slot() = default;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

 protected:
  Slot() = default;
};

// What the user did to a two-way bound element.
struct Edit {
  std::string_view attribute;   // "value", "checked", "open", "selected"
  std::string_view input_type;  // the element's `type` attribute, or its tag ("textarea", "select")
  const vdom::ClientEvent& event;
};

// A value that changes: a signal, a memo or a callable, bound to one text, attribute or region.
class Binding : public Slot {
 public:
  // The present content as a child: a text node, or a tree whose slots go to `arena`. Tracked.
  virtual vdom::VNode content(SlotArena& arena) = 0;
  // The present value as the attribute `name`: a scalar, never a SlotId. Tracked.
  virtual vdom::Value value(std::string_view name) = 0;
  // Whether `next`, from a later render, reads the very same source, so that this one can stay.
  virtual bool same_source(const Binding& next) const = 0;
  // Whether the user's edits may be written back (a writable signal).
  virtual bool writable() const { return false; }
  // Parses an edit and writes it. What does not parse leaves the source alone and returns false:
  // then the element keeps what the user entered.
  virtual bool write(const Edit& edit) {
    (void)edit;
    return false;
  }
};

// What runs when an event arrives.
class Handler : public Slot {
 public:
  virtual void call(const vdom::ClientEvent& event) = 0;
  virtual vdom::ListenOptions options() const { return {}; }
};

// One mounted component: its state, its body.
class Instance {
 public:
  virtual ~Instance() = default;
  // Runs the body. Tracked: a change of what it read runs it again.
  virtual vdom::VNode render(SlotArena& arena) = 0;
};

// A component with its props: what a parent's tree holds.
class Component : public Slot {
 public:
  virtual std::string_view name() const = 0;
  // Whether `next`, from a later render of the parent, is the same component, so that the instance
  // and its state stay.
  virtual bool same_component(const Component& next) const = 0;
  // A number equal for equal components; what the keyed diff compares.
  virtual uint64_t type_token() const = 0;
  virtual std::unique_ptr<Instance> instantiate() = 0;
  // Hands new props to an instance of the same component; returns whether the body must run again.
  virtual bool update(Instance& instance) = 0;
};

class SlotArena {
 public:
  SlotArena() = default;
  SlotArena(const SlotArena&) = delete;
  SlotArena& operator=(const SlotArena&) = delete;

  vdom::SlotId add(std::unique_ptr<Slot> slot) {
    slots_.push_back(std::move(slot));
    return vdom::SlotId{static_cast<uint32_t>(slots_.size() - 1)};
  }
  // REQUIRES: `id` came from add() and was not taken yet.
  Slot& at(vdom::SlotId id) const {
    LATTICE_ASSERT(id.value < slots_.size() && slots_[id.value]);
    return *slots_[id.value];
  }
  template <class T>
  std::unique_ptr<T> take(vdom::SlotId id) {
    auto* typed = dynamic_cast<T*>(&at(id));
    LATTICE_ASSERT(typed != nullptr);
    slots_[id.value].release();
    return std::unique_ptr<T>(typed);
  }

 private:
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace lattice::ui
