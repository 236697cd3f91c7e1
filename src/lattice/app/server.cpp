// SPDX-License-Identifier: MIT
// Routing, admission, and the order of a stop. What a session does is in internal/session_host.cpp.
#include "lattice/app/server.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <utility>

#include "lattice/app/internal/assets.hpp"
#include "lattice/app/internal/inspector.hpp"
#include "lattice/app/internal/page_socket.hpp"
#include "lattice/app/internal/room_socket.hpp"
#include "lattice/app/internal/session_host.hpp"
#include "lattice/app/internal/session_table.hpp"
#include "lattice/app/internal/ticker.hpp"
#include "lattice/app/static_files.hpp"
#include "lattice/app/upgrade_check.hpp"
#include "lattice/net/digest.hpp"
#include "lattice/net/listener.hpp"
#include "lattice/roomlog/memory_log.hpp"

namespace lattice::app {

using internal::Asset;
using internal::Inspector;
using internal::PageSocket;
using internal::RoomSocket;
using internal::SessionCounters;
using internal::SessionHost;
using internal::SessionTable;
using internal::Ticker;
using net::Exchange;
using net::Response;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view kSocketPath = "/_lattice/ws";
constexpr std::string_view kRoomsPath = "/rooms/";
constexpr std::string_view kHealthPath = "/healthz";
constexpr std::string_view kIconPath = "/favicon.ico";
constexpr size_t kTokenBytes = 24;  // 192 bits
constexpr size_t kSessionIdBytes = 9;
constexpr uint16_t kServiceRestart = 1012;
// Beyond drain_timeout, for what takes no time unless something hangs.
constexpr milliseconds kCloseTimeout{1'000};
constexpr milliseconds kJoinTimeout{500};
constexpr milliseconds kRoomTick{1'000};
constexpr milliseconds kRoomDebtTick{50};

void log_to_standard_error(LogLevel level, std::string_view message) {
  if (level == LogLevel::Debug) return;
  static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
  std::string line(message);
  // One record, one line: what a request put into it must not look like another record.
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  std::fprintf(stderr, "lattice: %s: %s\n", kNames[static_cast<size_t>(level)], line.c_str());
}

bool is_crawler(std::string_view user_agent) {
  static constexpr std::string_view kMarks[] = {
      "bot/",  "bot ",        "bot;",   "bot)",    "googlebot",           "bingbot",
      "slurp", "baiduspider", "spider", "crawler", "facebookexternalhit", "embedly"};
  std::string lower(user_agent);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return std::any_of(std::begin(kMarks), std::end(kMarks),
                     [&](std::string_view mark) { return lower.find(mark) != std::string::npos; });
}

Response not_found() { return Response::text(404, "not found"); }

Response busy(std::string_view reason) {
  Response response = Response::text(503, reason);
  response.headers.emplace_back("Retry-After", "2");
  return response;
}

// `socket_origin` (for browsers whose 'self' leaves out ws:) is made of the request's checked Host.
net::Headers page_headers(const net::RequestHead& head) {
  std::string policy =
      "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
      "connect-src 'self' ";
  policy.append(head.is_secure ? "wss://" : "ws://").append(head.header("Host"));
  policy += "; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'";
  return {{"Content-Type", "text/html; charset=utf-8"},
          {"Cache-Control", "no-store"},
          {"Content-Security-Policy", policy},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "same-origin"}};
}

net::ListenerOptions listener_options(const ServerOptions& options) {
  net::ListenerOptions result;
  result.host = options.host;
  result.port = options.port;
  result.io_threads = std::max(1u, options.io_threads);
  result.ssl_cert = options.ssl_cert;
  result.ssl_key = options.ssl_key;
  result.connections_max = options.connections_max;
  result.header_bytes_max = options.header_bytes_max;
  result.body_bytes_max = options.body_bytes_max;
  result.message_bytes_max = options.message_bytes_max;
  result.write_queue_bytes_max = options.write_queue_bytes_max;
  result.header_timeout = options.header_timeout;
  result.idle_timeout = options.idle_timeout;
  result.socket_idle_timeout = options.socket_idle_timeout;
  return result;
}

}  // namespace

struct Server::Core final : public PageSocket::Directory,
                            public std::enable_shared_from_this<Core> {
  enum class State : uint8_t { New, Running, Stopping, Stopped };

  Core(std::shared_ptr<SessionFactory> the_factory, ServerOptions the_options);

  void start();
  void stop();
  void wait();
  ServerStats stats() const;
  std::string url() const;

  // Routing; on I/O threads.
  void handle(const std::shared_ptr<Exchange>& exchange);
  void open_socket(const std::shared_ptr<Exchange>& exchange);
  void open_room(const std::shared_ptr<Exchange>& exchange);
  void refuse_socket(const std::shared_ptr<Exchange>& exchange, const AccessVerdict& verdict);
  Response health(const net::RequestHead& head) const;
  void serve_file(const StaticFiles& files, std::shared_ptr<Exchange> exchange, std::string path);
  void serve_page(const std::shared_ptr<Exchange>& exchange, std::string path);
  SessionRequest make_request(const net::RequestHead& head, std::string path) const;
  void paint(std::shared_ptr<Exchange> exchange, const std::shared_ptr<SessionHost>& host,
             bool is_parked);

  // PageSocket::Directory.
  void await_hello(std::weak_ptr<PageSocket> socket) override;
  std::shared_ptr<SessionHost> adopt(const std::string& token) override;
  void dispose(const std::shared_ptr<SessionHost>& host) override;
  bool is_stopping() const override { return stopping.load(); }
  void count_protocol_error() override { ++counters->protocol_errors; }

  void expire();
  void start_tickers();
  void watch();
  void end_sessions();

  const std::shared_ptr<SessionFactory> factory;
  const ServerOptions options;
  const AccessPolicy policy;
  const Asset script;
  const Asset style;
  const Inspector inspector;
  const std::shared_ptr<SessionCounters> counters = std::make_shared<SessionCounters>();
  const std::shared_ptr<HandlerPool> pool;
  const std::shared_ptr<RoomHub> rooms;
  const std::shared_ptr<RoomSocket::Debts> room_debts = std::make_shared<RoomSocket::Debts>();
  std::atomic<bool> rooms_announced{false};
  SessionTable table;
  std::vector<StaticFiles> static_files;
  std::optional<net::Listener> listener;
  std::optional<Ticker> expiry;
  std::optional<Ticker> watchdog;
  std::optional<Ticker> room_ticker;
  std::optional<Ticker> room_debt_ticker;

  std::atomic<bool> stopping{false};
  mutable std::mutex mutex;
  std::condition_variable changed;
  State state = State::New;

  struct Waiting {
    std::weak_ptr<PageSocket> socket;
    Clock::time_point deadline;
  };
  std::mutex waiting_mutex;
  std::vector<Waiting> waiting;  // for their HELLO; bounded by connections_max
};

namespace {

ServerOptions with_defaults(ServerOptions options) {
  if (!options.log) options.log = log_to_standard_error;
  if (!options.room_log) options.room_log = std::make_shared<roomlog::MemoryLog>();
  if (options.ssl_cert.empty() != options.ssl_key.empty()) {
    throw net::TlsError("TLS needs both a certificate and a key (--ssl-cert and --ssl-key)");
  }
  if (options.handler_threads_max == 0) throw Error("handler_threads_max must be at least 1");
  return options;
}

AccessPolicy make_policy(const ServerOptions& options) {
  AccessPolicy policy;
  policy.is_loopback_bind =
      options.host == "localhost" || options.host == "::1" || options.host.starts_with("127.");
  policy.allowed_hosts = options.allowed_hosts;
  policy.allowed_origins = options.allowed_origins;
  return policy;
}

}  // namespace

Server::Core::Core(std::shared_ptr<SessionFactory> the_factory, ServerOptions the_options)
    : factory(std::move(the_factory)),
      options(with_defaults(std::move(the_options))),
      policy(make_policy(options)),
      script("/_lattice/client", ".js", options.client_script),
      style("/_lattice/client", ".css", options.client_style),
      inspector(options.dev ? options.inspector_page : std::string(), options.inspector_script),
      pool(HandlerPool::create(
          {options.handler_threads_max, options.handler_idle_timeout, options.log})),
      rooms(std::make_shared<RoomHub>(options.rooms, options.room_log, pool, options.log)),
      table({options.sessions_max, options.parked_max, options.parked_per_address_max}) {
  for (const StaticDirectory& directory : options.static_dirs) {
    static_files.emplace_back(directory.prefix, directory.folder, options.static_file_bytes_max);
  }
  // The longest prefix decides.
  std::stable_sort(static_files.begin(), static_files.end(), [](const auto& a, const auto& b) {
    return a.prefix().size() > b.prefix().size();
  });
}

void Server::Core::start() {
  std::lock_guard lock(mutex);
  if (state != State::New) throw AccessError("a server starts only once");
  listener.emplace(
      listener_options(options),
      [weak = weak_from_this()](std::shared_ptr<Exchange> exchange) {
        if (auto core = weak.lock()) core->handle(exchange);
      },
      options.log);
  listener->start();
  start_tickers();
  state = State::Running;
}

void Server::Core::start_tickers() {
  auto at = [](milliseconds timeout) {
    return std::clamp(timeout / 4, milliseconds(5), milliseconds(250));
  };
  expiry.emplace(at(std::min(options.token_timeout, options.hello_timeout)), [this] { expire(); });
  room_ticker.emplace(kRoomTick, [this] { rooms->tick(Clock::now()); });
  room_debt_ticker.emplace(kRoomDebtTick, [this] { room_debts->pay(Clock::now()); });
  if (options.watchdog.count() > 0) watchdog.emplace(at(options.watchdog), [this] { watch(); });
}

void Server::Core::watch() {
  pool->report_slow_segments(options.watchdog, [this](const SlowSegment& segment) {
    ++counters->slow_segments;
    if (options.on_slow_segment) return options.on_slow_segment(segment);
    std::string line = "a handler of session ";
    line.append(segment.session_id).append(" has been running for ");
    line.append(std::to_string(segment.elapsed.count())).append(" ms");
    options.log(LogLevel::Warning, line);
  });
}

// ------------------------------------------------------------------------------ requests

void Server::Core::handle(const std::shared_ptr<Exchange>& exchange) {
  const net::RequestHead& head = exchange->head();
  if (head.is_upgrade) return open_socket(exchange);
  if (head.method != "GET" && head.method != "HEAD") {
    Response response = Response::text(405, "method not allowed");
    response.headers.emplace_back("Allow", "GET, HEAD");
    return exchange->respond(std::move(response));
  }
  // Before the check of Host: a load balancer's probe names the machine by its address.
  if (head.path == kHealthPath) return exchange->respond(health(head));
  if (AccessVerdict verdict = check_host(head, policy); !verdict.ok()) {
    return exchange->respond(Response::text(verdict.status, verdict.reason));
  }
  std::optional<std::string> path = decode_path(head.path);
  if (!path) return exchange->respond(not_found());
  if (*path == script.url()) return exchange->respond(script.serve(head));
  if (*path == style.url()) return exchange->respond(style.serve(head));
  if (*path == kSocketPath) {
    Response response = Response::text(426, "a WebSocket is spoken here");
    response.headers.emplace_back("Upgrade", "websocket");
    return exchange->respond(std::move(response));
  }
  if (inspector.serve(exchange, *path, table)) return;
  for (const StaticFiles& files : static_files) {
    if (files.covers(*path)) return serve_file(files, exchange, std::move(*path));
  }
  if (*path == kIconPath) {
    Response response;
    response.status = 204;
    response.headers = {{"Cache-Control", "max-age=86400"}};
    return exchange->respond(std::move(response));
  }
  if (!factory->serves(*path)) return exchange->respond(not_found());
  serve_page(exchange, std::move(*path));
}

void Server::Core::open_socket(const std::shared_ptr<Exchange>& exchange) {
  const net::RequestHead& head = exchange->head();
  if (head.path.starts_with(kRoomsPath)) return open_room(exchange);
  if (head.path != kSocketPath) return exchange->respond(not_found());
  if (AccessVerdict verdict = check_upgrade(head, policy); !verdict.ok()) {
    return refuse_socket(exchange, verdict);
  }
  if (stopping) return exchange->respond(busy("the server is stopping"));
  exchange->upgrade(std::make_shared<PageSocket>(shared_from_this()));
}

void Server::Core::refuse_socket(const std::shared_ptr<Exchange>& exchange,
                                 const AccessVerdict& verdict) {
  const net::RequestHead& head = exchange->head();
  ++counters->origins_refused;
  std::string line = "refused a WebSocket from ";
  line.append(head.remote_address).append(" (origin ").append(head.header("Origin"));
  line.append(", host ").append(head.header("Host")).append("): ").append(verdict.reason);
  options.log(LogLevel::Warning, line);
  exchange->respond(Response::text(verdict.status, verdict.reason));
}

// Without rules about who may do what, a room is open to this machine and to nobody else.
void Server::Core::open_room(const std::shared_ptr<Exchange>& exchange) {
  const net::RequestHead& head = exchange->head();
  AccessVerdict verdict = check_upgrade(head, policy);
  if (verdict.ok()) verdict = check_loopback(head, policy);
  if (!verdict.ok()) return refuse_socket(exchange, verdict);
  std::optional<std::string> path = decode_path(head.path);
  std::string room = path ? path->substr(std::min(path->size(), kRoomsPath.size())) : std::string();
  if (!is_room_name(room, options.rooms.name_bytes_max)) {
    return exchange->respond(Response::text(400, "this is no name of a room"));
  }
  if (stopping) return exchange->respond(busy("the server is stopping"));
  if (!rooms_announced.exchange(true)) {
    options.log(LogLevel::Info,
                "rooms are open to every program on this machine, and to nobody else");
  }
  exchange->upgrade(
      std::make_shared<RoomSocket>(rooms, std::move(room), RoomAccess::Write, room_debts));
}

Response Server::Core::health(const net::RequestHead& head) const {
  const uint16_t status = stopping ? 503 : 200;
  const bool wants_json = head.header("Accept").find("application/json") != std::string_view::npos;
  if (!wants_json || !check_host(head, policy).ok()) {
    return Response::text(status, stopping ? "stopping" : "ok");
  }
  const ServerStats now = stats();
  std::string json = "{\"status\":";
  json.append(stopping ? "\"stopping\"" : "\"ok\"");
  auto add = [&json](std::string_view name, uint64_t count) {
    json.append(",\"").append(name).append("\":").append(std::to_string(count));
  };
  add("connections", now.connections_open);
  add("sockets", now.sockets_open);
  add("sessions_live", now.sessions_live);
  add("sessions_parked", now.sessions_parked);
  add("handler_threads", now.handler_threads);
  json.append("}\n");
  Response response = Response::text(status, {});
  response.headers.front().second = "application/json";
  response.body = std::make_shared<const std::string>(std::move(json));
  return response;
}

void Server::Core::serve_file(const StaticFiles& files, std::shared_ptr<Exchange> exchange,
                              std::string path) {
  // The disk may be slow: not on an I/O thread. No session, so no strand.
  pool->post(
      [self = shared_from_this(), &files, exchange = std::move(exchange), path = std::move(path)] {
        try {
          exchange->respond(files.serve(exchange->head(), path));
        } catch (const std::exception& error) {
          self->options.log(LogLevel::Error, std::string("static file: ").append(error.what()));
        }
      });
}

SessionRequest Server::Core::make_request(const net::RequestHead& head, std::string path) const {
  SessionRequest request;
  request.id = net::random_token(kSessionIdBytes);
  request.target = head.target;
  request.path = std::move(path);
  request.query = head.query;
  request.user_agent = std::string(head.header("User-Agent"));
  request.remote_address = head.remote_address;
  request.headers = head.headers;
  return request;
}

void Server::Core::serve_page(const std::shared_ptr<Exchange>& exchange, std::string path) {
  const net::RequestHead& head = exchange->head();
  if (head.method == "HEAD") {
    Response response;
    response.headers = page_headers(head);
    return exchange->respond(std::move(response));
  }
  PageContext page{net::random_token(kTokenBytes), script.url(), style.url(), options.dev};
  auto host = std::make_shared<SessionHost>(
      SessionHost::Parts{factory, pool, options.around_segment, counters},
      make_request(head, std::move(path)), std::move(page));
  const SessionTable::Admission admission = table.admit(host, head.remote_address);
  if (admission == SessionTable::Admission::Closed) {
    return exchange->respond(busy("the server is stopping"));
  }
  if (admission != SessionTable::Admission::Admitted) {
    ++counters->refused;
    return exchange->respond(busy("too many visitors at once; please try again"));
  }
  paint(exchange, host, !is_crawler(head.header("User-Agent")));
}

namespace {

// Sees to it that a session whose first paint came to nothing (the segment threw, or never ran)
// does not stay in the table.
class PaintGuard {
 public:
  explicit PaintGuard(std::function<void()> give_up) : give_up_(std::move(give_up)) {}
  ~PaintGuard() {
    if (give_up_) give_up_();
  }
  PaintGuard(const PaintGuard&) = delete;
  PaintGuard& operator=(const PaintGuard&) = delete;
  void release() { give_up_ = nullptr; }

 private:
  std::function<void()> give_up_;
};

}  // namespace

void Server::Core::paint(std::shared_ptr<Exchange> exchange,
                         const std::shared_ptr<SessionHost>& host, bool is_parked) {
  auto self = shared_from_this();
  // Shared, since std::function copies.
  auto guard = std::make_shared<PaintGuard>([self, host] { self->dispose(host); });
  host->paint([self, host, exchange = std::move(exchange), guard,
               is_parked](SessionHost::FirstPaint painted) {
    if (painted.html.empty()) {
      return exchange->respond(Response::text(painted.status, "this page could not be made"));
    }
    // Parked before the answer is out: the page's socket may be quick.
    const bool is_kept =
        is_parked && self->table.park(*host, Clock::now() + self->options.token_timeout);
    if (is_kept) guard->release();
    Response response;
    response.status = painted.status;
    response.headers = page_headers(exchange->head());
    response.body = std::make_shared<const std::string>(std::move(painted.html));
    exchange->respond(std::move(response));
  });
}

// ------------------------------------------------------------------------------- sockets

void Server::Core::await_hello(std::weak_ptr<PageSocket> socket) {
  std::lock_guard lock(waiting_mutex);
  waiting.push_back({std::move(socket), Clock::now() + options.hello_timeout});
}

std::shared_ptr<SessionHost> Server::Core::adopt(const std::string& token) {
  return table.adopt(token, Clock::now());
}

void Server::Core::dispose(const std::shared_ptr<SessionHost>& host) {
  host->dispose([self = shared_from_this(), host] { self->table.remove(*host); });
}

void Server::Core::expire() {
  const Clock::time_point now = Clock::now();
  for (const auto& host : table.expire(now)) {
    ++counters->expired;
    dispose(host);
  }
  std::vector<std::shared_ptr<PageSocket>> late;
  {
    std::lock_guard lock(waiting_mutex);
    auto is_over = [&](const Waiting& entry) { return entry.deadline <= now; };
    // In the order of their deadlines: the timeout is the same for all.
    auto end = std::find_if_not(waiting.begin(), waiting.end(), is_over);
    for (auto entry = waiting.begin(); entry != end; ++entry) {
      if (auto socket = entry->socket.lock()) late.push_back(std::move(socket));
    }
    waiting.erase(waiting.begin(), end);
  }
  for (const auto& socket : late) socket->expire();
}

// ---------------------------------------------------------------------------------- stop

void Server::Core::stop() {
  if (HandlerPool::on_pool_thread()) {
    throw AccessError("stop() waits for running handlers: call it from outside a handler");
  }
  {
    std::unique_lock lock(mutex);
    if (state == State::New) state = State::Stopped;
    if (state == State::Stopping) changed.wait(lock, [this] { return state == State::Stopped; });
    if (state == State::Stopped) {
      changed.notify_all();
      return;
    }
    state = State::Stopping;
  }
  stopping = true;
  rooms->close();
  listener->stop_accepting();
  if (!pool->wait_idle(Clock::now() + options.drain_timeout)) {
    options.log(LogLevel::Warning, "a handler did not finish in time; stopping without it");
  }
  listener->close_sockets({kServiceRestart, "service restart"});
  end_sessions();
  listener->stop(Clock::now() + kCloseTimeout);
  if (size_t abandoned = pool->stop(Clock::now() + kJoinTimeout)) {
    options.log(LogLevel::Error,
                std::to_string(abandoned).append(" blocked handler threads were left behind"));
  }
  expiry.reset();
  watchdog.reset();
  room_ticker.reset();
  room_debt_ticker.reset();
  {
    std::lock_guard lock(mutex);
    state = State::Stopped;
  }
  changed.notify_all();
}

void Server::Core::end_sessions() {
  for (const auto& host : table.close()) dispose(host);
  pool->wait_idle(Clock::now() + kCloseTimeout);
}

void Server::Core::wait() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return state == State::Stopped; });
}

// --------------------------------------------------------------------------------- facts

ServerStats Server::Core::stats() const {
  ServerStats stats;
  if (listener) {
    const net::ListenerStats transport = listener->stats();
    stats.connections_open = transport.connections_open;
    stats.connections_accepted = transport.connections_accepted;
    stats.connections_refused = transport.connections_refused;
    stats.requests = transport.requests;
    stats.sockets_open = transport.sockets_open;
    stats.slow_readers = transport.slow_readers;
    stats.protocol_errors = transport.protocol_errors;
  }
  const SessionTable::Counts sessions = table.counts();
  stats.sessions_live = sessions.live;
  stats.sessions_parked = sessions.parked;
  stats.sessions_created = counters->created;
  stats.sessions_expired = counters->expired;
  stats.sessions_refused = counters->refused;
  stats.frames_in = counters->frames_in;
  stats.frames_out = counters->frames_out;
  stats.bytes_in = counters->bytes_in;
  stats.bytes_out = counters->bytes_out;
  stats.dropped_events = counters->dropped_events;
  stats.protocol_errors += counters->protocol_errors;
  stats.origins_refused = counters->origins_refused;
  stats.slow_segments = counters->slow_segments;
  stats.handler_threads = pool->thread_count();
  stats.rooms = rooms->counts();
  return stats;
}

std::string Server::Core::url() const {
  std::string host = options.host;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  std::string url = options.ssl_cert.empty() ? "http://" : "https://";
  if (host.find(':') != std::string::npos) {
    url.append("[").append(host).append("]");
  } else {
    url.append(host);
  }
  return url.append(":").append(std::to_string(listener ? listener->port() : options.port));
}

Server::Server(std::shared_ptr<SessionFactory> factory, ServerOptions options)
    : core_(std::make_shared<Core>(std::move(factory), std::move(options))) {}

Server::~Server() {
  try {
    core_->stop();
  } catch (const std::exception& error) {
    core_->options.log(LogLevel::Error, error.what());
  }
}

void Server::start() { core_->start(); }
uint16_t Server::port() const {
  LATTICE_ASSERT(core_->listener.has_value());
  return core_->listener->port();
}
std::string Server::url() const { return core_->url(); }
void Server::stop() { core_->stop(); }
void Server::wait() { core_->wait(); }
ServerStats Server::stats() const { return core_->stats(); }
const std::shared_ptr<RoomHub>& Server::rooms() const { return core_->rooms; }
const std::string& Server::client_script_url() const { return core_->script.url(); }
const std::string& Server::client_style_url() const { return core_->style.url(); }

}  // namespace lattice::app
