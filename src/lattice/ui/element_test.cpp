// SPDX-License-Identifier: MIT
// The C++ face: what builders, components, lists and bound texts put on a page.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lattice/ui.hpp"
#include "lattice/ui/session.hpp"
#include "lattice/ui/testing/client_model.hpp"

namespace lattice {
namespace {

using ui::testing::ClientModel;
using ui::testing::ModelNode;
using vdom::Op;

// A page that shows one component, and the client that adopted it.
class Page {
 public:
  template <class F>
  explicit Page(F body) {
    ui::SessionOptions options;
    options.dev = true;
    options.log = [this](const std::string& message) { log.push_back(message); };
    session.emplace(std::move(options));
    session->mount(ui::component("page", std::move(body)).make_component());
    html = session->html();
    uint32_t count = client.adopt_html(html);
    EXPECT_EQ(count, session->node_count());
    session->connect([this](std::vector<uint8_t> bytes) { client.apply(bytes); });
    EXPECT_TRUE(session->receive(client.hello(count)).ok());
    client.ops.clear();
  }
  ~Page() { EXPECT_EQ(client.failures, std::vector<std::string>{}); }

  template <class F>
  void step(F&& fn) {
    client.ops.clear();
    session->segment(fn);
  }
  void click(std::string_view tag) { send(tag, "click"); }
  void send(std::string_view tag, std::string_view type) {
    ModelNode* node = client.by_tag(tag);
    ASSERT_NE(node, nullptr);
    client.ops.clear();
    EXPECT_TRUE(session->receive(client.event(node->id, type)).ok());
  }
  void type(std::string_view tag, std::string value) {
    ModelNode* node = client.by_tag(tag);
    ASSERT_NE(node, nullptr);
    client.ops.clear();
    EXPECT_TRUE(session->receive(client.edit(*node, std::move(value))).ok());
  }
  uint64_t renders() const { return session->tree_counters().renders; }

  std::vector<std::string> log;
  std::string html;
  ClientModel client;
  std::optional<ui::Session> session;
};

// ---- Elements and children ----------------------------------------------------------------------

TEST(Element, MixesChildrenAndAttributesInAnyOrder) {
  Page page([] {
    return ui::div("a", ui::class_("note"), 1, ui::id("x"), 2.5, std::string("b"), nullptr,
                   std::optional<std::string>("c"), std::optional<int>(), ui::style("color", "red"),
                   ui::class_("done", true), ui::disabled());
  });
  EXPECT_EQ(page.html,
            "<div id=\"x\" disabled=\"\" class=\"note done\" style=\"color: red\">"
            "a<!---->1<!---->2.5<!---->b<!---->c</div>");
}

TEST(Element, TakesRangesOfChildren) {
  Page page([] {
    std::vector<std::string> words{"a", "b"};
    std::vector<ui::Node> items;
    for (const auto& word : words) items.push_back(ui::li(word));
    return ui::fragment(words, ui::ul(std::move(items)), ui::raw_html("<b>x</b>"));
  });
  EXPECT_EQ(page.html,
            "a<!---->b<ul><li>a</li><li>b</li></ul>"
            "<lattice-html style=\"display:contents\"><b>x</b></lattice-html>");
}

TEST(Element, EscapesTextAndAttributes) {
  Page page([] { return ui::p("<b>&", ui::title("\"<")); });
  EXPECT_EQ(page.html, "<p title=\"&quot;&lt;\">&lt;b&gt;&amp;</p>");
}

TEST(Element, AttributeGivenTwiceIsAnError) {
  Page page([] { return ui::p(ui::id("a"), ui::id("b")); });
  ASSERT_EQ(page.log.size(), 1u);
  EXPECT_NE(page.log[0].find("'id' of <p> is given twice"), std::string::npos);
}

TEST(Element, SvgTagsKeepTheirCase) {
  Page page([] { return ui::svg(ui::view_box("0 0 1 1"), ui::linear_gradient(ui::stop())); });
  EXPECT_EQ(page.html,
            "<svg viewBox=\"0 0 1 1\"><linearGradient><stop></stop></linearGradient></svg>");
}

// ---- Bindings -----------------------------------------------------------------------------------

TEST(Element, SignalsMemosAndFunctionsAreBoundWithoutRunningTheBodyAgain) {
  std::optional<Signal<int>> count;
  Page page([&] {
    count.emplace(1);
    auto doubled = memo([count = *count] { return count.get() * 2; });
    return ui::p(
        *count, " ", doubled, " ", [count = *count] { return count.get() > 1 ? "many" : "one"; },
        ui::title(doubled), ui::class_("big", [count = *count] { return count.get() > 1; }));
  });
  EXPECT_EQ(page.client.text(), "1 2 one");
  page.step([&] { count->set(5); });
  EXPECT_EQ(page.client.text(), "5 10 many");
  EXPECT_EQ(page.client.by_tag("p")->attributes["title"], "10");
  EXPECT_EQ(page.client.by_tag("p")->classes.count("big"), 1u);
  EXPECT_EQ(page.renders(), 1u);
  EXPECT_EQ(page.client.ops[Op::Insert], 0);
}

TEST(Element, FunctionThatReturnsNodesIsPatchedInPlace) {
  std::optional<Signal<int>> count;
  Page page([&] {
    count.emplace(1);
    return ui::div([count = *count] { return ui::p("n = ", count.get(), ui::key("p")); });
  });
  page.step([&] { count->set(2); });
  EXPECT_EQ(page.client.text(), "n = 2");
  EXPECT_EQ(page.client.ops[Op::Text], 1);
  EXPECT_EQ(page.client.ops[Op::Insert], 0);
}

TEST(Text, FormatsItsArgumentsAndFollowsThem) {
  std::optional<Signal<int>> count;
  std::optional<Signal<std::string>> who;
  Page page([&] {
    count.emplace(1);
    who.emplace("Ada");
    return ui::p(ui::text("{0} has {1:>3} {2}", *who, *count,
                          [c = *count] { return c.get() == 1 ? "egg" : "eggs"; }),
                 ui::text("; {:.2f}", 1.0));
  });
  EXPECT_EQ(page.client.text(), "Ada has   1 egg; 1.00");
  page.step([&] { count->set(12); });
  EXPECT_EQ(page.client.text(), "Ada has  12 eggs; 1.00");
  EXPECT_EQ(page.client.ops[Op::Text], 1);
}

TEST(Element, WritableSignalGivenToValueBindsBothWays) {
  std::optional<Signal<std::string>> text;
  std::optional<Signal<int>> number;
  Page page([&] {
    text.emplace("a");
    number.emplace(7);
    return ui::div(ui::textarea(ui::value(*text)),
                   ui::input(ui::type("number"), ui::value(*number)), *text, *number);
  });
  page.type("textarea", "milk");
  EXPECT_EQ(page.client.text(), "milk7");
  page.type("input", " 42 ");
  EXPECT_EQ(page.client.text(), "milk42");
  page.type("input", "4x");  // does not parse: the signal stays
  EXPECT_EQ(page.client.text(), "milk42");
  page.type("input", "99999999999");  // no int
  EXPECT_EQ(page.client.text(), "milk42");
  EXPECT_EQ(page.client.ops[Op::InputValue], 0);
}

TEST(Element, CheckedBindsBothWaysAndMemosOneWay) {
  std::optional<Signal<bool>> on;
  Page page([&] {
    on.emplace(false);
    auto off = memo([on = *on] { return !on.get(); });
    return ui::div(ui::input(ui::type("checkbox"), ui::checked(*on)),
                   ui::span(ui::input(ui::type("checkbox"), ui::checked(off))));
  });
  ModelNode& box = *page.client.by_tag("input");
  ModelNode& mirror = *page.client.by_tag("span")->children[0];
  EXPECT_TRUE(mirror.listeners.empty());
  EXPECT_TRUE(page.session->receive(page.client.check(box, true)).ok());
  EXPECT_EQ(mirror.properties.count("checked"), 0u);
  page.step([&] { EXPECT_TRUE(on->get()); });
}

TEST(Element, OptionalNumberIsEmptyWhenTheFieldIs) {
  std::optional<Signal<std::optional<double>>> number;
  Page page([&] {
    number.emplace(std::optional<double>(1.5));
    return ui::input(ui::type("number"), ui::value(*number));
  });
  page.type("input", "");
  page.step([&] { EXPECT_EQ(number->get(), std::nullopt); });
  page.type("input", "2.5");
  page.step([&] { EXPECT_EQ(number->get(), 2.5); });
}

// ---- Handlers -----------------------------------------------------------------------------------

TEST(Handler, MayBeMoveOnlyAndTakeTheEvent) {
  std::string seen;
  Page page([&] {
    auto owned = std::make_unique<std::string>("owned ");
    return ui::button(ui::on_click(
        [&seen, owned = std::move(owned)](const ui::Event& event) { seen = *owned + event.type; }));
  });
  page.click("button");
  EXPECT_EQ(seen, "owned click");
}

TEST(Handler, DiesWithItsNodeButNotWhileItRuns) {
  auto alive = std::make_shared<int>(0);
  std::weak_ptr<int> watch = alive;
  bool outlived = false;
  Page page([&] {
    Signal<bool> shown{true};
    return ui::show(shown, [&, shown, alive = std::exchange(alive, nullptr)] {
      return ui::button(ui::on_click([&, shown, alive] {
        shown.set(false);
        page.session->flush();
        outlived = !watch.expired() && page.client.by_tag("button") == nullptr;
      }));
    });
  });
  page.click("button");
  EXPECT_TRUE(outlived);
}

TEST(Handler, OptionsReachTheClient) {
  Page page([] {
    ui::ListenOptions options;
    options.debounce_ms = 200;
    options.keys = {"Enter"};
    return ui::form(ui::input(ui::on_key_down([] {}, options)), ui::on_submit([] {}));
  });
  EXPECT_EQ(page.client.by_tag("input")->listeners.at("keydown").debounce_ms, 200u);
  EXPECT_TRUE(page.client.by_tag("form")->listeners.at("submit").prevent_default);
}

// ---- Components ---------------------------------------------------------------------------------

TEST(Component, EachPlaceHasAnInstanceOfItsOwn) {
  auto counter = ui::component("counter", [](int start) {
    Signal<int> count{start};
    return ui::button(count, ui::on_click([=] { count.update([](int n) { return n + 1; }); }));
  });
  auto hello = ui::component([] { return ui::p("hello"); });
  Page page([=] { return ui::div(counter(1), ui::span(counter(10)), hello); });
  page.click("button");
  EXPECT_EQ(page.client.text(), "210hello");
  EXPECT_EQ(page.renders(), 4u);
}

TEST(Component, ReadInItsBodyIsAnErrorThatNamesTheSignal) {
  std::optional<Signal<int>> count;
  Page page([&] {
    count.emplace(1, "count");
    return ui::p(count->get());
  });
  ASSERT_EQ(page.log.size(), 1u);
  EXPECT_NE(page.log[0].find("component 'page' reads 'count' in its body"), std::string::npos);
  page.step([&] { count->set(2); });  // the body does not run again
  EXPECT_EQ(page.renders(), 2u);
  EXPECT_NE(page.client.text().find("reads 'count'"), std::string::npos);
}

TEST(Component, PeekAndUntrackedReadsInItsBodyAreFine) {
  Page page([] {
    Signal<int> count{3};
    return ui::p(count.peek(), untracked([&] { return count.get(); }));
  });
  EXPECT_EQ(page.client.text(), "33");
  EXPECT_TRUE(page.log.empty());
}

TEST(Component, KeepsItsInstanceWhilePropsCompareEqual) {
  int instances = 0;
  auto child = ui::component("child", [&](std::string name, Signal<int> shown) {
    ++instances;
    return ui::b(name, shown);
  });
  std::optional<Signal<int>> tick;
  std::optional<Signal<int>> shown;
  Page page([&] {
    tick.emplace(0);
    shown.emplace(5);
    return ui::div(
        [&, tick = *tick, shown = *shown] { return child(tick.get() < 2 ? "a" : "b", shown); });
  });
  page.step([&] { tick->set(1); });
  EXPECT_EQ(instances, 1);
  page.step([&] { shown->set(6); });
  EXPECT_EQ(instances, 1);
  page.step([&] { tick->set(2); });
  EXPECT_EQ(instances, 2);
  EXPECT_EQ(page.client.text(), "b6");
}

TEST(Component, TakesANodeAsAProp) {
  auto card = ui::component("card", [](std::string title, ui::Node content) {
    return ui::section(ui::h2(title), std::move(content));
  });
  Page page([=] { return card("Title", ui::p("text")); });
  EXPECT_EQ(page.html, "<section><h2>Title</h2><p>text</p></section>");
}

// ---- For and show -------------------------------------------------------------------------------

struct Item {
  int id;
  std::string label;
  bool operator==(const Item&) const = default;
};

TEST(For, RunsOnlyRowsWhoseItemChangedAndMovesTheOthers) {
  std::optional<Signal<std::vector<Item>>> items;
  int runs = 0;
  Page page([&] {
    items.emplace(std::vector<Item>{{1, "a"}, {2, "b"}, {3, "c"}});
    return ui::ul(ui::For(
        *items, [](const Item& item) { return item.id; },
        [&](const Item& item) {
          ++runs;
          Signal<int> clicks{0};  // state of the row
          return ui::li(item.label, ui::button(clicks, ui::on_click([=] { clicks.set(7); })));
        }));
  });
  EXPECT_EQ(runs, 3);
  page.click("button");
  EXPECT_EQ(page.client.text(), "a7b0c0");
  page.step([&] { items->set({{3, "c"}, {1, "a"}, {2, "b"}}); });
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(page.client.text(), "c0a7b0");
  EXPECT_EQ(page.client.ops[Op::Move], 1);
  EXPECT_EQ(page.client.ops[Op::Insert], 0);
  page.step([&] { items->set({{3, "c"}, {1, "A"}}); });
  EXPECT_EQ(runs, 4);
  EXPECT_EQ(page.client.text(), "c0A0");
}

TEST(For, PassesTheIndexWhenAskedFor) {
  std::optional<Signal<std::vector<std::string>>> words;
  Page page([&] {
    words.emplace(std::vector<std::string>{"a", "b"});
    return ui::div(ui::For(
        *words, [](const std::string& word) { return word; },
        [](const std::string& word, size_t index) { return ui::text("{}{} ", index, word); }));
  });
  EXPECT_EQ(page.client.text(), "0a 1b ");
  page.step([&] { words->set({"b", "a"}); });
  EXPECT_EQ(page.client.text(), "0b 1a ");
}

TEST(For, DuplicateKeysShowAnError) {
  std::optional<Signal<std::vector<int>>> keys;
  Page page([&] {
    keys.emplace(std::vector<int>{1, 2});
    return ui::div(ui::For(*keys, [](int key) { return key; }, [](int key) { return ui::b(key); }));
  });
  page.step([&] { keys->set({1, 1}); });
  EXPECT_EQ(page.log.size(), 1u);
  page.step([&] { keys->set({2, 3}); });
  EXPECT_EQ(page.client.text(), "23");
}

TEST(Show, BuildsABranchOnlyWhileShownAndEndsItsScope) {
  std::optional<Signal<int>> count;
  int built = 0;
  int ended = 0;
  Page page([&] {
    count.emplace(0);
    return ui::div(ui::show([count = *count] { return count.get() > 2; },
                            [&] {
                              ++built;
                              on_cleanup([&] { ++ended; });
                              return ui::b("many");
                            },
                            [] { return "few"; }));
  });
  EXPECT_EQ(page.client.text(), "few");
  EXPECT_EQ(built, 0);
  page.step([&] { count->set(3); });
  page.step([&] { count->set(4); });  // still true: nothing runs
  EXPECT_EQ(built, 1);
  EXPECT_EQ(page.client.text(), "many");
  page.step([&] { count->set(1); });
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(page.client.text(), "few");
}

}  // namespace
}  // namespace lattice
