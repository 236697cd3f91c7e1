// SPDX-License-Identifier: MIT
// A signal that shows what another runtime's node has: shared state in a session (app_scope.cpp),
// another thread's signal or memo in a script (bridge.cpp). Everything here is guarded by the GIL.
#pragma once

#include <memory>
#include <vector>

#include "reactive_node.hpp"

namespace lattice::python {

struct Bridges;

// Of the node where it lives: its newest value, and who mirrors it.
struct Publication {
  uint64_t actor_id = 0;
  Extra* owner = nullptr;  // whose collector visit covers the objects
  PyObject* value = nullptr;
  PyObject* error = nullptr;
  uint64_t version = 0;
  std::vector<std::weak_ptr<Mirror>> mirrors;
  // Of a bridge:
  bool is_bridge = false;
  bool is_waiting = false;        // in the list of what the flush has changed
  bool is_mutated = false;        // the value was changed in place
  PyObject* publisher = nullptr;  // the effect that reads a memo
};

struct Mirror {
  NodeObject* node = nullptr;         // the mirror object that owns this
  NodeObject* of_template = nullptr;  // kept by the session
  std::shared_ptr<Mailbox> mailbox;
  uint64_t version = 0;  // of the newest value shown
  uint32_t unacknowledged = 0;
  uint64_t read_segment = 0;
  PyObject* error = nullptr;
  // What is on its way or held back: the newest published value.
  bool is_posted = false;
  PyObject* next_value = nullptr;
  PyObject* next_error = nullptr;
  uint64_t next_version = 0;
  uint64_t next_own_version = 0;  // of the newest acknowledged write of this session
  uint32_t next_acknowledged = 0;
  // Of a bridge:
  PyObject* source = nullptr;
  std::shared_ptr<Bridges> bridges;  // of the runtime that reads
  bool next_mutated = false;
  bool is_source_gone = false;
};

void set_next(Mirror& mirror, const Publication& publication);
// Where the mirror lives: the value, or the error, becomes what readers see. News: also when it is
// the same.
void show(Mirror& mirror, PyObject* value, PyObject* error, bool is_news = false);

// --- bridge.cpp
void publish_to_bridges(NodeObject* source);
void end_bridge(const std::shared_ptr<Mirror>& mirror);

}  // namespace lattice::python
