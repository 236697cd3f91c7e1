// SPDX-License-Identifier: MIT
#include "lattice/reactive/inspect.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lattice/reactive/effect.hpp"
#include "lattice/reactive/inspect_text.hpp"
#include "lattice/reactive/memo.hpp"
#include "lattice/reactive/scope.hpp"
#include "lattice/reactive/signal.hpp"

namespace lattice {
namespace {

using inspect::Cause;
using inspect::Explanation;
using inspect::Kind;
using inspect::NodeView;
using inspect::Snapshot;

// A runtime of its own that records.
struct Recorded {
  explicit Recorded(inspect::RecordOptions options = {}) { inspect::record(runtime, options); }
  ~Recorded() { inspect::stop_all(); }
  Runtime runtime;
  RuntimeEntry entry{runtime};
};

template <class Handle>
std::string why(const Handle& handle) {
  return inspect::explain(handle.handle()).text();
}

const NodeView* find(const Snapshot& snapshot, std::string_view name) {
  for (const NodeView& node : snapshot.nodes) {
    if (node.name == name) return &node;
  }
  return nullptr;
}

TEST(Explain, NamesTheChainOfMemosAndWritesThatMadeAnEffectRun) {
  Recorded recorded;
  Signal<int> count(5, "count");
  auto doubled = memo([=] { return count.get() * 2; }, "doubled");
  auto log = effect([=] { doubled.get(); }, {.name = "log"});
  count.set(6);
  EXPECT_EQ(why(log),
            "log ran because doubled changed (10 -> 12), because count was written (5 -> 6).");
  EXPECT_EQ(why(count), "count was written (5 -> 6).");
  const Explanation explanation = inspect::explain(log.handle());
  ASSERT_EQ(explanation.causes.size(), 1u);
  EXPECT_EQ(explanation.causes[0].what, Cause::What::Changed);
  EXPECT_EQ(explanation.causes[0].node, doubled.handle());
  ASSERT_EQ(explanation.causes[0].causes.size(), 1u);
  EXPECT_EQ(explanation.causes[0].causes[0].node, count.handle());
  EXPECT_EQ(explanation.runs, 2u);
}

TEST(Explain, SaysThatAFirstRunIsAFirstRun) {
  Recorded recorded;
  Signal<int> count(5, "count");
  auto doubled = memo([=] { return count.get() * 2; }, "doubled");
  auto log = effect([=] { doubled.get(); }, {.name = "log"});
  EXPECT_EQ(why(log), "log ran because it was made.");
  EXPECT_EQ(why(doubled), "doubled was recomputed because it was read for the first time by log.");
  EXPECT_EQ(why(count), "count was not written since recording began.");
}

TEST(Explain, SaysWhyAnEffectDidNotRun) {
  Recorded recorded;
  Signal<int> count(5, "count");
  auto parity = memo([=] { return count.get() % 2; }, "parity");
  auto log = effect([=] { parity.get(); }, {.name = "log"});
  count.set(7);
  EXPECT_EQ(why(parity),
            "parity was recomputed because count was written (5 -> 7). Its value stayed 1, so its "
            "readers did not run.");
  EXPECT_EQ(why(log),
            "log ran because it was made. It did not run since: parity was recomputed to an equal "
            "value (1), because count was written (5 -> 7).");
  EXPECT_EQ(inspect::explain(log.handle()).cut_offs.size(), 1u);
}

TEST(Explain, NamesAllSourcesOfABatch) {
  Recorded recorded;
  Signal<int> a(1, "a"), b(2, "b"), c(3, "c");
  auto log = effect([=] { a.get(), b.get(), c.get(); }, {.name = "log"});
  batch([&] {
    a.set(10);
    b.set(20);
    b.set(2);
    c.set(30);
  });
  EXPECT_EQ(why(log), "log ran because a was written (1 -> 10), and c was written (3 -> 30).");
}

TEST(Explain, GoesThroughAWriteToTheEffectThatWrote) {
  Recorded recorded;
  Signal<int> typed(1, "typed"), saved(0, "saved");
  effect([=] { saved.set(typed.get()); }, {.name = "save"});
  auto log = effect([=] { saved.get(); }, {.name = "log"});
  typed.set(2);
  EXPECT_EQ(why(log),
            "log ran because saved was written (1 -> 2) by save, which ran because typed was "
            "written (1 -> 2).");
}

TEST(Explain, AMemoThatNobodyObservesSaysSo) {
  Recorded recorded;
  Signal<int> count(5, "count");
  auto doubled = memo([=] { return count.get() * 2; }, "doubled");
  auto log = effect([=] { doubled.get(); });
  log.dispose();
  doubled.get();
  EXPECT_EQ(why(doubled),
            "doubled was recomputed because nobody observed it, so nothing was kept, and it was "
            "read again. Its value stayed 10, so its readers did not run.");
}

TEST(Explain, AScheduledEffectHasNoCauseAmongItsSources) {
  Recorded recorded;
  Signal<int> count(5, "count");
  auto log = effect([=] { count.get(); }, {.name = "log"});
  log.schedule();
  recorded.runtime.flush();
  EXPECT_EQ(why(log), "log ran because it was scheduled.");
}

TEST(Explain, TellsOfAStaleMemoWhatItWaitsFor) {
  Recorded recorded;
  Signal<int> count(5, "count");
  auto doubled = memo([=] { return count.get() * 2; }, "doubled");
  doubled.get();
  count.set(6);
  EXPECT_EQ(why(doubled),
            "doubled was recomputed because it was read for the first time. It is stale and will "
            "be recomputed when it is read, because count was written (5 -> 6).");
}

TEST(Explain, AnErrorIsTold) {
  Recorded recorded;
  Signal<int> count(5, "count");
  auto broken = memo(
      [=]() -> int {
        if (count.get() > 5) throw Error("too large");
        return 1;
      },
      "broken");
  broken.get();
  count.set(6);
  EXPECT_THROW(broken.get(), Error);
  EXPECT_EQ(why(broken),
            "broken was recomputed because count was written (5 -> 6). Its function raised an "
            "error.");
}

TEST(Explain, WithoutARecordingItTellsTheSources) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> count(5, "count");
  auto log = effect([=] { count.get(); }, {.name = "log"});
  EXPECT_EQ(why(log), "log: nothing is recorded. It reads count (signal).");
  EXPECT_FALSE(inspect::explain(log.handle()).is_recording);
  log.dispose();
  EXPECT_FALSE(inspect::explain(log.handle()).is_alive);
}

TEST(Explain, ARecordingThatBeginsLateKnowsTheValuesBefore) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> count(5, "count");
  auto log = effect([=] { count.get(); }, {.name = "log"});
  inspect::record(runtime);
  count.set(6);
  EXPECT_EQ(why(log), "log ran because count was written (5 -> 6).");
  inspect::stop(runtime);
  count.set(7);
  EXPECT_EQ(inspect::explain(log.handle()).runs, 1u);
}

TEST(Explain, APullInsideARunIsNoCauseOfTheNext) {
  Recorded recorded;
  Signal<int> a(1, "a"), b(1, "b");
  auto doubled = memo([=] { return a.get() * 2; }, "doubled");
  auto log = effect([=] { doubled.get(), b.get(); }, {.name = "log"});
  b.set(2);
  EXPECT_EQ(why(log), "log ran because b was written (1 -> 2).");
}

TEST(Explain, AChainIsBoundedByTheRing) {
  Recorded recorded({.events_max = 8});
  Signal<int> count(0, "count"), other(0, "other");
  auto log = effect([=] { count.get(); }, {.name = "log"});
  effect([=] { other.get(); }, {.name = "noise"});
  count.set(1);
  for (int i = 1; i != 100; ++i) other.set(i);
  EXPECT_EQ(why(log), "log ran because count was written (0 -> 1).") << "kept with the node";
  EXPECT_EQ(recorded.runtime.graph().recorder()->events().size(), 8u);
}

// An effect that writes its own cause: the chain has no end, what is told of it has.
TEST(Explain, ALongChainOfWritesEndsSomewhere) {
  Recorded recorded;
  Signal<int> count(0, "count");
  effect(
      [=] {
        if (int n = count.get(); n != 0 && n < 1000) count.set(n + 1);
      },
      {.name = "step"});
  auto other = effect([=] { count.get(); }, {.name = "other"});
  count.set(1);
  EXPECT_LT(why(other).size(), 20'000u);
}

TEST(Recorder, CountsRunsChangesAndTime) {
  Recorded recorded;
  Signal<int> count(0, "count");
  auto parity = memo([=] { return count.get() % 2; }, "parity");
  effect([=] { parity.get(); }, {.name = "log"});
  for (int i = 1; i <= 10; ++i) count.set(2 * i);
  count.set(1);
  const Snapshot snapshot = inspect::snapshot(recorded.runtime);
  EXPECT_EQ(find(snapshot, "parity")->runs, 12u);
  EXPECT_EQ(find(snapshot, "parity")->changes, 2u);
  EXPECT_EQ(find(snapshot, "count")->changes, 11u);
  EXPECT_EQ(find(snapshot, "log")->runs, 2u);
  EXPECT_GT(find(snapshot, "log")->total.count(), 0);
  EXPECT_GE(find(snapshot, "log")->total, find(snapshot, "log")->longest);
}

TEST(Recorder, TimeOfWhatRunsInsideCountsForItself) {
  Recorded recorded;
  Signal<int> count(0, "count");
  auto slow = memo(
      [=] {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
        while (std::chrono::steady_clock::now() < end) {
        }
        return count.get();
      },
      "slow");
  effect([=] { slow.get(); }, {.name = "log"});
  const Snapshot snapshot = inspect::snapshot(recorded.runtime);
  EXPECT_GE(find(snapshot, "slow")->self, std::chrono::milliseconds(5));
  EXPECT_GE(find(snapshot, "log")->total, std::chrono::milliseconds(5));
  EXPECT_LT(find(snapshot, "log")->self, std::chrono::milliseconds(5));
}

TEST(Recorder, OffTheTableHoldsTheTypesOwnFunctions) {
  auto is_plain = [] {
    const uint16_t type = reactive::MemoNode<int, int (*)(), DefaultEqual>::type();
    return reactive::node_updates[type] == reactive::node_types[type].update;
  };
  ASSERT_TRUE(is_plain());
  {
    Runtime runtime;
    RuntimeEntry entry(runtime);
    EXPECT_EQ(runtime.graph().recorder(), nullptr);
    inspect::record(runtime);
    EXPECT_FALSE(is_plain());
    inspect::stop(runtime);
  }
  EXPECT_TRUE(is_plain());
  inspect::record_all();
  EXPECT_FALSE(is_plain());
  inspect::stop_all();
  EXPECT_TRUE(is_plain());
}

TEST(Recorder, TypesRegisteredLaterAreRecordedToo) {
  Recorded recorded;
  struct Local {};
  Signal<int> count(1, "count");
  auto log = effect([=, local = Local{}] { static_cast<void>(local), count.get(); });
  EXPECT_EQ(inspect::explain(log.handle()).runs, 1u);
}

TEST(Recorder, AnotherRuntimeIsNotRecorded) {
  Recorded recorded;
  Runtime other;
  RuntimeEntry entry(other);
  Signal<int> count(1, "count");
  effect([=] { count.get(); });
  count.set(2);
  EXPECT_EQ(other.graph().recorder(), nullptr);
  EXPECT_FALSE(inspect::is_recording(other));
  EXPECT_TRUE(inspect::is_recording(recorded.runtime));
}

TEST(Recorder, AllRuntimesRecordWhenAsked) {
  inspect::record_all();
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> count(1, "count");
  auto log = effect([=] { count.get(); }, {.name = "log"});
  count.set(2);
  EXPECT_EQ(why(log), "log ran because count was written (1 -> 2).");
  inspect::stop_all();
}

TEST(Recorder, ANodeThatDisposesItselfWhileItRunsIsNoTrouble) {
  Recorded recorded;
  Signal<int> count(0, "count");
  std::vector<Effect> once;
  once.push_back(effect([&] {
    if (count.get() == 1) once[0].dispose();
  }));
  auto kept = effect([=] { count.get(); }, {.name = "kept"});
  count.set(1);
  EXPECT_FALSE(once[0].alive());
  EXPECT_EQ(why(once[0]), "It was disposed, with what was recorded of it.");
  EXPECT_EQ(why(kept), "kept ran because count was written (0 -> 1).");
}

TEST(Recorder, ASlotThatIsUsedAgainStartsFromNothing) {
  Recorded recorded;
  Signal<int> count(0, "count");
  auto first = effect([=] { count.get(); }, {.name = "first"});
  count.set(1);
  first.dispose();
  auto second = effect([=] { count.get(); }, {.name = "second"});
  EXPECT_EQ(inspect::explain(second.handle()).runs, 1u);
  EXPECT_EQ(why(second), "second ran because it was made.");
}

TEST(Recorder, MayBeTurnedOffByARunThatItRecords) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  inspect::record(runtime);
  Signal<int> count(0, "count");
  auto log = effect([&] {
    if (count.get() == 1) inspect::stop_all();
  });
  count.set(1);
  count.set(2);
  EXPECT_EQ(inspect::explain(log.handle()).runs, 2u);
}

TEST(Snapshot, ShowsNodesEdgesAndOwners) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> count(5, "count");
  auto doubled = memo([=] { return count.get() * 2; }, "doubled");
  auto outer = effect([=] { effect([=] { doubled.get(); }, {.name = "inner"}); },
                      {.phase = Phase::Render, .name = "outer"});
  const Snapshot snapshot = inspect::snapshot(runtime);
  EXPECT_EQ(snapshot.nodes_total, 4u);
  EXPECT_EQ(snapshot.nodes.size(), 4u);
  EXPECT_EQ(snapshot.edges.size(), 2u);
  EXPECT_EQ(find(snapshot, "count")->value, "5");
  EXPECT_EQ(find(snapshot, "doubled")->value, "10");
  EXPECT_TRUE(find(snapshot, "outer")->is_render_phase);
  EXPECT_EQ(find(snapshot, "inner")->owner, outer.handle());
  ASSERT_EQ(snapshot.owners.size(), 1u);
  EXPECT_EQ(snapshot.owners[0].name, "outer");
  EXPECT_FALSE(snapshot.is_recording);
}

TEST(Snapshot, ComputesNothing) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> count(5, "count");
  auto doubled = memo([=] { return count.get() * 2; }, "doubled");
  EXPECT_TRUE(find(inspect::snapshot(runtime), "doubled")->is_stale);
  EXPECT_EQ(find(inspect::snapshot(runtime), "doubled")->value, "");
  EXPECT_EQ(doubled.runs(), 0u);
}

TEST(Snapshot, IsBoundedAndFiltered) {
  Recorded recorded;
  std::vector<Signal<int>> signals;
  for (int i = 0; i != 100; ++i) {
    Signal<int> made(i, "signal_" + std::to_string(i));
    signals.push_back(made);
    effect([=] { made.get(); }, {.name = "Effect_" + std::to_string(i)});
  }
  signals[42].set(1000);
  const Snapshot few = inspect::snapshot(recorded.runtime, {.nodes_max = 3});
  EXPECT_EQ(few.nodes.size(), 3u);
  EXPECT_EQ(few.nodes_total, 200u);
  EXPECT_EQ(few.nodes[0].name, "Effect_42") << "it ran most often";
  const Snapshot found = inspect::snapshot(recorded.runtime, {.filter = "effect_7"});
  EXPECT_EQ(found.matches, 11u);
  EXPECT_EQ(found.edges.size(), 0u);
}

TEST(Snapshot, AroundANodeShowsWhatItDependsOnAndWhatDependsOnIt) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> a(1, "a"), b(1, "b");
  auto left = memo([=] { return a.get(); }, "left");
  auto right = memo([=] { return b.get(); }, "right");
  auto both = memo([=] { return left.get() + right.get(); }, "both");
  effect([=] { both.get(); }, {.name = "log"});
  const Snapshot snapshot = inspect::snapshot(runtime, {.around = left.handle()});
  EXPECT_EQ(snapshot.nodes.size(), 4u);
  EXPECT_EQ(snapshot.nodes[0].name, "left") << "nearest first";
  EXPECT_NE(find(snapshot, "a"), nullptr);
  EXPECT_EQ(find(snapshot, "b"), nullptr);
  EXPECT_NE(find(snapshot, "log"), nullptr);
}

TEST(Snapshot, NamesAreQuotedInDotAndJson) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<std::string> text(std::string("say \"hi\"\n\xff"), DefaultEqual{}, "a\"b\\c");
  const Snapshot snapshot = inspect::snapshot(runtime);
  EXPECT_NE(inspect::dot(snapshot).find(R"(label="a\"b\\c\n\"say \"hi\"\n)"), std::string::npos)
      << inspect::dot(snapshot);
  const std::string json = inspect::json(snapshot);
  EXPECT_NE(json.find(R"("name":"a\"b\\c")"), std::string::npos) << json;
  EXPECT_NE(json.find("\xef\xbf\xbd"), std::string::npos) << json;
  EXPECT_EQ(json.find('\xff'), std::string::npos);
}

TEST(Snapshot, DotPutsNodesOfAnOwnerIntoACluster) {
  Runtime runtime;
  RuntimeEntry entry(runtime);
  Signal<int> count(5, "count");
  effect([=] { effect([=] { count.get(); }, {.name = "inner"}); }, {.name = "outer"});
  const std::string dot = inspect::dot(inspect::snapshot(runtime));
  EXPECT_EQ(dot.rfind("digraph lattice {", 0), 0u);
  EXPECT_NE(dot.find("subgraph cluster_n"), std::string::npos) << dot;
  EXPECT_NE(dot.find(" -> "), std::string::npos);
}

TEST(InspectText, AnIdComesBackAsItsHandle) {
  const reactive::NodeHandle handle{17, 3};
  EXPECT_EQ(inspect::handle_of_id(inspect::id_text(handle)), handle);
  for (const char* bad : {"", ".", "17", "17.", ".3", "17.3x", "x", "-1.2", "99999999999.1"}) {
    EXPECT_EQ(inspect::handle_of_id(bad), reactive::NodeHandle{}) << bad;
  }
}

TEST(InspectText, LongTextIsCutAtACharacter) {
  EXPECT_EQ(inspect::shortened("abc", 3), "abc");
  EXPECT_EQ(inspect::shortened("abcd", 3), "abc…");
  EXPECT_EQ(inspect::shortened("ab\xc3\xa4", 3), "ab…");
}

}  // namespace
}  // namespace lattice
