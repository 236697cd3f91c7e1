// SPDX-License-Identifier: MIT
#include "lattice/net/listener.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lattice/net/digest.hpp"
#include "lattice/net/testing/loopback_client.hpp"

namespace lattice::net {
namespace {

using std::chrono::milliseconds;
using testing::Answer;
using testing::Client;
using testing::eventually;
using testing::Frame;
using testing::WebSocketClient;

// Echoes messages, unless told to keep them; says how sockets closed.
class EchoHandler final : public MessageHandler {
 public:
  void on_open(std::shared_ptr<MessageSink> sink) override {
    std::lock_guard lock(mutex_);
    sink_ = std::move(sink);
  }
  void on_message(std::vector<uint8_t> message) override {
    ++received;
    if (!consumes) return;
    sink_->consumed();
    sink_->send(std::make_shared<const std::vector<uint8_t>>(std::move(message)));
  }
  void on_close(const CloseReason& reason) override { closed_with = reason.code; }
  std::shared_ptr<MessageSink> sink() {
    std::lock_guard lock(mutex_);
    return sink_;
  }

  std::atomic<bool> consumes{true};
  std::atomic<int> received{0};
  std::atomic<int> closed_with{0};

 private:
  std::mutex mutex_;
  std::shared_ptr<MessageSink> sink_;
};

class ListenerTest : public ::testing::Test {
 protected:
  void start(ListenerOptions options = {}) {
    options.port = 0;
    listener.emplace(
        std::move(options),
        [this](std::shared_ptr<Exchange> exchange) { answer(std::move(exchange)); }, Log{});
    listener->start();
  }
  void answer(std::shared_ptr<Exchange> exchange) {
    const RequestHead& head = exchange->head();
    if (head.is_upgrade) {
      return exchange->upgrade(head.path == "/other" ? std::make_shared<EchoHandler>() : echo);
    }
    if (head.path == "/drop") return;
    if (head.path == "/hold") {
      std::lock_guard lock(mutex);
      held = std::move(exchange);
      return;
    }
    Response response =
        Response::text(200, head.method + " " + head.target + " " + exchange->body());
    if (head.path == "/evil") response.headers.emplace_back("X-Bad", "a\r\nSet-Cookie: b");
    if (head.path == "/large") {
      response.body = std::make_shared<const std::string>(5'000'000, 'x');
    }
    exchange->respond(std::move(response));
  }
  uint16_t port() const { return listener->port(); }

  std::shared_ptr<EchoHandler> echo = std::make_shared<EchoHandler>();
  std::mutex mutex;
  std::shared_ptr<Exchange> held;
  std::optional<Listener> listener;
};

TEST_F(ListenerTest, KeepAliveServesSeveralRequestsOnOneConnection) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/a").body, "GET /a \n");
  EXPECT_EQ(client.get("/b?c=1").body, "GET /b?c=1 \n");
  EXPECT_EQ(listener->stats().connections_accepted, 1u);
}

TEST_F(ListenerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  Client client(port());
  client.send(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: "
      "a\r\n\r\n"
      "\r\nGET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "POST /1 abc\n");
  EXPECT_EQ(client.read_answer().body, "GET /2 \n");
  Answer last = client.read_answer();
  EXPECT_EQ(last.body, "GET /3 \n");
  EXPECT_EQ(last.header("Connection"), "close");
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(ListenerTest, HeadSaysTheLengthAndSendsNoBody) {
  start();
  Client client(port());
  Answer answer = client.request("HEAD", "/a");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "9");
  EXPECT_EQ(client.get("/b").body, "GET /b \n");
}

TEST_F(ListenerTest, ChunkedBodiesArriveWhole) {
  start();
  Client client(port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.send("2;x=y\r\nde\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "POST / abcde\n");
  EXPECT_EQ(client.get("/b").body, "GET /b \n");
}

TEST_F(ListenerTest, ExpectContinueIsAnsweredBeforeTheBody) {
  start();
  Client client(port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("hi");
  EXPECT_EQ(client.read_answer().body, "POST / hi\n");
}

TEST_F(ListenerTest, LargeBodiesArriveWhole) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/large").body, std::string(5'000'000, 'x'));
}

TEST_F(ListenerTest, MalformedHeadsGet400AndTheConnectionEnds) {
  start();
  for (const char* text :
       {"GET / HTTP/1.1\nHost: a\n\n", "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n y\r\n\r\n", "\x16\x03\x01\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    Client client(port());
    client.send(text);
    EXPECT_EQ(client.read_answer().status, 400) << text;
    EXPECT_TRUE(client.is_closed_by_peer()) << text;
  }
  EXPECT_EQ(Client(port()).get("/").status, 200);
}

TEST_F(ListenerTest, OversizedHeadGets431) {
  start({.header_bytes_max = 1024});
  Client client(port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(4000, 'x'));
  EXPECT_EQ(client.read_answer().status, 431);
}

TEST_F(ListenerTest, OversizedBodyGets413WhetherDeclaredOrChunked) {
  start({.body_bytes_max = 1000});
  Client declared(port());
  declared.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
  EXPECT_EQ(declared.read_answer().status, 413);
  Client chunked(port());
  chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" +
               std::string(2048, 'x'));
  EXPECT_EQ(chunked.read_answer().status, 413);
}

TEST_F(ListenerTest, HeadThatDripsGets408) {
  start({.header_timeout = milliseconds(50)});
  Client client(port());
  client.send("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(client.read_answer().status, 408);
  // What the client goes on to send is read and dropped, so that nothing resets the answer away.
  client.send(std::string(300'000, 'x'));
  EXPECT_EQ(Client(port()).get("/").status, 200);
}

TEST_F(ListenerTest, SilentConnectionIsClosedWithoutAnAnswer) {
  start({.header_timeout = milliseconds(50)});
  Client client(port());
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(ListenerTest, IdleKeepAliveConnectionIsClosed) {
  start({.idle_timeout = milliseconds(50)});
  Client client(port());
  EXPECT_EQ(client.get("/").status, 200);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(ListenerTest, ConnectionsBeyondTheMaximumAreClosed) {
  start({.connections_max = 1});
  Client first(port());
  EXPECT_EQ(first.get("/").status, 200);
  Client second(port());
  EXPECT_TRUE(second.is_closed_by_peer());
  EXPECT_EQ(listener->stats().connections_refused, 1u);
  EXPECT_EQ(first.get("/").status, 200);
}

TEST_F(ListenerTest, ExchangeDroppedWithoutAnAnswerGets500) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/drop").status, 500);
  EXPECT_EQ(client.get("/").status, 200);
}

TEST_F(ListenerTest, HeaderWithALineBreakIsLeftOut) {
  start();
  Client client(port());
  EXPECT_EQ(client.get("/evil").head.find("Set-Cookie"), std::string::npos);
}

TEST_F(ListenerTest, SecondListenerOnAPortSaysThatItIsInUse) {
  start();
  Listener second({.port = port()}, [](std::shared_ptr<Exchange>) {}, Log{});
  try {
    second.start();
    FAIL() << "bound twice";
  } catch (const AddressInUseError& error) {
    EXPECT_EQ(error.what(), "port " + std::to_string(port()) +
                                " is in use; stop the other program or choose another with --port");
  }
}

TEST_F(ListenerTest, UnknownHostIsABindError) {
  Listener other(
      {.host = "no-such-host.invalid", .port = 0}, [](std::shared_ptr<Exchange>) {}, Log{});
  EXPECT_THROW(other.start(), BindError);
}

TEST_F(ListenerTest, MessagesAreEchoed) {
  start();
  WebSocketClient client(port());
  EXPECT_EQ(client.handshake().status, 101);
  client.send_bytes({1, 2, 3});
  Frame frame = client.read();
  EXPECT_EQ(frame.opcode, testing::kBinary);
  EXPECT_EQ(frame.payload, (std::vector<uint8_t>{1, 2, 3}));
  client.send(testing::kPing, std::vector<uint8_t>{9});
  EXPECT_EQ(client.read().opcode, testing::kPong);
}

TEST_F(ListenerTest, PermessageDeflateIsNotNegotiated) {
  start();
  WebSocketClient client(port());
  Answer answer = client.handshake(
      "/", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
  EXPECT_EQ(answer.status, 101);
  EXPECT_EQ(answer.header("Sec-WebSocket-Extensions"), "");
}

TEST_F(ListenerTest, CloseByThePeerIsReportedWithItsCode) {
  start();
  WebSocketClient client(port());
  client.handshake();
  client.send(testing::kClose, std::vector<uint8_t>{0x03, 0xe9});
  EXPECT_EQ(client.read().close_code(), 1001);
  EXPECT_TRUE(eventually([&] { return echo->closed_with == 1001; }));
}

TEST_F(ListenerTest, LostConnectionIsReportedAs1006) {
  start();
  {
    WebSocketClient client(port());
    client.handshake();
    client.send_bytes({1});
    client.read();
  }
  EXPECT_TRUE(eventually([&] { return echo->closed_with == 1006; }));
  EXPECT_TRUE(eventually([&] { return listener->stats().connections_open == 0; }));
}

TEST_F(ListenerTest, BadFramesCloseWithTheRightCodeAndNobodyElseNotices) {
  start({.message_bytes_max = 1000});
  WebSocketClient bystander(port());
  ASSERT_EQ(bystander.handshake("/other").status, 101);
  struct Case {
    const char* name;
    uint8_t opcode;
    size_t bytes;
    bool is_masked;
    uint16_t code;
  };
  for (const Case& bad : {Case{"text", testing::kText, 1, true, 1003},
                          Case{"oversized", testing::kBinary, 1001, true, 1009},
                          Case{"unmasked", testing::kBinary, 1, false, 1002},
                          Case{"reserved opcode", 5, 1, true, 1002},
                          Case{"oversized ping", testing::kPing, 126, true, 1002}}) {
    WebSocketClient client(port());
    ASSERT_EQ(client.handshake().status, 101);
    client.send(bad.opcode, std::vector<uint8_t>(bad.bytes, 'x'), bad.is_masked);
    EXPECT_EQ(client.read_close(), bad.code) << bad.name;
  }
  EXPECT_TRUE(eventually([&] { return listener->stats().protocol_errors == 5; }));
  bystander.send_bytes({7});
  EXPECT_EQ(bystander.read().payload, (std::vector<uint8_t>{7}));
}

TEST_F(ListenerTest, TextThatIsNotUtf8ClosesWith1007) {
  start();
  WebSocketClient client(port());
  client.handshake();
  client.send(testing::kText, std::vector<uint8_t>{0xff});
  EXPECT_EQ(client.read_close(), 1007);
}

TEST_F(ListenerTest, ReadingPausesWhileMessagesAreNotConsumed) {
  start({.messages_unconsumed_max = 4});
  echo->consumes = false;
  WebSocketClient client(port());
  client.handshake();
  for (int i = 0; i < 50; ++i) client.send_bytes({1});
  // A round trip on another connection: the listener has had its chance to read on.
  ASSERT_TRUE(eventually([&] { return echo->received == 4; }));
  EXPECT_EQ(Client(port()).get("/").status, 200);
  EXPECT_EQ(echo->received, 4);
  echo->consumes = true;
  for (int i = 0; i < 4; ++i) echo->sink()->consumed();
  EXPECT_TRUE(eventually([&] { return echo->received == 50; }));
}

TEST_F(ListenerTest, SlowReaderIsClosedWith1013AndCounted) {
  start({.write_queue_bytes_max = 1'000'000, .close_timeout = milliseconds(100)});
  WebSocketClient client(port());
  client.handshake();
  ASSERT_TRUE(eventually([&] { return echo->sink() != nullptr; }));
  auto message = std::make_shared<const std::vector<uint8_t>>(100'000);
  ASSERT_TRUE(eventually([&] {
    for (int i = 0; i < 100; ++i) echo->sink()->send(message);
    return listener->stats().slow_readers == 1;
  }));
  // The client does not read: the close cannot go out, and the connection is cut.
  EXPECT_TRUE(eventually([&] { return echo->closed_with == 1013; }));
  EXPECT_TRUE(eventually([&] { return listener->stats().connections_open == 0; }));
  EXPECT_EQ(Client(port()).get("/").status, 200);
}

TEST_F(ListenerTest, SlowReaderThatWakesUpSees1013) {
  start({.write_queue_bytes_max = 1'000'000, .close_timeout = milliseconds(20'000)});
  WebSocketClient client(port());
  client.handshake();
  ASSERT_TRUE(eventually([&] { return echo->sink() != nullptr; }));
  auto message = std::make_shared<const std::vector<uint8_t>>(100'000);
  ASSERT_TRUE(eventually([&] {
    for (int i = 0; i < 100; ++i) echo->sink()->send(message);
    return listener->stats().slow_readers == 1;
  }));
  EXPECT_EQ(client.read_close(), 1013);
}

TEST_F(ListenerTest, StopSendsWhatIsQueuedAndClosesSockets) {
  start();
  WebSocketClient client(port());
  client.handshake();
  ASSERT_TRUE(eventually([&] { return echo->sink() != nullptr; }));
  echo->sink()->send(std::make_shared<const std::vector<uint8_t>>(3));
  listener->close_sockets({1012, "service restart"});
  EXPECT_EQ(client.read().payload.size(), 3u);
  EXPECT_EQ(client.read_close(), 1012);
  listener->stop(std::chrono::steady_clock::now() + testing::kPatience);
  EXPECT_EQ(listener->stats().connections_open, 0u);
  EXPECT_THROW(Client{port()}, std::runtime_error);
}

TEST_F(ListenerTest, StopEndsIdleConnectionsAndAnswersTheOneUnderWay) {
  start();
  Client idle(port());
  idle.get("/");
  Client busy(port());
  busy.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] {
    std::lock_guard lock(mutex);
    return held != nullptr;
  }));
  listener->stop_accepting();
  EXPECT_TRUE(idle.is_closed_by_peer());
  held->respond(Response::text(200, "late"));
  Answer answer = busy.read_answer();
  EXPECT_EQ(answer.body, "late\n");
  EXPECT_EQ(answer.header("Connection"), "close");
}

TEST_F(ListenerTest, AnswerAfterStopIsDropped) {
  start();
  Client busy(port());
  busy.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] {
    std::lock_guard lock(mutex);
    return held != nullptr;
  }));
  listener->stop(std::chrono::steady_clock::now());
  held->respond(Response::text(200, "late"));
  held.reset();
  EXPECT_TRUE(busy.is_closed_by_peer());
}

// ---------------------------------------------------------------------------------- TLS

class TlsTest : public ListenerTest {
 protected:
  void SetUp() override {
    folder = std::filesystem::temp_directory_path() / ("lattice-tls-" + random_token(6));
    std::filesystem::create_directories(folder);
    cert = folder / "cert.pem";
    key = folder / "key.pem";
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout " + key +
        " -out " + cert + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "no openssl command";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::filesystem::path folder;
  std::string cert;
  std::string key;
};

TEST_F(TlsTest, RequestsAreServedUnderTls) {
  start({.ssl_cert = cert, .ssl_key = key});
  const std::string command =
      "printf 'GET /tls HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' | "
      "openssl s_client -quiet -verify_quiet -no_ign_eof -ign_eof -CAfile " +
      cert + " -connect 127.0.0.1:" + std::to_string(port()) + " 2>/dev/null";
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  std::string output;
  std::array<char, 4096> chunk{};
  while (size_t count = std::fread(chunk.data(), 1, chunk.size(), pipe.get())) {
    output.append(chunk.data(), count);
  }
  EXPECT_NE(output.find("HTTP/1.1 200 OK"), std::string::npos) << output;
  EXPECT_NE(output.find("GET /tls"), std::string::npos) << output;
}

TEST_F(TlsTest, PlainRequestToATlsPortEndsThatConnectionOnly) {
  start({.ssl_cert = cert, .ssl_key = key});
  Client client(port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  // OpenSSL may send an alert first.
  while (!client.is_closed_by_peer()) {
  }
  EXPECT_TRUE(eventually([&] { return listener->stats().connections_open == 0; }));
}

TEST_F(TlsTest, BadFilesSayWhichOneAndWhy) {
  auto message_of = [](ListenerOptions options) -> std::string {
    options.port = 0;
    Listener bad(std::move(options), [](std::shared_ptr<Exchange>) {}, Log{});
    try {
      bad.start();
    } catch (const TlsError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(message_of({.ssl_cert = cert}).find("--ssl-key"), std::string::npos);
  EXPECT_NE(message_of({.ssl_cert = "/nowhere.pem", .ssl_key = key})
                .find("cannot use the certificate /nowhere.pem"),
            std::string::npos);
  EXPECT_NE(message_of({.ssl_cert = cert, .ssl_key = cert}).find("cannot use the key"),
            std::string::npos);
}

}  // namespace
}  // namespace lattice::net
