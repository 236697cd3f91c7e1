// SPDX-License-Identifier: MIT
// scope="app": state that all sessions share, owned by the app's actor, mirrored in each session.
//
//   session A: mirror <--mailbox-- publication --mailbox--> mirror :session B
//                 \---- write, update ----> actor's instance ----^
//
// The actor's instance is the truth. A publication holds its newest value and the mirrors of
// sessions that use it; every change goes to their mailboxes, newest value only. A session's own
// write shows in its mirror at once; until the actor has acknowledged it, published values are held
// back, so that an older one does not flicker in between. An update function runs in the actor,
// once; the session waits for it without the GIL. The actor never waits for a session.
//
// Everything here is guarded by the GIL, but for the instances themselves, which belong to the
// actor. Values are shared by reference: change them by writing new ones, not in place.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "mirror.hpp"

namespace lattice::python {

// --- what bridges share (bridge.cpp)

void set_next(Mirror& mirror, const Publication& publication) {
  Py_XSETREF(mirror.next_value, Py_XNewRef(publication.value));
  Py_XSETREF(mirror.next_error, Py_XNewRef(publication.error));
  mirror.next_version = publication.version;
}

void show(Mirror& mirror, PyObject* value, PyObject* error, bool is_news) {
  NodeObject* node = mirror.node;
  if (node == nullptr || node->node == nullptr || node->graph != Graph::current_fast()) return;
  Py_INCREF(as_object(node));
  const Equality equality = node->equality;
  is_news |= mirror.error != nullptr || error != nullptr;
  if (is_news) node->equality = Equality::Never;
  Py_XSETREF(mirror.error, Py_XNewRef(error));
  PyObject* shown = Py_NewRef(value != nullptr ? value : Py_None);
  const std::string* rendering = std::exchange(thread_face.rendering, nullptr);
  if (signal_write_here(node, *node->graph, shown) < 0) {
    report_error(*node->graph, take_raised(), "shared state " + quoted_name(node), "");
  }
  thread_face.rendering = rendering;
  Py_DECREF(shown);
  node->equality = equality;
  if (is_news && node->pending != nullptr) node->is_mutated = true;
  Py_DECREF(as_object(node));
}

namespace {

constexpr std::chrono::milliseconds kWaitMax{5000};

std::shared_ptr<AppActor> the_actor;
uint64_t the_actor_id = 0;

SessionState& app_state() { return SessionState::of_app(Runtime::current()); }

PyObject* raise_stopped(NodeObject* of_template) {
  return raise_error(lattice_error,
                     quoted_name(of_template) +
                         " is shared by the app (scope=\"app\"), and the app has stopped: "
                         "it cannot be used any more");
}

PyObject* raise_no_answer(NodeObject* of_template) {
  if (the_actor == nullptr || !the_actor->post([] {})) return raise_stopped(of_template);
  return raise_error(
      lattice_error,
      quoted_name(of_template) +
          " is shared by the app (scope=\"app\"), which did not answer within 5 s: "
          "something it runs (an update function or a memo with scope=\"app\") blocks it");
}

// Runs `body` on the actor, with the GIL held there, and waits with it released here.
bool ask_actor(std::function<void()> body) {
  std::shared_ptr<AppActor> actor = the_actor;
  if (actor == nullptr) return false;
  bool is_done = false;
  Py_BEGIN_ALLOW_THREADS;
  is_done = actor->post_and_wait(
      [body = std::move(body)] {
        GilScope gil;
        if (gil) body();
      },
      kWaitMax);
  Py_END_ALLOW_THREADS;
  return is_done;
}

// --- publications

Publication* publication_of(NodeObject* of_template) {
  if (of_template->extra == nullptr) return nullptr;
  Publication* publication = of_template->extra->publication.get();
  return publication != nullptr && publication->actor_id == the_actor_id ? publication : nullptr;
}

void deliver(Mirror& mirror);

// To the session's mailbox, once per burst.
void send(const std::shared_ptr<Mirror>& mirror) {
  if (std::exchange(mirror->is_posted, true)) return;
  mirror->mailbox->post([target = std::weak_ptr<Mirror>(mirror)] {
    GilScope gil;
    if (!gil) return;
    if (auto mirror = target.lock()) deliver(*mirror);
  });
}

void publish_to_mirrors(Publication& publication) {
  std::erase_if(publication.mirrors, [](const auto& weak) { return weak.expired(); });
  // A copy: values that end here run code of the user, which may add mirrors.
  for (const std::weak_ptr<Mirror>& weak : std::vector(publication.mirrors)) {
    auto mirror = weak.lock();
    if (mirror == nullptr) continue;
    set_next(*mirror, publication);
    send(mirror);
  }
}

// The publisher of an app-scoped memo: an effect in the actor's runtime.
PyObject* publish_memo(PyObject* object, PyObject*) {
  NodeObject* memo = as_node(object);
  auto publication = memo->extra->publication;
  PyObject* value = memo_read_here(memo, *Graph::current_fast(), true);
  PyObject* error = value == nullptr ? take_raised() : nullptr;
  Py_XSETREF(publication->value, value);
  Py_XSETREF(publication->error, error);
  ++publication->version;
  publish_to_mirrors(*publication);
  Py_RETURN_NONE;
}

PyMethodDef publish_memo_def = {"publish", &publish_memo, METH_NOARGS, nullptr};

int start_publisher(NodeObject* memo) {
  PyObject* function = PyCFunction_New(&publish_memo_def, as_object(memo));
  if (function == nullptr) return -1;
  NodeObject* effect = new_effect(function, display_name(memo), true);
  Py_DECREF(function);
  if (effect == nullptr) return -1;
  start_effect(effect);
  Py_DECREF(as_object(effect));
  return 0;
}

// On the actor: the template's instance with its publication.
Publication* open_publication(NodeObject* of_template) {
  NodeObject* instance = app_instance(of_template);
  if (instance == nullptr) return nullptr;
  if (Publication* open = publication_of(of_template)) return open;
  auto publication = std::make_shared<Publication>();
  publication->actor_id = the_actor_id;
  publication->owner = &extra_of(instance);
  instance->extra->publication = publication;
  extra_of(of_template).publication = publication;
  if (instance->kind == NodeKind::Signal) {
    publication->value = Py_NewRef(signal_latest(instance));
    publication->version = 1;
  } else if (start_publisher(instance) < 0) {
    PyErr_Clear();
  }
  return publication.get();
}

Publication* ensure_publication(NodeObject* of_template) {
  if (Publication* open = publication_of(of_template)) return open;
  if (the_actor == nullptr) {
    raise_error(access_error, quoted_name(of_template) +
                                  " is shared by the app (scope=\"app\"), and no app is running");
    return nullptr;
  }
  const bool is_done = ask_actor([target = SharedRef(of_template)] {
    app_state();
    if (open_publication(as_node(target.get())) == nullptr) PyErr_Clear();
  });
  Publication* open = is_done ? publication_of(of_template) : nullptr;
  if (open == nullptr) raise_no_answer(of_template);
  return open;
}

// --- mirrors

// In the session: what the actor sent since the last time.
void deliver(Mirror& mirror) {
  mirror.is_posted = false;
  mirror.unacknowledged -=
      std::min(mirror.unacknowledged, std::exchange(mirror.next_acknowledged, 0));
  if (mirror.unacknowledged != 0 || mirror.next_version <= mirror.version) return;
  mirror.version = mirror.next_version;
  PyObject* value = std::exchange(mirror.next_value, nullptr);
  PyObject* error = std::exchange(mirror.next_error, nullptr);
  const bool is_own = mirror.next_version == mirror.next_own_version && error == nullptr &&
                      mirror.node != nullptr && value == signal_latest(mirror.node);
  if (!is_own) show(mirror, value, error);
  Py_XDECREF(value);
  Py_XDECREF(error);
}

int warn_read_and_write(Mirror& mirror, Graph& graph) {
  auto* state = static_cast<SessionState*>(static_cast<Runtime*>(graph.host)->host);
  if (mirror.read_segment != state->segment()) return 0;
  static auto* warned = new std::set<std::string>;
  const UserPlace place = user_place();
  if (!warned->insert(place.where + " " + place.function).second) return 0;
  const std::string name = display_name(mirror.of_template);
  const std::string shown = name.empty() ? "signal" : name;
  return PyErr_WarnFormat(
      PyExc_RuntimeWarning, 1,
      "%s: %s is shared by all sessions, and is read and then written here: another session's "
      "write in "
      "between is lost. Write %s.update(lambda value: ...), which runs at the owner, in order.",
      place.where.c_str(), quoted_name(mirror.of_template).c_str(), shown.c_str());
}

int refuse_while_rendering(NodeObject* mirror, Graph& graph) {
  if (thread_face.rendering == nullptr) return 0;
  return signal_write_here(mirror, graph, Py_None);  // raises LT102
}

// On the actor: one session's write, and the acknowledgement.
void write_in_actor(NodeObject* of_template, PyObject* value, const std::weak_ptr<Mirror>& from) {
  app_state();
  NodeObject* instance = app_instance(of_template);
  Publication* publication = instance != nullptr ? open_publication(of_template) : nullptr;
  if (publication == nullptr || signal_write_here(instance, *Graph::current_fast(), value) < 0) {
    report_error(Graph::current(), take_raised(), "shared state " + quoted_name(of_template), "");
  }
  auto mirror = from.lock();
  if (mirror == nullptr) return;
  if (publication != nullptr) {
    // Also when nothing changed: the mirror may show a value that was overwritten meanwhile.
    set_next(*mirror, *publication);
    mirror->next_own_version = publication->version;
  }
  ++mirror->next_acknowledged;
  send(mirror);
}

struct UpdateResult {
  PyObject* value = nullptr;
  PyObject* error = nullptr;
  uint64_t version = 0;
  ~UpdateResult() {
    if (value == nullptr && error == nullptr) return;
    if (GilScope gil; gil) {
      Py_XDECREF(value);
      Py_XDECREF(error);
    }
  }
};

void update_in_actor(NodeObject* of_template, PyObject* function, UpdateResult& result) {
  app_state();
  NodeObject* instance = app_instance(of_template);
  Publication* publication = instance != nullptr ? open_publication(of_template) : nullptr;
  if (publication != nullptr) {
    PyObject* before = Py_NewRef(signal_latest(instance));
    PyObject* after = PyObject_CallOneArg(function, before);
    Py_DECREF(before);
    if (after != nullptr) signal_write_here(instance, *Graph::current_fast(), after);
    Py_XDECREF(after);
  }
  if (PyErr_Occurred()) {
    result.error = take_raised();
    return;
  }
  result.value = Py_NewRef(signal_latest(instance));
  result.version = publication->version;
}

// The result of an update function that ran in the actor; null with an error.
std::shared_ptr<UpdateResult> run_update(NodeObject* of_template, PyObject* function) {
  auto result = std::make_shared<UpdateResult>();
  const bool is_done =
      ask_actor([target = SharedRef(of_template), body = SharedRef(function), result] {
        update_in_actor(as_node(target.get()), body.get(), *result);
      });
  if (!is_done) return raise_no_answer(of_template), nullptr;
  if (result->error != nullptr) return raise_again(std::exchange(result->error, nullptr)), nullptr;
  return result;
}

}  // namespace

void set_app_actor(std::shared_ptr<AppActor> actor) {
  the_actor = std::move(actor);
  ++the_actor_id;
}
std::shared_ptr<AppActor> app_actor() { return the_actor; }

NodeObject* app_instance(NodeObject* of_template) {
  SessionState& state = app_state();
  if (NodeObject* known = state.find_instance(of_template)) return known;
  const bool is_signal = of_template->kind == NodeKind::Signal;
  NodeObject* made = is_signal ? new_signal_object(signal_latest(of_template))
                               : new_memo_object(of_template->function);
  if (made == nullptr) return nullptr;
  made->equality = of_template->equality;
  if (made->equality == Equality::Function)
    extra_of(made).equals = Py_NewRef(of_template->extra->equals);
  made->name = PyUnicode_FromString(display_name(of_template).c_str());
  if (bind_to_root(made) < 0) return Py_DECREF(as_object(made)), nullptr;
  state.keep_instance(of_template, made);
  Py_DECREF(as_object(made));
  return made;
}

NodeObject* mirror_instance(NodeObject* of_template) {
  Publication* publication = ensure_publication(of_template);
  if (publication == nullptr) return nullptr;
  SessionState& state = *SessionState::current();
  if (NodeObject* known = state.find_instance(of_template)) return known;
  NodeObject* made =
      new_signal_object(publication->value != nullptr ? publication->value : Py_None);
  if (made == nullptr) return nullptr;
  made->equality = of_template->equality;
  Extra& extra = extra_of(made);
  if (made->equality == Equality::Function) extra.equals = Py_NewRef(of_template->extra->equals);
  made->name = PyUnicode_FromString(display_name(of_template).c_str());
  auto mirror = extra.mirror = std::make_shared<Mirror>();
  mirror->node = made;
  mirror->of_template = of_template;
  mirror->mailbox = state.runtime().shared_mailbox();
  mirror->version = publication->version;
  mirror->error = Py_XNewRef(publication->error);
  publication->mirrors.push_back(mirror);
  if (bind_to_root(made) < 0) return Py_DECREF(as_object(made)), nullptr;
  state.keep_instance(of_template, made);
  Py_DECREF(as_object(made));
  return made;
}

void note_mirror_read(NodeObject* mirror, Graph& graph) {
  if (graph.tracking() || thread_face.callbacks != 0) return;
  auto* state = static_cast<SessionState*>(static_cast<Runtime*>(graph.host)->host);
  mirror->extra->mirror->read_segment = state->segment();
}

PyObject* mirror_error(NodeObject* mirror) { return mirror->extra->mirror->error; }

int mirror_write(NodeObject* node, Graph& graph, PyObject* value) {
  std::shared_ptr<Mirror> mirror = node->extra->mirror;
  if (refuse_while_rendering(node, graph) < 0 || warn_read_and_write(*mirror, graph) < 0) return -1;
  const bool is_posted =
      the_actor != nullptr &&
      the_actor->post([target = SharedRef(mirror->of_template), written = SharedRef(value),
                       from = std::weak_ptr<Mirror>(mirror)] {
        GilScope gil;
        if (gil) write_in_actor(as_node(target.get()), written.get(), from);
      });
  if (!is_posted) return raise_stopped(mirror->of_template), -1;
  ++mirror->unacknowledged;
  return signal_write_here(node, graph, value);
}

PyObject* mirror_update(NodeObject* node, PyObject* function) {
  std::shared_ptr<Mirror> mirror = node->extra->mirror;
  if (refuse_while_rendering(node, *node->graph) < 0) return nullptr;
  auto result = run_update(mirror->of_template, function);
  if (result == nullptr) return nullptr;
  mirror->version = std::max(mirror->version, result->version);
  show(*mirror, result->value, nullptr);
  return std::exchange(result->value, nullptr);
}

PyObject* app_peek(NodeObject* of_template) {
  Publication* publication = ensure_publication(of_template);
  if (publication == nullptr) return nullptr;
  if (publication->error != nullptr) return raise_copy(publication->error, nullptr), nullptr;
  return Py_NewRef(publication->value != nullptr ? publication->value : Py_None);
}

int app_write(NodeObject* of_template, PyObject* value) {
  const bool is_posted =
      the_actor->post([target = SharedRef(of_template), written = SharedRef(value)] {
        GilScope gil;
        if (gil) write_in_actor(as_node(target.get()), written.get(), {});
      });
  return is_posted ? 0 : (raise_stopped(of_template), -1);
}

PyObject* app_update(NodeObject* of_template, PyObject* function) {
  auto result = run_update(of_template, function);
  return result != nullptr ? std::exchange(result->value, nullptr) : nullptr;
}

void publish(NodeObject* app_node) {
  Publication& publication = *app_node->extra->publication;
  if (publication.is_bridge) return publish_to_bridges(app_node);
  if (publication.owner != app_node->extra) return;  // the template of it
  Py_XSETREF(publication.value, Py_NewRef(signal_latest(app_node)));
  ++publication.version;
  publish_to_mirrors(publication);
}

// --- collection

int traverse_app(Extra& extra, visitproc visit, void* arg) {
  if (extra.publication != nullptr && extra.publication->owner == &extra) {
    Py_VISIT(extra.publication->value);
    Py_VISIT(extra.publication->error);
    Py_VISIT(extra.publication->publisher);
  }
  if (extra.mirror != nullptr) {
    Py_VISIT(extra.mirror->error);
    Py_VISIT(extra.mirror->next_value);
    Py_VISIT(extra.mirror->next_error);
    Py_VISIT(extra.mirror->source);
  }
  return 0;
}

void clear_app(Extra& extra) {
  if (auto publication = std::exchange(extra.publication, nullptr);
      publication != nullptr && publication->owner == &extra) {
    publication->owner = nullptr;
    publication->actor_id = 0;
    Py_CLEAR(publication->publisher);
    Py_CLEAR(publication->value);
    Py_CLEAR(publication->error);
  }
  if (auto mirror = std::exchange(extra.mirror, nullptr)) {
    if (mirror->bridges != nullptr) end_bridge(mirror);
    mirror->node = nullptr;
    Py_CLEAR(mirror->error);
    Py_CLEAR(mirror->next_value);
    Py_CLEAR(mirror->next_error);
  }
}

// --- an actor for tests and scripts

namespace {

// One thread and a queue. Each function runs by itself, not in a batch with others.
class ThreadActor final : public AppActor {
 public:
  ThreadActor() : thread_([this] { run(); }) {}
  ~ThreadActor() override { stop(); }

  bool post(std::function<void()> message) override {
    {
      std::scoped_lock lock(mutex_);
      if (is_stopping_) return false;
      messages_.push_back(std::move(message));
    }
    changed_.notify_one();
    return true;
  }

  bool post_and_wait(std::function<void()> message, std::chrono::milliseconds timeout) override {
    struct Turn {
      std::mutex mutex;
      std::condition_variable done;
      bool is_done = false;
    };
    auto turn = std::make_shared<Turn>();
    const bool is_posted = post([turn, body = std::move(message)] {
      body();
      std::scoped_lock lock(turn->mutex);
      turn->is_done = true;
      turn->done.notify_all();
    });
    std::unique_lock lock(turn->mutex);
    return is_posted && turn->done.wait_for(lock, timeout, [&] { return turn->is_done; });
  }

  // REQUIRES: the GIL is not held.
  void stop() {
    {
      std::scoped_lock lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    Runtime runtime;
    RuntimeEntry entry(runtime);
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return is_stopping_ || !messages_.empty(); });
      if (messages_.empty()) return;
      std::function<void()> message = std::move(messages_.front());
      messages_.pop_front();
      lock.unlock();
      message();
      message = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> messages_;
  bool is_stopping_ = false;
  std::thread thread_;
};

std::shared_ptr<ThreadActor> thread_actor;

}  // namespace

void start_thread_actor() {
  thread_actor = std::make_shared<ThreadActor>();
  set_app_actor(thread_actor);
}

// The actor stays set: what is used from now on says that the app has stopped.
void stop_thread_actor() {
  auto actor = std::exchange(thread_actor, nullptr);
  if (actor == nullptr) return;
  Py_BEGIN_ALLOW_THREADS;
  actor->stop();
  Py_END_ALLOW_THREADS;
}

}  // namespace lattice::python
