// SPDX-License-Identifier: MIT
// bridge(source): reads a signal or memo of another runtime; the reader follows it from afar.
//
//   their runtime                        mailboxes                         this runtime
//   source <--reads-- sending effect --> outbox, once per flush --> mirror <--reads-- readers
//
// The other runtime keeps an effect that reads the source after its own effects have run, and sends
// what it has seen. Guarantee: all that one flush over there has changed arrives here in one batch,
// in the order of flushes, so that bridges that have arrived (has_arrived()) show values that were
// true together. Each bridge begins on its own, so before that a pair may show one value and one
// `initial`.
//
// Nobody waits for anybody: a bridge shows `initial` until the source's runtime has drained its
// mailbox and this one its own, and the last value that arrived once the source or its runtime has
// ended. What the source throws is thrown to readers here. While user effects are held over there,
// nothing is sent.
//
// The bridge belongs to the owner that was current where it was made; when that ends, or dispose()
// is called, the effect on the other side ends too.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/equality.hpp"
#include "lattice/reactive/mailbox.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice {

namespace reactive {

// The mailbox of the runtime whose chunk the node lies in. Any thread, while that runtime lives.
std::shared_ptr<Mailbox> mailbox_beyond(NodeHandle handle);
// That of the current runtime.
std::shared_ptr<Mailbox> mailbox_here();
// Runs `letter` where `to` is drained; letters of one flush of the current runtime in one message.
void send_after_flush(const std::shared_ptr<Mailbox>& to, std::function<void()> letter);

inline constexpr int32_t kSendPriority = std::numeric_limits<int32_t>::max() - 1;

template <class T>
struct BridgeState {
  T value;
  std::exception_ptr error = {};
  bool has_arrived = false;
};

struct BridgeStateEqual {
  template <class T>
  bool operator()(const BridgeState<T>& before, const BridgeState<T>& after) const {
    return before.has_arrived == after.has_arrived && !before.error && !after.error &&
           DefaultEqual{}(before.value, after.value);
  }
};

// Of the two ends of a bridge. Used by the source's thread only.
struct BridgeEnd {
  std::optional<Effect> sender;
  bool is_over = false;
};

}  // namespace reactive

template <class T>
class Bridge {
  using State = reactive::BridgeState<T>;
  using Mirror = Signal<State, reactive::BridgeStateEqual>;

 public:
  using value_type = T;

  // The newest value that has arrived; the running effect or memo subscribes.
  T get() const {
    return mirror_.with([](const State& state) { return value_of(state); });
  }
  T operator()() const { return get(); }
  T peek() const { return value_of(mirror_.peek()); }
  // False while get() is `initial`. Subscribes; the first arrival counts as a change.
  bool has_arrived() const {
    return mirror_.with([](const State& state) { return state.has_arrived; });
  }

  bool alive() const noexcept { return mirror_.alive(); }
  void dispose() const { owner_.dispose(); }
  reactive::NodeHandle handle() const noexcept { return mirror_.handle(); }

 private:
  template <class Source>
  friend auto bridge(Source source, typename Source::value_type initial);

  Bridge(Owner owner, Mirror mirror) : owner_(owner), mirror_(mirror) {}

  static T value_of(const State& state) {
    if (state.error) std::rethrow_exception(state.error);
    return state.value;
  }

  Owner owner_;
  Mirror mirror_;
};

// REQUIRES: the source's runtime lives until this returns; afterwards it may end at any time.
template <class Source>
auto bridge(Source source, typename Source::value_type initial = {}) {
  using T = typename Source::value_type;
  using State = reactive::BridgeState<T>;
  using Mirror = typename Bridge<T>::Mirror;
  const Owner owner = Owner::create();
  const std::shared_ptr<Mailbox> there = reactive::mailbox_beyond(source.handle());
  auto end = std::make_shared<reactive::BridgeEnd>();
  Bridge<T> made(owner, owner.run([&] {
    on_cleanup([there, end] {
      there->post([end] {
        end->is_over = true;
        if (end->sender) end->sender->dispose();
      });
    });
    return Mirror(State{std::move(initial)});
  }));
  auto send = [source, mirror = made.mirror_, here = reactive::mailbox_here()] {
    State state{};
    try {
      state.value = source.get();
    } catch (...) {
      state.error = std::current_exception();
    }
    state.has_arrived = true;
    reactive::send_after_flush(here, [mirror, state = std::move(state)] {
      if (mirror.alive()) mirror.set(state);
    });
  };
  there->post([source, end, send = std::move(send)] {
    if (end->is_over || !source.alive()) return;
    Owner::root().run([&] {
      end->sender = effect(send, {.priority = reactive::kSendPriority, .name = "bridge"});
    });
  });
  return made;
}

}  // namespace lattice
