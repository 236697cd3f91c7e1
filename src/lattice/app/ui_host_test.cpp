// SPDX-License-Identifier: MIT
// Components under the server's interface: the factory, the page around the first paint, and one
// session from GET to close, with a sink in place of a socket.
#include "lattice/app/ui_host.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lattice/app/serve.hpp"
#include "lattice/ui.hpp"
#include "lattice/ui/testing/client_model.hpp"

namespace lattice::app {
namespace {

using ui::testing::ClientModel;

class ModelSink final : public FrameSink {
 public:
  void send(std::vector<uint8_t> frame) override {
    ++frames;
    client.apply(frame);
  }
  void close(uint16_t code, std::string) override { closed_with = code; }
  int frames = 0;
  uint16_t closed_with = 0;
  ClientModel client;
};

PageContext context() {
  return {"the-token", "/_lattice/client-1.js", "/_lattice/client-1.css", true};
}

// What stands between the root container's tags, as a browser would find it.
std::string content_of(const std::string& document) {
  const std::string open = "<div id=\"lattice-root\">";
  size_t begin = document.find(open) + open.size();
  return document.substr(begin, document.find("</div><script type=\"application/json\"") - begin);
}

struct HostedPage {
  explicit HostedPage(ui::ComponentSource root, UiHostOptions options = {}) {
    options.make_root = [root](ui::Session&, const SessionRequest&) {
      return root.make_component();
    };
    options.log = [](const std::string&) {};
    factory = make_ui_factory(std::move(options));
    session = factory->create({}, context(), [this] { ++wakes; });
    document = session->first_paint();
  }
  void adopt() {
    uint32_t count = sink->client.adopt_html(content_of(document));
    session->connect(sink);
    EXPECT_TRUE(session->receive(sink->client.hello(count, "the-token")).ok());
  }
  int wakes = 0;
  std::string document;
  std::shared_ptr<ModelSink> sink = std::make_shared<ModelSink>();
  std::shared_ptr<SessionFactory> factory;
  std::unique_ptr<HostedSession> session;
};

TEST(PageDocument, EscapesWhatItIsGivenAndTellsTheClientWhatItNeeds) {
  PageContext page = context();
  page.token = "a</script>\"";
  std::string document = page_document({"T<&", "de"}, page, "<p>x</p>", 2);
  EXPECT_NE(document.find("<html lang=\"de\">"), std::string::npos);
  EXPECT_NE(document.find("<title>T&lt;&amp;</title>"), std::string::npos);
  EXPECT_NE(document.find("<div id=\"lattice-root\"><p>x</p></div>"), std::string::npos);
  EXPECT_NE(document.find("{\"token\":\"a\\u003c/script>\\u0022\",\"nodes\":2,"
                          "\"socket\":\"/_lattice/ws\",\"dev\":true}"),
            std::string::npos);
}

TEST(UiHost, PageLivesFromFirstPaintOverClicksToClose) {
  bool ended = false;
  HostedPage page(ui::component([&] {
    Signal<int> count{0};
    on_cleanup([&] { ended = true; });
    return ui::div(
        ui::h1(ui::text("Count: {}", count)),
        ui::button("+1", ui::on_click([=] { count.update([](int n) { return n + 1; }); })));
  }));
  EXPECT_NE(page.document.find("<h1>Count: 0</h1>"), std::string::npos);
  page.adopt();
  ClientModel& client = page.sink->client;
  uint32_t button = client.by_tag("button")->id;
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(page.session->receive(client.event(button, "click")).ok());
  EXPECT_EQ(client.text(), "Count: 3+1");
  EXPECT_EQ(page.sink->frames, 4);
  EXPECT_TRUE(page.session->receive(client.event(999, "click")).ok());
  EXPECT_EQ(page.session->dropped_events(), 1u);
  EXPECT_FALSE(page.session->receive(std::vector<uint8_t>{1, 99}).ok());
  EXPECT_EQ(page.session->close_code(), 1002);
  page.session->close();
  EXPECT_TRUE(ended);
  EXPECT_EQ(client.failures, std::vector<std::string>{});
}

TEST(UiHost, EachSessionHasStateOfItsOwn) {
  auto counter = ui::component([] {
    Signal<int> count{0};
    return ui::button(count, ui::on_click([=] { count.update([](int n) { return n + 1; }); }));
  });
  HostedPage first(counter), second(counter);
  first.adopt();
  second.adopt();
  EXPECT_TRUE(first.session->receive(first.sink->client.event(1, "click")).ok());
  EXPECT_EQ(first.sink->client.text(), "1");
  EXPECT_EQ(second.sink->client.text(), "0");
}

TEST(UiHost, PostFromAnotherThreadWakesTheSessionAndDrainSendsIt) {
  std::optional<Remote<Signal<int>>> remote;
  HostedPage page(ui::component([&] {
    Signal<int> count{0};
    remote.emplace(count.remote());
    return ui::p(count);
  }));
  page.adopt();
  remote->post(5);
  EXPECT_EQ(page.wakes, 1);
  page.session->drain();
  EXPECT_EQ(page.sink->client.text(), "5");
}

TEST(UiHost, HooksSurroundTheSessionsLife) {
  std::vector<std::string> order;
  UiHostOptions options;
  options.opened = [&](ui::Session&, const SessionRequest&) { order.push_back("opened"); };
  options.closed = [&](ui::Session&) { order.push_back("closed"); };
  HostedPage page(ui::component([&] {
                    order.push_back("body");
                    on_cleanup([&] { order.push_back("cleanup"); });
                    return ui::p("x");
                  }),
                  std::move(options));
  page.session->close();
  EXPECT_EQ(order, (std::vector<std::string>{"opened", "body", "cleanup", "closed"}));
}

TEST(Serve, ServerWithoutABrowserRuntimeSaysHowToGetOne) {
  ServeOptions options;
  options.client_folder = "/no/such/folder";
  auto page = ui::component([] { return ui::p("x"); });
  try {
    lattice::Server server(page, options);
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("client_folder"), std::string::npos);
  }
}

TEST(Serve, ServerStartsOnAFreePortAndStops) {
  ServeOptions options{.port = 0};
  options.server.client_script = "script();";
  options.server.client_style = "style{}";
  lattice::Server server(ui::component([] { return ui::p("x"); }), options);
  server.start();
  EXPECT_NE(server.port(), 0);
  EXPECT_EQ(server.url(), "http://127.0.0.1:" + std::to_string(server.port()));
  server.stop();
}

}  // namespace
}  // namespace lattice::app
