// SPDX-License-Identifier: MIT
// A memo or effect of one thread reads another thread's signal or memo: it subscribes to a mirror.
//
//   thread A (owner)                          thread B (reader)
//   source -- write --> changed --postman--> mirror's next value --mailbox--> mirror --> readers
//
// The mirror is a signal of B, held by those who read it; with the last of them it goes, and A
// stops publishing. Writes in A note the source as changed; an effect of A that runs last in each
// flush (the postman) hands all that has changed to the readers' runtimes at once, newest value
// only, and B takes it in one batch. For a memo A keeps an effect that reads it, made when A next
// drains its mailbox; until then, if the memo is stale, reading the mirror raises NotReady, which
// an effect takes as "wait". Nobody waits, and nothing is locked but by the GIL.
//
// A mirror that is made shows what the source has at that moment, also in the middle of a batch of
// A's; from then on what one flush of A has changed is seen together.
//
// Where A never drains its mailbox, its signals still publish what A writes, and its memos keep
// their last value. Where A has ended, readers run again: what is left of its nodes belongs to
// who reads it first, as everywhere.
#include <algorithm>
#include <optional>
#include <unordered_map>

#include "lattice/reactive/bridge.hpp"
#include "lattice/reactive/effect.hpp"
#include "mirror.hpp"
#include "native_memo.hpp"

namespace lattice::python {

// What a runtime reads from others, and has to tell others.
struct Bridges {
  std::shared_ptr<Mailbox> mailbox;
  std::unordered_map<PyObject*, NodeObject*> mirrors;  // by source; borrowed
  std::vector<std::weak_ptr<Mirror>> arrived;
  bool is_posted = false;

  std::vector<std::weak_ptr<Publication>> changed;
  std::optional<Effect> postman;
};

namespace {

Bridges& bridges_of(SessionState& state) {
  if (state.bridges == nullptr) {
    state.bridges = std::make_shared<Bridges>();
    state.bridges->mailbox = state.runtime().shared_mailbox();
  }
  return *state.bridges;
}
SessionState& state_of(Graph& graph) {
  return SessionState::of(*static_cast<Runtime*>(graph.host));
}

std::vector<std::shared_ptr<Mirror>> living_mirrors(Publication& publication) {
  std::vector<std::shared_ptr<Mirror>> living;
  std::erase_if(publication.mirrors, [&](const std::weak_ptr<Mirror>& weak) {
    auto mirror = weak.lock();
    const bool is_gone = mirror == nullptr || mirror->node == nullptr;
    if (!is_gone) living.push_back(std::move(mirror));
    return is_gone;
  });
  return living;
}

// --- where it is read

// What has come from one flush of another runtime, or several, at once.
void deliver_all(Bridges& bridges) {
  struct Arrival {
    std::shared_ptr<Mirror> mirror;
    NodeObject* node;
    PyObject* value;
    PyObject* error;
  };
  std::vector<Arrival> arrivals;
  bridges.is_posted = false;
  for (const auto& weak : std::exchange(bridges.arrived, {})) {
    auto mirror = weak.lock();
    if (mirror == nullptr || mirror->node == nullptr) continue;
    mirror->is_posted = false;
    Py_INCREF(as_object(mirror->node));
    PyObject* value = std::exchange(mirror->next_value, nullptr);
    PyObject* error = std::exchange(mirror->next_error, nullptr);
    arrivals.push_back({mirror, mirror->node, value, error});
  }
  for (const Arrival& arrival : arrivals) {
    NodeObject* node = arrival.node;
    const bool is_news = std::exchange(arrival.mirror->next_mutated, false);
    if (arrival.value != nullptr || arrival.error != nullptr) {
      show(*arrival.mirror, arrival.value, arrival.error, is_news);
    }
    if (arrival.mirror->is_source_gone && node->graph == Graph::current_fast()) {
      bridges.mirrors.erase(arrival.mirror->source);
      if (signal_mutated_here(node, *node->graph) < 0) PyErr_Clear();
    }
    Py_XDECREF(arrival.value);
    Py_XDECREF(arrival.error);
    Py_DECREF(as_object(node));
  }
}

void add_arrival(const std::shared_ptr<Mirror>& mirror,
                 std::vector<std::shared_ptr<Bridges>>& to_tell) {
  // What the values before it ran may have ended it.
  if (mirror->bridges == nullptr || std::exchange(mirror->is_posted, true)) return;
  Bridges& bridges = *mirror->bridges;
  bridges.arrived.push_back(mirror);
  if (!std::exchange(bridges.is_posted, true)) to_tell.push_back(mirror->bridges);
}

// Waking may run Python code, so it comes when all else is done.
void tell(const std::vector<std::shared_ptr<Bridges>>& all) {
  for (const auto& bridges : all) {
    bridges->mailbox->post([target = std::weak_ptr<Bridges>(bridges)] {
      GilScope gil;
      if (!gil) return;
      if (auto bridges = target.lock()) deliver_all(*bridges);
    });
  }
}

// --- where it lives

void deliver_mail(Bridges& bridges) {
  std::vector<std::shared_ptr<Bridges>> to_tell;
  for (const auto& weak : std::exchange(bridges.changed, {})) {
    auto publication = weak.lock();
    if (publication == nullptr) continue;
    publication->is_waiting = false;
    const bool is_mutated = std::exchange(publication->is_mutated, false);
    for (const auto& mirror : living_mirrors(*publication)) {
      set_next(*mirror, *publication);
      mirror->next_mutated |= is_mutated;
      add_arrival(mirror, to_tell);
    }
  }
  tell(to_tell);
}

void note_change(const std::shared_ptr<Publication>& publication) {
  ++publication->version;
  if (std::exchange(publication->is_waiting, true)) return;
  Graph& graph = *Graph::current_fast();
  SessionState& state = state_of(graph);
  Bridges& bridges = bridges_of(state);
  bridges.changed.push_back(publication);
  const int failed = guarded(-1, [&] {
    if (!bridges.postman || !bridges.postman->alive()) {
      const reactive::UntrackedGuard untracked(graph);
      Owner::root().run([&] {
        bridges.postman = effect(
            [own = std::weak_ptr<Bridges>(state.bridges)] {
              GilScope gil;
              if (auto bridges = own.lock(); bridges != nullptr && gil) deliver_mail(*bridges);
            },
            {.priority = reactive::kSendPriority + 1, .name = "bridge: outbox"});
      });
    }
    bridges.postman->schedule();
    graph.settle();
    return 0;
  });
  if (failed) report_error(graph, take_raised(), "a bridge to another thread", "");
}

PyObject* publish_bridged_memo(PyObject* object, PyObject*) {
  NodeObject* memo = as_node(object);
  PyObject* value = memo_read_here(memo, *Graph::current_fast(), true);
  PyObject* error = value == nullptr ? take_raised() : nullptr;
  auto publication = memo->extra != nullptr ? memo->extra->publication : nullptr;
  if (publication != nullptr && publication->is_bridge) {
    Py_XSETREF(publication->value, value);
    Py_XSETREF(publication->error, error);
    note_change(publication);
  } else {
    Py_XDECREF(value);
    Py_XDECREF(error);
  }
  Py_RETURN_NONE;
}

PyMethodDef publish_bridged_memo_def = {"bridge", &publish_bridged_memo, METH_NOARGS, nullptr};

// On the memo's thread.
void start_publisher(NodeObject* memo) {
  if (memo->node == nullptr || memo->graph != Graph::current_fast() || memo->extra == nullptr) {
    return;
  }
  auto publication = memo->extra->publication;
  if (publication == nullptr || !publication->is_bridge || publication->publisher != nullptr ||
      living_mirrors(*publication).empty()) {
    return;
  }
  PyObject* function = PyCFunction_New(&publish_bridged_memo_def, as_object(memo));
  NodeObject* effect =
      function != nullptr ? new_effect(function, "bridge of " + display_name(memo), true) : nullptr;
  Py_XDECREF(function);
  if (effect == nullptr) {
    report_error(*memo->graph, take_raised(), "a bridge to another thread", "");
    return;
  }
  effect->node->subs = static_cast<uint32_t>(reactive::kSendPriority);
  publication->publisher = as_object(effect);
  const int failed = guarded(-1, [&] {
    start_effect(effect);
    return 0;
  });
  if (failed) report_error(*Graph::current_fast(), take_raised(), "a bridge", "");
}

// Nobody mirrors it any more. May be called on any thread.
void close_publication(const std::shared_ptr<Publication>& publication) {
  if (publication->owner != nullptr && publication->owner->publication == publication) {
    publication->owner->publication = nullptr;
  }
  publication->owner = nullptr;
  PyObject* publisher = std::exchange(publication->publisher, nullptr);
  if (publisher != nullptr) dispose_object(as_node(publisher));
  Py_XDECREF(publisher);
  Py_CLEAR(publication->value);
  Py_CLEAR(publication->error);
}

std::shared_ptr<Publication> publication_of(NodeObject* source) {
  Extra& extra = extra_of(source);
  if (extra.publication != nullptr && extra.publication->is_bridge) return extra.publication;
  auto publication = extra.publication = std::make_shared<Publication>();
  publication->is_bridge = true;
  publication->owner = &extra;
  return publication;
}

// What is known of the source on another thread: a value, or an error. New references.
void look_at(NodeObject* source, PyObject*& value, PyObject*& error) {
  value = error = nullptr;
  if (source->kind == NodeKind::Signal) {
    value = Py_NewRef(signal_latest(source));
  } else if (reactive::needs_clean(source->node)) {
    const std::string text = quoted_name(source) +
                             " is a memo of another thread, which has yet to compute it: it does "
                             "so when it next calls lt.flush() or its event loop runs.";
    error = PyObject_CallFunction(not_ready_error, "s", text.c_str());
  } else if (source->node->flags & reactive::kError) {
    error = Py_NewRef(source->extra->error);
  } else {
    value = Py_XNewRef(boxed_value(source));
  }
}

NodeObject* make_mirror(NodeObject* source, SessionState& state) {
  Bridges& bridges = bridges_of(state);
  PyObject *value = nullptr, *error = nullptr;
  look_at(source, value, error);
  NodeObject* made = new_signal_object(value != nullptr ? value : Py_None);
  Py_XDECREF(value);
  if (made == nullptr) return Py_XDECREF(error), nullptr;
  made->equality = source->equality;
  made->name = PyUnicode_FromString(display_name(source).c_str());
  Extra& extra = extra_of(made);
  if (made->equality == Equality::Function) extra.equals = Py_NewRef(source->extra->equals);
  if (bind_to_root(made) < 0) return Py_XDECREF(error), Py_DECREF(as_object(made)), nullptr;
  auto mirror = extra.mirror = std::make_shared<Mirror>();
  mirror->node = made;
  mirror->of_template = source;
  mirror->source = Py_NewRef(as_object(source));
  mirror->bridges = state.bridges;
  mirror->error = error;
  publication_of(source)->mirrors.push_back(mirror);
  bridges.mirrors[mirror->source] = made;
  if (source->kind == NodeKind::Memo) {
    static_cast<Runtime*>(source->graph->host)->mailbox().post([memo = SharedRef(source)] {
      if (GilScope gil; gil) start_publisher(as_node(memo.get()));
    });
  }
  return made;
}

}  // namespace

PyObject* bridge_read(NodeObject* source, Graph& graph) {
  SessionState& state = state_of(graph);
  auto found = bridges_of(state).mirrors.find(as_object(source));
  NodeObject* mirror = found != state.bridges->mirrors.end() ? found->second : nullptr;
  if (mirror != nullptr) {
    Py_INCREF(as_object(mirror));
  } else {
    mirror = make_mirror(source, state);
    if (mirror == nullptr) return nullptr;
  }
  PyObject* value = signal_read_here(mirror, graph, true);
  Py_DECREF(as_object(mirror));  // the reader holds it
  return value;
}

void publish_to_bridges(NodeObject* source) {
  auto publication = source->extra->publication;
  if (living_mirrors(*publication).empty()) return close_publication(publication);
  Py_XSETREF(publication->value, Py_NewRef(signal_latest(source)));
  note_change(publication);
}

void publish_mutation(NodeObject* source) {
  auto publication = source->extra->publication;
  if (!publication->is_bridge) return;
  publication->is_mutated = true;
  publish_to_bridges(source);
}

void bridge_source_ended(NodeObject* source) {
  auto publication = source->extra->publication;
  if (!publication->is_bridge) return;
  std::vector<std::shared_ptr<Bridges>> to_tell;
  for (const auto& mirror : living_mirrors(*publication)) {
    mirror->is_source_gone = true;
    add_arrival(mirror, to_tell);
  }
  close_publication(publication);
  tell(to_tell);
}

void end_bridge(const std::shared_ptr<Mirror>& mirror) {
  auto bridges = std::exchange(mirror->bridges, nullptr);
  auto found = bridges->mirrors.find(mirror->source);
  if (found != bridges->mirrors.end() && found->second == mirror->node) {
    bridges->mirrors.erase(found);
  }
  mirror->node = nullptr;
  PyObject* source = std::exchange(mirror->source, nullptr);
  Extra* extra = source != nullptr ? as_node(source)->extra : nullptr;
  auto publication = extra != nullptr ? extra->publication : nullptr;
  if (publication != nullptr && publication->is_bridge && living_mirrors(*publication).empty()) {
    close_publication(publication);
  }
  Py_XDECREF(source);
}

}  // namespace lattice::python
