// SPDX-License-Identifier: MIT
// One translation unit for all of Beast: it dominates the module's compile time.
//
//   Acceptor -> Connection (HTTP, one request at a time) -> WebSocket (after an upgrade)
//
// Each connection has its own Asio strand; its members are touched only there, unless they are
// atomic. Implementation keeps weak references, so that stop() can cut what does not end by itself.
#include "lattice/net/listener.hpp"

#include <signal.h>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "lattice/net/internal/any_stream.hpp"
#include "lattice/net/request_check.hpp"

namespace lattice::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using internal::AnyStream;
using internal::StrandExecutor;
using internal::TcpSocket;
using internal::asio::ip::tcp;
namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, StrandExecutor>;

namespace {

constexpr size_t kReadBytes = 16 * 1024;
constexpr size_t kIdleReadBytes = 2 * 1024;  // what an idle connection holds; most heads fit
constexpr size_t kWriteChunkBytes = 64 * 1024;
// A refused request's rest is read and thrown away for so long, so that the answer is not lost to
// the reset that closing over unread bytes sends.
constexpr std::chrono::milliseconds kLingerTimeout{1'000};

std::string http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  // The C locale's names are what HTTP wants; nothing here changes LC_TIME.
  size_t length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

bool is_header_safe(const std::string& name, const std::string& value) {
  return name.find_first_of("\r\n: ") == std::string::npos &&
         value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
}

// What stop() can do to a connection from outside, on any thread.
class Severable {
 public:
  virtual ~Severable() = default;
  virtual void retire() = 0;  // end soon: after the answer under way, at once when idle
  virtual void cut() = 0;     // end now
};

}  // namespace

class Listener::Implementation : public std::enable_shared_from_this<Listener::Implementation> {
 public:
  class Connection;
  class WebSocket;

  Implementation(ListenerOptions options, ExchangeHandler handler, Log log)
      : options_(std::move(options)), handler_(std::move(handler)), log_(std::move(log)) {}

  void start();
  uint16_t port() const { return port_; }
  void stop_accepting();
  void close_sockets(const CloseReason& reason);
  void stop(Clock::time_point deadline);
  ListenerStats stats() const;
  void log(LogLevel level, const std::string& message) const {
    if (log_) log_(level, message);
  }

  struct Counters {
    std::atomic<uint64_t> accepted{0}, refused{0}, sockets{0}, requests{0};
    std::atomic<uint64_t> messages_in{0}, messages_out{0}, bytes_in{0}, bytes_out{0};
    std::atomic<uint64_t> slow_readers{0}, protocol_errors{0};
  };

  // A connection's place in the count of open ones; handed on to its WebSocket.
  class Place {
   public:
    Place(std::shared_ptr<Implementation> owner, uint64_t id) : owner_(std::move(owner)), id_(id) {}
    ~Place() {
      if (owner_) owner_->release(id_);
    }
    Place(Place&& other) noexcept = default;
    Place& operator=(Place&&) = delete;
    std::shared_ptr<Implementation> share() const { return owner_; }
    void hold(std::weak_ptr<Severable> connection) const {
      owner_->hold(id_, std::move(connection));
    }

   private:
    std::shared_ptr<Implementation> owner_;
    uint64_t id_;
  };

 private:
  void load_tls();
  void bind();
  void accept();
  void admit(TcpSocket socket);
  void run_io();
  void hold(uint64_t id, std::weak_ptr<Severable> connection);
  void release(uint64_t id);
  std::vector<std::shared_ptr<Severable>> connections() const;

  friend class Connection;
  friend class WebSocket;

  const ListenerOptions options_;
  const ExchangeHandler handler_;
  const Log log_;
  Counters counters_;
  uint16_t port_ = 0;

  asio::io_context io_{static_cast<int>(options_.io_threads)};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::optional<asio::ssl::context> tls_;
  std::optional<asio::basic_socket_acceptor<tcp, StrandExecutor>> acceptor_;
  std::optional<Timer> accept_pause_;
  std::vector<std::thread> threads_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, std::weak_ptr<Severable>> connections_;
  uint64_t next_id_ = 1;
  bool started_ = false;
  bool stopped_ = false;
  std::atomic<bool> retiring_{false};
  std::atomic<bool> finished_{false};
};

// ---------------------------------------------------------------------------- WebSocket

class Listener::Implementation::WebSocket final : public MessageSink,
                                                  public Severable,
                                                  public std::enable_shared_from_this<WebSocket> {
 public:
  WebSocket(Place place, AnyStream stream, std::shared_ptr<MessageHandler> handler)
      : place_(std::move(place)),
        share_(place_->share()),
        owner_(*share_),
        stream_(std::move(stream)),
        executor_(stream_.next_layer().get_executor()),
        deadline_(executor_),
        handler_(std::move(handler)) {}

  void hold_place() { place_->hold(weak_from_this()); }
  void accept(http::request<http::string_body> request);
  void send(Message message) override;
  void close(CloseReason reason) override;
  void consumed() override;
  void retire() override {}
  void cut() override {
    post([](WebSocket& self) { self.stream_.next_layer().cut(); });
  }

 private:
  template <class Function>
  void post(Function function) {
    if (owner_.finished_.load(std::memory_order_acquire)) return;
    asio::post(executor_, [self = shared_from_this(), function = std::move(function)]() mutable {
      function(*self);
    });
  }
  void configure();
  void read();
  void on_read(error_code error);
  void write();
  void overflow();
  void begin_close(CloseReason reason);
  void send_close();
  void finish(const CloseReason& reason);
  void linger();
  void discard();
  void leave();
  CloseReason reason_of(error_code error);

  std::optional<Place> place_;  // until the end of the connection; sinks may be kept longer
  const std::shared_ptr<Implementation> share_;
  Implementation& owner_;
  websocket::stream<AnyStream, false> stream_;
  const StrandExecutor executor_;
  Timer deadline_;
  std::shared_ptr<MessageHandler> handler_;
  beast::flat_buffer buffer_;
  std::deque<Message> queue_;
  std::optional<CloseReason> closing_;
  bool is_open_ = false;
  bool is_writing_ = false;
  bool is_close_sent_ = false;
  bool is_paused_ = false;
  std::atomic<size_t> unconsumed_{0};
  std::atomic<size_t> queued_bytes_{0};
  std::atomic<bool> is_overflown_{false};
};

void Listener::Implementation::WebSocket::configure() {
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = owner_.options_.close_timeout;  // of both opening and closing
  timeout.idle_timeout = owner_.options_.socket_idle_timeout;
  timeout.keep_alive_pings = true;
  stream_.set_option(timeout);
  stream_.read_message_max(owner_.options_.message_bytes_max);
  stream_.auto_fragment(false);
  stream_.binary(true);
}

void Listener::Implementation::WebSocket::accept(http::request<http::string_body> request) {
  configure();
  auto held = std::make_shared<http::request<http::string_body>>(std::move(request));
  stream_.async_accept(*held, [self = shared_from_this(), held](error_code error) {
    if (error) {
      if (error.category() == websocket::make_error_code(websocket::error::closed).category()) {
        ++self->owner_.counters_.protocol_errors;
      }
      return self->leave();
    }
    self->is_open_ = true;
    ++self->owner_.counters_.sockets;
    self->handler_->on_open(self);
    self->read();
  });
}

void Listener::Implementation::WebSocket::read() {
  stream_.async_read(
      buffer_, [self = shared_from_this()](error_code error, size_t) { self->on_read(error); });
}

void Listener::Implementation::WebSocket::on_read(error_code error) {
  if (error) return finish(reason_of(error));
  std::vector<uint8_t> message(buffer_.size());
  asio::buffer_copy(asio::buffer(message), buffer_.data());
  buffer_.consume(buffer_.size());
  if (buffer_.capacity() > kWriteChunkBytes) buffer_.shrink_to_fit();
  if (!closing_) {
    if (stream_.got_text()) {
      ++owner_.counters_.protocol_errors;
      begin_close({websocket::close_code::unknown_data, "binary messages only"});
    } else {
      ++owner_.counters_.messages_in;
      owner_.counters_.bytes_in += message.size();
      ++unconsumed_;
      handler_->on_message(std::move(message));
    }
  }
  // Exactly one of two resumes reading: this, or the consumed() that brings the count below the
  // bound.
  is_paused_ = !closing_ && unconsumed_.load() >= owner_.options_.messages_unconsumed_max;
  if (!is_paused_) read();
}

void Listener::Implementation::WebSocket::consumed() {
  if (unconsumed_.fetch_sub(1) != owner_.options_.messages_unconsumed_max) return;
  post([](WebSocket& self) {
    if (std::exchange(self.is_paused_, false)) self.read();
  });
}

void Listener::Implementation::WebSocket::send(Message message) {
  if (!message || is_overflown_.load(std::memory_order_relaxed)) return;
  const size_t bytes = message->size();
  // Counted here and not on the strand, so that a burst of posts is bounded as well.
  if (queued_bytes_.fetch_add(bytes) + bytes > owner_.options_.write_queue_bytes_max) {
    if (!is_overflown_.exchange(true)) post([](WebSocket& self) { self.overflow(); });
    return;
  }
  post([message = std::move(message)](WebSocket& self) mutable {
    if (self.closing_ || self.is_overflown_) return;
    self.queue_.push_back(std::move(message));
    if (!self.is_writing_) self.write();
  });
}

void Listener::Implementation::WebSocket::write() {
  is_writing_ = true;
  const Message& message = queue_.front();
  stream_.async_write(asio::buffer(*message),
                      [self = shared_from_this(), message](error_code error, size_t) {
                        self->is_writing_ = false;
                        if (error) return;  // the pending read reports it
                        ++self->owner_.counters_.messages_out;
                        self->owner_.counters_.bytes_out += message->size();
                        self->queued_bytes_ -= message->size();
                        self->queue_.pop_front();
                        if (!self->queue_.empty()) {
                          self->write();
                        } else if (self->closing_) {
                          self->send_close();
                        }
                      });
}

// The reader is too slow: what it has not taken is dropped, for it will have to start anew.
void Listener::Implementation::WebSocket::overflow() {
  if (!is_open_ || closing_) return;
  ++owner_.counters_.slow_readers;
  owner_.log(LogLevel::Warning,
             "a socket is closed with 1013: more than " +
                 std::to_string(owner_.options_.write_queue_bytes_max) +
                 " bytes waited for its browser to read them; its page will load anew");
  while (queue_.size() > (is_writing_ ? 1u : 0u)) queue_.pop_back();
  begin_close({websocket::close_code::try_again_later, "reader too slow"});
}

void Listener::Implementation::WebSocket::close(CloseReason reason) {
  post([reason = std::move(reason)](WebSocket& self) { self.begin_close(reason); });
}

void Listener::Implementation::WebSocket::begin_close(CloseReason reason) {
  if (!is_open_ || closing_) return;
  closing_ = std::move(reason);
  // A peer that neither reads nor answers must not hold the connection: Beast's own close timeout
  // starts only once the close frame is out.
  deadline_.expires_after(owner_.options_.close_timeout * 2);
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->stream_.next_layer().cut();
  });
  if (std::exchange(is_paused_, false)) read();
  if (!is_writing_) send_close();
}

void Listener::Implementation::WebSocket::send_close() {
  if (std::exchange(is_close_sent_, true)) return;
  websocket::close_reason reason(static_cast<websocket::close_code>(closing_->code));
  reason.reason.assign(closing_->text.substr(0, 120));
  stream_.async_close(reason,
                      [self = shared_from_this()](error_code) { self->finish(*self->closing_); });
}

void Listener::Implementation::WebSocket::finish(const CloseReason& reason) {
  if (!std::exchange(is_open_, false)) return;
  --owner_.counters_.sockets;
  queue_.resize(is_writing_ && !queue_.empty() ? 1 : 0);
  std::shared_ptr<MessageHandler> handler = std::move(handler_);
  handler->on_close(closing_ ? *closing_ : reason);
  // Lost: nobody is left to linger for.
  if (reason.code == 1006) return leave();
  linger();
}

// The peer may still have to read our close frame: closing over its unread bytes would reset that
// away.
void Listener::Implementation::WebSocket::linger() {
  deadline_.expires_after(kLingerTimeout);
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->leave();
  });
  discard();
}

void Listener::Implementation::WebSocket::discard() {
  buffer_.consume(buffer_.size());
  stream_.next_layer().socket().async_read_some(
      buffer_.prepare(kReadBytes), [self = shared_from_this()](error_code error, size_t) {
        if (error) return self->leave();
        self->discard();
      });
}

void Listener::Implementation::WebSocket::leave() {
  deadline_.cancel();
  stream_.next_layer().cut();
  place_.reset();
}

CloseReason Listener::Implementation::WebSocket::reason_of(error_code error) {
  if (error == websocket::error::closed) {
    return {static_cast<uint16_t>(stream_.reason().code), {}};
  }
  // These are ours to blame on the peer; Beast has answered with the fitting close frame.
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
    ++owner_.counters_.protocol_errors;
    return {1009, "message too big"};
  }
  if (error == websocket::condition::protocol_violation) {
    ++owner_.counters_.protocol_errors;
    return {static_cast<uint16_t>(error == websocket::error::bad_frame_payload ? 1007 : 1002),
            error.message()};
  }
  return {1006, error.message()};
}

// --------------------------------------------------------------------------- Connection

class Listener::Implementation::Connection final : public Severable,
                                                   public std::enable_shared_from_this<Connection> {
 public:
  Connection(Place place, TcpSocket socket, asio::ssl::context* tls)
      : place_(std::move(place)),
        share_(place_->share()),
        owner_(*share_),
        stream_(std::move(socket), tls),
        executor_(stream_.get_executor()),
        deadline_(executor_) {}

  void start();
  const StrandExecutor& executor() const noexcept { return executor_; }
  void retire() override {
    post([](Connection& self) {
      if (self.phase_ == Phase::Idle) self.cut_now();
    });
  }
  void cut() override {
    post([](Connection& self) { self.cut_now(); });
  }

 private:
  class HttpExchange;
  // Idle: no byte of the next request has come. Busy: the application has the exchange.
  enum class Phase : uint8_t { Idle, Head, Body, Busy, Writing, Lingering, Moved };
  using Parser = http::request_parser<http::string_body>;

  template <class Function>
  void post(Function function) {
    if (owner_.finished_.load(std::memory_order_acquire)) return;
    asio::post(executor_, [self = shared_from_this(), function = std::move(function)]() mutable {
      function(*self);
    });
  }
  void arm(std::chrono::milliseconds timeout);
  void on_deadline();
  void cut_now();
  void next_request();
  void read_more();
  void on_read(error_code error, size_t bytes);
  void scan_head();
  void begin_request(size_t head_bytes);
  void parse_body();
  void dispatch();
  RequestHead make_head();
  void refuse(uint16_t status, std::string_view reason);
  void respond(Response response);
  std::string format_head(const Response& response) const;
  void write_chunk(size_t offset);
  void on_written();
  void linger();
  void discard();
  void upgrade(std::shared_ptr<MessageHandler> handler);

  std::optional<Place> place_;  // until the end; an exchange may keep this object longer
  const std::shared_ptr<Implementation> share_;
  Implementation& owner_;
  AnyStream stream_;
  const StrandExecutor executor_;
  Timer deadline_;
  uint64_t deadline_turn_ = 0;
  Phase phase_ = Phase::Idle;
  beast::flat_buffer buffer_;
  size_t scanned_ = 0;  // bytes of buffer_ known to be good and without the head's end
  std::optional<Parser> parser_;
  std::string remote_address_;
  bool is_reading_ = false;     // at most one read at a time: they share buffer_
  bool is_continuing_ = false;  // "100 Continue" is being written
  bool keep_alive_ = true;
  bool is_head_request_ = false;

  std::string out_head_;
  std::shared_ptr<const std::string> out_body_;
};

class Listener::Implementation::Connection::HttpExchange final : public Exchange {
 public:
  HttpExchange(std::shared_ptr<Connection> connection, RequestHead head, std::string body)
      : connection_(std::move(connection)), head_(std::move(head)), body_(std::move(body)) {}
  ~HttpExchange() override {
    if (!answered_) respond(Response::text(500, "no answer"));
  }

  const RequestHead& head() const noexcept override { return head_; }
  const std::string& body() const noexcept override { return body_; }
  void respond(Response response) override {
    if (answered_.exchange(true)) return;
    connection_->post([response = std::move(response)](Connection& connection) mutable {
      connection.respond(std::move(response));
    });
  }
  void upgrade(std::shared_ptr<MessageHandler> handler) override {
    LATTICE_ASSERT(head_.is_upgrade);
    if (answered_.exchange(true)) return;
    connection_->post([handler = std::move(handler)](Connection& connection) mutable {
      connection.upgrade(std::move(handler));
    });
  }

 private:
  const std::shared_ptr<Connection> connection_;
  const RequestHead head_;
  const std::string body_;
  std::atomic<bool> answered_{false};
};

void Listener::Implementation::Connection::start() {
  error_code error;
  stream_.socket().set_option(tcp::no_delay(true), error);
  auto endpoint = stream_.socket().remote_endpoint(error);
  if (error) return cut_now();  // gone already
  remote_address_ = endpoint.address().to_string();
  arm(owner_.options_.header_timeout);
  if (!stream_.is_tls()) return read_more();
  stream_.async_handshake([self = shared_from_this()](error_code failure) {
    if (failure) return self->cut_now();
    self->arm(self->owner_.options_.header_timeout);
    self->read_more();
  });
}

void Listener::Implementation::Connection::arm(std::chrono::milliseconds timeout) {
  const uint64_t turn = ++deadline_turn_;
  deadline_.expires_after(timeout);
  // The turn: an expiry that is already queued must not hit the phase that comes after.
  deadline_.async_wait([self = shared_from_this(), turn](error_code error) {
    if (!error && turn == self->deadline_turn_) self->on_deadline();
  });
}

void Listener::Implementation::Connection::on_deadline() {
  const bool is_request = phase_ == Phase::Head || phase_ == Phase::Body;
  if (is_request && !is_continuing_) return refuse(408, "request too slow");
  cut_now();
}

void Listener::Implementation::Connection::cut_now() {
  if (phase_ == Phase::Moved) return;
  ++deadline_turn_;
  deadline_.cancel();
  stream_.cut();
  place_.reset();
}

void Listener::Implementation::Connection::next_request() {
  phase_ = Phase::Idle;
  scanned_ = 0;
  parser_.reset();
  if (owner_.retiring_) return cut_now();
  if (buffer_.size() > 0) {
    arm(owner_.options_.header_timeout);
    return scan_head();
  }
  buffer_.shrink_to_fit();
  arm(owner_.options_.idle_timeout);
  read_more();
}

void Listener::Implementation::Connection::read_more() {
  is_reading_ = true;
  const size_t bytes_max = phase_ == Phase::Idle ? kIdleReadBytes : kReadBytes;
  stream_.async_read_some(
      buffer_.prepare(bytes_max),
      [self = shared_from_this()](error_code error, size_t bytes) { self->on_read(error, bytes); });
}

void Listener::Implementation::Connection::on_read(error_code error, size_t bytes) {
  is_reading_ = false;
  if (phase_ == Phase::Writing) return;  // refused while reading; linger() reads on
  if (error) return cut_now();
  if (phase_ == Phase::Lingering) return discard();
  buffer_.commit(bytes);
  if (phase_ == Phase::Body) return parse_body();
  if (phase_ == Phase::Idle) arm(owner_.options_.header_timeout);
  scan_head();
}

void Listener::Implementation::Connection::scan_head() {
  phase_ = Phase::Head;
  std::string_view text(static_cast<const char*>(buffer_.data().data()), buffer_.size());
  // Empty lines before a request are left-overs of sloppy clients (RFC 9112, 2.2).
  while (scanned_ == 0 && text.starts_with("\r\n")) {
    buffer_.consume(2);
    text.remove_prefix(2);
  }
  for (size_t i = scanned_; i < text.size() && i < owner_.options_.header_bytes_max; ++i) {
    if (text[i] != '\n') continue;
    if (i == 0 || text[i - 1] != '\r') return refuse(400, "bare LF in the head");
    if (i >= 3 && text[i - 2] == '\n') return begin_request(i + 1);
  }
  scanned_ = text.size();
  if (text.size() >= owner_.options_.header_bytes_max) return refuse(431, "head too large");
  read_more();
}

void Listener::Implementation::Connection::begin_request(size_t head_bytes) {
  ++owner_.counters_.requests;
  std::string_view head(static_cast<const char*>(buffer_.data().data()), head_bytes);
  if (HeadVerdict verdict = check_request_head(head); !verdict.ok()) {
    return refuse(verdict.status, verdict.reason);
  }
  parser_.emplace();
  parser_->eager(true);
  parser_->header_limit(static_cast<uint32_t>(owner_.options_.header_bytes_max));
  parser_->body_limit(owner_.options_.body_bytes_max);
  error_code error;
  parser_->put(asio::buffer(head.data(), head.size()), error);
  if (error == http::error::body_limit) return refuse(413, "body too large");
  if (error && error != http::error::need_more) return refuse(400, error.message());
  if (!parser_->is_header_done()) return refuse(400, "malformed head");
  buffer_.consume(head_bytes);
  keep_alive_ = parser_->get().keep_alive();
  is_head_request_ = parser_->get().method() == http::verb::head;
  phase_ = Phase::Body;
  if (!parser_->is_done() && beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    is_continuing_ = true;
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = shared_from_this()](error_code failure, size_t) {
                        self->is_continuing_ = false;
                        if (failure) return self->cut_now();
                        if (self->phase_ == Phase::Body) self->parse_body();
                      });
    return;
  }
  parse_body();
}

void Listener::Implementation::Connection::parse_body() {
  while (!parser_->is_done() && buffer_.size() > 0) {
    error_code error;
    const size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (error == http::error::need_more) break;
    if (error == http::error::body_limit) return refuse(413, "body too large");
    if (error) return refuse(400, error.message());
  }
  if (parser_->is_done()) return dispatch();
  // What the parser leaves is at most a chunk's header line: that has a bound, too.
  if (buffer_.size() > owner_.options_.header_bytes_max) return refuse(400, "malformed chunk");
  read_more();
}

RequestHead Listener::Implementation::Connection::make_head() {
  const auto& request = parser_->get();
  RequestHead head;
  head.method = std::string(request.method_string());
  head.target = std::string(request.target());
  const size_t question = head.target.find('?');
  head.path = head.target.substr(0, question);
  if (question != std::string::npos) head.query = head.target.substr(question + 1);
  for (const auto& field : request) {
    head.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  head.remote_address = remote_address_;
  head.is_secure = stream_.is_tls();
  head.is_upgrade = websocket::is_upgrade(request) && request.body().empty();
  return head;
}

void Listener::Implementation::Connection::dispatch() {
  phase_ = Phase::Busy;
  ++deadline_turn_;
  deadline_.cancel();
  auto exchange = std::make_shared<HttpExchange>(shared_from_this(), make_head(),
                                                 std::move(parser_->get().body()));
  owner_.handler_(std::move(exchange));
}

void Listener::Implementation::Connection::refuse(uint16_t status, std::string_view reason) {
  ++owner_.counters_.protocol_errors;
  keep_alive_ = false;
  is_head_request_ = false;
  phase_ = Phase::Busy;
  respond(Response::text(status, reason));
}

void Listener::Implementation::Connection::respond(Response response) {
  if (phase_ != Phase::Busy) return;
  phase_ = Phase::Writing;
  if (owner_.retiring_) keep_alive_ = false;
  out_head_ = format_head(response);
  const bool has_body = !is_head_request_ && response.status != 204 && response.status != 304;
  out_body_ = has_body ? std::move(response.body) : nullptr;
  write_chunk(0);
}

std::string Listener::Implementation::Connection::format_head(const Response& response) const {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason_phrase(response.status);
  head += "\r\nDate: " + http_date(std::time(nullptr)) + "\r\n";
  for (const auto& [name, value] : response.headers) {
    if (!is_header_safe(name, value)) {
      owner_.log(LogLevel::Error, "a response header with a line break was left out");
      continue;
    }
    head += name + ": " + value + "\r\n";
  }
  // The length of a body that a HEAD did not make is unknown, and then not said.
  const bool has_length =
      response.status != 204 && response.status != 304 && (response.body || !is_head_request_);
  if (has_length) {
    head += "Content-Length: " + std::to_string(response.body ? response.body->size() : 0) + "\r\n";
  }
  head += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return head;
}

void Listener::Implementation::Connection::write_chunk(size_t offset) {
  arm(owner_.options_.write_timeout);
  const size_t size = out_body_ ? out_body_->size() : 0;
  const size_t bytes = std::min(kWriteChunkBytes, size - offset);
  std::array<asio::const_buffer, 2> buffers{
      asio::buffer(out_head_.data(), offset == 0 ? out_head_.size() : 0),
      asio::buffer(size > 0 ? out_body_->data() + offset : nullptr, bytes)};
  asio::async_write(
      stream_, buffers,
      [self = shared_from_this(), end = offset + bytes, size](error_code error, size_t) {
        if (error) return self->cut_now();
        if (end < size) return self->write_chunk(end);
        self->on_written();
      });
}

void Listener::Implementation::Connection::on_written() {
  out_body_.reset();
  if (keep_alive_) return next_request();
  linger();
}

void Listener::Implementation::Connection::linger() {
  phase_ = Phase::Lingering;
  arm(kLingerTimeout);
  if (stream_.is_tls()) {
    if (is_reading_) return cut_now();
    stream_.async_shutdown([self = shared_from_this()](error_code) { self->cut_now(); });
    return;
  }
  error_code error;
  stream_.socket().shutdown(tcp::socket::shutdown_send, error);
  if (error) return cut_now();
  discard();
}

void Listener::Implementation::Connection::discard() {
  // A read that was under way when the request was refused still owns the buffer, and goes on here.
  if (is_reading_) return;
  buffer_.consume(buffer_.size());
  read_more();
}

void Listener::Implementation::Connection::upgrade(std::shared_ptr<MessageHandler> handler) {
  if (phase_ != Phase::Busy) return;
  // A client has to wait for the 101 before its first frame.
  if (buffer_.size() > 0) return refuse(400, "bytes after the upgrade request");
  phase_ = Phase::Moved;
  auto socket =
      std::make_shared<WebSocket>(std::move(*place_), std::move(stream_), std::move(handler));
  place_.reset();
  socket->hold_place();
  socket->accept(parser_->release());
}

// ----------------------------------------------------------------------- Implementation

void Listener::Implementation::load_tls() {
  if (options_.ssl_cert.empty() && options_.ssl_key.empty()) return;
  if (options_.ssl_cert.empty() || options_.ssl_key.empty()) {
    throw TlsError("TLS needs both a certificate and a key (--ssl-cert and --ssl-key)");
  }
  tls_.emplace(asio::ssl::context::tls_server);
  tls_->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                    asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                    asio::ssl::context::no_tlsv1_1);
  SSL_CTX_set_mode(tls_->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  error_code error;
  // Without a callback OpenSSL asks for an encrypted key's password on the terminal.
  tls_->set_password_callback([](size_t, asio::ssl::context::password_purpose) { return ""; },
                              error);
  tls_->use_certificate_chain_file(options_.ssl_cert, error);
  if (error) {
    throw TlsError("cannot use the certificate " + options_.ssl_cert + ": " + error.message());
  }
  tls_->use_private_key_file(options_.ssl_key, asio::ssl::context::pem, error);
  if (error) throw TlsError("cannot use the key " + options_.ssl_key + ": " + error.message());
  if (SSL_CTX_check_private_key(tls_->native_handle()) != 1) {
    throw TlsError("the key " + options_.ssl_key + " does not belong to the certificate " +
                   options_.ssl_cert);
  }
}

void Listener::Implementation::bind() {
  const std::string where = options_.host + ":" + std::to_string(options_.port);
  error_code error;
  tcp::resolver resolver(io_);
  auto found = resolver.resolve(options_.host, std::to_string(options_.port),
                                tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error) throw BindError("cannot resolve the host " + options_.host + ": " + error.message());
  const tcp::endpoint endpoint = *found.begin();
  acceptor_.emplace(asio::make_strand(io_));
  acceptor_->open(endpoint.protocol(), error);
  if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    throw AddressInUseError("port " + std::to_string(options_.port) +
                            " is in use; stop the other program or choose another with --port");
  }
  if (error) throw BindError("cannot listen on " + where + ": " + error.message());
  port_ = acceptor_->local_endpoint().port();
}

void Listener::Implementation::start() {
  LATTICE_ASSERT(!started_);
  load_tls();
  bind();
  started_ = true;
  work_.emplace(io_.get_executor());
  accept_pause_.emplace(acceptor_->get_executor());
  asio::post(acceptor_->get_executor(), [self = shared_from_this()] { self->accept(); });
  // Signals belong to the program's main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (unsigned i = 0; i < options_.io_threads; ++i) {
    threads_.emplace_back([self = shared_from_this()] { self->run_io(); });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Listener::Implementation::run_io() {
  while (true) {
    try {
      io_.run();
      break;
    } catch (const std::exception& error) {
      // Of the handler or out of memory: that connection's operation is lost, the rest goes on.
      log(LogLevel::Error, std::string("I/O thread: ") + error.what());
    }
  }
}

void Listener::Implementation::accept() {
  if (!acceptor_->is_open()) return;
  acceptor_->async_accept(
      asio::make_strand(io_), [self = shared_from_this()](error_code error, TcpSocket socket) {
        if (error == asio::error::operation_aborted) return;
        if (!error) {
          self->accept();  // first: whatever becomes of this one, accepting goes on
          return self->admit(std::move(socket));
        }
        // Out of descriptors, most likely: trying again at once would spin.
        self->log(LogLevel::Warning, "cannot accept a connection: " + error.message());
        self->accept_pause_->expires_after(std::chrono::milliseconds(100));
        self->accept_pause_->async_wait([self](error_code stopped) {
          if (!stopped) self->accept();
        });
      });
}

void Listener::Implementation::admit(TcpSocket socket) {
  uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    if (connections_.size() < options_.connections_max) {
      id = next_id_++;
      connections_.emplace(id, std::weak_ptr<Severable>());
    }
  }
  if (id == 0) {
    ++counters_.refused;
    return;  // the socket closes with its scope
  }
  ++counters_.accepted;
  auto connection = std::make_shared<Connection>(Place(shared_from_this(), id), std::move(socket),
                                                 tls_ ? &*tls_ : nullptr);
  hold(id, connection);
  asio::post(connection->executor(), [connection] { connection->start(); });
}

void Listener::Implementation::hold(uint64_t id, std::weak_ptr<Severable> connection) {
  std::lock_guard lock(mutex_);
  connections_[id] = std::move(connection);
}

void Listener::Implementation::release(uint64_t id) {
  std::lock_guard lock(mutex_);
  connections_.erase(id);
  changed_.notify_all();
}

std::vector<std::shared_ptr<Severable>> Listener::Implementation::connections() const {
  std::vector<std::shared_ptr<Severable>> all;
  std::lock_guard lock(mutex_);
  for (const auto& [id, weak] : connections_) {
    if (auto connection = weak.lock()) all.push_back(std::move(connection));
  }
  return all;
}

void Listener::Implementation::stop_accepting() {
  retiring_ = true;
  if (!acceptor_) return;
  asio::post(acceptor_->get_executor(), [self = shared_from_this()] {
    error_code ignored;
    self->acceptor_->close(ignored);
    if (self->accept_pause_) self->accept_pause_->cancel();
  });
  for (const auto& connection : connections()) connection->retire();
}

void Listener::Implementation::close_sockets(const CloseReason& reason) {
  for (const auto& connection : connections()) {
    if (auto* socket = dynamic_cast<WebSocket*>(connection.get())) socket->close(reason);
  }
}

void Listener::Implementation::stop(Clock::time_point deadline) {
  {
    std::lock_guard lock(mutex_);
    if (!started_ || std::exchange(stopped_, true)) return;
  }
  stop_accepting();
  {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [this] { return connections_.empty(); });
  }
  for (const auto& connection : connections()) connection->cut();
  {
    // Cutting takes a turn on each connection's strand, no longer.
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kLingerTimeout, [this] { return connections_.empty(); });
  }
  work_.reset();
  finished_.store(true, std::memory_order_release);
  io_.stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // Handlers that came too late hold their connections, which hold this: run them off.
  io_.restart();
  io_.poll();
}

ListenerStats Listener::Implementation::stats() const {
  ListenerStats stats;
  {
    std::lock_guard lock(mutex_);
    stats.connections_open = connections_.size();
  }
  stats.connections_accepted = counters_.accepted;
  stats.connections_refused = counters_.refused;
  stats.sockets_open = counters_.sockets;
  stats.requests = counters_.requests;
  stats.messages_in = counters_.messages_in;
  stats.messages_out = counters_.messages_out;
  stats.bytes_in = counters_.bytes_in;
  stats.bytes_out = counters_.bytes_out;
  stats.slow_readers = counters_.slow_readers;
  stats.protocol_errors = counters_.protocol_errors;
  return stats;
}

// ----------------------------------------------------------------------------- Listener

Listener::Listener(ListenerOptions options, ExchangeHandler handler, Log log)
    : implementation_(std::make_shared<Implementation>(std::move(options), std::move(handler),
                                                       std::move(log))) {}

Listener::~Listener() { stop(Clock::now()); }

void Listener::start() { implementation_->start(); }
uint16_t Listener::port() const { return implementation_->port(); }
void Listener::stop_accepting() { implementation_->stop_accepting(); }
void Listener::close_sockets(CloseReason reason) { implementation_->close_sockets(reason); }
void Listener::stop(Clock::time_point deadline) { implementation_->stop(deadline); }
ListenerStats Listener::stats() const { return implementation_->stats(); }

}  // namespace lattice::net
