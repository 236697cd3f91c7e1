// SPDX-License-Identifier: MIT
// A session: one open page, with a dependency graph, a live tree and a connection of its own.
//
//   mount -> html (first paint) -> connect -> receive(HELLO) -> receive(EVENT) ... -> close
//
// Work happens in segments (a handler to its return, a drained mailbox): one segment is one batch
// and sends at most one frame. User-phase effects wait until the page's client is there. What
// changes between the first paint and its adoption waits in the first frame; when that grows too
// large, or the client could not adopt the first paint, the client gets the page anew.
//
// Threads: one at a time, by hand-over; only runtime().mailbox() may be used from others.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/base/result.hpp"
#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/ui/live_tree.hpp"

namespace lattice::ui {

struct SessionOptions {
  // In dev mode the page shows errors with their frames, else a neutral box.
  bool dev = false;
  // Describes a user's exception. Default: what().
  std::function<ErrorReport(std::exception_ptr)> describe;
  // One record per error. Default: standard error.
  std::function<void(const std::string& message)> log;
};

class Session final : private LiveTreeHost {
 public:
  // Takes a whole frame; the sink copes with a peer that is gone.
  using SendFrame = std::function<void(std::vector<uint8_t>)>;

  explicit Session(SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Runtime& runtime() { return runtime_; }
  // Called at the start of each segment, with the runtime current; empty to end it.
  void on_segment(std::function<void()> begins) { segment_begins_ = std::move(begins); }
  // The session whose segment runs on this thread, or null.
  static Session* current() noexcept;

  void mount(std::unique_ptr<Component> root);
  // The HTML of what is mounted, for the first paint, whose nodes are numbered with this call.
  std::string html();
  uint32_t node_count() const { return node_count_; }

  void connect(SendFrame send);
  // A frame from the client. A failure is the peer's fault: close it with close_code().
  Result<void> receive(std::span<const uint8_t> frame);
  uint16_t close_code() const { return close_code_; }
  // Runs what other threads posted to the mailbox.
  void drain();
  // Ends everything, last first. Idempotent.
  void close();

  // Runs fn as a segment; inside a segment it just runs.
  void segment(const std::function<void()>& fn);
  // Sends what is there, in the middle of a segment.
  void flush();

  void set_title(std::string title);

  // A handler goes on after its segment: until it is released as often, the next event waits.
  void hold_events() { ++events_held_; }
  void release_events() {
    LATTICE_ASSERT(events_held_ > 0);
    --events_held_;
  }
  bool is_waiting() const { return events_held_ > 0; }

  // Shows an error of user code that belongs to `node` (null: to the page), and logs it.
  void report_error(std::exception_ptr error, LiveNode* node, std::string_view where);
  // The same for the handler of an event at a node that may be gone.
  void report_handler_error(std::exception_ptr error, uint32_t node_id, std::string_view where);
  // The same for an effect of user code: shown where the component is that made it.
  void report_effect_error(std::exception_ptr error, reactive::NodeHandle effect,
                           std::string_view where);

  struct Counters {
    uint64_t events = 0;
    uint64_t events_dropped = 0;  // for a node or a listener that is gone
    uint64_t frames_sent = 0;
    uint64_t bytes_sent = 0;
    uint64_t errors = 0;
  };
  const Counters& counters() const { return counters_; }
  const LiveTree::Counters& tree_counters() const { return tree_.counters(); }

 private:
  vdom::FrameEncoder* frame() override;
  ErrorReport report(std::exception_ptr error, std::string_view where) override;

  Result<void> hello(const vdom::Hello& hello);
  Result<void> event(const vdom::ClientEvent& event);
  void dispatch(LiveNode& node, const vdom::ClientEvent& event);
  void run_effects();
  vdom::FrameEncoder* open_frame();
  void send_frame();
  void send_page_anew();

  SessionOptions options_;
  Runtime runtime_;
  Owner owner_{reactive::NodeHandle{}};
  LiveTree tree_;
  vdom::FrameEncoder encoder_;
  SendFrame send_;
  std::function<void()> segment_begins_;
  std::string title_;
  uint32_t node_count_ = 0;
  bool painted_ = false;
  bool stale_ = false;    // the first paint is not what the page is: it must be sent anew
  bool adopted_ = false;  // HELLO is there: frames may be built
  bool in_segment_ = false;
  bool closed_ = false;
  uint16_t close_code_ = 1002;
  uint32_t events_held_ = 0;
  uint64_t sent_seq_ = 0;
  uint64_t client_seq_ = 0;
  Counters counters_;
};

}  // namespace lattice::ui
