// SPDX-License-Identifier: MIT
// The live tree against a model of the client: after every flush both show the same page.
#include "lattice/ui/live_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "lattice/reactive/runtime.hpp"
#include "lattice/reactive/signal.hpp"
#include "lattice/ui/testing/client_model.hpp"
#include "lattice/ui/testing/fn_slots.hpp"

namespace lattice::ui {
namespace {

using namespace testing;
using vdom::Op;
using vdom::SlotId;
using vdom::VNode;

std::string what(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  }
}

// A page, its connection and the client at its end.
class LivePage : public LiveTreeHost {
 public:
  explicit LivePage(Body body) : entry_(runtime_) {
    batch([&] { tree.mount(std::make_unique<FnComponent>("page", std::move(body))); });
    tree.number_all();
    client.adopt(tree.resolve_all(), tree.listen_resolver());
    connected_ = true;
  }
  ~LivePage() override { tree.unmount(); }

  vdom::FrameEncoder* frame() override {
    if (!connected_) return nullptr;
    if (!encoder_.is_open()) encoder_.begin(client.last_seq + 1, 0);
    return &encoder_;
  }
  ErrorReport report(std::exception_ptr error, std::string_view) override {
    errors.push_back(what(error));
    return {errors.back(), ""};
  }

  // Runs fn as one batch and hands its frame to the client; returns the payload's size.
  template <class F>
  size_t step(F&& fn) {
    client.ops.clear();
    batch(fn);
    if (!encoder_.is_open() || !encoder_.has_ops()) return 0;
    std::vector<uint8_t> bytes = encoder_.take();
    client.apply(bytes);
    for (const auto& [op, count] : client.ops) total_ops[op] += count;
    return bytes.size();
  }
  std::string expected() {
    auto trees = tree.resolve_all();
    return print_trees(trees, tree.listen_resolver());
  }
  // The claim of every test here.
  void check() {
    EXPECT_EQ(client.failures, std::vector<std::string>{});
    EXPECT_EQ(client.print_all(), expected());
  }

  Runtime runtime_;
  RuntimeEntry entry_;
  LiveTree tree{*this};
  ClientModel client;
  std::vector<std::string> errors;
  std::map<Op, int> total_ops;

 private:
  vdom::FrameEncoder encoder_;
  bool connected_ = false;
};

// ---- Counted claims -----------------------------------------------------------------------------

TEST(LiveTree, BoundSignalOnAPageOf10000NodesCostsSixteenBytesAndNoRender) {
  std::optional<Signal<int>> count;
  LivePage page([&](SlotArena& arena) {
    count.emplace(0);
    std::vector<VNode> rows;
    for (int i = 0; i < 5000; ++i)
      rows.push_back(VNode::element("p", {}, {VNode::text(int64_t{i})}));
    SlotId slot = bound(arena, [&] { return vdom::Value{int64_t{count->get()}}; });
    rows[2500].children[0] = VNode::slot(slot);
    return VNode::element("main", {}, std::move(rows));
  });
  auto before = page.tree.counters();
  size_t bytes = page.step([&] { count->set(41); });
  EXPECT_LE(bytes, 16u);
  EXPECT_GT(bytes, 0u);
  EXPECT_EQ(page.tree.counters().renders, before.renders);
  EXPECT_EQ(page.tree.counters().binding_runs, before.binding_runs + 1);
  EXPECT_EQ(page.tree.counters().nodes_created, before.nodes_created);
  page.check();
}

VNode keyed_rows(const std::vector<int>& keys) {
  std::vector<VNode> rows;
  for (int key : keys) {
    rows.push_back(VNode::element("li", {}, {VNode::text(int64_t{key})}, vdom::Key{int64_t{key}}));
  }
  return VNode::element("ul", {}, std::move(rows));
}

TEST(LiveTree, SwappingTwoKeyedRowsEmitsTwoMovesAndNoInsert) {
  std::optional<Signal<std::vector<int>>> keys;
  std::vector<int> all(100);
  std::iota(all.begin(), all.end(), 0);
  LivePage page([&](SlotArena&) {
    if (!keys) keys.emplace(all);
    return keyed_rows(keys->get());
  });
  std::swap(all[10], all[80]);
  page.step([&] { keys->set(all); });
  EXPECT_LE(page.client.ops[Op::Move], 2);
  EXPECT_EQ(page.client.ops[Op::Insert], 0);
  EXPECT_EQ(page.client.ops[Op::Remove], 0);
  page.check();
}

TEST(LiveTree, UnchangedRenderEmitsNothing) {
  std::optional<Signal<int>> tick;
  LivePage page([&](SlotArena& arena) {
    if (!tick) tick.emplace(0);
    tick->get();
    return VNode::element("div",
                          {{"title", std::string("a")}, {"on_click", handler(arena, [](auto&) {})}},
                          {VNode::text(std::string("x"))});
  });
  EXPECT_EQ(page.step([&] { tick->set(1); }), 0u);
  EXPECT_EQ(page.tree.counters().renders, 2u);
}

TEST(LiveTree, ParentThatDropsAChildRunsBeforeTheChildWould) {
  std::optional<Signal<bool>> shown;
  int child_runs = 0;
  LivePage page([&](SlotArena& arena) {
    if (!shown) shown.emplace(true);
    if (!shown->get()) return VNode::text(std::string("gone"));
    return VNode::slot(component(arena, "child", [&](SlotArena&) {
      ++child_runs;
      shown->get();
      return VNode::text(std::string("child"));
    }));
  });
  page.step([&] { shown->set(false); });
  EXPECT_EQ(child_runs, 1);
  page.check();
}

TEST(LiveTree, KeyedComponentsKeepTheirInstanceWhenMoved) {
  std::optional<Signal<std::vector<int>>> keys;
  int instances = 0;
  LivePage page([&](SlotArena& arena) {
    if (!keys) keys.emplace(std::vector<int>{1, 2, 3});
    std::vector<VNode> rows;
    for (int key : keys->get()) {
      auto state = std::make_shared<bool>(false);
      Body body = [&, state](SlotArena&) {
        if (!std::exchange(*state, true)) ++instances;
        return VNode::fragment({VNode::text(std::string("a")), VNode::text(std::string("b"))});
      };
      rows.push_back(VNode::slot(component(arena, "row", body), vdom::Key{int64_t{key}}));
    }
    return VNode::fragment(std::move(rows));
  });
  auto created = page.tree.counters().nodes_created;
  page.step([&] { keys->set({3, 1, 2}); });
  EXPECT_EQ(page.client.ops[Op::Move], 2);  // the two texts of the row that moved
  EXPECT_EQ(page.tree.counters().nodes_created, created);
  page.check();
}

// ---- Errors -------------------------------------------------------------------------------------

TEST(LiveTree, BodyThatRaisesShowsErrorContentAndRecovers) {
  std::optional<Signal<int>> divisor;
  LivePage page([&](SlotArena& arena) {
    if (!divisor) divisor.emplace(1);
    return VNode::element("div", {}, {VNode::slot(component(arena, "child", [&](SlotArena&) {
                            if (divisor->get() == 0) throw std::runtime_error("division by zero");
                            return VNode::text(int64_t{10 / divisor->get()});
                          }))});
  });
  page.step([&] { divisor->set(0); });
  page.check();
  EXPECT_EQ(page.errors, std::vector<std::string>{"division by zero"});
  ModelNode* box = page.client.by_tag("span");
  ASSERT_NE(box, nullptr);
  EXPECT_EQ(box->classes.count("lattice-error"), 1u);
  page.step([&] { divisor->set(2); });
  page.check();
  EXPECT_EQ(page.client.text(), "5");
}

TEST(LiveTree, DuplicateKeysShowErrorContentAndRecover) {
  std::optional<Signal<std::vector<int>>> keys;
  LivePage page([&](SlotArena&) {
    if (!keys) keys.emplace(std::vector<int>{1, 2});
    return keyed_rows(keys->get());
  });
  page.step([&] { keys->set({1, 1}); });
  page.check();
  ASSERT_EQ(page.errors.size(), 1u);
  EXPECT_NE(page.errors[0].find("1"), std::string::npos);
  page.step([&] { keys->set({2, 1}); });
  page.check();
  EXPECT_EQ(page.client.text(), "21");
}

TEST(LiveTree, MountThatFailsHalfWayLeavesNoBindingBehind) {
  std::optional<Signal<int>> shape;
  LivePage page([&](SlotArena& arena) {
    if (!shape) shape.emplace(0);
    if (shape->get() != 1) return VNode::text(std::string("fine"));
    VNode inner = VNode::slot(bound(arena, [&] { return vdom::Value{int64_t{shape->get()}}; }));
    VNode attribute = VNode::element(
        "i", {{"title", bound(arena, [&] { return vdom::Value{int64_t{shape->get()}}; })}});
    return VNode::element("div", {}, {std::move(inner), std::move(attribute), keyed_rows({7, 7})});
  });
  page.step([&] { shape->set(1); });
  page.check();
  EXPECT_EQ(page.errors.size(), 1u);
  page.step([&] { shape->set(2); });
  page.check();
  page.step([&] { shape->set(3); });
  EXPECT_EQ(page.client.text(), "fine");
}

TEST(LiveTree, RefusedAttributeInARenderLeavesNoBindingBehind) {
  std::optional<Signal<int>> shape;
  LivePage page([&](SlotArena& arena) {
    if (!shape) shape.emplace(0);
    std::vector<vdom::Attribute> attributes;
    attributes.push_back(
        {"title", bound(arena, [&] { return vdom::Value{int64_t{shape->get()}}; })});
    if (shape->get() == 1) attributes.insert(attributes.begin(), {"bad name", std::string("x")});
    return VNode::element("div", std::move(attributes));
  });
  for (int i = 1; i < 4; ++i) {
    page.step([&] { shape->set(i); });
    page.check();
  }
  EXPECT_EQ(page.errors.size(), 1u);
}

TEST(LiveTree, WhatCannotBeEncodedIsReplacedByErrorContent) {
  std::optional<Signal<int>> shape;
  LivePage page([&](SlotArena&) {
    if (!shape) shape.emplace(0);
    if (shape->get() == 0) return VNode::text(std::string("fine"));
    if (shape->get() == 1) {
      return VNode::fragment(
          {VNode::element("b"), VNode::element("textarea", {}, {VNode::element("b")})});
    }
    VNode deep = VNode::element("i");
    for (size_t i = 0; i < vdom::kTreeDepthMax + 10; ++i) {
      std::vector<VNode> children;
      children.push_back(std::move(deep));
      deep = VNode::element("i", {}, std::move(children));
    }
    return deep;
  });
  for (int i : {1, 0, 2, 0}) {
    page.step([&] { shape->set(i); });
    page.check();
  }
  EXPECT_EQ(page.errors.size(), 2u);
  EXPECT_EQ(page.client.text(), "fine");
}

TEST(LiveTree, AttributeBindingThatRaisesShowsAnErrorBoxAndClearsIt) {
  std::optional<Signal<int>> value;
  LivePage page([&](SlotArena& arena) {
    value.emplace(0);
    auto read = [&] {
      if (value->get() == 1) throw std::runtime_error("no title");
      return vdom::Value{int64_t{value->get()}};
    };
    return VNode::element("div", {{"title", bound(arena, read)}});
  });
  page.step([&] { value->set(1); });
  EXPECT_EQ(page.client.by_tag("div")->error, "no title");
  page.step([&] { value->set(2); });
  EXPECT_EQ(page.client.by_tag("div")->error, "");
  page.check();
}

// ---- Attributes and listeners -------------------------------------------------------------------

vdom::ListenOptions debounced(uint32_t ms) {
  vdom::ListenOptions options;
  options.debounce_ms = ms;
  return options;
}

vdom::ListenOptions only_enter() {
  vdom::ListenOptions options;
  options.keys = {"Enter"};
  return options;
}

TEST(LiveTree, ListenersFollowReRenders) {
  std::optional<Signal<int>> shape;
  LivePage page([&](SlotArena& arena) {
    if (!shape) shape.emplace(0);
    std::vector<vdom::Attribute> attributes;
    int now = shape->get();
    if (now == 1 || now == 2) {
      attributes.push_back(
          {"on_click", handler(arena, [](auto&) {}, debounced(now == 2 ? 50 : 0))});
    }
    if (now == 2) attributes.push_back({"on_key_down", handler(arena, [](auto&) {}, only_enter())});
    return VNode::element("button", std::move(attributes));
  });
  auto listeners = [&] { return page.client.by_tag("button")->listeners; };
  page.step([&] { shape->set(1); });
  EXPECT_EQ(listeners().count("click"), 1u);
  uint32_t id = page.client.by_tag("button")->id;
  EXPECT_NE(page.tree.find_listening(id), nullptr);
  page.step([&] { shape->set(2); });
  EXPECT_EQ(listeners()["click"].debounce_ms, 50u);
  EXPECT_EQ(listeners()["keydown"].keys, std::vector<std::string>{"Enter"});
  page.step([&] { shape->set(3); });
  EXPECT_TRUE(listeners().empty());
  EXPECT_EQ(page.tree.find_listening(id), nullptr);
  page.check();
}

TEST(LiveTree, WholeClassAndItsSwitchesStayTogether) {
  std::optional<Signal<int>> shape;
  LivePage page([&](SlotArena&) {
    if (!shape) shape.emplace(0);
    std::vector<vdom::Attribute> attributes;
    attributes.push_back({"class.before", true});
    if (shape->get() < 2) attributes.push_back({"class", "base" + std::to_string(shape->get())});
    attributes.push_back({"class.after", true});
    return VNode::element("div", std::move(attributes));
  });
  page.step([&] { shape->set(1); });
  page.check();
  page.step([&] { shape->set(2); });
  page.check();
  EXPECT_EQ(page.client.by_tag("div")->classes, (std::set<std::string>{"before", "after"}));
}

// ---- Random pages -------------------------------------------------------------------------------

// A page whose shape follows from seeds held in signals: writing a seed renders another shape.
class RandomPage {
 public:
  explicit RandomPage(uint64_t seed) : random_(seed) {}

  void create_signals() {
    for (int i = 0; i < 6; ++i) shapes_.emplace_back(static_cast<int>(random_() % 1000));
    for (int i = 0; i < 8; ++i) values_.emplace_back(static_cast<int>(random_() % 10));
  }
  void change() {
    for (int count = 1 + random_() % 4; count-- > 0;) {
      if (random_() % 2) {
        shapes_[random_() % shapes_.size()].set(static_cast<int>(random_() % 1000));
      } else {
        values_[random_() % values_.size()].set(static_cast<int>(random_() % 10));
      }
    }
  }
  VNode body(SlotArena& arena, size_t shape, int depth) {
    // Half of the changes only shuffle keys and attributes of one and the same structure.
    int now = shapes_[shape].get();
    Random local(static_cast<uint32_t>(now / 250 * 7 + depth));
    local.fine.seed(static_cast<uint32_t>(now));
    if (local.fine() % 23 == 0) throw std::runtime_error("a body that raises");
    return node(arena, local, depth);
  }

 private:
  struct Random : std::mt19937 {
    using std::mt19937::mt19937;
    std::mt19937 fine;
  };
  static int64_t pick(Random& random, int count) { return static_cast<int64_t>(random() % count); }

  SlotId value_slot(SlotArena& arena, Random& random) {
    size_t index = random() % values_.size();
    Signal<int> signal = values_[index];
    return bound(
        arena,
        [signal] {
          int now = signal.get();
          if (now == 9) throw std::runtime_error("a binding that raises");
          return now == 0 ? vdom::Value{std::string()} : vdom::Value{int64_t{now}};
        },
        random() % 2 ? index + 1 : 0);
  }
  std::vector<vdom::Attribute> attributes(SlotArena& arena, Random& random, std::string_view tag) {
    std::vector<vdom::Attribute> made;
    auto maybe = [&](const char* name, vdom::Value value) {
      if (random.fine() % 3 == 0) made.push_back({name, std::move(value)});
    };
    maybe("class", "c" + std::to_string(pick(random, 3)));
    maybe("class.done", pick(random, 2) == 0);
    maybe("class.late", true);
    maybe("title", pick(random, 5));
    maybe("hidden", pick(random, 2) == 0);
    maybe("style.color", std::string(pick(random, 2) ? "red" : "blue"));
    if (pick(random, 4) == 0) made.push_back({"data-x", value_slot(arena, random)});
    if (random.fine() % 4 == 0) made.push_back({"on_click", handler(arena, [](auto&) {})});
    if (tag == "input") made.push_back({"value", value_slot(arena, random)});
    std::shuffle(made.begin(), made.end(), random.fine);
    return made;
  }
  std::vector<VNode> children(SlotArena& arena, Random& random, int depth) {
    std::vector<VNode> made;
    bool keyed = pick(random, 3) == 0;
    int64_t count = pick(random, 7);
    for (int64_t i = 0; i < count; ++i) {
      made.push_back(node(arena, random, depth + 1));
      if (keyed) made.back().key = random.fine() % 60 == 0 ? 0 : i;  // now and then a duplicate
    }
    if (keyed) std::shuffle(made.begin(), made.end(), random.fine);
    if (keyed && !made.empty() && random.fine() % 3 == 0) made.pop_back();
    return made;
  }
  VNode node(SlotArena& arena, Random& random, int depth) {
    if (depth > 7) return VNode::text(pick(random, 4));
    switch (pick(random, 12)) {
      case 0:
        return VNode::text(pick(random, 4));
      case 1:
        return VNode::text(std::string());
      case 2:
        return VNode::fragment(children(arena, random, depth));
      case 3:
        return VNode::raw_html("<b>" + std::to_string(pick(random, 2)) + "</b>");
      case 4:
        return VNode::slot(value_slot(arena, random));
      case 5:
      case 6: {
        size_t shape = random() % shapes_.size();
        std::string name = "component" + std::to_string(pick(random, 3));
        Body run = [this, shape, depth](SlotArena& inner) { return body(inner, shape, depth + 1); };
        return VNode::slot(component(arena, name, run));
      }
      case 7: {
        size_t shape = random() % shapes_.size();
        return VNode::slot(bound_content(arena, [this, shape, depth](SlotArena& inner) {
          return body(inner, shape, depth + 2);
        }));
      }
      case 8:
        return VNode::element("input", attributes(arena, random, "input"));
      default: {
        static const char* const kTags[] = {"div", "section", "em"};
        std::string tag = kTags[pick(random, 3)];
        auto made = attributes(arena, random, tag);
        return VNode::element(tag, std::move(made), children(arena, random, depth));
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<Signal<int>> shapes_, values_;
};

void run_random_page(uint64_t seed, int steps, std::map<Op, int>& ops) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomPage random(seed);
  LivePage page([&, created = false](SlotArena& arena) mutable {
    if (!std::exchange(created, true)) random.create_signals();
    std::vector<VNode> parts;
    for (size_t shape = 0; shape < 4; ++shape) {
      parts.push_back(VNode::slot(component(arena, "part", [&random, shape](SlotArena& inner) {
        return random.body(inner, shape, 0);
      })));
    }
    return VNode::element("main", {}, std::move(parts));
  });
  page.check();
  for (int i = 0; i < steps && !::testing::Test::HasFailure(); ++i) {
    page.step([&] { random.change(); });
    page.check();
  }
  for (const auto& [op, count] : page.total_ops) ops[op] += count;
}

TEST(LiveTree, RandomPagesStayEqualToTheModel) {
  std::map<Op, int> ops;
  for (uint64_t seed = 1; seed <= 60 && !HasFailure(); ++seed) run_random_page(seed, 40, ops);
  // The pages are rich enough to mean something.
  for (Op op : {Op::Text, Op::SetAttr, Op::SetStyle, Op::SetClass, Op::Insert, Op::Remove, Op::Move,
                Op::Listen, Op::Unlisten, Op::InputValue, Op::Error, Op::ClearError}) {
    EXPECT_GT(ops[op], 20) << static_cast<int>(op);
  }
}

Body endless() {
  return [](SlotArena& arena) {
    return VNode::element(
        "div", {}, {VNode::slot(arena.add(std::make_unique<FnComponent>("again", endless())))});
  };
}

TEST(LiveTree, AComponentThatContainsItselfIsAnErrorAtItsPlace) {
  LivePage page(endless());
  ASSERT_EQ(page.errors.size(), 1u);
  EXPECT_NE(page.errors[0].find("again in again"), std::string::npos) << page.errors[0];
  EXPECT_NE(page.expected().find("does one contain itself"), std::string::npos);
  page.check();
}

}  // namespace
}  // namespace lattice::ui
