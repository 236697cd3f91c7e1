// SPDX-License-Identifier: MIT
// Recorder: what ran in one graph, why, and for how long. The memory behind inspect.hpp.
//
// Costs nothing while off: the engine calls every update through the table node_updates, and
// turning recording on (for any graph) puts `update_recorded` in front of all entries. It looks
// whether the graph at hand records and calls the real update. Writes pass through the two
// out-of-line functions Graph::changed and changed_later, which look for a recorder.
// A null check there was preferred to piggy-backing: nothing that they already test could carry it
// without sending writes of other graphs down the slow path, and it is one predicted branch per
// write that has readers (reads, runs and creations have none).
//
// Why a node ran: each record remembers the number of the event that last changed it. Before a run
// the recorder looks at the links of the last one; the sources that changed after it are the
// causes.
//
// Bounds: events lie in a ring; a record belongs to a slot of the arena, so there are never more
// than nodes were alive at once; texts have kTextBytesMax.
// Threads: one recorder belongs to one graph. Turning recording on or off changes the process-wide
// table: no graph may run on another thread meanwhile (in Python the GIL sees to it).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lattice/reactive/graph.hpp"
#include "lattice/reactive/value_text.hpp"

namespace lattice::inspect {

using reactive::Graph;
using reactive::Index;
using reactive::NodeHandle;

inline constexpr size_t kCausesMax = 8;

enum class Kind : uint8_t { Signal, Memo, Effect, Scope, Cleanup };
const char* name_of(Kind kind) noexcept;
Kind kind_of(const reactive::Node* node) noexcept;
inline bool is_computation(const reactive::Node* node) noexcept {
  return reactive::node_types[node->type].is_computation;
}

// visit(node, owner) for all nodes of a graph, the newest of an owner first.
template <class Visit>
void each_node(const Graph& graph, Visit&& visit) {
  using reactive::Computation;
  std::vector<const Computation*> todo{reactive::at<Computation>(graph.root())};
  while (!todo.empty()) {
    const Computation* owner = todo.back();
    todo.pop_back();
    for (Index index = owner->owned; index != 0;) {
      const auto* node = reactive::at<reactive::Node>(index);
      if (is_computation(node)) todo.push_back(static_cast<const Computation*>(node));
      visit(node, owner);
      index = node->next_owned;
    }
  }
}

struct Label {
  std::string name;  // never empty: "signal 17" for one without a name
  std::string site;
  Kind kind;
};

Label make_label(const Graph& graph, const reactive::Node* node);

enum class EventKind : uint8_t { Write, Run };
enum class Reason : uint8_t {
  Changed,     // sources changed: `causes`
  First,       // a new effect, or the first read of a memo
  Unobserved,  // a memo that nobody observed keeps nothing and is computed anew when read
  Asked        // schedule(), or its function was replaced
};

struct CauseRef {
  uint64_t number;
  NodeHandle node;
};

struct Event {
  uint64_t number = 0;  // from 1
  EventKind kind = EventKind::Run;
  Reason reason = Reason::Changed;
  bool changed = true;  // of a run: its value differs. Of a write: it was not written back
  bool failed = false;  // a memo that threw
  NodeHandle node;
  std::shared_ptr<const Label> label;
  std::vector<CauseRef> causes;  // of a run: at most kCausesMax
  uint64_t during = 0;           // the run in which it happened, 0: in none
  std::string site;              // of a write: where
  std::string before, after;
  std::chrono::nanoseconds start{0};  // since recording began
  std::chrono::nanoseconds duration{0};
};

struct Record {
  uint32_t generation = 0;
  std::shared_ptr<const Label> label;
  std::string value;     // as last seen
  std::string settled;   // of a signal: before the writes that are not committed yet
  uint64_t runs = 0;     // since recording began
  uint64_t changes = 0;  // writes, or runs with another result
  std::chrono::nanoseconds total{0};
  std::chrono::nanoseconds self{0};  // without the runs inside
  std::chrono::nanoseconds longest{0};
  uint64_t changed_at = 0;  // number of the event, 0: not since recording began
  uint64_t changed_before = 0;
  bool is_pending = false;  // a write that no commit has been seen of
  uint64_t run_end = 0;     // the newest event when its last run ended
  bool is_older = false;    // it ran before recording began
  std::shared_ptr<const Event> last_run;
  std::shared_ptr<const Event> last_write;
};

struct RecordOptions {
  size_t events_max = 4096;
};

class Recorder {
 public:
  Recorder(Graph& graph, RecordOptions options);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // The graph's recorder, made when there is none; it records from now on.
  static Recorder& start(Graph& graph, RecordOptions options);
  // What was recorded stays. Without effect while all are recorded.
  static void stop(Graph& graph) noexcept;
  // Every graph of the process, from its next run on.
  static void start_all(RecordOptions options);
  // Ends every recording.
  static void stop_all() noexcept;
  static bool is_recording_all() noexcept;

  bool is_recording() const noexcept { return is_on_; }
  // False when telling what was written has led to the source's disposal.
  [[nodiscard]] bool note_write(reactive::Node* source) noexcept;
  bool run(reactive::Node* node) noexcept;

  // Null when nothing is known of the node.
  const Record* find(NodeHandle handle) const;
  // Null when it was forgotten; the last run and write of a node are remembered with the node.
  std::shared_ptr<const Event> event(CauseRef cause) const;
  std::shared_ptr<const Event> event(uint64_t number) const;
  std::vector<std::shared_ptr<const Event>> events() const;  // oldest first
  uint64_t events_count() const noexcept { return newest_; }

 private:
  struct Running {
    uint64_t number;
    std::chrono::nanoseconds inside{0};
  };

  std::chrono::nanoseconds now() const;
  Record& record_of(const reactive::Node* node);
  void note_sources(const reactive::Computation* node);
  void look_at_everything();
  std::shared_ptr<Event> make_event(EventKind kind, const reactive::Node* node);
  void keep(std::shared_ptr<const Event> event);
  void find_causes(const reactive::Computation* node, Event& event);
  bool run_computation(reactive::Computation* node) noexcept;
  void note_commit(NodeHandle source, bool changed);
  void finish(const reactive::Node* node, Event& event, std::chrono::nanoseconds inside);

  Graph& graph_;
  const std::chrono::steady_clock::time_point began_;
  bool is_on_ = false;
  uint64_t newest_ = 0;
  std::vector<std::shared_ptr<const Event>> ring_;
  std::unordered_map<Index, Record> records_;
  std::vector<Running> running_;
};

// Where the program is right now, "app.py:30", for writes. Set by an embedding layer that knows.
using Locate = std::string (*)();
void set_locator(Locate locate) noexcept;

std::string value_of(const Graph& graph, const reactive::Node* node, Ask ask);

}  // namespace lattice::inspect
