// SPDX-License-Identifier: MIT
// A session from first paint to close, with a model of the client at the other end.
#include "lattice/ui/session.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lattice/reactive/signal.hpp"
#include "lattice/ui/testing/client_model.hpp"
#include "lattice/ui/testing/fn_slots.hpp"

namespace lattice::ui {
namespace {

using namespace testing;
using vdom::Op;
using vdom::VNode;

class SessionPage {
 public:
  explicit SessionPage(Body body, bool dev = true) {
    SessionOptions options;
    options.dev = dev;
    options.log = [this](const std::string& message) { log.push_back(message); };
    session.emplace(std::move(options));
    session->mount(std::make_unique<FnComponent>("page", std::move(body)));
    html = session->html();
  }
  ~SessionPage() { EXPECT_EQ(client.failures, std::vector<std::string>{}); }

  void connect() {
    session->connect([this](std::vector<uint8_t> bytes) {
      ++frames;
      last_frame = bytes;
      client.apply(bytes);
    });
  }
  // As a browser does: parse the HTML, say HELLO with the number of nodes found.
  void adopt() {
    uint32_t count = client.adopt_html(html);
    connect();
    ASSERT_EQ(count, session->node_count());
    ASSERT_TRUE(session->receive(client.hello(count)).ok());
  }
  void click(std::string_view tag) {
    ModelNode* node = client.by_tag(tag);
    ASSERT_NE(node, nullptr);
    ASSERT_TRUE(session->receive(client.event(node->id, "click")).ok());
  }
  bool receive(const std::vector<uint8_t>& bytes) { return session->receive(bytes).ok(); }

  std::vector<std::string> log;
  std::string html;
  ClientModel client;
  int frames = 0;
  std::vector<uint8_t> last_frame;
  std::optional<Session> session;
};

// A counter: a button that adds one, and a bound text.
struct Counter {
  std::optional<Signal<int>> count;
  VNode operator()(SlotArena& arena) {
    if (!count) count.emplace(0);
    auto add = handler(arena, [this](auto&) { count->update([](int n) { return n + 1; }); });
    auto shown = bound(arena, [this] { return vdom::Value{int64_t{count->get()}}; });
    return VNode::element("div", {},
                          {VNode::element("button", {{"on_click", add}}), VNode::slot(shown)});
  }
};

// ---- Adoption -----------------------------------------------------------------------------------

TEST(Session, AdoptedPageGetsItsListenersAndThenOneFramePerEvent) {
  Counter counter;
  SessionPage page(std::ref(counter));
  EXPECT_EQ(page.html, "<div><button></button>0</div>");
  page.adopt();
  EXPECT_EQ(page.frames, 1);
  EXPECT_EQ(page.client.by_tag("button")->listeners.count("click"), 1u);
  page.click("button");
  EXPECT_EQ(page.frames, 2);
  EXPECT_EQ(page.client.last_ack, 1u);
  EXPECT_EQ(page.client.text(), "1");
  EXPECT_LE(page.last_frame.size(), 16u);
}

TEST(Session, WrongNodeCountIsAnsweredByTheWholePageAnew) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.connect();
  ASSERT_TRUE(page.receive(page.client.hello(0)));
  EXPECT_EQ(page.client.ops[Op::Reset], 1);
  EXPECT_EQ(page.client.ops[Op::Insert], 1);
  EXPECT_GT(page.client.by_tag("button")->id, page.session->node_count());  // no id is used twice
  page.click("button");
  EXPECT_EQ(page.client.text(), "1");
}

TEST(Session, ChangesBeforeAdoptionWaitInTheFirstFrame) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.session->segment([&] { counter.count->set(5); });
  EXPECT_EQ(page.frames, 0);
  page.adopt();
  EXPECT_EQ(page.frames, 1);
  EXPECT_EQ(page.client.ops[Op::Reset], 0);
  EXPECT_EQ(page.client.text(), "5");
  page.click("button");
  EXPECT_EQ(page.client.text(), "6");
}

TEST(Session, ManyChangesBeforeAdoptionSendThePageAnewInstead) {
  Counter counter;
  SessionPage page(std::ref(counter));
  for (int i = 1; i <= 20'000; ++i) page.session->segment([&] { counter.count->set(i); });
  page.adopt();
  EXPECT_EQ(page.client.ops[Op::Reset], 1);
  EXPECT_EQ(page.client.ops[Op::Text], 0);
  EXPECT_EQ(page.client.text(), "20000");
}

TEST(Session, PageWithNothingToSayStillAnswersHello) {
  SessionPage page([](SlotArena&) { return VNode::text(std::string("hi")); });
  page.adopt();
  EXPECT_EQ(page.frames, 1);
}

TEST(Session, PropertiesThatHtmlCannotSayFollowAdoption) {
  SessionPage page([](SlotArena&) {
    return VNode::element("input", {{"type", std::string("checkbox")}, {"indeterminate", true}});
  });
  page.adopt();
  EXPECT_EQ(page.client.by_tag("input")->properties.count("indeterminate"), 1u);
}

TEST(Session, FirstPaintThatHtmlCannotSayIsBuiltByTheClient) {
  SessionPage page([](SlotArena&) {
    return VNode::element("style", {},
                          {VNode::text(std::string("a::before { content: '</style>' }"))});
  });
  EXPECT_NE(page.html.find("lattice-error"), std::string::npos);
  page.client.adopt_html(page.html);
  page.connect();
  ASSERT_TRUE(page.receive(page.client.hello(page.session->node_count())));
  EXPECT_NE(page.client.by_tag("style"), nullptr);
  EXPECT_EQ(page.log.size(), 1u);
}

// ---- Protocol errors ----------------------------------------------------------------------------

TEST(Session, EventBeforeHelloIsAProtocolError) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.connect();
  EXPECT_FALSE(page.receive(page.client.event(2, "click")));
  EXPECT_EQ(page.session->close_code(), 1002);
}

TEST(Session, SecondHelloIsAProtocolError) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.adopt();
  EXPECT_FALSE(page.receive(page.client.hello(3)));
}

TEST(Session, ClientSeqOutOfOrderIsAProtocolError) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.adopt();
  page.client.sent_events = 1;
  EXPECT_FALSE(page.receive(page.client.event(2, "click")));
}

TEST(Session, AckOfAFrameNeverSentIsAProtocolError) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.adopt();
  EXPECT_TRUE(page.receive(page.client.ack(1)));
  EXPECT_FALSE(page.receive(page.client.ack(2)));
}

TEST(Session, MalformedFrameIsAProtocolError) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.adopt();
  EXPECT_FALSE(page.receive({1, 9}));
  EXPECT_FALSE(page.receive({}));
}

TEST(Session, EventForANodeThatIsGoneIsDroppedAndCounted) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.adopt();
  EXPECT_TRUE(page.receive(page.client.event(4711, "click")));
  EXPECT_TRUE(page.receive(page.client.event(page.client.by_tag("button")->id, "keydown")));
  EXPECT_EQ(page.session->counters().events_dropped, 2u);
  EXPECT_EQ(page.frames, 1);
  page.click("button");  // it still advances the ack
  EXPECT_EQ(page.client.last_ack, 3u);
}

// ---- Handlers -----------------------------------------------------------------------------------

TEST(Session, HandlerThatRaisesShowsAnErrorAndTheSessionGoesOn) {
  std::optional<Signal<int>> count;
  SessionPage page([&](SlotArena& arena) {
    count.emplace(0);
    auto call = handler(arena, [&](auto&) {
      count->update([](int n) { return n + 1; });
      if (count->peek() == 1) throw std::runtime_error("no luck");
    });
    auto shown = bound(arena, [&] { return vdom::Value{int64_t{count->get()}}; });
    return VNode::element("button", {{"on_click", call}}, {VNode::slot(shown)});
  });
  page.adopt();
  page.click("button");
  EXPECT_EQ(page.client.by_tag("button")->error, "no luck");
  EXPECT_EQ(page.client.text(), "1");  // what was written before counts
  EXPECT_EQ(page.log, std::vector<std::string>{"error in click: no luck"});
  page.click("button");
  EXPECT_EQ(page.client.by_tag("button")->error, "");
  EXPECT_EQ(page.client.text(), "2");
}

TEST(Session, OutsideOfDevModeAnErrorBoxSaysNothingOfTheCause) {
  SessionPage page(
      [](SlotArena& arena) {
        auto call = handler(arena, [](auto&) { throw std::runtime_error("password=1234"); });
        return VNode::element("button", {{"on_click", call}});
      },
      false);
  page.adopt();
  page.click("button");
  EXPECT_EQ(page.client.by_tag("button")->error, "Something went wrong here.");
  EXPECT_EQ(page.session->counters().errors, 1u);
}

TEST(Session, HandlerThatFlushesAndRemovesItsOwnNodeRunsToItsEnd) {
  std::optional<Signal<bool>> shown;
  bool finished = false;
  SessionPage page([&](SlotArena& arena) {
    if (!shown) shown.emplace(true);
    if (!shown->get()) return VNode::element("p", {}, {VNode::text(std::string("gone"))});
    auto guard =
        std::make_shared<std::string>("the handler's own capture, long enough for the heap");
    auto call = handler(arena, [&, guard](auto&) {
      shown->set(false);
      page.session->flush();
      EXPECT_EQ(page.frames, 2);  // sent in the middle of the segment
      EXPECT_EQ(page.client.by_tag("button"), nullptr);
      EXPECT_EQ(guard->substr(0, 3), "the");
      finished = true;
    });
    return VNode::element("button", {{"on_click", call}});
  });
  page.adopt();
  page.click("button");
  EXPECT_TRUE(finished);
  EXPECT_EQ(page.client.text(), "gone");
}

TEST(Session, ManyWritesInOneHandlerMakeOneFrame) {
  Counter counter;
  SessionPage page([&](SlotArena& arena) {
    VNode tree = counter(arena);
    auto call = handler(arena, [&](auto&) {
      for (int i = 0; i < 100; ++i) counter.count->set(i);
    });
    tree.children.push_back(VNode::element("i", {{"on_click", call}}));
    return tree;
  });
  page.adopt();
  page.click("i");
  EXPECT_EQ(page.frames, 2);
  EXPECT_EQ(page.client.ops[Op::Text], 1);
  EXPECT_EQ(page.client.text(), "99");
}

// ---- Two-way bindings ---------------------------------------------------------------------------

struct Field {
  std::optional<Signal<std::string>> text;
  std::optional<Signal<bool>> on;
  VNode operator()(SlotArena& arena) {
    text.emplace("");
    on.emplace(false);
    auto value = two_way(
        arena, [this] { return vdom::Value{text->get()}; },
        [this](const Edit& edit) { text->set(*edit.event.value); });
    auto checked = two_way(
        arena, [this] { return vdom::Value{on->get()}; },
        [this](const Edit& edit) { on->set(*edit.event.checked); });
    auto echo = bound(arena, [this] { return vdom::Value{text->get()}; });
    return VNode::element(
        "div", {},
        {VNode::element("input", {{"value", value}}),
         VNode::element(
             "em", {},
             {VNode::element("input", {{"type", std::string("checkbox")}, {"checked", checked}})}),
         VNode::slot(echo)});
  }
};

TEST(Session, TwoWayBindingWritesTheSignalAndEchoesNothing) {
  Field field;
  SessionPage page(std::ref(field));
  page.adopt();
  ModelNode& input = *page.client.by_tag("input");
  EXPECT_TRUE(input.listeners.at("input").two_way);
  ASSERT_TRUE(page.receive(page.client.edit(input, "milk")));
  EXPECT_EQ(page.client.text(), "milk");
  EXPECT_EQ(page.client.ops[Op::InputValue] + page.client.ops[Op::SetProp], 0);
  ModelNode& box = *page.client.by_tag("em")->children[0];
  ASSERT_TRUE(page.receive(page.client.check(box, true)));
  EXPECT_TRUE(page.session->runtime().graph().arena().nodes_live() > 0);
  page.session->segment([&] { EXPECT_TRUE(field.on->get()); });
  EXPECT_EQ(page.client.ops[Op::SetProp], 0);
}

TEST(Session, AnswerToAnOlderEditNeverOverwritesANewerOne) {
  Field field;
  SessionPage page(std::ref(field));
  page.adopt();
  ModelNode& input = *page.client.by_tag("input");
  ASSERT_TRUE(page.receive(page.client.edit(input, "a")));
  page.client.edit(input, "ab");  // typed, not yet there
  --page.client.sent_events;
  page.session->segment([&] { field.text->set("A"); });
  EXPECT_EQ(page.client.ops[Op::InputValue], 1);
  EXPECT_EQ(input.properties["value"], "ab");
  ASSERT_TRUE(page.receive(page.client.edit(input, "ab")));
  page.session->segment([&] { field.text->set("AB"); });
  EXPECT_EQ(input.properties["value"], "AB");
}

TEST(Session, ClearingABoundFieldAfterSubmitReachesTheClient) {
  Field field;
  SessionPage page([&](SlotArena& arena) {
    VNode tree = field(arena);
    tree.children.push_back(VNode::element(
        "button", {{"on_click", handler(arena, [&](auto&) { field.text->set(""); })}}));
    return tree;
  });
  page.adopt();
  ModelNode& input = *page.client.by_tag("input");
  ASSERT_TRUE(page.receive(page.client.edit(input, "milk")));
  page.click("button");
  EXPECT_EQ(input.properties.count("value"), 0u);
}

TEST(Session, ValueOfAOneWayBindingIsNotWritten) {
  std::optional<Signal<std::string>> text;
  SessionPage page([&](SlotArena& arena) {
    text.emplace("fixed");
    return VNode::element("input",
                          {{"value", bound(arena, [&] { return vdom::Value{text->get()}; })}});
  });
  page.adopt();
  ASSERT_TRUE(page.receive(page.client.edit(*page.client.by_tag("input"), "changed")));
  EXPECT_EQ(page.session->counters().events_dropped, 1u);
  page.session->segment([&] { EXPECT_EQ(text->get(), "fixed"); });
}

// ---- Effects, mailbox, end ----------------------------------------------------------------------

TEST(Session, UserEffectsWaitForTheClient) {
  int runs = 0;
  SessionPage page([&](SlotArena&) {
    effect([&] { ++runs; });
    return VNode::text(std::string("x"));
  });
  EXPECT_EQ(runs, 0);
  page.adopt();
  EXPECT_EQ(runs, 1);
}

TEST(Session, PostsOfOtherThreadsMakeOneFramePerDrain) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.adopt();
  page.session->runtime().mailbox().post([&] { counter.count->set(7); });
  page.session->runtime().mailbox().post([&] { counter.count->set(8); });
  page.session->drain();
  EXPECT_EQ(page.frames, 2);
  EXPECT_EQ(page.client.text(), "8");
}

TEST(Session, UserEffectThatRaisesIsReportedAndTheSessionGoesOn) {
  std::optional<Signal<int>> count;
  SessionPage page([&](SlotArena&) {
    count.emplace(0);
    effect([&] {
      if (count->get() == 1) throw std::runtime_error("effect failed");
    });
    return VNode::element("p");
  });
  page.adopt();
  page.session->segment([&] { count->set(1); });
  EXPECT_EQ(page.client.by_tag("p")->error, "effect failed");
  page.session->segment([&] { count->set(2); });
  EXPECT_EQ(page.log.size(), 1u);
}

TEST(Session, ClosingDisposesLastFirst) {
  std::vector<std::string> order;
  SessionPage page([&](SlotArena& arena) {
    on_cleanup([&] { order.push_back("page"); });
    auto child = [&](std::string name) {
      return VNode::slot(component(arena, name, [&, name](SlotArena&) {
        on_cleanup([&, name] { order.push_back(name); });
        return VNode::text(name);
      }));
    };
    return VNode::fragment({child("first"), child("second")});
  });
  page.adopt();
  page.session->close();
  EXPECT_EQ(order, (std::vector<std::string>{"second", "first", "page"}));
  page.session->close();
  page.session->drain();
  EXPECT_EQ(order.size(), 3u);
}

TEST(Session, TitleIsSentOnceItChanges) {
  Counter counter;
  SessionPage page(std::ref(counter));
  page.adopt();
  page.session->segment([&] { page.session->set_title("Counting"); });
  page.session->segment([&] { page.session->set_title("Counting"); });
  EXPECT_EQ(page.client.title, "Counting");
  EXPECT_EQ(page.client.ops[Op::Title], 1);
}

}  // namespace
}  // namespace lattice::ui
