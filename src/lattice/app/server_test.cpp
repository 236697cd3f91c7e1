// SPDX-License-Identifier: MIT
// The server over real sockets, with a fake session in place of components.
#include "lattice/app/server.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lattice/app/internal/page_socket.hpp"
#include "lattice/app/signal_set.hpp"
#include "lattice/base/bytes.hpp"
#include "lattice/net/digest.hpp"
#include "lattice/net/listener.hpp"
#include "lattice/net/testing/loopback_client.hpp"

namespace lattice::app {
namespace {

using net::testing::Answer;
using net::testing::Client;
using net::testing::eventually;
using net::testing::WebSocketClient;
using std::chrono::milliseconds;

std::vector<uint8_t> hello(const std::string& token) {
  ByteWriter writer;
  writer.u8(1);
  writer.u8(1);
  writer.string(token);
  writer.varint(7);
  return writer.take();
}

// What the fake sessions did, and how to hold them up.
struct Stage {
  std::atomic<int> created{0}, closed{0}, destroyed{0}, drained{0}, connected{0}, received{0};
  std::atomic<int> blocked{0};
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  std::mutex mutex;
  std::function<void()> last_wake;
};

// Frames: 'e' is echoed, 'b' blocks until the gate opens, 'p' is over with the next drain, 't'
// throws, 'f' fails, 'w' floods.
class FakeSession final : public HostedSession {
 public:
  FakeSession(std::shared_ptr<Stage> stage, SessionRequest request, PageContext page)
      : stage_(std::move(stage)), request_(std::move(request)), page_(std::move(page)) {
    ++stage_->created;
  }
  ~FakeSession() override { ++stage_->destroyed; }

  std::string first_paint() override {
    if (request_.query == "throw") throw std::runtime_error("no page");
    return "token=" + page_.token + ";" + page_.client_script_url;
  }
  uint16_t page_status() const override { return request_.path == "/missing" ? 404 : 200; }
  void connect(std::shared_ptr<FrameSink> sink) override {
    ++stage_->connected;
    sink_ = std::move(sink);
  }
  Result<void> receive(std::span<const uint8_t> frame) override {
    ++stage_->received;
    const char kind = frame.size() == 1 ? static_cast<char>(frame[0]) : 'h';
    if (kind == 't') throw std::runtime_error("handler failed");
    if (kind == 'f') return Failure{"unknown kind"};
    if (kind == 'b') {
      ++stage_->blocked;
      stage_->opened.wait();
    }
    if (kind == 'w') {
      for (int i = 0; i < 200; ++i) sink_->send(std::vector<uint8_t>(100'000));
    }
    if (kind == 'd') ++dropped_;
    if (kind == 'p') is_waiting_ = true;
    sink_->send({static_cast<uint8_t>(kind)});
    return {};
  }
  void drain() override {
    ++stage_->drained;
    is_waiting_ = false;
  }
  bool is_waiting() const override { return is_waiting_; }
  void close() override { ++stage_->closed; }
  uint64_t dropped_events() const override { return dropped_; }

 private:
  const std::shared_ptr<Stage> stage_;
  const SessionRequest request_;
  const PageContext page_;
  std::shared_ptr<FrameSink> sink_;
  uint64_t dropped_ = 0;
  bool is_waiting_ = false;
};

class FakeFactory final : public SessionFactory {
 public:
  explicit FakeFactory(std::shared_ptr<Stage> stage) : stage_(std::move(stage)) {}
  std::unique_ptr<HostedSession> create(const SessionRequest& request, const PageContext& page,
                                        std::function<void()> wake) override {
    std::lock_guard lock(stage_->mutex);
    stage_->last_wake = std::move(wake);
    return std::make_unique<FakeSession>(stage_, request, page);
  }
  bool serves(std::string_view path) const override { return path == "/" || path == "/missing"; }

 private:
  const std::shared_ptr<Stage> stage_;
};

class ServerTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    options.port = 0;
    options.client_script = "script();";
    options.client_style = "style{}";
    options.log = [this](LogLevel, std::string_view message) {
      std::lock_guard lock(log_mutex);
      logged.emplace_back(message);
    };
    server.emplace(std::make_shared<FakeFactory>(stage), std::move(options));
    server->start();
  }
  void TearDown() override {
    open_gate();
    server.reset();
    EXPECT_EQ(stage->created, stage->closed) << "a session was not closed";
    EXPECT_EQ(stage->created, stage->destroyed) << "a session was not destroyed";
  }
  void open_gate() {
    if (!std::exchange(is_gate_open, true)) stage->gate.set_value();
  }
  uint16_t port() const { return server->port(); }
  std::string load_page(std::string_view headers = {}) {
    const std::string body = Client(port()).get("/", headers).body;
    return body.substr(6, body.find(';') - 6);
  }
  // A page whose socket has been greeted and has answered.
  std::unique_ptr<WebSocketClient> open_page() {
    auto client = std::make_unique<WebSocketClient>(port());
    const std::string token = load_page();
    EXPECT_EQ(client->handshake().status, 101);
    client->send_bytes(hello(token));
    EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'h'});
    return client;
  }

  std::shared_ptr<Stage> stage = std::make_shared<Stage>();
  bool is_gate_open = false;
  std::mutex log_mutex;
  std::vector<std::string> logged;
  std::optional<Server> server;
};

TEST_F(ServerTest, PageIsPaintedAndItsSocketReachesTheSameSession) {
  start();
  Answer page = Client(port()).get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.header("Cache-Control"), "no-store");
  EXPECT_NE(page.header("Content-Security-Policy").find("connect-src 'self' ws://localhost"),
            std::string::npos);
  EXPECT_EQ(page.header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(server->stats().sessions_parked, 1u);
  const std::string token = page.body.substr(6, page.body.find(';') - 6);
  EXPECT_GE(token.size(), 22u);

  WebSocketClient client(port());
  ASSERT_EQ(client.handshake().status, 101);
  client.send_bytes(hello(token));
  EXPECT_EQ(client.read().payload, std::vector<uint8_t>{'h'});
  client.send_bytes({'e'});
  EXPECT_EQ(client.read().payload, std::vector<uint8_t>{'e'});
  EXPECT_EQ(stage->created, 1);
  ServerStats stats = server->stats();
  EXPECT_EQ(stats.sessions_live, 1u);
  EXPECT_EQ(stats.sessions_parked, 0u);
  EXPECT_EQ(stats.frames_in, 2u);
  EXPECT_EQ(stats.frames_out, 2u);
}

TEST_F(ServerTest, ClosingTheSocketDisposesTheSession) {
  start();
  auto client = open_page();
  client.reset();
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
  EXPECT_TRUE(eventually([&] { return server->stats().sessions_live == 0; }));
}

TEST_F(ServerTest, TokenIsGoodOnce) {
  start();
  const std::string token = load_page();
  WebSocketClient first(port());
  first.handshake();
  first.send_bytes(hello(token));
  EXPECT_EQ(first.read().payload, std::vector<uint8_t>{'h'});
  WebSocketClient second(port());
  second.handshake();
  second.send_bytes(hello(token));
  EXPECT_EQ(second.read_close(), 4001);
  first.send_bytes({'e'});
  EXPECT_EQ(first.read().payload, std::vector<uint8_t>{'e'});
}

TEST_F(ServerTest, ExpiredTokenIs4001AndItsSessionIsDisposed) {
  start({.token_timeout = milliseconds(20)});
  const std::string token = load_page();
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
  WebSocketClient client(port());
  client.handshake();
  client.send_bytes(hello(token));
  EXPECT_EQ(client.read_close(), 4001);
  EXPECT_EQ(server->stats().sessions_expired, 1u);
}

TEST_F(ServerTest, SocketWithoutAProperHelloIs1002AndNobodyElseNotices) {
  start();
  auto bystander = open_page();
  const std::string token = load_page();
  std::vector<uint8_t> trailing = hello(token);
  trailing.push_back(0);
  std::vector<uint8_t> truncated = hello(token);
  truncated.pop_back();
  std::vector<uint8_t> version = hello(token);
  version[0] = 2;
  for (const auto& bad : std::vector<std::vector<uint8_t>>{
           {}, {1}, {1, 2, 0}, trailing, truncated, version, hello(std::string(300, 'x'))}) {
    WebSocketClient client(port());
    client.handshake();
    client.send_bytes(bad);
    EXPECT_EQ(client.read_close(), 1002);
  }
  bystander->send_bytes({'e'});
  EXPECT_EQ(bystander->read().payload, std::vector<uint8_t>{'e'});
  EXPECT_EQ(server->stats().protocol_errors, 7u);
}

TEST_F(ServerTest, MissingHelloIs1002) {
  start({.hello_timeout = milliseconds(20)});
  WebSocketClient client(port());
  client.handshake();
  EXPECT_EQ(client.read_close(), 1002);
}

TEST_F(ServerTest, FrameThatTheSessionRefusesIs1002AndEndsTheSession) {
  start();
  auto client = open_page();
  client->send_bytes({'f'});
  client->send_bytes({'e'});
  EXPECT_EQ(client->read_close(), 1002);
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
  EXPECT_EQ(stage->received, 2);
}

TEST_F(ServerTest, ThrowingHandlerIsLoggedAndTheSessionGoesOn) {
  start();
  auto client = open_page();
  for (int i = 0; i < 100; ++i) client->send_bytes({'t'});
  client->send_bytes({'e'});
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'e'});
  std::lock_guard lock(log_mutex);
  ASSERT_EQ(logged.size(), 100u);
  EXPECT_NE(logged[0].find("handler failed"), std::string::npos);
}

TEST_F(ServerTest, ThrowingFirstPaintIs500AndLeavesNoSession) {
  start();
  EXPECT_EQ(Client(port()).get("/?throw").status, 500);
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
  EXPECT_TRUE(eventually([&] { return server->stats().sessions_parked == 0; }));
}

TEST_F(ServerTest, SessionDecidesTheStatusOfItsPage) {
  start();
  EXPECT_EQ(Client(port()).get("/missing").status, 404);
  EXPECT_EQ(Client(port()).get("/other").status, 404);
  EXPECT_EQ(stage->created, 1);
}

TEST_F(ServerTest, BlockedHandlerDoesNotStallAnotherSession) {
  start();
  auto blocked = open_page();
  auto free = open_page();
  blocked->send_bytes({'b'});
  ASSERT_TRUE(eventually([&] { return stage->blocked == 1; }));
  free->send_bytes({'e'});
  EXPECT_EQ(free->read().payload, std::vector<uint8_t>{'e'});
  EXPECT_EQ(Client(port()).get("/").status, 200);
}

TEST_F(ServerTest, SlowSegmentIsReported) {
  std::atomic<int> reports{0};
  start({.watchdog = milliseconds(10), .on_slow_segment = [&](const SlowSegment&) { ++reports; }});
  auto client = open_page();
  client->send_bytes({'b'});
  EXPECT_TRUE(eventually([&] { return reports == 1; }));
  open_gate();
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'b'});
  EXPECT_EQ(server->stats().slow_segments, 1u);
}

TEST_F(ServerTest, WakeDrainsOnTheStrandAndIsHarmlessAfterTheEnd) {
  start();
  auto client = open_page();
  std::function<void()> wake = stage->last_wake;
  wake();
  EXPECT_TRUE(eventually([&] { return stage->drained == 1; }));
  client.reset();
  ASSERT_TRUE(eventually([&] { return stage->destroyed == 1; }));
  wake();
  server->stop();
  wake();
  EXPECT_EQ(stage->drained, 1);
}

TEST_F(ServerTest, FramesWaitWhileAHandlerIsNotOver) {
  start();
  auto client = open_page();
  const int before = stage->received;
  for (const char kind : {'p', 'e', 'p', 'd'}) client->send_bytes({static_cast<uint8_t>(kind)});
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'p'});
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(stage->received, before + 1);
  stage->last_wake();
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'e'});
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'p'});
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(stage->received, before + 3);
  stage->last_wake();
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'d'});
  client->send_bytes({'p'});
  client->send_bytes({'e'});
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'p'});
  client.reset();  // the session ends while frames wait
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
}

TEST_F(ServerTest, DroppedEventsAreCounted) {
  start();
  auto client = open_page();
  client->send_bytes({'d'});
  client->read();
  client->send_bytes({'d'});
  client->read();
  EXPECT_TRUE(eventually([&] { return server->stats().dropped_events == 2; }));
}

TEST_F(ServerTest, SlowReaderIsClosedAndItsSessionDisposed) {
  start({.write_queue_bytes_max = 1'000'000});
  auto client = open_page();
  client->send_bytes({'w'});
  EXPECT_TRUE(eventually([&] { return server->stats().slow_readers == 1; }));
  EXPECT_EQ(client->read_close(), 1013);
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
}

TEST_F(ServerTest, TooManyParkedPagesAre503WithRetryAfter) {
  start({.parked_max = 3, .parked_per_address_max = 2});
  load_page();
  load_page();
  Answer refused = Client(port()).get("/");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "2");
  EXPECT_EQ(stage->created, 2);
  EXPECT_EQ(server->stats().sessions_refused, 1u);
}

TEST_F(ServerTest, SessionsBeyondTheMaximumAre503UntilOneEnds) {
  start({.sessions_max = 1});
  auto client = open_page();
  EXPECT_EQ(Client(port()).get("/").status, 503);
  client.reset();
  EXPECT_TRUE(eventually([&] { return Client(port()).get("/").status == 200; }));
}

TEST_F(ServerTest, HeadMakesNoSessionAndACrawlersIsDisposedAtOnce) {
  start();
  Answer head = Client(port()).request("HEAD", "/");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(stage->created, 0);
  load_page("User-Agent: Mozilla/5.0 (compatible; Googlebot/2.1)\r\n");
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
  EXPECT_TRUE(eventually([&] { return server->stats().sessions_parked == 0; }));
}

TEST_F(ServerTest, ForeignOriginIs403BeforeTheUpgrade) {
  start();
  WebSocketClient foreign(port());
  EXPECT_EQ(foreign.handshake("/_lattice/ws", "Origin: http://evil.com\r\n").status, 403);
  WebSocketClient own(port());
  const std::string host = "localhost:" + std::to_string(port());
  EXPECT_EQ(
      own.handshake("/_lattice/ws", "Host: " + host + "\r\nOrigin: http://" + host + "\r\n").status,
      101);
  EXPECT_EQ(server->stats().origins_refused, 1u);
}

TEST_F(ServerTest, ForeignHostIs421OnPagesAnd403OnSockets) {
  start();
  EXPECT_EQ(Client(port()).get("/", "Host: evil.com\r\n").status, 421);
  WebSocketClient socket(port());
  EXPECT_EQ(
      socket.handshake("/_lattice/ws", "Host: evil.com\r\nOrigin: http://evil.com\r\n").status,
      403);
  EXPECT_EQ(stage->created, 0);
}

TEST_F(ServerTest, SocketAnywhereElseIs404) {
  start();
  WebSocketClient client(port());
  EXPECT_EQ(client.handshake("/").status, 404);
  EXPECT_EQ(Client(port()).get("/_lattice/ws").status, 426);
}

TEST_F(ServerTest, ClientAssetsAreImmutableUnderTheirHash) {
  start();
  const std::string url = server->client_script_url();
  EXPECT_EQ(url, "/_lattice/client-" + net::sha256_hex("script();").substr(0, 16) + ".js");
  Client client(port());
  Answer script = client.get(url);
  EXPECT_EQ(script.body, "script();");
  EXPECT_EQ(script.header("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(script.header("Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(client.get(url, "If-None-Match: " + script.header("ETag") + "\r\n").status, 304);
  EXPECT_EQ(client.get(server->client_style_url()).body, "style{}");
  EXPECT_EQ(client.get("/_lattice/client-0000.js").status, 404);
}

TEST_F(ServerTest, HealthFaviconAndMethods) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/healthz").body, "ok\n");
  EXPECT_EQ(client.get("/healthz", "Host: 10.0.0.7:8000\r\n").status, 200);
  Answer json = client.get("/healthz", "Accept: application/json\r\n");
  EXPECT_NE(json.body.find("\"sessions_live\":0"), std::string::npos) << json.body;
  EXPECT_EQ(client.get("/favicon.ico").status, 204);
  Answer refused = client.request("DELETE", "/");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.header("Allow"), "GET, HEAD");
}

TEST_F(ServerTest, StaticFolderIsServedAndNothingBeyond) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("lattice-server-" + net::random_token(6));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a.txt") << "a";
  ServerOptions options;
  options.static_dirs = {{"/static", folder}};
  start(std::move(options));
  Client client(port());
  EXPECT_EQ(client.get("/static/a.txt").body, "a");
  EXPECT_EQ(client.get("/static/..%2f..%2fetc/passwd").status, 404);
  EXPECT_EQ(client.get("/static/../healthz").status, 404);
  std::filesystem::remove_all(folder);
}

TEST_F(ServerTest, PortInUseIsAnErrorThatSaysWhatToDo) {
  start();
  ServerOptions options;
  options.port = port();
  Server second(std::make_shared<FakeFactory>(stage), options);
  EXPECT_THROW(second.start(), net::AddressInUseError);
}

TEST_F(ServerTest, StopClosesSocketsWith1012AndDisposesSessionsAndIsIdempotent) {
  start();
  auto live = open_page();
  load_page();
  std::thread stopper([&] { server->stop(); });
  EXPECT_EQ(live->read_close(), 1012);
  server->stop();
  stopper.join();
  server->wait();
  EXPECT_EQ(stage->closed, 2);
  EXPECT_EQ(stage->destroyed, 2);
  EXPECT_THROW(Client{port()}, std::runtime_error);
  EXPECT_EQ(server->stats().connections_open, 0u);
}

TEST_F(ServerTest, StopLetsARunningHandlerFinish) {
  start();
  auto client = open_page();
  client->send_bytes({'b'});
  ASSERT_TRUE(eventually([&] { return stage->blocked == 1; }));
  std::thread stopper([&] { server->stop(); });
  open_gate();
  EXPECT_EQ(client->read().payload, std::vector<uint8_t>{'b'});
  EXPECT_EQ(client->read_close(), 1012);
  stopper.join();
}

TEST_F(ServerTest, StopGivesUpOnAHandlerThatBlocksForEver) {
  start({.drain_timeout = milliseconds(20)});
  auto client = open_page();
  client->send_bytes({'b'});
  ASSERT_TRUE(eventually([&] { return stage->blocked == 1; }));
  std::thread stopper([&] { server->stop(); });
  EXPECT_EQ(client->read_close(), 1012);
  stopper.join();
  EXPECT_EQ(stage->destroyed, 0);
  // It comes back later, without a server: its session is disposed all the same.
  open_gate();
  EXPECT_TRUE(eventually([&] { return stage->destroyed == 1; }));
}

TEST_F(ServerTest, StopFromAHandlerIsAnAccessError) {
  // Shared: segments go on until the server is gone.
  auto refused = std::make_shared<std::promise<bool>>();
  auto tried = std::make_shared<std::atomic<bool>>(false);
  ServerOptions options;
  options.around_segment = [this, refused, tried](const std::function<void()>& segment) {
    if (!tried->exchange(true)) {
      try {
        server->stop();
        refused->set_value(false);
      } catch (const AccessError&) {
        refused->set_value(true);
      }
    }
    segment();
  };
  start(std::move(options));
  load_page();
  EXPECT_TRUE(refused->get_future().get());
}

TEST(SignalSet, DeliversASignalAsAValue) {
  SignalSet signals{SIGUSR1};
  EXPECT_EQ(signals.wait_for(milliseconds(0)), std::nullopt);
  ::raise(SIGUSR1);
  EXPECT_EQ(signals.wait(), SIGUSR1);
  EXPECT_THROW(SignalSet{SIGUSR2}, Error);
}

TEST(ParseHello, TruncatedFrameIsRefusedAtEveryByte) {
  const std::vector<uint8_t> whole = hello("token");
  EXPECT_EQ(internal::parse_hello(whole), "token");
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(internal::parse_hello(std::span(whole).first(length)), std::nullopt) << length;
  }
}

}  // namespace
}  // namespace lattice::app
