// SPDX-License-Identifier: MIT
#include "lattice/reactive/recorder.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <utility>

#include "lattice/reactive/value_text.hpp"

namespace lattice::inspect {

using reactive::Computation;
using reactive::Link;
using reactive::Node;
using reactive::node_types;
using std::chrono::nanoseconds;

namespace {

Locate locate_here = nullptr;

// Process-wide; changed only while no other thread runs a graph, read by whoever runs one.
struct Recording {
  std::mutex mutex;
  bool all = false;
  RecordOptions options;
  bool is_wrapped = false;
  std::vector<Recorder*> on;
};
Recording& recording() {
  static auto* process_wide = new Recording;  // outlives the runtimes of ending threads
  return *process_wide;
}

bool update_recorded(Graph& graph, Node* node) noexcept {
  Recorder* recorder = graph.recorder();
  if (recorder == nullptr || !recorder->is_recording()) {
    if (!recording().all) return node_types[node->type].update(graph, node);
    recorder = &Recorder::start(graph, recording().options);
  }
  return recorder->run(node);
}

// REQUIRES: the mutex is held.
void wrap_if_needed() {
  const bool is_needed = recording().all || !recording().on.empty();
  if (recording().is_wrapped == is_needed) return;
  recording().is_wrapped = is_needed;
  reactive::wrap_updates(is_needed ? &update_recorded : nullptr);
}

bool is_source(const Node* node) noexcept { return (node->flags & reactive::kMutable) != 0; }

}  // namespace

void RecorderEnd::operator()(Recorder* recorder) const noexcept { delete recorder; }

void set_locator(Locate locate) noexcept { locate_here = locate; }

const char* name_of(Kind kind) noexcept {
  static constexpr const char* kNames[] = {"signal", "memo", "effect", "scope", "cleanup"};
  return kNames[static_cast<size_t>(kind)];
}

Kind kind_of(const Node* node) noexcept {
  const bool computes = is_computation(node);
  if (is_source(node)) return computes ? Kind::Memo : Kind::Signal;
  if (node->flags & reactive::kWatching) return Kind::Effect;
  return computes ? Kind::Scope : Kind::Cleanup;
}

std::string shortened(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

std::string quoted_text(std::string_view text) {
  std::string quoted(1, '"');
  quoted += shortened(text, kTextBytesMax / 2);
  quoted += '"';
  return quoted;
}

std::string value_of(const Graph& graph, const Node* node, Ask ask) {
  Facts facts;
  const auto describe = node_types[node->type].describe;
  if (describe != nullptr && !(node->flags & reactive::kDisposed)) {
    describe(graph, node, ask, facts);
  }
  return shortened(facts.value);
}

namespace {

// What a component runs: the named effect that its scope, or the scope around, owns.
std::string name_of_component(const Graph& graph, const Node* scope) {
  constexpr int kLevelsMax = 3, kChildrenMax = 64;
  for (int level = 0; level != kLevelsMax && kind_of(scope) == Kind::Scope; ++level) {
    const auto* owner = static_cast<const Computation*>(scope);
    Index index = owner->owned;
    for (int at = 0; at != kChildrenMax && index != 0; ++at) {
      const Node* child = reactive::at<Node>(index);
      if (kind_of(child) == Kind::Effect && static_cast<Phase>(child->subs_tail) == Phase::Render) {
        if (const std::string_view name = graph.name_of(child); name != "?") {
          return std::string(name);
        }
      }
      index = child->next_owned;
    }
    if (owner->owner == 0) break;
    scope = reactive::at<Node>(owner->owner);
  }
  return {};
}

std::string made_up_name(const Graph& graph, const Node* node, Kind kind) {
  if (kind == Kind::Scope) {
    if (std::string name = name_of_component(graph, node); !name.empty()) return name;
  }
  const bool is_of_page =
      kind == Kind::Effect && static_cast<Phase>(node->subs_tail) == Phase::Render;
  std::string name = is_of_page ? "page update " : std::string(name_of(kind)) + " ";
  return name + std::to_string(reactive::index_of(node));
}

}  // namespace

Label make_label(const Graph& graph, const Node* node) {
  Label label{{}, {}, kind_of(node)};
  Facts facts;
  const auto describe = node_types[node->type].describe;
  if (describe != nullptr && !(node->flags & reactive::kDisposed)) {
    describe(graph, node, Ask::Label, facts);
  }
  if (facts.name.empty()) {
    const std::string_view known = graph.name_of(node);
    if (known != "?") facts.name = known;
  }
  if (facts.name.empty()) {
    facts.name = made_up_name(graph, node, label.kind);
  }
  label.name = shortened(facts.name);
  label.site = std::move(facts.site);
  return label;
}

// --- on and off

Recorder::Recorder(Graph& graph, RecordOptions options)
    : graph_(graph), began_(std::chrono::steady_clock::now()), ring_(options.events_max) {
  LATTICE_ASSERT(options.events_max > 0);
}

Recorder::~Recorder() {
  std::scoped_lock lock(recording().mutex);
  std::erase(recording().on, this);  // the table stays: other graphs may be running
}

Recorder& Recorder::start(Graph& graph, RecordOptions options) {
  if (graph.recorder_ == nullptr) graph.recorder_.reset(new Recorder(graph, options));
  Recorder& recorder = *graph.recorder_;
  if (std::exchange(recorder.is_on_, true)) return recorder;
  {
    std::scoped_lock lock(recording().mutex);
    recording().on.push_back(&recorder);
    wrap_if_needed();
  }
  graph.begin_walk();  // naming may run code that disposes of nodes
  recorder.look_at_everything();
  graph.end_walk();
  return recorder;
}

void Recorder::stop(Graph& graph) noexcept {
  if (graph.recorder_ == nullptr) return;
  graph.recorder_->is_on_ = false;
  std::scoped_lock lock(recording().mutex);
  std::erase(recording().on, graph.recorder_.get());
  wrap_if_needed();
}

void Recorder::start_all(RecordOptions options) {
  std::scoped_lock lock(recording().mutex);
  recording().all = true;
  recording().options = options;
  wrap_if_needed();
}

void Recorder::stop_all() noexcept {
  std::scoped_lock lock(recording().mutex);
  recording().all = false;
  for (Recorder* recorder : recording().on) recorder->is_on_ = false;
  recording().on.clear();
  wrap_if_needed();
}

bool Recorder::is_recording_all() noexcept { return recording().all; }

nanoseconds Recorder::now() const { return std::chrono::steady_clock::now() - began_; }

// --- records

Record& Recorder::record_of(const Node* node) {
  Record& record = records_[reactive::index_of(node)];
  if (record.generation != node->generation) {
    record = Record{};
    record.generation = node->generation;
  }
  if (record.label == nullptr)
    record.label = std::make_shared<const Label>(make_label(graph_, node));
  return record;
}

const Record* Recorder::find(NodeHandle handle) const {
  auto found = records_.find(handle.index);
  if (found == records_.end() || found->second.generation != handle.generation) return nullptr;
  return &found->second;
}

// So that the first write of a source can tell what was there before.
void Recorder::note_sources(const Computation* node) {
  for (Index at = node->deps; at != 0; at = reactive::at<Link>(at)->next_dep) {
    const Node* source = reactive::at<Node>(reactive::at<Link>(at)->dep);
    if (find(reactive::handle_of(source)) != nullptr) continue;
    std::string value = value_of(graph_, source, Ask::Value);
    record_of(source).value = std::move(value);
  }
}

void Recorder::look_at_everything() {
  each_node(graph_, [&](const Node* node, const Computation*) {
    if (kind_of(node) == Kind::Cleanup || kind_of(node) == Kind::Scope) return;
    Record& record = record_of(node);
    record.is_older = is_computation(node) && static_cast<const Computation*>(node)->deps != 0;
    record.value = value_of(graph_, node, Ask::Value);
  });
}

// --- events

std::shared_ptr<Event> Recorder::make_event(EventKind kind, const Node* node) {
  auto event = std::make_shared<Event>();
  event->number = ++newest_;
  event->kind = kind;
  event->node = reactive::handle_of(node);
  event->label = record_of(node).label;
  event->during = running_.empty() ? 0 : running_.back().number;
  event->start = now();
  return event;
}

void Recorder::keep(std::shared_ptr<const Event> event) {
  const size_t place = event->number % ring_.size();
  // A run inside of a long run may have come later and be here already.
  if (ring_[place] == nullptr || ring_[place]->number < event->number) {
    ring_[place] = std::move(event);
  }
}

std::shared_ptr<const Event> Recorder::event(uint64_t number) const {
  const auto& kept = ring_[number % ring_.size()];
  if (kept != nullptr && kept->number == number) return kept;
  return nullptr;
}

std::shared_ptr<const Event> Recorder::event(CauseRef cause) const {
  if (auto kept = event(cause.number)) return kept;
  const Record* record = find(cause.node);
  if (record == nullptr) return nullptr;
  for (const auto& last : {record->last_run, record->last_write}) {
    if (last != nullptr && last->number == cause.number) return last;
  }
  return nullptr;
}

std::vector<std::shared_ptr<const Event>> Recorder::events() const {
  std::vector<std::shared_ptr<const Event>> found;
  const uint64_t size = ring_.size();
  for (uint64_t number = newest_ > size ? newest_ - size + 1 : 1; number <= newest_; ++number) {
    if (auto kept = event(number)) found.push_back(std::move(kept));
  }
  return found;
}

bool Recorder::note_write(Node* source) noexcept {
  if (!is_recording()) return true;
  const NodeHandle handle = reactive::handle_of(source);
  graph_.begin_walk();  // describing may run code that disposes of it
  auto event = make_event(EventKind::Write, source);
  if (locate_here != nullptr) event->site = locate_here();
  event->after = value_of(graph_, source, Ask::Value);
  Record& record = record_of(source);
  event->before = std::exchange(record.value, event->after);
  if (is_computation(source)) event->reason = Reason::Asked;
  // Until it is committed it may still be written back.
  const bool is_pending = (source->flags & reactive::kDirty) != 0;
  if (!is_pending || !record.is_pending) {
    record.changed_before = record.changed_at;
    record.settled = event->before;
  }
  record.is_pending = is_pending;
  record.changed_at = event->number;
  ++record.changes;
  record.last_write = event;
  keep(std::move(event));
  graph_.end_walk();
  return reactive::node_of(handle) == source;
}

void Recorder::note_commit(NodeHandle source, bool changed) {
  auto found = records_.find(source.index);
  if (found == records_.end() || found->second.generation != source.generation) return;
  Record& record = found->second;
  record.is_pending = false;
  if (!changed) record.changed_at = record.changed_before;
}

// REQUIRES: the links are those of the last run.
void Recorder::find_causes(const Computation* node, Event& event) {
  const Record& record = record_of(node);
  const uint64_t last_run = record.last_run != nullptr ? record.last_run->number : 0;
  // A memo that it pulled in its last run is no news, though it ran after it had begun.
  auto is_news = [&](const Record& source) {
    return source.changed_at > (source.label->kind == Kind::Memo ? record.run_end : last_run);
  };
  for (Index at = node->deps; at != 0 && event.causes.size() < kCausesMax;
       at = reactive::at<Link>(at)->next_dep) {
    const Node* source = reactive::at<Node>(reactive::at<Link>(at)->dep);
    const Record* known = find(reactive::handle_of(source));
    // Not committed yet, and it looks as if it had been written back.
    const bool is_back = known != nullptr && (source->flags & reactive::kDirty) &&
                         known->label->kind == Kind::Signal && !known->value.empty() &&
                         known->value == known->settled;
    if (known != nullptr && !is_back && is_news(*known))
      event.causes.push_back({known->changed_at, reactive::handle_of(source)});
  }
  const bool is_new = record.last_run == nullptr && !record.is_older;
  if (event.causes.empty() && record.changed_at > last_run) {
    event.causes.push_back({record.changed_at, event.node});  // its function was replaced
    event.reason = Reason::Asked;
  } else if (!event.causes.empty()) {
    event.reason = Reason::Changed;
  } else if (is_new && node->deps == 0) {
    event.reason = Reason::First;
  } else if (node->deps == 0 && kind_of(node) == Kind::Memo) {
    event.reason = Reason::Unobserved;
  } else {
    event.reason = Reason::Asked;
  }
}

bool Recorder::run(Node* node) noexcept {
  if (is_computation(node)) {
    return run_computation(static_cast<Computation*>(node));
  }
  const NodeHandle handle = reactive::handle_of(node);
  const bool changed = node_types[node->type].update(graph_, node);
  note_commit(handle, changed);
  return changed;
}

bool Recorder::run_computation(Computation* node) noexcept {
  const NodeHandle handle = reactive::handle_of(node);
  graph_.begin_walk();  // until its outcome is noted
  auto event = make_event(EventKind::Run, node);
  find_causes(node, *event);
  bool changed = false;
  // Naming it may have run Python code that disposed of it.
  if (reactive::node_of(handle) == node) {
    running_.push_back({event->number, nanoseconds(0)});
    event->start = now();
    changed = node_types[node->type].update(graph_, node);
    event->duration = now() - event->start;
    const nanoseconds inside = running_.back().inside;
    running_.pop_back();
    if (!running_.empty()) running_.back().inside += event->duration;
    event->changed = changed;
    if (reactive::node_of(handle) == node) {
      finish(node, *event, inside);
      record_of(node).last_run = event;
    }
    keep(std::move(event));
  }
  graph_.end_walk();
  return changed;
}

void Recorder::finish(const Node* node, Event& event, nanoseconds inside) {
  event.failed = (node->flags & reactive::kError) != 0;
  if (event.label->kind == Kind::Memo && !event.failed) {
    event.after = value_of(graph_, node, Ask::Value);
  }
  note_sources(static_cast<const Computation*>(node));
  Record& record = record_of(node);
  event.before = std::exchange(record.value, event.after);
  ++record.runs;
  record.run_end = newest_;
  record.total += event.duration;
  record.self += event.duration - inside;
  record.longest = std::max(record.longest, event.duration);
  if (event.label->kind == Kind::Memo && event.changed) {
    ++record.changes;
    record.changed_at = event.number;
  }
}

}  // namespace lattice::inspect
