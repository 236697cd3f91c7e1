// SPDX-License-Identifier: MIT
#include "session_state.hpp"

#include <algorithm>

#include "reactive_node.hpp"

namespace lattice::python {

namespace {

uint64_t next_serial = 1;  // under the GIL

std::string text_of_exception(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "unknown exception";
  }
}

// What C++ nodes of this runtime throw. Python's own errors are reported where they are caught.
void handle_native_error(Runtime* runtime, std::exception_ptr error, const char* name) {
  GilScope gil;
  if (!gil) return;
  SavedError saved;
  set_python_error(error);
  PyObject* exception = take_raised();
  if (exception == nullptr)
    exception = raise_error(lattice_error, text_of_exception(error)), exception = take_raised();
  std::string what =
      name != nullptr && name[0] != '?' ? "effect '" + std::string(name) + "'" : "an effect";
  report_unhandled(runtime->graph(), exception, what, name);
}

// Module-level effects, in the order in which they were made.
struct TemplateEffect {
  uint64_t order;
  bool is_strong;
};
std::unordered_map<NodeObject*, TemplateEffect>& template_effects() {
  static auto* effects = new std::unordered_map<NodeObject*, TemplateEffect>;
  return *effects;
}
uint64_t next_order = 0;

}  // namespace

SessionState::SessionState(Runtime& runtime, Kind kind)
    : runtime_(runtime), kind_(kind), serial_(next_serial++) {
  runtime.host = this;
  runtime.set_error_handler([owner = &runtime](std::exception_ptr error, const char* name) {
    handle_native_error(owner, error, name);
  });
}

SessionState::~SessionState() {
  dispose();
  drop_references();
  set_object(nullptr);
}

SessionState* SessionState::current() noexcept {
  Runtime* runtime = Runtime::current_or_null();
  auto* state = runtime != nullptr ? static_cast<SessionState*>(runtime->host) : nullptr;
  return state != nullptr && state->kind_ == Kind::Session ? state : nullptr;
}

void SessionState::set_object(PyObject* object) { Py_XSETREF(object_, Py_XNewRef(object)); }

// --- default runtimes

namespace {

// The first node of a default runtime, so the last to be destroyed: ends its state with it.
struct SentinelNode : Node {
  SessionState* state;
};

void destroy_sentinel(Graph& graph, Node* node) noexcept {
  auto* state = static_cast<SentinelNode*>(node)->state;
  static_cast<Runtime*>(graph.host)->host = nullptr;
  state->detach();
  GilScope gil;
  if (gil) delete state;
}

// Messages for the main thread's runtime of a script: nothing drains it but Python's own idle
// moments.
int drain_main(void*) {
  Runtime* runtime = Runtime::current_or_null();
  if (runtime == nullptr || runtime->mailbox().empty()) return 0;
  auto* state = static_cast<SessionState*>(runtime->host);
  // A batch that stays open for deferred flushes keeps nothing waiting.
  const Graph& graph = runtime->graph();
  const bool may_drain = graph.idle() || (graph.defers_flushes() && !graph.running());
  if (state == nullptr || state->kind() != SessionState::Kind::Default || !may_drain) return 0;
  return guarded(-1, [&] {
    runtime->drain_mailbox();
    return 0;
  });
}

}  // namespace

void drain_later() { Py_AddPendingCall(&drain_main, nullptr); }

void register_sentinel_type() {
  types.sentinel_node =
      reactive::register_node_type({nullptr, &destroy_sentinel, sizeof(SentinelNode), false});
}

namespace {

// A state that ends with its runtime.
SessionState& make_resident(Runtime& runtime, SessionState::Kind kind) {
  Graph& graph = runtime.graph();
  auto* state = new SessionState(runtime, kind);
  const Index owner = graph.exchange_owner(graph.root());
  auto* node = static_cast<SentinelNode*>(graph.create(types.sentinel_node, 0));
  graph.exchange_owner(owner);
  node->state = state;
  return *state;
}

}  // namespace

SessionState& SessionState::of(Runtime& runtime) {
  if (runtime.host != nullptr) return *static_cast<SessionState*>(runtime.host);
  runtime.mailbox().set_wake([] { Py_AddPendingCall(&drain_main, nullptr); });
  return make_resident(runtime, Kind::Default);
}

SessionState& SessionState::of_app(Runtime& runtime) {
  if (runtime.host != nullptr) return *static_cast<SessionState*>(runtime.host);
  return make_resident(runtime, Kind::App);
}

// --- life of a session

void SessionState::detach() noexcept { alive_ = false; }

void SessionState::begin_segment() {
  ++segment_;
  sweep();
}

void SessionState::sweep() {
  if (!released_.empty()) {
    for (reactive::NodeHandle handle : std::exchange(released_, {})) {
      if (Node* node = reactive::node_of(handle)) reactive::graph_of(node)->dispose(node);
    }
  }
  if (orphans_.empty() || !runtime_.graph().idle()) return;
  std::vector<NodeObject*> unread;
  std::erase_if(orphans_, [&](NodeObject* orphan) {
    const bool is_read = orphan->node != nullptr && orphan->node->subs != 0;
    if (!is_read) unread.push_back(orphan);
    return !is_read;
  });
  for (NodeObject* orphan : unread) Py_DECREF(as_object(orphan));
}

void SessionState::keep_orphan(NodeObject* orphan) {
  orphans_.push_back(as_node(Py_NewRef(as_object(orphan))));
}

void SessionState::start() {
  if (std::exchange(started_, true)) return;
  std::vector<std::pair<uint64_t, NodeObject*>> effects;
  for (auto& [effect, entry] : template_effects()) {
    effects.emplace_back(entry.order, as_node(Py_NewRef(as_object(effect))));
  }
  std::sort(effects.begin(), effects.end());
  for (auto [order, effect] : effects) {
    NodeObject* instance = new_effect_like(effect);
    if (instance == nullptr) {
      report_error(runtime_.graph(), take_raised(),
                   display_name(effect).empty() ? "an effect" : "effect " + quoted_name(effect),
                   "");
    } else {
      keep_instance(effect, instance);
      Py_DECREF(as_object(instance));
      start_effect(instance);
    }
    Py_DECREF(as_object(effect));
  }
}

void SessionState::drop_references() {
  for (NodeObject* orphan : std::exchange(orphans_, {})) Py_DECREF(as_object(orphan));
  for (auto& [of_template, instance] : std::exchange(instances_, {})) {
    Py_DECREF(as_object(instance));
    Py_DECREF(as_object(of_template));
  }
}

void SessionState::dispose() {
  if (!std::exchange(alive_, false)) return;
  SavedError saved;
  {
    RuntimeEntry entry(runtime_);
    Graph& graph = runtime_.graph();
    graph.open_batch();
    graph.dispose_owned(reactive::at<Computation>(graph.root()));
    drop_references();
    runtime_.set_error_handler(nullptr);
    runtime_.host = nullptr;
    guarded(-1, [&] {
      graph.close_batch();
      return 0;
    });
  }
  PyErr_Clear();
  settle_trash();
}

// --- instances

NodeObject* SessionState::find_instance(NodeObject* of_template) const {
  auto found = instances_.find(of_template);
  return found != instances_.end() ? found->second : nullptr;
}

void SessionState::keep_instance(NodeObject* of_template, NodeObject* instance) {
  Py_INCREF(as_object(of_template));
  Py_INCREF(as_object(instance));
  instances_.emplace(of_template, instance);
}

void register_template_effect(NodeObject* effect) {
  const bool is_strong = effect->node == nullptr && !effect->weak;
  if (is_strong) Py_INCREF(as_object(effect));
  template_effects().emplace(effect, TemplateEffect{next_order++, is_strong});
  effect->registered = true;
}

void forget_template_effect(NodeObject* effect) noexcept {
  effect->registered = false;
  auto found = template_effects().find(effect);
  if (found == template_effects().end()) return;
  const bool is_strong = found->second.is_strong;
  template_effects().erase(found);
  if (is_strong) Py_DECREF(as_object(effect));
}

void dispose_template_effects() {
  std::vector<NodeObject*> effects;
  for (auto& [effect, entry] : template_effects()) {
    effects.push_back(as_node(Py_NewRef(as_object(effect))));
  }
  for (NodeObject* effect : effects) {
    dispose_object(effect);
    Py_DECREF(as_object(effect));
  }
}

bool is_served_here() noexcept {
  Runtime* runtime = Runtime::current_or_null();
  auto* state = runtime != nullptr ? static_cast<SessionState*>(runtime->host) : nullptr;
  return state != nullptr && state->kind() != SessionState::Kind::Default;
}

namespace {

// A copy of what the template holds, so that no session sees another's data.
PyObject* copy_for_session(NodeObject* of_template) {
  PyObject* value = signal_latest(of_template);
  if (!is_copied_per_session(value)) return Py_NewRef(value);
  PyObject* copy = PyImport_ImportModule("copy");
  PyObject* function = copy != nullptr ? PyObject_GetAttrString(copy, "deepcopy") : nullptr;
  PyObject* copied = function != nullptr ? PyObject_CallOneArg(function, value) : nullptr;
  Py_XDECREF(function);
  Py_XDECREF(copy);
  if (copied != nullptr) return copied;
  PyObject* cause = take_raised();
  PyObject* text = PyObject_Str(cause);
  const char* reason = text != nullptr ? PyUnicode_AsUTF8(text) : nullptr;
  raise_error(access_error,
              quoted_name(of_template) +
                  " is a module-level signal, so each session gets a copy of its value, "
                  "but the value cannot be copied (" +
                  (reason != nullptr ? reason : "?") +
                  "). Share it with scope=\"app\", or make the signal in the component.");
  Py_XDECREF(text);
  Py_DECREF(cause);
  return nullptr;
}

void copy_options(NodeObject* from, NodeObject* to) {
  to->equality = from->equality;
  to->is_store = from->is_store;
  to->keeps_sources = from->keeps_sources;
  if (from->equality == Equality::Function) extra_of(to).equals = Py_NewRef(from->extra->equals);
  to->name = PyUnicode_FromString(display_name(from).c_str());
  to->origin = Py_XNewRef(from->origin);
  to->origin_offset = from->origin_offset;
}

NodeObject* make_instance(SessionState& state, NodeObject* of_template) {
  NodeObject* made = nullptr;
  if (of_template->kind == NodeKind::Signal) {
    reactive::UntrackedGuard untracked(state.runtime().graph());
    PyObject* value = copy_for_session(of_template);
    if (value == nullptr) return nullptr;
    made = new_signal_object(value);
    Py_DECREF(value);
  } else {
    made = new_memo_object(of_template->function);
  }
  if (made == nullptr) return nullptr;
  copy_options(of_template, made);
  if (bind_to_root(made) < 0) return Py_DECREF(as_object(made)), nullptr;
  state.keep_instance(of_template, made);
  Py_DECREF(as_object(made));  // the session keeps it
  return made;
}

NodeObject* session_instance(SessionState& state, NodeObject* self) {
  if (self->cached_serial == state.serial()) return self->cached_instance;
  NodeObject* instance = state.find_instance(self);
  if (instance == nullptr) {
    instance = self->app_scope ? mirror_instance(self) : make_instance(state, self);
  }
  if (instance != nullptr) {
    self->cached_serial = state.serial();
    self->cached_instance = instance;
  }
  return instance;
}

const char* type_word(NodeObject* self) {
  return self->is_store                   ? "store"
         : self->kind == NodeKind::Signal ? "signal"
         : self->kind == NodeKind::Memo   ? "memo"
                                          : "effect";
}

Resolved refuse(NodeObject* self, const std::string& reason) {
  raise_error(access_error, quoted_name(self) + " is a " + type_word(self) + " of " + reason);
  return {nullptr, Place::Error};
}

Resolved refuse_ended(NodeObject* self) {
  raise_ended(self);
  return {nullptr, Place::Error};
}

Resolved found(NodeObject* object) {
  return {object, object != nullptr ? Place::Here : Place::Error};
}

Resolved resolve_in_session(SessionState& state, NodeObject* self) {
  using Kind = SessionState::Kind;
  const bool is_template =
      self->graph == nullptr ||
      SessionState::of(*static_cast<Runtime*>(self->graph->host)).kind() == Kind::Default;
  if (is_template) {
    // A finaliser may come here while the session ends.
    NodeObject* instance = state.is_alive() || self->cached_serial == state.serial()
                               ? session_instance(state, self)
                               : state.find_instance(self);
    if (instance == nullptr && PyErr_Occurred()) return {nullptr, Place::Error};
    return instance != nullptr && instance->node != nullptr ? found(instance) : refuse_ended(self);
  }
  if (SessionState::of(*static_cast<Runtime*>(self->graph->host)).kind() == Kind::App) {
    return refuse(self,
                  "the app itself, made while it computed shared state. Make it at module level "
                  "with scope=\"app\" to share it.");
  }
  return refuse(self,
                "another session. State made in a component belongs to the visitor whose page it "
                "is; share it by making it at module level with scope=\"app\".");
}

Resolved resolve_in_app(NodeObject* self) {
  if (self->app_scope) return found(app_instance(self));
  return refuse(self,
                "a session, and shared state (scope=\"app\") cannot depend on one visitor's. Make "
                "it scope=\"app\" too, or compute this in a memo of the session.");
}

}  // namespace

Resolved resolve_node(NodeObject* self) {
  Graph* graph = Graph::current_fast();
  if (self->graph == graph && graph != nullptr && !(self->app_scope && app_actor() != nullptr)) {
    return {self, Place::Here};
  }
  if (self->disposed) return refuse_ended(self);
  auto* runtime = static_cast<Runtime*>(graph->host);
  auto* state = runtime != nullptr ? static_cast<SessionState*>(runtime->host) : nullptr;
  if (state != nullptr && state->kind() == SessionState::Kind::Session) {
    return self->graph == graph ? Resolved{self, Place::Here} : resolve_in_session(*state, self);
  }
  if (state != nullptr && state->kind() == SessionState::Kind::App) {
    return self->graph == graph ? Resolved{self, Place::Here} : resolve_in_app(self);
  }
  if (thread_face.is_event_loop) {
    raise_error(access_error,
                quoted_name(self) +
                    " is used on the app's asyncio loop outside of any session: a task started "
                    "with asyncio.create_task() or gather() runs there on its own. Use state in "
                    "the async function itself, or in a function wrapped by lt.in_session().");
    return {nullptr, Place::Error};
  }
  if (self->app_scope && app_actor() != nullptr) return {self, Place::App};
  if (self->graph == nullptr) {
    return bind_to_root(self) < 0 ? Resolved{nullptr, Place::Error} : Resolved{self, Place::Here};
  }
  return {self, self->graph == Graph::current_fast() ? Place::Here : Place::Foreign};
}

// --- rendering

RenderingGuard::RenderingGuard(std::string_view component_name)
    : graph_(Graph::current()),
      name_(component_name),
      outer_name_(thread_face.rendering),
      outer_callbacks_(thread_face.callbacks_at_render) {
  thread_face.rendering = &name_;
  thread_face.callbacks_at_render = thread_face.callbacks;
  graph_.open_batch();
}

RenderingGuard::~RenderingGuard() {
  thread_face.rendering = outer_name_;
  thread_face.callbacks_at_render = outer_callbacks_;
  try {
    graph_.close_batch();
  } catch (...) {
    graph_.report(nullptr, std::current_exception());
  }
}

}  // namespace lattice::python
