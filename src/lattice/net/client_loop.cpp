// SPDX-License-Identifier: MIT
// Resolve -> connect -> TLS -> upgrade -> messages, each connection on an Asio strand of its own.
#include "lattice/net/client_loop.hpp"

#include <pthread.h>
#include <signal.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <atomic>
#include <charconv>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "lattice/net/internal/any_stream.hpp"

namespace lattice::net {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using internal::AnyStream;
using internal::StrandExecutor;
using internal::TcpSocket;
using Timer = asio::steady_timer;

// --------------------------------------------------------------------------------------- URL

std::string WebSocketUrl::authority() const {
  std::string text = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  if (port != (is_secure ? 443 : 80)) text.append(":").append(std::to_string(port));
  return text;
}

namespace {

Failure bad_url(std::string_view url, const char* why) {
  return Failure{"'" + std::string(url) + "' is no WebSocket address: " + why +
                 "; expected ws://host:port/rooms/name, or wss://"};
}

}  // namespace

Result<WebSocketUrl> parse_websocket_url(std::string_view url) {
  WebSocketUrl parsed;
  std::string_view rest = url;
  if (rest.starts_with("wss://")) {
    parsed.is_secure = true;
    parsed.port = 443;
    rest.remove_prefix(6);
  } else if (rest.starts_with("ws://")) {
    rest.remove_prefix(5);
  } else {
    return bad_url(url, "it does not begin with ws:// or wss://");
  }
  for (char c : rest) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) return bad_url(url, "it has a space");
  }
  rest = rest.substr(0, rest.find('#'));
  const size_t path = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, path);
  if (path != std::string_view::npos) {
    parsed.target = rest.substr(path);
    if (parsed.target.front() == '?') parsed.target.insert(0, "/");
  }
  if (authority.find('@') != std::string_view::npos) return bad_url(url, "it names a user");
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad_url(url, "an address lacks its ']'");
    parsed.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const size_t colon = std::min(authority.find(':'), authority.size());
    parsed.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (parsed.host.empty()) return bad_url(url, "it names no host");
  if (port.empty()) return parsed;
  const auto [end, error] =
      std::from_chars(port.data() + 1, port.data() + port.size(), parsed.port);
  if (port.front() != ':' || error != std::errc{} || end != port.data() + port.size() ||
      parsed.port == 0) {
    return bad_url(url, "its port is no number");
  }
  return parsed;
}

// ------------------------------------------------------------------------------------- loop

class ClientLoop::Implementation : public std::enable_shared_from_this<ClientLoop::Implementation> {
 public:
  class Connection;

  void connect(WebSocketUrl url, ClientOptions options, std::shared_ptr<MessageHandler> handler);
  void after(std::chrono::milliseconds delay, std::function<void()> function);
  void stop();

 private:
  friend class Connection;

  bool start();
  void run();
  uint64_t hold(const std::shared_ptr<Connection>& connection);
  void release(uint64_t id);

  asio::io_context io_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::mutex mutex_;  // of what follows
  std::thread thread_;
  bool is_stopped_ = false;
  std::unordered_map<uint64_t, std::weak_ptr<Connection>> connections_;
  uint64_t next_id_ = 1;
};

class ClientLoop::Implementation::Connection final
    : public MessageSink,
      public std::enable_shared_from_this<ClientLoop::Implementation::Connection> {
 public:
  Connection(std::shared_ptr<Implementation> owner, WebSocketUrl url, ClientOptions options,
             std::shared_ptr<MessageHandler> handler)
      : owner_(std::move(owner)),
        url_(std::move(url)),
        options_(std::move(options)),
        executor_(asio::make_strand(owner_->io_)),
        resolver_(executor_),
        deadline_(executor_),
        handler_(std::move(handler)) {}

  void start() {
    id_ = owner_->hold(shared_from_this());
    asio::post(executor_, [self = shared_from_this()] { self->resolve(); });
  }
  void send(Message message) override;
  void close(CloseReason reason) override {
    asio::post(executor_, [self = shared_from_this(), reason = std::move(reason)] {
      self->begin_close(reason);
    });
  }
  void consumed() override;
  void cut() {
    asio::post(executor_, [self = shared_from_this()] { self->cut_now(); });
  }

 private:
  void resolve();
  void connect(const tcp::resolver::results_type& endpoints);
  void secure();
  void upgrade();
  void read();
  void on_read(error_code error);
  void write();
  void begin_close(CloseReason reason);
  void send_close();
  void fail(const std::string& reason) { finish({1006, reason}); }
  void finish(CloseReason reason);
  void cut_now();
  std::string where() const { return url_.authority(); }

  const std::shared_ptr<Implementation> owner_;
  const WebSocketUrl url_;
  const ClientOptions options_;
  const StrandExecutor executor_;
  tcp::resolver resolver_;
  Timer deadline_;
  std::shared_ptr<MessageHandler> handler_;  // until finish()
  std::unique_ptr<asio::ssl::context> tls_;
  std::optional<TcpSocket> socket_;  // until it is the stream's
  std::optional<websocket::stream<AnyStream, false>> stream_;
  websocket::response_type answer_;
  beast::flat_buffer buffer_;
  std::deque<Message> queue_;
  std::optional<CloseReason> closing_;
  uint64_t id_ = 0;
  bool is_open_ = false;
  bool is_writing_ = false;
  bool is_close_sent_ = false;
  bool is_paused_ = false;
  std::atomic<size_t> unconsumed_{0};
  std::atomic<size_t> queued_bytes_{0};
  std::atomic<bool> is_overflown_{false};
};

void ClientLoop::Implementation::Connection::resolve() {
  if (!handler_) return;
  deadline_.expires_after(options_.connect_timeout);
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && !self->is_open_) self->fail("no answer from " + self->where() + " in time");
  });
  resolver_.async_resolve(
      url_.host, std::to_string(url_.port),
      [self = shared_from_this()](error_code error, const tcp::resolver::results_type& endpoints) {
        if (!self->handler_) return;
        if (error) return self->fail("cannot resolve " + self->where() + ": " + error.message());
        self->connect(endpoints);
      });
}

void ClientLoop::Implementation::Connection::connect(const tcp::resolver::results_type& endpoints) {
  socket_.emplace(executor_);
  asio::async_connect(
      *socket_, endpoints, [self = shared_from_this()](error_code error, const tcp::endpoint&) {
        if (!self->handler_) return;
        if (error) return self->fail("cannot connect to " + self->where() + ": " + error.message());
        self->secure();
      });
}

void ClientLoop::Implementation::Connection::secure() {
  error_code ignored;
  socket_->set_option(tcp::no_delay(true), ignored);
  if (!url_.is_secure) {
    stream_.emplace(AnyStream(std::move(*socket_), nullptr));
    return upgrade();
  }
  error_code error;
  tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_client);
  tls_->set_default_verify_paths(ignored);
  if (!options_.ca_file.empty()) tls_->load_verify_file(options_.ca_file, error);
  if (error) return fail("cannot read the certificates of " + options_.ca_file);
  SSL_CTX_set_min_proto_version(tls_->native_handle(), TLS1_2_VERSION);
  stream_.emplace(AnyStream(std::move(*socket_), tls_.get(), asio::ssl::stream_base::client));
  SSL* ssl = stream_->next_layer().native_handle();
  SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  SSL_set_tlsext_host_name(ssl, url_.host.c_str());
  // An address is looked up among the certificate's addresses, a name among its names.
  error_code not_an_address;
  asio::ip::make_address(url_.host, not_an_address);
  X509_VERIFY_PARAM* verify = SSL_get0_param(ssl);
  if (not_an_address) {
    X509_VERIFY_PARAM_set1_host(verify, url_.host.c_str(), 0);
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(verify, url_.host.c_str());
  }
  stream_->next_layer().async_handshake([self = shared_from_this()](error_code failed) {
    if (!self->handler_) return;
    if (failed) return self->fail("no TLS with " + self->where() + ": " + failed.message());
    self->upgrade();
  });
}

void ClientLoop::Implementation::Connection::upgrade() {
  websocket::stream_base::timeout timeout{};
  timeout.handshake_timeout = options_.connect_timeout;
  timeout.idle_timeout = options_.socket_idle_timeout;
  timeout.keep_alive_pings = true;
  stream_->set_option(timeout);
  stream_->read_message_max(options_.message_bytes_max);
  stream_->auto_fragment(false);
  stream_->binary(true);
  stream_->set_option(websocket::stream_base::decorator(
      [headers = options_.headers](websocket::request_type& head) {
        for (const auto& [name, value] : headers) head.insert(name, value);
      }));
  stream_->async_handshake(
      answer_, url_.authority(), url_.target, [self = shared_from_this()](error_code error) {
        if (!self->handler_) return;
        if (error == websocket::error::upgrade_declined) {
          return self->fail(self->where() + " refused: HTTP status " +
                            std::to_string(self->answer_.result_int()));
        }
        if (error) return self->fail("no WebSocket with " + self->where() + ": " + error.message());
        self->deadline_.cancel();
        self->is_open_ = true;
        self->handler_->on_open(self);
        self->read();
      });
}

void ClientLoop::Implementation::Connection::read() {
  stream_->async_read(
      buffer_, [self = shared_from_this()](error_code error, size_t) { self->on_read(error); });
}

void ClientLoop::Implementation::Connection::on_read(error_code error) {
  if (!handler_) return;
  if (error == websocket::error::closed) {
    const auto& reason = stream_->reason();
    return finish({reason.code, std::string(reason.reason.data(), reason.reason.size())});
  }
  if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
    return finish({1009, "message too big"});
  }
  if (error) return fail(error.message());
  std::vector<uint8_t> message(buffer_.size());
  asio::buffer_copy(asio::buffer(message), buffer_.data());
  buffer_.consume(buffer_.size());
  if (!closing_) {
    if (stream_->got_text()) {
      begin_close({websocket::close_code::unknown_data, "binary messages only"});
    } else {
      ++unconsumed_;
      handler_->on_message(std::move(message));
    }
  }
  // Exactly one of two resumes reading: this, or the consumed() that brings the count below the
  // bound.
  is_paused_ = !closing_ && unconsumed_.load() >= options_.messages_unconsumed_max;
  if (!is_paused_) read();
}

void ClientLoop::Implementation::Connection::consumed() {
  if (unconsumed_.fetch_sub(1) != options_.messages_unconsumed_max) return;
  asio::post(executor_, [self = shared_from_this()] {
    if (self->handler_ && std::exchange(self->is_paused_, false)) self->read();
  });
}

void ClientLoop::Implementation::Connection::send(Message message) {
  if (!message || is_overflown_.load(std::memory_order_relaxed)) return;
  const size_t bytes = message->size();
  const bool is_over = queued_bytes_.fetch_add(bytes) + bytes > options_.write_queue_bytes_max;
  if (is_over && is_overflown_.exchange(true)) return;
  asio::post(executor_, [self = shared_from_this(), message = std::move(message), is_over] {
    if (!self->handler_ || self->closing_ || !self->is_open_) return;
    if (is_over) {
      while (self->queue_.size() > (self->is_writing_ ? 1u : 0u)) self->queue_.pop_back();
      return self->begin_close({websocket::close_code::try_again_later, "reader too slow"});
    }
    self->queue_.push_back(message);
    if (!self->is_writing_) self->write();
  });
}

void ClientLoop::Implementation::Connection::write() {
  is_writing_ = true;
  const Message& message = queue_.front();
  stream_->async_write(asio::buffer(*message),
                       [self = shared_from_this(), message](error_code error, size_t) {
                         self->is_writing_ = false;
                         if (error || !self->handler_) return;  // the pending read reports it
                         self->queued_bytes_ -= message->size();
                         self->queue_.pop_front();
                         if (!self->queue_.empty()) {
                           self->write();
                         } else if (self->closing_) {
                           self->send_close();
                         }
                       });
}

void ClientLoop::Implementation::Connection::begin_close(CloseReason reason) {
  if (!handler_ || closing_) return;
  if (!is_open_) return finish(std::move(reason));
  closing_ = std::move(reason);
  deadline_.expires_after(options_.close_timeout);
  deadline_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && self->handler_) self->finish(*self->closing_);
  });
  if (std::exchange(is_paused_, false)) read();
  if (!is_writing_) send_close();
}

void ClientLoop::Implementation::Connection::send_close() {
  if (std::exchange(is_close_sent_, true)) return;
  websocket::close_reason reason(static_cast<websocket::close_code>(closing_->code));
  reason.reason.assign(closing_->text.substr(0, 120));
  stream_->async_close(reason, [self = shared_from_this()](error_code) {
    if (self->handler_) self->finish(*self->closing_);
  });
}

void ClientLoop::Implementation::Connection::finish(CloseReason reason) {
  if (!handler_) return;
  std::shared_ptr<MessageHandler> handler = std::move(handler_);
  handler_ = nullptr;
  is_open_ = false;
  deadline_.cancel();
  resolver_.cancel();
  error_code ignored;
  if (socket_) socket_->close(ignored);
  if (stream_) stream_->next_layer().cut();
  owner_->release(id_);
  handler->on_close(closing_ ? *closing_ : reason);
}

void ClientLoop::Implementation::Connection::cut_now() { finish({1006, "cut"}); }

// --- the thread

// REQUIRES: the mutex is held. False after stop().
bool ClientLoop::Implementation::start() {
  if (is_stopped_) return false;
  if (thread_.joinable()) return true;
  work_.emplace(io_.get_executor());
  // Signals belong to the program's main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([self = shared_from_this()] { self->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

void ClientLoop::Implementation::run() {
  while (true) {
    try {
      io_.run();
      return;
    } catch (const std::exception&) {
      // Of a handler, or out of memory: that connection's operation is lost, the rest goes on.
      continue;
    }
  }
}

void ClientLoop::Implementation::connect(WebSocketUrl url, ClientOptions options,
                                         std::shared_ptr<MessageHandler> handler) {
  {
    std::scoped_lock lock(mutex_);
    if (!start()) return;
  }
  std::make_shared<Connection>(shared_from_this(), std::move(url), std::move(options),
                               std::move(handler))
      ->start();
}

void ClientLoop::Implementation::after(std::chrono::milliseconds delay,
                                       std::function<void()> function) {
  std::scoped_lock lock(mutex_);
  if (!start()) return;
  auto timer = std::make_shared<Timer>(io_, delay);
  timer->async_wait([timer, function = std::move(function)](error_code error) {
    if (!error) function();
  });
}

uint64_t ClientLoop::Implementation::hold(const std::shared_ptr<Connection>& connection) {
  std::scoped_lock lock(mutex_);
  connections_.emplace(next_id_, connection);
  return next_id_++;
}

void ClientLoop::Implementation::release(uint64_t id) {
  std::scoped_lock lock(mutex_);
  connections_.erase(id);
}

void ClientLoop::Implementation::stop() {
  std::vector<std::shared_ptr<Connection>> open;
  {
    std::scoped_lock lock(mutex_);
    if (std::exchange(is_stopped_, true) || !thread_.joinable()) return;
    for (auto& [id, weak] : connections_) {
      if (auto connection = weak.lock()) open.push_back(std::move(connection));
    }
  }
  for (const auto& connection : open) connection->cut();
  // After the cuts that were posted: timers that wait are dropped with the loop.
  asio::post(io_, [this] {
    work_.reset();
    asio::post(io_, [this] { io_.stop(); });
  });
  if (thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();  // the last reference went on the loop's own thread
  } else {
    thread_.join();
  }
}

ClientLoop::ClientLoop() : implementation_(std::make_shared<Implementation>()) {}
ClientLoop::~ClientLoop() { implementation_->stop(); }
void ClientLoop::connect(WebSocketUrl url, ClientOptions options,
                         std::shared_ptr<MessageHandler> handler) {
  implementation_->connect(std::move(url), std::move(options), std::move(handler));
}
void ClientLoop::after(std::chrono::milliseconds delay, std::function<void()> function) {
  implementation_->after(delay, std::move(function));
}
void ClientLoop::stop() { implementation_->stop(); }

}  // namespace lattice::net
