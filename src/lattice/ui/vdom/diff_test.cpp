// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/diff.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/internal/random_tree_for_tests.hpp"

namespace lattice::vdom {
namespace {

VNode row(int64_t key, const std::string& text = "x") {
  return VNode::element("li", {}, {VNode::text(text)}, key);
}

VNode rows(std::initializer_list<int64_t> keys) {
  VNode list = VNode::element("ul");
  for (int64_t key : keys) list.children.push_back(row(key));
  return list;
}

VNode chain(size_t depth) {
  VNode node = VNode::element("div");
  for (size_t i = 0; i < depth; ++i) {
    VNode outer = VNode::element("div");
    outer.children.push_back(std::move(node));
    node = std::move(outer);
  }
  return node;
}

TEST(Diff, EqualTreesNeedNoPatch) { EXPECT_TRUE(diff(rows({1, 2}), rows({1, 2})).empty()); }

TEST(Diff, AttributeOrderIsNoChange) {
  const VNode a = VNode::element("p", {{"title", std::string("x")}, {"hidden", true}});
  const VNode b = VNode::element("p", {{"hidden", true}, {"title", std::string("x")}});
  EXPECT_TRUE(diff(a, b).empty());
  EXPECT_EQ(a, b);
}

TEST(Diff, SwappingTwoKeyedRowsEmitsOneReorderOfTwoMoves) {
  const std::vector<Patch> patches = diff(rows({1, 2, 3, 4, 5}), rows({1, 4, 3, 2, 5}));
  ASSERT_EQ(patches.size(), 1u);
  EXPECT_EQ(patches[0].type, PatchType::Reorder);
  EXPECT_EQ(patches[0].moves.size(), 2u);
}

TEST(Diff, InsertingARowAtTheFrontEmitsOneCreate) {
  const std::vector<Patch> patches = diff(rows({1, 2, 3}), rows({9, 1, 2, 3}));
  ASSERT_EQ(patches.size(), 1u);
  EXPECT_EQ(patches[0].type, PatchType::Create);
  EXPECT_EQ(patches[0].path, (std::vector<uint32_t>{0}));
}

TEST(Diff, AChangedTextEmitsOneTextPatch) {
  VNode after = rows({1, 2});
  after.children[1].children[0].value = std::string("new");
  const std::vector<Patch> patches = diff(rows({1, 2}), after);
  ASSERT_EQ(patches.size(), 1u);
  EXPECT_EQ(patches[0].type, PatchType::Text);
  EXPECT_EQ(patches[0].path, (std::vector<uint32_t>{1, 0}));
}

TEST(Diff, AnUpdateNamesOnlyWhatChanged) {
  const VNode before = VNode::element("p", {{"a", true}, {"b", int64_t{1}}, {"c", nullptr}});
  const VNode after = VNode::element("p", {{"b", int64_t{2}}, {"c", nullptr}, {"d", 0.5}});
  const std::vector<Patch> patches = diff(before, after);
  ASSERT_EQ(patches.size(), 1u);
  EXPECT_EQ(patches[0].set, (std::vector<Attribute>{{"b", int64_t{2}}, {"d", 0.5}}));
  EXPECT_EQ(patches[0].removed, (std::vector<std::string>{"a"}));
}

TEST(Diff, AnotherTagOrKeyOfTheRootReplacesIt) {
  EXPECT_EQ(diff(VNode::element("p"), VNode::element("b")).at(0).type, PatchType::Replace);
  EXPECT_EQ(diff(row(1), row(2)).at(0).type, PatchType::Replace);
}

TEST(Diff, NanIsNoChangeAndNegativeZeroIs) {
  EXPECT_TRUE(diff(VNode::text(NAN), VNode::text(NAN)).empty());
  EXPECT_EQ(diff(VNode::text(0.0), VNode::text(-0.0)).size(), 1u);
}

TEST(Diff, DuplicateKeysAreRefused) { EXPECT_THROW(diff(rows({1}), rows({2, 2})), Error); }

TEST(Diff, TreesBeyondTheDepthBoundAreRefused) {
  const VNode allowed = chain(kTreeDepthMax - 1);
  EXPECT_TRUE(diff(allowed, allowed).empty());
  EXPECT_THROW(diff(chain(kTreeDepthMax + 1), chain(kTreeDepthMax + 1)), Error);
}

TEST(Diff, ApplyingGivesTheNewTreeForRandomTrees) {
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    internal::RandomTree random(seed);
    const VNode before = random.element(3);
    const VNode after = random.element(3);
    ASSERT_EQ(vdom::apply(before, diff(before, after)), after);
  }
}

TEST(Diff, ApplyingGivesTheNewTreeAlsoWithTheRootKept) {
  for (uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    internal::RandomTree random(seed);
    VNode before = random.element(3);
    VNode after = random.element(3);
    after.tag = before.tag;
    ASSERT_EQ(vdom::apply(before, diff(before, after)), after);
  }
}

TEST(Apply, APatchThatDoesNotFitIsRefused) {
  Patch patch;
  patch.path = {7};
  for (PatchType type : {PatchType::Create, PatchType::Remove, PatchType::Replace,
                         PatchType::Update, PatchType::Text, PatchType::Reorder}) {
    patch.type = type;
    EXPECT_THROW(vdom::apply(rows({1}), std::span(&patch, 1)), Error);
  }
  patch.path = {};
  patch.type = PatchType::Reorder;
  patch.moves = {{.from = 0, .before = 5}};
  EXPECT_THROW(vdom::apply(rows({1}), std::span(&patch, 1)), Error);
}

TEST(ToText, FloatsShowAsInPython) {
  const std::pair<double, const char*> cases[] = {{1.0, "1.0"},
                                                  {0.1, "0.1"},
                                                  {-0.0, "-0.0"},
                                                  {1e15, "1000000000000000.0"},
                                                  {1e16, "1e+16"},
                                                  {1e22, "1e+22"},
                                                  {0.0001, "0.0001"},
                                                  {0.00001, "1e-05"},
                                                  {1.5e300, "1.5e+300"},
                                                  {5e-324, "5e-324"},
                                                  {INFINITY, "inf"},
                                                  {-INFINITY, "-inf"},
                                                  {NAN, "nan"},
                                                  {123456.789, "123456.789"},
                                                  {2.0 / 3, "0.6666666666666666"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(to_text(Value(number)), text);
}

TEST(ToText, OtherScalarsShowAsInPython) {
  EXPECT_EQ(to_text(Value(true)), "True");
  EXPECT_EQ(to_text(Value(false)), "False");
  EXPECT_EQ(to_text(Value(int64_t{-7})), "-7");
  EXPECT_EQ(to_text(Value(nullptr)), "");
  EXPECT_THROW(to_text(Value(SlotId{1})), Error);
}

TEST(VNode, CountNodesSkipsFragments) {
  const VNode tree = VNode::element(
      "p", {},
      {VNode::fragment({VNode::text(nullptr), VNode::raw_html("x")}), VNode::element("b")});
  EXPECT_EQ(count_nodes(tree), 4u);
}

}  // namespace
}  // namespace lattice::vdom
