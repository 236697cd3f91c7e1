// SPDX-License-Identifier: MIT
#include "lattice/app/internal/session_host.hpp"

#include <utility>

namespace lattice::app::internal {

namespace {

class SocketFrameSink final : public FrameSink {
 public:
  SocketFrameSink(std::shared_ptr<net::MessageSink> socket,
                  std::shared_ptr<SessionCounters> counters)
      : socket_(std::move(socket)), counters_(std::move(counters)) {}

  void send(std::vector<uint8_t> frame) override {
    ++counters_->frames_out;
    counters_->bytes_out += frame.size();
    socket_->send(std::make_shared<const std::vector<uint8_t>>(std::move(frame)));
  }
  void close(uint16_t code, std::string reason) override {
    socket_->close({code, std::move(reason)});
  }

 private:
  const std::shared_ptr<net::MessageSink> socket_;
  const std::shared_ptr<SessionCounters> counters_;
};

}  // namespace

SessionHost::SessionHost(Parts parts, SessionRequest request, PageContext page)
    : parts_(std::move(parts)),
      id_(request.id),
      path_(page.dev ? request.path : std::string()),
      user_agent_(page.dev ? request.user_agent : std::string()),
      page_(std::move(page)),
      strand_(Strand::create(parts_.pool, id_, parts_.around)),
      request_(std::make_unique<const SessionRequest>(std::move(request))) {}

// Normally dispose() has run. After a stop that had to give up on blocked handlers it may not have;
// the embedding layer still has to be entered to let go of its objects.
SessionHost::~SessionHost() {
  if (!session_) return;
  auto end = [this] { end_session(); };
  try {
    if (parts_.around) {
      parts_.around(end);
    } else {
      end();
    }
  } catch (...) {
    session_.release();  // leaked on purpose: it cannot be entered any more
  }
}

void SessionHost::paint(PaintedCallback painted) {
  strand_->post([self = shared_from_this(), painted = std::move(painted)] {
    self->create_and_paint(painted);
  });
}

void SessionHost::create_and_paint(const PaintedCallback& painted) {
  ++parts_.counters->created;
  const std::unique_ptr<const SessionRequest> request = std::move(request_);
  FirstPaint result;
  try {
    session_ = parts_.factory->create(*request, page_, [weak = weak_from_this()] {
      if (auto host = weak.lock()) host->wake();
    });
    result.html = session_->first_paint();
    result.status = session_->page_status();
  } catch (...) {
    painted({});
    throw;  // the pool logs it
  }
  painted(std::move(result));
}

void SessionHost::connect(std::shared_ptr<net::MessageSink> sink, std::vector<uint8_t> hello) {
  strand_->post(
      [self = shared_from_this(), sink = std::move(sink), hello = std::move(hello)]() mutable {
        if (!self->session_) return;
        self->sink_ = sink;
        self->session_->connect(
            std::make_shared<SocketFrameSink>(std::move(sink), self->parts_.counters));
        self->receive(std::move(hello));
      });
}

void SessionHost::deliver(std::vector<uint8_t> frame) {
  strand_->post([self = shared_from_this(), frame = std::move(frame)]() mutable {
    self->receive(std::move(frame));
  });
}

void SessionHost::receive(std::vector<uint8_t> frame) {
  if (!session_ || !sink_) return;
  waiting_.push_back(std::move(frame));
  receive_waiting();
}

void SessionHost::receive_waiting() {
  while (!waiting_.empty() && session_ && sink_ && !session_->is_waiting()) {
    const std::vector<uint8_t> frame = std::move(waiting_.front());
    waiting_.pop_front();
    receive_now(frame);
  }
}

void SessionHost::receive_now(const std::vector<uint8_t>& frame) {
  // Consumed whatever becomes of it, so that an exception does not stop the socket's reading.
  struct Consumed {
    net::MessageSink& sink;
    ~Consumed() { sink.consumed(); }
  } consumed{*sink_};
  if (has_failed_) return;
  ++parts_.counters->frames_in;
  parts_.counters->bytes_in += frame.size();
  Result<void> result = session_->receive(frame);
  count_dropped_events();
  if (result.ok()) return;
  has_failed_ = true;
  ++parts_.counters->protocol_errors;
  sink_->close({session_->close_code(), result.error()});
}

void SessionHost::count_dropped_events() {
  const uint64_t dropped = session_->dropped_events();
  parts_.counters->dropped_events += dropped - std::exchange(dropped_events_, dropped);
}

void SessionHost::wake() {
  if (is_woken_.exchange(true)) return;
  strand_->post([self = shared_from_this()] {
    // Before the drain: what is posted during it wakes anew.
    self->is_woken_ = false;
    if (!self->session_) return;
    self->session_->drain();
    self->count_dropped_events();
    self->receive_waiting();
  });
}

bool SessionHost::inspect(std::string query, std::function<void(std::string)> done) {
  constexpr int kInspectionsMax = 4;
  if (inspections_waiting_.fetch_add(1) >= kInspectionsMax) {
    --inspections_waiting_;
    return false;
  }
  strand_->post([self = shared_from_this(), query = std::move(query), done = std::move(done)] {
    --self->inspections_waiting_;
    done(self->session_ ? self->session_->inspect(query) : std::string());
  });
  return true;
}

void SessionHost::dispose(std::function<void()> disposed) {
  strand_->post([self = shared_from_this(), disposed = std::move(disposed)] {
    // Also when closing throws, the session counts as gone.
    struct Disposed {
      const std::function<void()>& callback;
      ~Disposed() {
        if (callback) callback();
      }
    } on_exit{disposed};
    self->end_session();
  });
}

void SessionHost::end_session() {
  sink_.reset();
  waiting_.clear();
  std::unique_ptr<HostedSession> session = std::move(session_);
  if (session) session->close();
}

}  // namespace lattice::app::internal
