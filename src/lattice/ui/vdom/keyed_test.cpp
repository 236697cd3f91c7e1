// SPDX-License-Identifier: MIT
#include "lattice/ui/vdom/keyed.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "lattice/base/error.hpp"

namespace lattice::vdom {
namespace {

// A list of children; "#p" is an unkeyed child of type p, "x" one with the key x.
class Children {
 public:
  Children(std::initializer_list<const char*> words)
      : Children(std::vector<std::string>(words.begin(), words.end())) {}
  explicit Children(std::vector<std::string> words) : words_(std::move(words)) {
    keys_.reserve(words_.size());
    for (const std::string& word : words_) {
      const bool keyed = !word.starts_with('#');
      keys_.emplace_back(word);
      identities_.push_back({.key = keyed ? &keys_.back() : nullptr,
                             .tag = keyed ? std::string_view("li") : std::string_view(word)});
    }
  }
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  std::span<const ChildIdentity> span() const { return identities_; }

 private:
  std::vector<std::string> words_;
  std::vector<Key> keys_;
  std::vector<ChildIdentity> identities_;
};

ChildPlan plan(const Children& before, const Children& after) {
  return plan_children(before.span(), after.span());
}

size_t moves(const ChildPlan& plan) {
  size_t count = 0;
  for (size_t i = 0; i < plan.source.size(); ++i) {
    count += plan.source[i] >= 0 && plan.stay[i] == 0 ? 1 : 0;
  }
  return count;
}

TEST(ChildPlan, EqualListsAreAnIdentity) {
  EXPECT_TRUE(plan({"a", "#p", "b"}, {"a", "#p", "b"}).is_identity());
  EXPECT_TRUE(plan({}, {}).is_identity());
}

TEST(ChildPlan, TheExampleOfTheHeaderHolds) {
  const ChildPlan result = plan({"a", "b", "c", "d", "e"}, {"a", "d", "b", "x", "e"});
  EXPECT_EQ(result.source, (std::vector<int32_t>{0, 3, 1, -1, 4}));
  EXPECT_EQ(result.stay, (std::vector<uint8_t>{1, 0, 1, 0, 1}));
  EXPECT_EQ(result.removed, (std::vector<uint32_t>{2}));
}

TEST(ChildPlan, SwappingTwoDistantChildrenMovesTwo) {
  EXPECT_EQ(moves(plan({"a", "b", "c", "d", "e"}, {"a", "d", "c", "b", "e"})), 2u);
}

TEST(ChildPlan, MovingOneChildToTheFrontMovesOne) {
  EXPECT_EQ(moves(plan({"a", "b", "c", "d"}, {"d", "a", "b", "c"})), 1u);
}

TEST(ChildPlan, InsertingAtTheFrontMovesNothing) {
  const ChildPlan result = plan({"a", "b"}, {"x", "a", "b"});
  EXPECT_EQ(result.source, (std::vector<int32_t>{-1, 0, 1}));
  EXPECT_EQ(moves(result), 0u);
  EXPECT_TRUE(result.removed.empty());
}

TEST(ChildPlan, UnkeyedChildrenPairInOrderByType) {
  const ChildPlan result = plan({"#p", "#q", "#p", "#q"}, {"#q", "#p", "#q", "#p", "#p"});
  EXPECT_EQ(result.source, (std::vector<int32_t>{1, 0, 3, 2, -1}));
}

TEST(ChildPlan, UnkeyedChildrenNeverPairWithKeyedOnes) {
  EXPECT_EQ(plan({"#li"}, {"a"}).source, (std::vector<int32_t>{-1}));
  EXPECT_EQ(plan({"a"}, {"#li"}).source, (std::vector<int32_t>{-1}));
}

TEST(ChildPlan, TheSameKeyOnAnotherTypeIsANewChild) {
  const Key key = std::string("a");
  const ChildIdentity before[] = {{.key = &key, .tag = "li"}};
  const ChildIdentity after[] = {{.key = &key, .tag = "tr"}};
  const ChildPlan result = plan_children(before, after);
  EXPECT_EQ(result.source, (std::vector<int32_t>{-1}));
  EXPECT_EQ(result.removed, (std::vector<uint32_t>{0}));
}

TEST(ChildPlan, IntegerAndTextKeysDiffer) {
  const Key number = int64_t{1};
  const Key text = std::string("1");
  const ChildIdentity before[] = {{.key = &number, .tag = "li"}};
  const ChildIdentity after[] = {{.key = &text, .tag = "li"}};
  EXPECT_EQ(plan_children(before, after).source, (std::vector<int32_t>{-1}));
}

TEST(ChildPlan, ADuplicateKeyIsAnErrorThatNamesIt) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases = {
      {{}, {"dup", "dup"}},                                // both created
      {{"dup"}, {"dup", "dup"}},                           // prefix and created
      {{"dup"}, {"x", "dup", "dup"}},                      // created and suffix
      {{"a", "dup", "b"}, {"b", "dup", "dup", "a"}},       // paired twice
      {{"a", "b"}, {"dup", "b", "a", "dup"}},              // created far apart
      {{"dup", "a", "b"}, {"dup", "b", "a", "x", "dup"}},  // prefix and middle
  };
  for (const auto& [before, after] : cases) {
    try {
      plan(Children(before), Children(after));
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("'dup'"), std::string::npos) << error.what();
    }
  }
}

TEST(ChildPlan, CheckUniqueKeysAcceptsUnkeyedRepeats) {
  check_unique_keys(Children({"#p", "#p", "a"}).span());
  EXPECT_THROW(check_unique_keys(Children({"a", "#p", "a"}).span()), Error);
}

// Longest increasing subsequence by trying all subsets.
size_t longest_run(const std::vector<int32_t>& source) {
  std::vector<int32_t> kept;
  std::ranges::copy_if(source, std::back_inserter(kept), [](int32_t i) { return i >= 0; });
  size_t best = 0;
  for (uint32_t subset = 0; subset < (1u << kept.size()); ++subset) {
    std::vector<int32_t> chosen;
    for (size_t i = 0; i < kept.size(); ++i) {
      if ((subset >> i & 1) != 0) chosen.push_back(kept[i]);
    }
    if (std::ranges::is_sorted(chosen)) best = std::max(best, chosen.size());
  }
  return best;
}

void expect_consistent(const ChildPlan& plan, size_t before_count) {
  std::vector<int> used(before_count, 0);
  int32_t last_stay = -1;
  for (size_t i = 0; i < plan.source.size(); ++i) {
    if (plan.source[i] < 0) {
      EXPECT_EQ(plan.stay[i], 0);
      continue;
    }
    ++used[static_cast<size_t>(plan.source[i])];
    if (plan.stay[i] == 0) continue;
    EXPECT_GT(plan.source[i], last_stay);
    last_stay = plan.source[i];
  }
  for (uint32_t index : plan.removed) ++used[index];
  EXPECT_TRUE(std::ranges::all_of(used, [](int count) { return count == 1; }));
}

TEST(ChildPlan, RandomKeyedListsGetTheFewestMoves) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<std::string> before;
    std::vector<std::string> after;
    for (char c = 'a'; c < 'm'; ++c) {
      if (random() % 3 != 0) before.emplace_back(1, c);
      if (random() % 3 != 0) after.emplace_back(1, c);
    }
    std::ranges::shuffle(before, random);
    std::ranges::shuffle(after, random);
    const ChildPlan result = plan(Children(before), Children(after));
    expect_consistent(result, before.size());
    const size_t stays =
        static_cast<size_t>(std::accumulate(result.stay.begin(), result.stay.end(), 0));
    EXPECT_EQ(stays, longest_run(result.source));
  }
}

TEST(ChildPlan, RandomMixedListsAreConsistent) {
  constexpr const char* kWords[] = {"#p", "#q", "#p", "a", "b", "c", "d", "e"};
  for (uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto pick = [&] {
      std::vector<std::string> words(std::begin(kWords), std::end(kWords));
      std::ranges::shuffle(words, random);
      words.resize(random() % words.size());
      return words;
    };
    const std::vector<std::string> before = pick();
    const std::vector<std::string> after = pick();
    expect_consistent(plan(Children(before), Children(after)), before.size());
  }
}

}  // namespace
}  // namespace lattice::vdom
