// SPDX-License-Identifier: MIT
// Explanations: the chain of events that made a node run, as data and as a sentence.
//
// Events refer to their causes by number, so a chain reaches as far back as the ring remembers, and
// further for nodes that have not run since.
#include <algorithm>
#include <unordered_set>

#include "lattice/reactive/inspect.hpp"
#include "lattice/reactive/inspect_text.hpp"

namespace lattice::inspect {

using reactive::Computation;
using reactive::Link;
using reactive::Node;

namespace {

constexpr size_t kDepthMax = 32;
constexpr size_t kPartsMax = 200;  // causes in one explanation
constexpr size_t kLookedAtMax = 1000;

class Explainer {
 public:
  explicit Explainer(const Recorder* recorder) : recorder_(recorder) {}

  void explain_last(const Record& record, Explanation& into) {
    const bool is_source = into.kind == Kind::Signal;
    const auto& last = is_source ? record.last_write : record.last_run;
    into.runs = record.runs;
    if (last == nullptr) return;
    into.has_run = true;
    into.changed = last->changed;
    into.failed = last->failed;
    into.last_duration = last->duration;
    if (is_source) {
      into.causes.push_back(cause_of(*last, 0));
    } else {
      into.causes = causes_of_run(*last, 0);
    }
  }

  // What happened to the sources of a node after its last run.
  void explain_since(const Computation* node, const Record& record, Explanation& into) {
    std::unordered_set<const Node*> seen{node};
    std::vector<const Computation*> todo{node};
    const uint64_t since = record.run_end;
    while (!todo.empty() && seen.size() < kLookedAtMax) {
      const Computation* reader = todo.back();
      todo.pop_back();
      for (Index at = reader->deps; at != 0; at = reactive::at<Link>(at)->next_dep) {
        const Node* source = reactive::at<Node>(reactive::at<Link>(at)->dep);
        if (!seen.insert(source).second) continue;
        const Record* known = recorder_->find(reactive::handle_of(source));
        if (known != nullptr) note_source(source, *known, since, into);
        if (is_computation(source)) todo.push_back(static_cast<const Computation*>(source));
      }
    }
  }

 private:
  void note_source(const Node* source, const Record& known, uint64_t since, Explanation& into) {
    const Event* run = known.last_run.get();
    if (is_computation(source)) {
      if (run == nullptr || run->number <= since || run->changed) return;
      into.cut_offs.push_back({cause_of(*run, 1)});
    } else if (into.is_stale && known.changed_at > since && known.last_write != nullptr) {
      into.waiting.push_back(cause_of(*known.last_write, 1));
    }
  }

  std::vector<Cause> causes_of_run(const Event& run, size_t depth) {
    std::vector<Cause> causes;
    if (run.reason == Reason::First || run.reason == Reason::Unobserved) {
      Cause cause;
      cause.what = run.reason == Reason::First ? Cause::What::First : Cause::What::Unobserved;
      if (auto reader = event_of(run.during)) cause.by = reader->label->name;
      causes.push_back(std::move(cause));
    } else if (run.causes.empty()) {
      causes.push_back({Cause::What::Asked, {}, {}, {}, {}, {}, {}, {}});
    }
    for (const CauseRef& ref : run.causes) {
      if (depth == kDepthMax || ++parts_ > kPartsMax) break;
      if (auto event = recorder_->event(ref)) {
        causes.push_back(cause_of(*event, depth + 1));
      } else {
        causes.push_back({});
      }
    }
    return causes;
  }

  Cause cause_of(const Event& event, size_t depth) {
    Cause cause;
    cause.node = event.node;
    cause.name = event.label->name;
    cause.before = event.before;
    cause.after = event.after;
    if (event.kind == EventKind::Run) {
      cause.what = Cause::What::Changed;
      cause.site = event.label->site;
      cause.causes = causes_of_run(event, depth);
      return cause;
    }
    cause.what = event.reason == Reason::Asked ? Cause::What::Replaced : Cause::What::Write;
    cause.site = event.site;
    if (auto writer = event_of(event.during)) {
      cause.by = writer->label->name;
      if (depth < kDepthMax) cause.causes = causes_of_run(*writer, depth + 1);
    }
    return cause;
  }

  // A run that has not ended is not in the ring.
  std::shared_ptr<const Event> event_of(uint64_t number) const {
    return number != 0 ? recorder_->event(number) : nullptr;
  }

  const Recorder* recorder_;
  size_t parts_ = 0;
};

std::string described_source(const Graph& graph, const Recorder* recorder, const Node* source) {
  const Record* known = recorder != nullptr ? recorder->find(reactive::handle_of(source)) : nullptr;
  const Label label = known != nullptr && known->label ? *known->label : make_label(graph, source);
  std::string text = label.name + " (" + name_of(label.kind);
  return text + (label.site.empty() ? "" : ", " + label.site) + ")";
}

constexpr size_t kSourcesShownMax = 50;

}  // namespace

Explanation explain(NodeHandle handle) {
  Explanation result;
  result.node = handle;
  const Node* node = reactive::node_of(handle);
  if (node == nullptr) return result;
  Graph& graph = *reactive::graph_of(node);
  const Recorder* recorder = graph.recorder();
  graph.begin_walk();
  Label label = make_label(graph, node);
  result.is_alive = true;
  result.name = std::move(label.name);
  result.site = std::move(label.site);
  result.kind = label.kind;
  result.value = value_of(graph, node, Ask::Value);
  result.is_recording =
      Recorder::is_recording_all() || (recorder != nullptr && recorder->is_recording());
  result.is_stale =
      is_computation(node) && (node->flags & (reactive::kDirty | reactive::kPending)) != 0;
  if (is_computation(node)) {
    for (Index at = static_cast<const Computation*>(node)->deps;
         at != 0 && result.reads.size() < kSourcesShownMax; at = reactive::at<Link>(at)->next_dep) {
      result.reads.push_back(
          described_source(graph, recorder, reactive::at<Node>(reactive::at<Link>(at)->dep)));
    }
  }
  if (const Record* record = recorder != nullptr ? recorder->find(handle) : nullptr) {
    Explainer explainer(recorder);
    explainer.explain_last(*record, result);
    if (is_computation(node)) {
      explainer.explain_since(static_cast<const Computation*>(node), *record, result);
    }
  }
  graph.end_walk();
  return result;
}

// --- the sentence

namespace {

std::string change(const Cause& cause) {
  if (cause.after.empty() || cause.what == Cause::What::Replaced) return "";
  if (cause.before.empty()) return " (to " + cause.after + ")";
  return " (" + cause.before + " -> " + cause.after + ")";
}

void append_causes(std::string& out, const std::vector<Cause>& causes, Kind of);

void append_cause(std::string& out, const Cause& cause, Kind of) {
  switch (cause.what) {
    case Cause::What::Write:
      out += cause.name + " was written";
      if (!cause.site.empty()) out += " at " + cause.site;
      out += change(cause);
      break;
    case Cause::What::Replaced:
      out += "the function of " + cause.name + " was replaced";
      break;
    case Cause::What::Changed:
      out += cause.name + " changed" + change(cause) + ", because ";
      return append_causes(out, cause.causes, Kind::Memo);
    case Cause::What::First:
      out += of == Kind::Effect ? "it was made" : "it was read for the first time";
      break;
    case Cause::What::Unobserved:
      out += "nobody observed it, so nothing was kept, and it was read again";
      break;
    case Cause::What::Asked:
      out += of == Kind::Effect ? "it was scheduled" : "it was marked stale";
      break;
    case Cause::What::Forgotten:
      out += "of something that is no longer in the recording";
      break;
  }
  if (cause.by.empty()) return;
  out += " by " + cause.by;
  if (cause.causes.empty()) return;
  out += ", which ran because ";
  append_causes(out, cause.causes, Kind::Effect);
}

void append_causes(std::string& out, const std::vector<Cause>& causes, Kind of) {
  if (causes.empty()) out += "of something that is not shown here";
  for (size_t at = 0; at != causes.size(); ++at) {
    if (at != 0) out += at + 1 == causes.size() ? ", and " : ", ";
    append_cause(out, causes[at], of);
  }
}

void append_last(std::string& out, const Explanation& of) {
  const char* verb = of.kind == Kind::Effect ? " ran because " : " was recomputed because ";
  out += verb;
  append_causes(out, of.causes, of.kind);
  out += ".";
  if (of.failed) {
    out += " Its function raised an error.";
  } else if (of.kind == Kind::Memo && !of.changed) {
    out += " Its value stayed " + (of.value.empty() ? std::string("equal") : of.value) +
           ", so its readers did not run.";
  }
}

void append_since(std::string& out, const Explanation& of) {
  for (const CutOff& cut_off : of.cut_offs) {
    out += " It did not run since: " + cut_off.memo.name + " was recomputed to an equal value";
    if (!cut_off.memo.after.empty()) out += " (" + cut_off.memo.after + ")";
    out += ", because ";
    append_causes(out, cut_off.memo.causes, Kind::Memo);
    out += ".";
  }
  if (!of.is_stale || !of.has_run) return;
  out += of.kind == Kind::Effect ? " It is stale and waits to run"
                                 : " It is stale and will be recomputed when it is read";
  if (!of.waiting.empty()) {
    out += ", because ";
    append_causes(out, of.waiting, of.kind);
  }
  out += ".";
}

std::string reads_text(const Explanation& of) {
  if (of.kind == Kind::Signal) return "";
  if (of.reads.empty()) return " It reads nothing now.";
  std::string text = " It reads ";
  for (size_t at = 0; at != of.reads.size(); ++at) text += (at != 0 ? ", " : "") + of.reads[at];
  return text + ".";
}

}  // namespace

std::string Explanation::text() const {
  if (!is_alive) return "It was disposed, with what was recorded of it.";
  std::string out = name;
  if (!site.empty()) out += " (" + site + ")";
  if (!has_run) {
    const char* what = kind == Kind::Signal ? "was not written" : "has not run";
    if (!is_recording) return out + ": nothing is recorded." + reads_text(*this);
    out += std::string(" ") + what + " since recording began." + reads_text(*this);
    append_since(out, *this);
    return out;
  }
  if (kind == Kind::Signal) {
    std::string cause;
    append_cause(cause, causes.front(), kind);
    return out + cause.substr(name.size()) + ".";
  }
  append_last(out, *this);
  append_since(out, *this);
  return out;
}

// --- JSON

namespace {

const char* name_of(Cause::What what) {
  static constexpr const char* kNames[] = {"write",      "replaced", "changed",  "first",
                                           "unobserved", "asked",    "forgotten"};
  return kNames[static_cast<size_t>(what)];
}

void append_cause_json(JsonWriter& json, const Cause& cause);

void append_causes_json(JsonWriter& json, std::string_view name, const std::vector<Cause>& causes) {
  json.begin_array(name);
  for (const Cause& cause : causes) append_cause_json(json, cause);
  json.end_array();
}

void append_cause_json(JsonWriter& json, const Cause& cause) {
  json.begin_object();
  json.text("what", name_of(cause.what));
  json.text("id", cause.node == NodeHandle{} ? std::string() : id_text(cause.node));
  json.text("name", cause.name);
  json.text("site", cause.site);
  json.text("before", cause.before);
  json.text("after", cause.after);
  json.text("by", cause.by);
  append_causes_json(json, "causes", cause.causes);
  json.end_object();
}

}  // namespace

std::string Explanation::json() const {
  JsonWriter json;
  json.begin_object();
  json.text("id", id_text(node));
  json.text("name", name);
  json.text("site", site);
  json.text("kind", inspect::name_of(kind));
  json.text("value", value);
  json.boolean("alive", is_alive);
  json.boolean("recording", is_recording);
  json.boolean("stale", is_stale);
  json.boolean("has_run", has_run);
  json.boolean("changed", changed);
  json.boolean("failed", failed);
  json.number("runs", runs);
  json.seconds("seconds", last_duration);
  append_causes_json(json, "causes", causes);
  append_causes_json(json, "waiting", waiting);
  json.begin_array("cut_offs");
  for (const CutOff& cut_off : cut_offs) append_cause_json(json, cut_off.memo);
  json.end_array();
  json.begin_array("reads");
  for (const std::string& source : reads) json.item(source);
  json.end_array();
  json.text("text", text());
  json.end_object();
  return json.take();
}

}  // namespace lattice::inspect
