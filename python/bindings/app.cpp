// SPDX-License-Identifier: MIT
// lattice._core.Server: app::Server with Python pages. Every segment of a session runs with the GIL
// and inside the session's SessionState; I/O threads never come here.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lattice/app/app_actor.hpp"
#include "lattice/app/server.hpp"
#include "lattice/app/ui_host.hpp"
#include "log_thread.hpp"
#include "reactive.hpp"
#include "room.hpp"
#include "session_state.hpp"
#include "ui.hpp"

namespace nb = nanobind;

namespace lattice::python {

namespace {

ui::ErrorReport describe(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (nb::python_error& exception) {
    nb::object described =
        nb::module_::import_("lattice._errors").attr("describe")(exception.value());
    return {nb::cast<std::string>(described[0]), nb::cast<std::string>(described[1])};
  } catch (const std::exception& exception) {
    return {exception.what(), {}};
  } catch (...) {
    return {"unknown error", {}};
  }
}

// Python's name for this thread, under which sys._current_frames() has its stack.
void run_segment(const std::function<void()>& segment) {
  nb::gil_scoped_acquire gil;
  app::set_segment_token(PyThread_get_thread_ident());
  segment();
}

// The app's own thread, as the signals of scope="app" see it.
class PyAppActor final : public AppActor {
 public:
  explicit PyAppActor(net::Log log) : actor_(with_gil, std::move(log)) {}
  bool post(std::function<void()> message) override { return actor_.post(std::move(message)); }
  bool post_and_wait(std::function<void()> message, std::chrono::milliseconds timeout) override {
    return actor_.post_and_wait(std::move(message), timeout);
  }
  void stop() { actor_.stop(); }

 private:
  // Around whole bursts: shared memos and effects run when their batch ends.
  static void with_gil(const std::function<void()>& burst) {
    nb::gil_scoped_acquire gil;
    burst();
  }

  app::AppActor actor_;
};

class PyServer {
 public:
  PyServer(nb::callable make_root, nb::callable make_session, nb::callable on_stop,
           std::string title, std::string language, std::string host, uint16_t port, bool dev,
           std::string ssl_cert, std::string ssl_key, nb::bytes client_script,
           nb::bytes client_style, std::vector<std::pair<std::string, std::string>> static_folders,
           std::vector<std::string> allowed_hosts, unsigned handler_threads, nb::callable on_slow,
           nb::bytes inspector_page, nb::bytes inspector_script)
      : make_root_(std::move(make_root)),
        make_session_(std::move(make_session)),
        on_stop_(std::move(on_stop)),
        on_slow_(std::move(on_slow)) {
    app::ServerOptions options;
    options.host = std::move(host);
    options.port = port;
    options.dev = dev;
    options.ssl_cert = std::move(ssl_cert);
    options.ssl_key = std::move(ssl_key);
    options.client_script.assign(client_script.c_str(), client_script.size());
    options.client_style.assign(client_style.c_str(), client_style.size());
    options.inspector_page.assign(inspector_page.c_str(), inspector_page.size());
    options.inspector_script.assign(inspector_script.c_str(), inspector_script.size());
    for (auto& [prefix, folder] : static_folders) {
      options.static_dirs.push_back({std::move(prefix), std::move(folder)});
    }
    options.allowed_hosts = std::move(allowed_hosts);
    options.handler_threads_max = handler_threads;
    options.around_segment = run_segment;
    options.log = log();
    options.on_slow_segment = [this](const app::SlowSegment& slow) { report_slow(slow); };
    server_ = std::make_unique<app::Server>(app::make_ui_factory(host_options(title, language)),
                                            std::move(options));
  }

  ~PyServer() {
    stop();
    nb::gil_scoped_release release;
    server_.reset();
  }
  PyServer(const PyServer&) = delete;
  PyServer& operator=(const PyServer&) = delete;

  // The GIL is released around everything that may wait for a segment.
  void start() {
    log_->start();
    set_app_actor(actor_);
    set_room_hub(server_->rooms());
    nb::gil_scoped_release release;
    server_->start();
  }
  void stop() {
    {
      nb::gil_scoped_release release;
      server_->stop();
      actor_->stop();
    }
    call_on_stop();  // coroutines end after their sessions, and may still log
    {
      nb::gil_scoped_release release;
      log_->stop();
    }
    if (app_actor() == actor_) set_app_actor(nullptr);
    if (room_hub() == server_->rooms()) set_room_hub(nullptr);
  }
  uint16_t port() const { return server_->port(); }
  std::string url() const { return server_->url(); }
  nb::dict stats() const;

 private:
  net::Log log() const {
    return
        [log = log_](net::LogLevel level, std::string_view message) { log->log(level, message); };
  }

  app::UiHostOptions host_options(std::string title, std::string language) {
    app::UiHostOptions options;
    options.page = {std::move(title), std::move(language)};
    options.describe = describe;
    options.log = [](const std::string& message) { log_to_python(net::LogLevel::Error, message); };
    options.opened = [this](ui::Session& session, const app::SessionRequest& request) {
      open_session(session, request);
    };
    options.make_root = [this](ui::Session&, const app::SessionRequest&) {
      return make_component(make_root_());
    };
    options.closed = close_session;
    options.inspect = inspect_session;
    return options;
  }

  void open_session(ui::Session& session, const app::SessionRequest& request) {
    auto* state = new SessionState(session.runtime());  // runtime.host points to it
    state->set_object(make_session_(request.id, request_object(request)).ptr());
    state->on_flush = [&session] { session.flush(); };
    state->on_error = [&session](PyObject* exception, const char* name,
                                 reactive::NodeHandle effect) {
      session.report_effect_error(to_exception_ptr(exception), effect,
                                  *name != '\0' ? name : "an effect");
      return true;
    };
    session.on_segment([state] { state->begin_segment(); });
    state->begin_segment();
    state->start();
  }

  static void close_session(ui::Session& session) {
    session.on_segment({});
    auto* state = static_cast<SessionState*>(session.runtime().host);
    end_session(state->object());
    state->dispose();
    delete state;
  }

  // Leaves its rooms, so that the others see it go, whoever still holds the session's object.
  static void end_session(PyObject* object) {
    if (object == nullptr) return;
    try {
      nb::handle(object).attr("_end")();
    } catch (nb::python_error& error) {
      log_exception(error.value().ptr(), "the end of a session");
    }
  }

  static std::string inspect_session(ui::Session&, std::string_view query) {
    try {
      nb::object view = nb::module_::import_("lattice._inspect").attr("session_view");
      return nb::cast<std::string>(view(nb::str(query.data(), query.size())));
    } catch (nb::python_error& error) {
      log_exception(error.value().ptr(), "the inspector");
      return {};
    }
  }

  static nb::object request_object(const app::SessionRequest& request) {
    nb::dict headers;
    for (const auto& [name, value] : request.headers) headers[name.c_str()] = value;
    nb::object type = nb::module_::import_("lattice.server").attr("Request");
    return type(request.path, request.query, request.remote_address, request.user_agent, headers);
  }

  void call_on_stop() {
    if (!Py_IsInitialized()) return;
    try {
      on_stop_();
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("the end of the app's asyncio loop");
    }
  }

  void report_slow(const app::SlowSegment& slow) {
    if (!Py_IsInitialized()) return;
    nb::gil_scoped_acquire gil;
    try {
      on_slow_(slow.session_id, slow.token, slow.elapsed.count() / 1000.0);
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("the watchdog's report");
    }
  }

  nb::callable make_root_;
  nb::callable make_session_;
  nb::callable on_stop_;
  nb::callable on_slow_;
  // Shared: what outlives stop() (a segment that blocks for ever) may still log.
  std::shared_ptr<LogThread> log_ = std::make_shared<LogThread>();
  std::shared_ptr<PyAppActor> actor_ = std::make_shared<PyAppActor>(log());
  std::unique_ptr<app::Server> server_;
};

nb::dict PyServer::stats() const {
  app::ServerStats stats = server_->stats();
  nb::dict out;
  out["connections_open"] = stats.connections_open;
  out["connections_accepted"] = stats.connections_accepted;
  out["requests"] = stats.requests;
  out["sockets_open"] = stats.sockets_open;
  out["sessions_live"] = stats.sessions_live;
  out["sessions_parked"] = stats.sessions_parked;
  out["sessions_created"] = stats.sessions_created;
  out["sessions_expired"] = stats.sessions_expired;
  out["sessions_refused"] = stats.sessions_refused;
  out["frames_in"] = stats.frames_in;
  out["frames_out"] = stats.frames_out;
  out["bytes_in"] = stats.bytes_in;
  out["bytes_out"] = stats.bytes_out;
  out["dropped_events"] = stats.dropped_events;
  out["slow_readers"] = stats.slow_readers;
  out["protocol_errors"] = stats.protocol_errors;
  out["origins_refused"] = stats.origins_refused;
  out["slow_segments"] = stats.slow_segments;
  out["handler_threads"] = stats.handler_threads;
  out["rooms_open"] = stats.rooms.rooms;
  out["room_members"] = stats.rooms.members;
  out["room_messages_in"] = stats.rooms.messages_in;
  out["room_messages_out"] = stats.rooms.messages_out;
  out["room_updates"] = stats.rooms.updates;
  out["room_messages_malformed"] = stats.rooms.malformed;
  return out;
}

}  // namespace

}  // namespace lattice::python

void bind_app(nb::module_& module) {
  using lattice::python::PyServer;
  // A server in a global variable lives until the interpreter is gone; that is no bug to report.
  nb::set_leak_warnings(false);
  nb::class_<PyServer>(module, "Server", "The native server. Use lattice.LatticeApp.")
      .def(nb::init<nb::callable, nb::callable, nb::callable, std::string, std::string, std::string,
                    uint16_t, bool, std::string, std::string, nb::bytes, nb::bytes,
                    std::vector<std::pair<std::string, std::string>>, std::vector<std::string>,
                    unsigned, nb::callable, nb::bytes, nb::bytes>(),
           nb::kw_only(), nb::arg("make_root"), nb::arg("make_session"), nb::arg("on_stop"),
           nb::arg("title"), nb::arg("language"), nb::arg("host"), nb::arg("port"), nb::arg("dev"),
           nb::arg("ssl_cert"), nb::arg("ssl_key"), nb::arg("client_script"),
           nb::arg("client_style"), nb::arg("static"), nb::arg("allowed_hosts"),
           nb::arg("handler_threads"), nb::arg("on_slow"), nb::arg("inspector_page"),
           nb::arg("inspector_script"),
           nb::sig("def __init__(self, *, make_root: collections.abc.Callable[[], object], "
                   "make_session: collections.abc.Callable[[str, object], object], "
                   "on_stop: collections.abc.Callable[[], None], "
                   "title: str, language: str, host: str, port: int, dev: bool, ssl_cert: str, "
                   "ssl_key: str, client_script: bytes, client_style: bytes, "
                   "static: collections.abc.Sequence[tuple[str, str]], "
                   "allowed_hosts: collections.abc.Sequence[str], handler_threads: int, "
                   "on_slow: collections.abc.Callable[[str, int, float], None], "
                   "inspector_page: bytes, inspector_script: bytes) -> None"))
      .def("start", &PyServer::start)
      .def("stop", &PyServer::stop)
      .def_prop_ro("port", &PyServer::port)
      .def_prop_ro("url", &PyServer::url)
      .def("stats", &PyServer::stats, nb::sig("def stats(self) -> dict[str, int]"),
           "Counts since the start, by name.");
}
