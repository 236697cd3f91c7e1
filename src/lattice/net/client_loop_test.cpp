// SPDX-License-Identifier: MIT
#include "lattice/net/client_loop.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "lattice/net/listener.hpp"
#include "lattice/net/testing/loopback_client.hpp"

namespace lattice::net {
namespace {

using testing::eventually;
using testing::kPatience;

TEST(WebSocketUrl, HostPortAndTargetAreTakenApart) {
  auto url = parse_websocket_url("ws://localhost:8000/rooms/a%20b?x=1#no").value();
  EXPECT_FALSE(url.is_secure);
  EXPECT_EQ(url.host, "localhost");
  EXPECT_EQ(url.port, 8000);
  EXPECT_EQ(url.target, "/rooms/a%20b?x=1");
  EXPECT_EQ(url.authority(), "localhost:8000");
  auto secure = parse_websocket_url("wss://[::1]").value();
  EXPECT_TRUE(secure.is_secure);
  EXPECT_EQ(secure.host, "::1");
  EXPECT_EQ(secure.port, 443);
  EXPECT_EQ(secure.target, "/");
  EXPECT_EQ(secure.authority(), "[::1]");
}

TEST(WebSocketUrl, OthersAreRefusedWithTheReason) {
  for (const char* url : {"http://a/", "ws://", "ws://a:0/", "ws://a:x/", "ws://a:70000/",
                          "ws://user@a/", "ws://[::1/", "ws://a b/", "ws://a/\r\nX: y"}) {
    auto parsed = parse_websocket_url(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_NE(parsed.error().find("expected ws://"), std::string::npos);
  }
}

// Records what happens, for the test's thread.
class Recorder : public MessageHandler {
 public:
  void on_open(std::shared_ptr<MessageSink> the_sink) override {
    std::scoped_lock lock(mutex);
    sink = std::move(the_sink);
    ++opened;
  }
  void on_message(std::vector<uint8_t> message) override {
    std::scoped_lock lock(mutex);
    messages.push_back(std::move(message));
    if (consumes) sink->consumed();
  }
  void on_close(const CloseReason& the_reason) override {
    std::scoped_lock lock(mutex);
    reason = the_reason;
    ++closed;
  }
  template <class F>
  auto locked(F f) const {
    std::scoped_lock lock(mutex);
    return f();
  }
  bool is_opened() const {
    return locked([this] { return opened == 1; });
  }
  bool is_closed() const {
    return locked([this] { return closed == 1; });
  }
  size_t count() const {
    return locked([this] { return messages.size(); });
  }

  mutable std::mutex mutex;
  std::shared_ptr<MessageSink> sink;
  std::vector<std::vector<uint8_t>> messages;
  CloseReason reason;
  int opened = 0, closed = 0;
  bool consumes = true;
};

struct Served {
  explicit Served(uint16_t status = 0) : peer(std::make_shared<Recorder>()) {
    ListenerOptions options;
    options.port = 0;
    listener.emplace(
        options,
        [this, status](std::shared_ptr<Exchange> exchange) {
          if (status != 0) return exchange->respond(Response::text(status, "no"));
          exchange->upgrade(peer);
        },
        Log{});
    listener->start();
  }
  ~Served() { listener->stop(std::chrono::steady_clock::now()); }
  WebSocketUrl url() const {
    return parse_websocket_url("ws://127.0.0.1:" + std::to_string(listener->port()) + "/rooms/a")
        .value();
  }
  std::shared_ptr<Recorder> peer;
  std::optional<Listener> listener;
};

Message bytes(size_t count, uint8_t value) {
  return std::make_shared<const std::vector<uint8_t>>(count, value);
}

TEST(ClientLoop, MessagesGoBothWaysInOrder) {
  Served served;
  ClientLoop loop;
  auto client = std::make_shared<Recorder>();
  loop.connect(served.url(), {}, client);
  ASSERT_TRUE(eventually([&] { return client->is_opened() && served.peer->is_opened(); }));
  for (uint8_t i = 0; i < 200; ++i) client->sink->send(bytes(i * 100u, i));
  for (uint8_t i = 0; i < 200; ++i) served.peer->sink->send(bytes(i * 100u, i));
  ASSERT_TRUE(eventually([&] { return client->count() == 200 && served.peer->count() == 200; }));
  for (uint8_t i = 0; i < 200; ++i) {
    EXPECT_EQ(client->messages[i], *bytes(i * 100u, i));
    EXPECT_EQ(served.peer->messages[i], *bytes(i * 100u, i));
  }
  client->sink->close({1000, "done"});
  ASSERT_TRUE(eventually([&] { return client->is_closed() && served.peer->is_closed(); }));
  EXPECT_EQ(served.peer->reason.code, 1000);
}

TEST(ClientLoop, TheServersCloseCodeAndReasonArrive) {
  Served served;
  ClientLoop loop;
  auto client = std::make_shared<Recorder>();
  loop.connect(served.url(), {}, client);
  ASSERT_TRUE(eventually([&] { return served.peer->is_opened(); }));
  served.peer->sink->close({1008, "not you"});
  ASSERT_TRUE(eventually([&] { return client->is_closed(); }));
  EXPECT_EQ(client->reason.code, 1008);
  EXPECT_EQ(client->reason.text, "not you");
}

TEST(ClientLoop, ARefusedHandshakeNamesTheStatus) {
  Served served(403);
  ClientLoop loop;
  auto client = std::make_shared<Recorder>();
  loop.connect(served.url(), {}, client);
  ASSERT_TRUE(eventually([&] { return client->is_closed(); }));
  EXPECT_EQ(client->opened, 0);
  EXPECT_EQ(client->reason.code, 1006);
  EXPECT_NE(client->reason.text.find("403"), std::string::npos);
}

TEST(ClientLoop, NobodyListeningIsOneCloseWithAReason) {
  uint16_t port = 0;
  {
    Served served;
    port = served.listener->port();
  }
  ClientLoop loop;
  auto client = std::make_shared<Recorder>();
  loop.connect(parse_websocket_url("ws://127.0.0.1:" + std::to_string(port) + "/").value(), {},
               client);
  ASSERT_TRUE(eventually([&] { return client->is_closed(); }));
  EXPECT_NE(client->reason.text.find("cannot connect"), std::string::npos);
}

TEST(ClientLoop, AHandlerThatDoesNotConsumePausesReading) {
  Served served;
  ClientLoop loop;
  auto client = std::make_shared<Recorder>();
  client->consumes = false;
  ClientOptions options;
  options.messages_unconsumed_max = 4;
  loop.connect(served.url(), options, client);
  ASSERT_TRUE(eventually([&] { return served.peer->is_opened() && client->is_opened(); }));
  for (uint8_t i = 0; i < 20; ++i) served.peer->sink->send(bytes(10, i));
  ASSERT_TRUE(eventually([&] { return client->count() == 4; }));
  for (int i = 0; i < 4; ++i) client->sink->consumed();
  ASSERT_TRUE(eventually([&] { return client->count() == 8; }));
  client->locked([&] { client->consumes = true; });
  for (int i = 0; i < 4; ++i) client->sink->consumed();
  ASSERT_TRUE(eventually([&] { return client->count() == 20; }));
}

TEST(ClientLoop, AMessageBeyondTheBoundClosesTheConnection) {
  Served served;
  ClientLoop loop;
  auto client = std::make_shared<Recorder>();
  ClientOptions options;
  options.message_bytes_max = 1000;
  loop.connect(served.url(), options, client);
  ASSERT_TRUE(eventually([&] { return served.peer->is_opened(); }));
  served.peer->sink->send(bytes(1001, 1));
  ASSERT_TRUE(eventually([&] { return client->is_closed(); }));
  EXPECT_EQ(client->reason.code, 1009);
  EXPECT_EQ(client->count(), 0u);
}

TEST(ClientLoop, StoppingTellsTheHandlersAndDropsTimers) {
  Served served;
  auto client = std::make_shared<Recorder>();
  std::atomic<int> fired{0};
  {
    ClientLoop loop;
    loop.connect(served.url(), {}, client);
    loop.after(std::chrono::milliseconds(0), [&] { ++fired; });
    loop.after(std::chrono::hours(1), [&] { ++fired; });
    ASSERT_TRUE(eventually([&] { return client->is_opened() && fired == 1; }));
  }
  EXPECT_TRUE(client->is_closed());
  EXPECT_EQ(fired, 1);
}

}  // namespace
}  // namespace lattice::net
