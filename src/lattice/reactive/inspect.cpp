// SPDX-License-Identifier: MIT
// Snapshots of a graph and their forms, DOT and JSON. Explanations are in explain.cpp.
#include "lattice/reactive/inspect.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "lattice/reactive/inspect_text.hpp"

namespace lattice::inspect {

using reactive::Computation;
using reactive::Link;
using reactive::Node;

void record(Runtime& runtime, RecordOptions options) { Recorder::start(runtime.graph(), options); }
void stop(Runtime& runtime) noexcept { Recorder::stop(runtime.graph()); }
bool is_recording(Runtime& runtime) noexcept {
  const Recorder* recorder = runtime.graph().recorder();
  return Recorder::is_recording_all() || (recorder != nullptr && recorder->is_recording());
}
void record_all(RecordOptions options) { Recorder::start_all(options); }
void stop_all() noexcept { Recorder::stop_all(); }

namespace {

bool is_shown(const Node* node) noexcept {
  const Kind kind = kind_of(node);
  return kind == Kind::Signal || kind == Kind::Memo || kind == Kind::Effect;
}

template <class Visit>
void each_source(const Node* node, Visit&& visit) {
  if (!is_computation(node)) return;
  for (Index at = static_cast<const Computation*>(node)->deps; at != 0;
       at = reactive::at<Link>(at)->next_dep) {
    visit(reactive::at<Node>(reactive::at<Link>(at)->dep));
  }
}
// Effects keep other things in these words.
template <class Visit>
void each_reader(const Node* node, Visit&& visit) {
  if (!(node->flags & reactive::kMutable)) return;
  for (Index at = node->subs; at != 0; at = reactive::at<Link>(at)->next_sub) {
    visit(reactive::at<Node>(reactive::at<Link>(at)->sub));
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool contains(std::string_view text, std::string_view part) {
  auto same = [](char a, char b) { return lower(a) == lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

// A node on its way into a snapshot.
struct Candidate {
  const Node* node;
  const Node* owner;
  int64_t rank;  // higher first
};

class SnapshotMaker {
 public:
  SnapshotMaker(Graph& graph, const SnapshotOptions& options)
      : graph_(graph), recorder_(graph.recorder()), options_(options) {}

  Snapshot make() {
    result_.is_recording =
        Recorder::is_recording_all() || (recorder_ != nullptr && recorder_->is_recording());
    if (recorder_ != nullptr) result_.events = recorder_->events_count();
    graph_.begin_walk();  // a repr may dispose of nodes
    collect();
    choose();
    for (const Candidate& chosen : candidates_) add_node(chosen);
    add_edges();
    add_owners();
    graph_.end_walk();
    return std::move(result_);
  }

 private:
  const Record* record_of(const Node* node) const {
    return recorder_ != nullptr ? recorder_->find(reactive::handle_of(node)) : nullptr;
  }
  Label label_of(const Node* node) const {
    const Record* record = record_of(node);
    return record != nullptr && record->label ? *record->label : make_label(graph_, node);
  }

  // All nodes, in the order of their creation within each owner.
  void collect() {
    each_node(graph_, [&](const Node* node, const Computation* owner) {
      if (is_shown(node)) candidates_.push_back({node, owner, 0});
    });
    std::reverse(candidates_.begin(), candidates_.end());
    result_.nodes_total = candidates_.size();
  }

  void choose() {
    if (options_.around != NodeHandle{}) keep_neighbours();
    if (!options_.filter.empty()) {
      std::erase_if(candidates_, [&](const Candidate& candidate) {
        return !contains(label_of(candidate.node).name, options_.filter);
      });
    }
    result_.matches = candidates_.size();
    if (options_.around == NodeHandle{}) rank();
    auto higher = [](const Candidate& a, const Candidate& b) { return a.rank > b.rank; };
    std::stable_sort(candidates_.begin(), candidates_.end(), higher);
    if (candidates_.size() > options_.nodes_max) candidates_.resize(options_.nodes_max);
  }

  void rank() {
    if (options_.order == Order::Created) return;
    for (Candidate& candidate : candidates_) {
      const Record* record = record_of(candidate.node);
      if (record == nullptr) continue;
      candidate.rank =
          options_.order == Order::Time ? record->self.count() : static_cast<int64_t>(record->runs);
    }
  }

  // Upwards only through sources, downwards only through readers; nearest first.
  void keep_neighbours() {
    std::unordered_map<const Node*, int64_t> found;
    if (const Node* start = reactive::node_of(options_.around)) {
      found.emplace(start, 0);
      walk(start, found, [](const Node* node, auto&& visit) { each_source(node, visit); });
      walk(start, found, [](const Node* node, auto&& visit) { each_reader(node, visit); });
    }
    std::erase_if(candidates_, [&](Candidate& candidate) {
      const auto at = found.find(candidate.node);
      if (at != found.end()) candidate.rank = at->second;
      return at == found.end();
    });
  }

  template <class Each>
  static void walk(const Node* start, std::unordered_map<const Node*, int64_t>& found, Each each) {
    std::vector<const Node*> ring{start};
    for (int64_t rank = -1; !ring.empty(); --rank) {
      std::vector<const Node*> next;
      for (const Node* node : ring) {
        each(node, [&](const Node* other) {
          if (found.emplace(other, rank).second) next.push_back(other);
        });
      }
      ring = std::move(next);
    }
  }

  void add_node(const Candidate& candidate) {
    const Node* node = candidate.node;
    NodeView view;
    view.handle = reactive::handle_of(node);
    view.kind = kind_of(node);
    view.owner = reactive::handle_of(candidate.owner);
    const reactive::Flags flags = node->flags;
    view.is_stale = (flags & (reactive::kDirty | reactive::kPending)) != 0;
    view.is_queued = (flags & reactive::kQueued) != 0;
    view.is_running = (flags & reactive::kRunning) != 0;
    view.has_error = (flags & reactive::kError) != 0;
    view.is_render_phase =
        view.kind == Kind::Effect && static_cast<Phase>(node->subs_tail) == Phase::Render;
    Label label = label_of(node);
    view.name = std::move(label.name);
    view.site = std::move(label.site);
    each_source(node, [&](const Node*) { ++view.sources; });
    each_reader(node, [&](const Node*) { ++view.readers; });
    if (const Record* record = record_of(node)) {
      view.runs = record->runs;
      view.changes = record->changes;
      view.total = record->total;
      view.self = record->self;
      view.longest = record->longest;
    }
    if (options_.explained) view.why = explain(view.handle).text();
    view.value = value_of(graph_, node, options_.full_values ? Ask::FullValue : Ask::Value);
    result_.nodes.push_back(std::move(view));
  }

  void add_edges() {
    std::unordered_set<const Node*> shown;
    for (const Candidate& candidate : candidates_) shown.insert(candidate.node);
    for (const Candidate& candidate : candidates_) {
      each_source(candidate.node, [&](const Node* source) {
        if (!shown.contains(source)) return;
        result_.edges.emplace_back(reactive::handle_of(source),
                                   reactive::handle_of(candidate.node));
      });
    }
  }

  void add_owners() {
    std::unordered_set<const Node*> seen;
    for (const Candidate& candidate : candidates_) {
      const Node* owner = candidate.owner;
      while (reactive::index_of(owner) != graph_.root() && seen.insert(owner).second) {
        const auto* above = reactive::at<Node>(static_cast<const Computation*>(owner)->owner);
        result_.owners.push_back(
            {reactive::handle_of(owner), reactive::handle_of(above), label_of(owner).name});
        owner = above;
      }
    }
  }

  Graph& graph_;
  const Recorder* recorder_;
  const SnapshotOptions& options_;
  std::vector<Candidate> candidates_;
  Snapshot result_;
};

}  // namespace

Snapshot snapshot(Runtime& runtime, const SnapshotOptions& options) {
  return SnapshotMaker(runtime.graph(), options).make();
}

// --- DOT

namespace {

struct Handles {
  size_t operator()(NodeHandle handle) const noexcept {
    return (size_t{handle.index} << 32) ^ handle.generation;
  }
};

std::string dot_id(NodeHandle handle) {
  std::string id(1, 'n');
  id += std::to_string(handle.index);
  id += '_';
  id += std::to_string(handle.generation);
  return id;
}

void append_dot_node(std::string& out, const NodeView& node) {
  static constexpr const char* kShapes[] = {"box", "ellipse", "hexagon"};
  std::string label = node.name;
  if (!node.value.empty()) (label += '\n') += node.value;
  if (node.runs != 0) ((label += '\n') += std::to_string(node.runs)) += " runs";
  out += dot_id(node.handle) + " [label=";
  append_dot_string(out, label);
  out += std::string(", shape=") + kShapes[static_cast<size_t>(node.kind)];
  if (node.kind == Kind::Signal) out += ", style=rounded";
  if (node.has_error) {
    out += ", color=red";
  } else if (node.is_stale) {
    out += ", style=dashed";
  }
  if (!node.site.empty()) {
    out += ", tooltip=";
    append_dot_string(out, node.site);
  }
  out += "];\n";
}

class DotWriter {
 public:
  explicit DotWriter(const Snapshot& snapshot) : snapshot_(snapshot) {
    for (const OwnerView& owner : snapshot.owners) owners_.emplace(owner.handle, &owner);
    for (const OwnerView& owner : snapshot.owners) inner_[parent(owner.owner)].push_back(&owner);
    for (const NodeView& node : snapshot.nodes) nodes_[parent(node.owner)].push_back(&node);
  }

  std::string write() {
    out_ = "digraph lattice {\nrankdir=LR;\nnode [fontname=\"sans-serif\", fontsize=11];\n";
    write_content(NodeHandle{});
    for (const auto& [source, reader] : snapshot_.edges) {
      out_ += dot_id(source) + " -> " + dot_id(reader) + ";\n";
    }
    return std::move(out_) + "}\n";
  }

 private:
  NodeHandle parent(NodeHandle owner) const {
    return owners_.contains(owner) ? owner : NodeHandle{};
  }

  // Owners are nested as deep as components are: bounded by the page's own depth limit.
  void write_content(NodeHandle owner) {
    for (const NodeView* node : nodes_[owner]) append_dot_node(out_, *node);
    for (const OwnerView* inner : inner_[owner]) {
      out_ += "subgraph cluster_" + dot_id(inner->handle) + " {\nlabel=";
      append_dot_string(out_, inner->name);
      out_ += ";\n";
      write_content(inner->handle);
      out_ += "}\n";
    }
  }

  const Snapshot& snapshot_;
  std::unordered_map<NodeHandle, const OwnerView*, Handles> owners_;
  std::unordered_map<NodeHandle, std::vector<const OwnerView*>, Handles> inner_;
  std::unordered_map<NodeHandle, std::vector<const NodeView*>, Handles> nodes_;
  std::string out_;
};

}  // namespace

std::string dot(const Snapshot& snapshot) { return DotWriter(snapshot).write(); }

// --- JSON

namespace {

void append_node(JsonWriter& json, const NodeView& node) {
  json.begin_object();
  json.text("id", id_text(node.handle));
  json.text("name", node.name);
  json.text("kind", name_of(node.kind));
  if (node.kind == Kind::Effect) json.text("phase", node.is_render_phase ? "render" : "user");
  json.text("site", node.site);
  json.text("value", node.value);
  json.text("owner", id_text(node.owner));
  json.begin_array("flags");
  if (node.is_stale) json.item("stale");
  if (node.is_queued) json.item("queued");
  if (node.is_running) json.item("running");
  if (node.has_error) json.item("error");
  json.end_array();
  json.number("runs", node.runs);
  json.number("changes", node.changes);
  json.seconds("seconds", node.total);
  json.seconds("seconds_self", node.self);
  json.seconds("seconds_longest", node.longest);
  json.number("sources", node.sources);
  json.number("readers", node.readers);
  if (!node.why.empty()) json.text("why", node.why);
  json.end_object();
}

}  // namespace

std::string json(const Snapshot& snapshot) {
  JsonWriter json;
  json.begin_object();
  json.number("version", 1);
  json.boolean("recording", snapshot.is_recording);
  json.number("nodes_total", snapshot.nodes_total);
  json.number("matches", snapshot.matches);
  json.number("events", snapshot.events);
  json.begin_array("nodes");
  for (const NodeView& node : snapshot.nodes) append_node(json, node);
  json.end_array();
  json.begin_array("edges");
  for (const auto& [source, reader] : snapshot.edges) {
    json.begin_object();
    json.text("source", id_text(source));
    json.text("reader", id_text(reader));
    json.end_object();
  }
  json.end_array();
  json.begin_array("owners");
  for (const OwnerView& owner : snapshot.owners) {
    json.begin_object();
    json.text("id", id_text(owner.handle));
    json.text("owner", id_text(owner.owner));
    json.text("name", owner.name);
    json.end_object();
  }
  json.end_array();
  json.end_object();
  return json.take();
}

}  // namespace lattice::inspect
