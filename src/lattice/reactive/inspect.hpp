// SPDX-License-Identifier: MIT
// Diagnostics of a graph: why a node ran, and what the graph looks like.
//
//   inspect::record(runtime);                          // from now on; see recorder.hpp for its
//   cost std::puts(inspect::explain(log.handle()).text().c_str());
//     log ran because doubled changed (10 -> 12), because count was written (5 -> 6).
//   inspect::Snapshot graph = inspect::snapshot(runtime);
//   std::ofstream("graph.dot") << inspect::dot(graph); // or json(graph)
//
// explain() and snapshot() also work when nothing was recorded: then they know the dependencies,
// but no causes, counts and times. They subscribe nothing and compute nothing.
// Threads: with the runtime current on this thread, between runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lattice/reactive/recorder.hpp"
#include "lattice/reactive/runtime.hpp"

namespace lattice::inspect {

// Records runs and writes of this runtime's graph, until stop().
// REQUIRES: no graph of the process runs on another thread meanwhile (also for the others).
void record(Runtime& runtime, RecordOptions options = {});
void stop(Runtime& runtime) noexcept;
bool is_recording(Runtime& runtime) noexcept;
// Every runtime of the process, also those made later.
void record_all(RecordOptions options = {});
void stop_all() noexcept;

// --- why

struct Cause {
  enum class What : uint8_t { Write, Replaced, Changed, First, Unobserved, Asked, Forgotten };
  What what = What::Forgotten;
  NodeHandle node;
  std::string name;
  std::string site;  // of a write: where it was written; else where the node was made
  std::string before, after;
  std::string by;  // of a write: the memo or effect that wrote; of a first read: the reader
  std::vector<Cause> causes;  // of What::Changed, and of a write by `by`
};

// A memo that was recomputed to an equal value, so that its readers did not run.
struct CutOff {
  Cause memo;  // What::Changed, with the causes of its recomputation
};

struct Explanation {
  NodeHandle node;
  std::string name, site, value;
  Kind kind = Kind::Signal;
  bool is_alive = false;
  bool is_recording = false;
  bool is_stale = false;
  bool has_run = false;  // or was written, for a signal; since recording began
  bool changed = false;  // by its last run
  bool failed = false;
  uint64_t runs = 0;  // since recording began
  std::chrono::nanoseconds last_duration{0};
  std::vector<Cause> causes;       // of the last run or write
  std::vector<Cause> waiting;      // changes since then that make it stale
  std::vector<CutOff> cut_offs;    // since then
  std::vector<std::string> reads;  // "count (signal, app.py:3)": its sources, in read order

  std::string text() const;
  std::string json() const;
};

Explanation explain(NodeHandle handle);

// --- the graph

enum class Order : uint8_t { Runs, Time, Created };

struct SnapshotOptions {
  size_t nodes_max = 1000;  // those that come first in `order`
  Order order = Order::Runs;
  std::string filter = {};   // only names that contain it; letters of either case
  NodeHandle around = {};    // only what it depends on and what depends on it, nearest first
  bool full_values = false;  // may call user code (a repr)
  bool explained = false;    // with Explanation::text() for each node
};

struct NodeView {
  NodeHandle handle;
  NodeHandle owner;
  Kind kind = Kind::Signal;
  bool is_render_phase = false;
  bool is_stale = false, is_queued = false, is_running = false, has_error = false;
  std::string name, site, value, why;
  uint64_t runs = 0;
  uint64_t changes = 0;
  std::chrono::nanoseconds total{0}, self{0}, longest{0};
  size_t sources = 0, readers = 0;
};

// Of an owner: a component's scope, an effect, a memo. The root is left out.
struct OwnerView {
  NodeHandle handle;
  NodeHandle owner;
  std::string name;
};

struct Snapshot {
  bool is_recording = false;
  size_t nodes_total = 0;  // signals, memos and effects of the graph
  size_t matches = 0;      // of filter and around
  uint64_t events = 0;     // recorded so far; changes when anything happened
  std::vector<NodeView> nodes;
  std::vector<std::pair<NodeHandle, NodeHandle>> edges;  // source, reader; both among the nodes
  std::vector<OwnerView> owners;                         // of the nodes, and theirs
};

Snapshot snapshot(Runtime& runtime, const SnapshotOptions& options = {});
// Graphviz; nodes of one owner form a cluster.
std::string dot(const Snapshot& snapshot);
// The schema is in docs/reactive/diagnostics.md.
std::string json(const Snapshot& snapshot);

}  // namespace lattice::inspect
