// SPDX-License-Identifier: MIT
// A session as Python's signals see it: which instance of a module-level signal is this visitor's.
//
// SessionState binds one lattice::Runtime to Python (runtime.host points to it). What is created
// while its runtime is current belongs to it. What was created outside any session (at module
// level) is a template: the session makes an instance of its own at first use and keeps it until it
// ends. scope="app" nodes live in the app's actor instead; a session has a mirror of each that it
// uses.
//
// Threads: a SessionState is used by the thread that has its runtime entered, with the GIL held;
// what is said to be thread-safe needs the GIL only.
#pragma once

#include <Python.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lattice/reactive/runtime.hpp"

namespace lattice::python {

struct NodeObject;
struct Bridges;  // bridge.cpp

class SessionState {
 public:
  // Default: of a thread that never entered a session; nodes made there are templates.
  enum class Kind : uint8_t { Default, Session, App };

  // The runtime must outlive the state, or dispose() must have been called.
  explicit SessionState(Runtime& runtime, Kind kind = Kind::Session);
  ~SessionState();
  SessionState(const SessionState&) = delete;
  SessionState& operator=(const SessionState&) = delete;

  // The session whose runtime is current on this thread; null outside sessions.
  static SessionState* current() noexcept;
  // The state of a runtime, made (Default) when it has none.
  static SessionState& of(Runtime& runtime);
  // The same for the actor's runtime, on its thread.
  static SessionState& of_app(Runtime& runtime);

  Kind kind() const noexcept { return kind_; }
  uint64_t serial() const noexcept { return serial_; }
  Runtime& runtime() noexcept { return runtime_; }

  // Call it at the start of every handler, drain and render, with the runtime current: a new
  // segment for the `s.value += 1` warning; releases what other threads let go of.
  void begin_segment();
  uint64_t segment() const noexcept { return segment_; }
  // Starts this session's instances of the module-level effects, once. With the runtime current.
  void start();
  // Ends everything that Python made in this runtime, with cleanups, and all mirrors. Idempotent;
  // enters the runtime itself. Call it before the Runtime ends.
  void dispose();

  // What `lattice.session()` returns; a strong reference is kept. Null clears.
  void set_object(PyObject* object);
  PyObject* object() const noexcept { return object_; }

  // Called for an exception of a user's effect or cleanup: true when it was dealt with, else it is
  // logged. Borrowed reference. `effect` is whose it is, or nothing.
  std::function<bool(PyObject* exception, const char* name, reactive::NodeHandle effect)> on_error;
  // What `lattice.flush()` does after effects ran: sending what is there.
  std::function<void()> on_flush;

  std::shared_ptr<Bridges> bridges;  // to and from other threads' runtimes

  // --- for the node types
  NodeObject* find_instance(NodeObject* of_template) const;
  void keep_instance(NodeObject* of_template, NodeObject* instance);
  // Another thread dropped the last reference to a node here. Thread-safe (GIL).
  void release(reactive::NodeHandle handle) { released_.push_back(handle); }
  // A memo without references that still has subscribers stays until they are gone.
  void keep_orphan(NodeObject* orphan);
  void sweep();
  // The runtime is being destroyed; nothing of it may be touched any more.
  void detach() noexcept;
  bool is_alive() const noexcept { return alive_; }

 private:
  void drop_references();

  Runtime& runtime_;
  const Kind kind_;
  const uint64_t serial_;
  uint64_t segment_ = 1;
  bool alive_ = true;
  bool started_ = false;
  PyObject* object_ = nullptr;
  std::unordered_map<NodeObject*, NodeObject*> instances_;  // both strong
  std::vector<reactive::NodeHandle> released_;
  std::vector<NodeObject*> orphans_;
};

// While one exists on this thread, a component's body runs: a write to a signal is LT102, a new
// user effect is queued, and creations may be kept by name (`_core.in_component_body()`).
class [[nodiscard]] RenderingGuard {
 public:
  explicit RenderingGuard(std::string_view component_name);
  ~RenderingGuard();
  RenderingGuard(const RenderingGuard&) = delete;
  RenderingGuard& operator=(const RenderingGuard&) = delete;

 private:
  reactive::Graph& graph_;
  std::string name_;
  const std::string* outer_name_;
  uint32_t outer_callbacks_;
};

// The thread that owns scope="app" state. Each function runs on it, in order, with the actor's
// Runtime current and the GIL released (functions take it themselves); batches are up to it.
class AppActor {
 public:
  virtual ~AppActor() = default;
  // False (and the function is dropped) when it has stopped. Any thread.
  virtual bool post(std::function<void()> message) = 0;
  // False when it did not run or did not finish in time. Called without the GIL. Any thread.
  virtual bool post_and_wait(std::function<void()> message, std::chrono::milliseconds timeout) = 0;
};

// Null: nothing is served; app-scoped nodes are plain ones then. GIL needed.
void set_app_actor(std::shared_ptr<AppActor> actor);
std::shared_ptr<AppActor> app_actor();

}  // namespace lattice::python
