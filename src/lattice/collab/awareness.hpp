// SPDX-License-Identifier: MIT
// Awareness: who is in a room and what each of them shows of itself, as y-protocols does it.
//
// Each client has one JSON state under its id, with a clock that its owner counts up. A state is
// taken when its clock is newer; a state of "null" says that the client is gone. Nothing of it
// enters the document or any log. A client that has not been heard of for `outdated_after` is taken
// for gone; one's own state is announced anew at half of that time.
//
// Time comes in as a parameter, so that a test or a simulation decides what it is.
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/base/result.hpp"

namespace lattice::collab {

struct AwarenessOptions {
  std::chrono::milliseconds outdated_after{30'000};
  size_t clients_max = 4'096;          // known ones, gone ones included; beyond: update refused
  size_t state_bytes_max = 16 * 1024;  // of one state's JSON; beyond: update refused
  size_t state_depth_max = 32;         // of arrays and objects in it
};

// Clients whose state came, changed or went with one call.
struct AwarenessChange {
  std::vector<uint64_t> added, updated, removed;

  bool empty() const noexcept { return added.empty() && updated.empty() && removed.empty(); }
  // All of them, as encode() wants them.
  std::vector<uint64_t> clients() const;
};

class Awareness {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct State {
    uint64_t clock = 0;
    std::optional<std::string> json;  // nothing: gone
    TimePoint heard_at;
  };

  // A client of its own, without a state yet. A server that only passes states on has no id.
  explicit Awareness(std::optional<uint64_t> client_id, AwarenessOptions options = {});

  std::optional<uint64_t> client_id() const noexcept { return client_id_; }
  // Of all known clients, gone ones too; by id.
  const std::map<uint64_t, State>& clients() const noexcept { return clients_; }
  // The state of a client that is there.
  const std::string* state(uint64_t client) const noexcept;
  size_t present_count() const noexcept { return present_; }

  // REQUIRES: a client id of its own; `json` is well-formed JSON. Nothing: says that it is gone.
  AwarenessChange set_local_state(std::optional<std::string> json, TimePoint now);

  // Takes an update of outside. A failure means that the whole update was malformed or too large;
  // nothing of it was taken then. `reannounce` says that others think this client gone.
  struct Applied {
    AwarenessChange change;
    bool reannounce = false;
    // Every client that the update named, whether or not it was news.
    std::vector<uint64_t> named;
  };
  Result<Applied> apply(std::span<const uint8_t> update, TimePoint now);

  // The states of these clients ("null" for those gone), with their clocks; unknown ones are left
  // out.
  std::vector<uint8_t> encode(std::span<const uint64_t> clients) const;
  // Of everyone who is there.
  std::vector<uint8_t> encode_present() const;

  // These clients are gone, for instance since their connection ended.
  AwarenessChange remove(std::span<const uint64_t> clients, TimePoint now);

  // To be called every few seconds: removes who was not heard of in time.
  struct Tick {
    AwarenessChange change;
    bool renewed = false;  // the own state has a new clock, to be sent
  };
  Tick tick(TimePoint now);

 private:
  void forget_gone();

  const std::optional<uint64_t> client_id_;
  const AwarenessOptions options_;
  std::map<uint64_t, State> clients_;
  size_t present_ = 0;
};

// Whether `text` is one JSON value (RFC 8259) nested at most `depth_max` deep. Linear, no
// recursion.
bool is_json(std::string_view text, size_t depth_max) noexcept;

}  // namespace lattice::collab
