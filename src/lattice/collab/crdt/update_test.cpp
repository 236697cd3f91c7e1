// SPDX-License-Identifier: MIT
// Updates that Yjs never writes: hostile, cut off, in odd orders. What it does write is in
// update_golden_test.cpp.
#include "lattice/collab/crdt/update.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "lattice/collab/crdt/struct_reader.hpp"
#include "lattice/collab/crdt/struct_writer.hpp"

namespace lattice::crdt {
namespace {

using Bytes = std::vector<uint8_t>;

StructView string_of(ClientId client, Clock clock, std::string_view text) {
  StructView view;
  view.id = {client, clock};
  view.kind = StructKind::String;
  view.text = text;
  view.length = utf16_length(text);
  if (clock == 0) {
    view.parent_kind = ParentKind::Root;
    view.parent_root = "text";
  } else {
    view.has_origin = true;
    view.origin = {client, clock - 1};
  }
  return view;
}

StructView run_of(StructKind kind, ClientId client, Clock clock, Clock length) {
  StructView view;
  view.id = {client, clock};
  view.kind = kind;
  view.length = length;
  return view;
}

template <class UpdateEncoder = UpdateEncoderV1>
Bytes update_of(std::initializer_list<StructView> views, const IdSet& deleted = {}) {
  StructWriter<UpdateEncoder> writer;
  for (const StructView& view : views) writer.write(view);
  return writer.finish(deleted);
}

// "2:0+3 2:3+2S ...": client, clock, length, and G or S for collected and skipped.
std::string structs_of(const Result<Bytes>& update, Encoding encoding = Encoding::V1) {
  if (!update.ok()) return update.error();
  const Bytes v1 = convert_update(update.value(), encoding, Encoding::V1).value();
  std::string text;
  StructReaderV1 reader(v1);
  for (StructView view; reader.next(view);) {
    if (!text.empty()) text += ' ';
    text += std::to_string(view.id.client) + ":" + std::to_string(view.id.clock) + "+" +
            std::to_string(view.length);
    if (view.kind == StructKind::Gc) text += "G";
    if (view.kind == StructKind::Skip) text += "S";
  }
  EXPECT_TRUE(reader.ok());
  return text;
}

Result<Bytes> merge(const std::vector<Bytes>& updates, Encoding encoding = Encoding::V1) {
  const std::vector<ByteView> views(updates.begin(), updates.end());
  return merge_updates(views, encoding);
}

TEST(MergeUpdates, AGapBecomesASkipAndIsFilledLater) {
  const Bytes first = update_of({string_of(2, 0, "abc")});
  const Bytes last = update_of({string_of(2, 5, "fg"), string_of(1, 0, "x")});
  const Bytes gap = merge({last, first}).value();
  EXPECT_EQ(structs_of(gap), "2:0+3 2:3+2S 2:5+2 1:0+1");
  EXPECT_EQ(state_vector_of_update(gap).value().get(2), 3U);
  const Bytes middle = update_of({string_of(2, 3, "de")});
  EXPECT_EQ(structs_of(merge({gap, middle})), "2:0+3 2:3+2 2:5+2 1:0+1");
}

TEST(MergeUpdates, AnOverlapIsCutAndASplitPairReplaced) {
  const Bytes short_one = update_of({string_of(2, 0, "abc")});
  const Bytes long_one = update_of({string_of(2, 0, "ab😀d")});
  const Bytes merged = merge({short_one, long_one}).value();
  EXPECT_EQ(structs_of(merged), "2:0+3 2:3+2");
  StructReaderV1 reader(merged);
  StructView view;
  ASSERT_TRUE(reader.next(view) && reader.next(view));
  EXPECT_EQ(view.text,
            "\xEF\xBF\xBD"
            "d");
  EXPECT_EQ(view.origin, (Id{2, 2}));
}

TEST(MergeUpdates, NothingMergesToAnEmptyUpdate) {
  EXPECT_EQ(merge({}).value(), (Bytes{0, 0}));
  const Bytes one = {9, 9, 9};
  EXPECT_EQ(merge({one}).value(), one);  // a single update is not looked into
}

TEST(MergeUpdates, DeletionsAreJoined) {
  IdSet a;
  a.add(1, 5, 5);
  a.add(7, 0, 1);
  IdSet b;
  b.add(1, 8, 4);
  b.add(1, 0, 2);
  const Bytes merged = merge({update_of({}, a), update_of({}, b)}).value();
  Decoder decoder(merged);
  EXPECT_EQ(decoder.var_uint(), 0U);
  const IdSet all = IdSet::read(decoder, Encoding::V1);
  EXPECT_EQ(all.ranges(), (std::vector<IdRange>{{7, 0, 1}, {1, 0, 2}, {1, 5, 7}}));
  EXPECT_TRUE(all.contains({1, 11}) && !all.contains({1, 12}) && !all.contains({2, 0}));
  EXPECT_EQ(all.of_client(1).size(), 2U);
}

// More streams than the list for few of them takes, in every order, in both encodings.
TEST(MergeUpdates, ManyUpdatesMergeToTheSameBytesInAnyOrder) {
  std::vector<Bytes> v1;
  std::vector<Bytes> v2;
  for (Clock clock = 0; clock < 100; ++clock) {
    for (const ClientId client : {3, 1, 2}) {
      v1.push_back(update_of({string_of(client, clock, "x")}));
      v2.push_back(update_of<UpdateEncoderV2>({string_of(client, clock, "x")}));
    }
  }
  const Bytes expected = merge(v1).value();
  EXPECT_EQ(update_meta(expected).value().to.get(3), 100U);
  uint32_t seed = 7;
  for (int round = 0; round < 5; ++round) {
    for (size_t i = v1.size() - 1; i > 0; --i) {
      seed = seed * 1664525 + 1013904223;
      const size_t other = (seed >> 8) % (i + 1);
      std::swap(v1[i], v1[other]);
      std::swap(v2[i], v2[other]);
    }
    EXPECT_EQ(merge(v1).value(), expected);
    const Bytes merged = merge(v2, Encoding::V2).value();
    EXPECT_EQ(convert_update(merged, Encoding::V2, Encoding::V1).value(), expected);
    const std::vector<Bytes> few(v1.begin(), v1.begin() + 40);
    EXPECT_TRUE(merge(few).ok());
  }
}

TEST(MergeUpdates, TheUpdateThatCannotBeReadIsNamed) {
  const Bytes good = update_of({string_of(2, 0, "abc")});
  Bytes bad = good;
  bad.resize(bad.size() - 3);
  const Result<Bytes> merged = merge({good, bad});
  ASSERT_FALSE(merged.ok());
  EXPECT_NE(merged.error().find("update 1 of 2"), std::string::npos) << merged.error();
}

TEST(UpdateCodec, ATruncatedUpdateIsRefusedAtEveryByte) {
  IdSet deleted;
  deleted.add(9, 1, 2);
  for (const Encoding encoding : {Encoding::V1, Encoding::V2}) {
    StructView format = run_of(StructKind::Format, 9, 3, 1);
    format.has_origin = true;
    format.origin = {9, 2};
    format.text = "bold";
    format.is_json_value = true;
    format.value = bytes_of("true");
    const Bytes whole =
        encoding == Encoding::V1
            ? update_of({string_of(9, 0, "aé😀"), format, run_of(StructKind::Gc, 4, 0, 8)}, deleted)
            : update_of<UpdateEncoderV2>(
                  {string_of(9, 0, "aé"), format, run_of(StructKind::Gc, 4, 0, 8)}, deleted);
    EXPECT_TRUE(convert_update(whole, encoding, encoding).ok());
    for (size_t size = 0; size < whole.size(); ++size) {
      const ByteView cut = ByteView(whole).first(size);
      EXPECT_FALSE(convert_update(cut, encoding, encoding).ok()) << size;
      EXPECT_FALSE(diff_update(cut, StateVector(), encoding).ok()) << size;
    }
  }
}

TEST(UpdateCodec, ClocksEndAt32Bits) {
  const Bytes last = update_of({run_of(StructKind::Gc, 1, kClockMax - 4, 4)});
  EXPECT_TRUE(convert_update(last, Encoding::V1, Encoding::V2).ok());
  Encoder beyond;
  for (const uint64_t number : {uint64_t{1}, uint64_t{1}, uint64_t{1}, uint64_t{kClockMax} - 4}) {
    beyond.var_uint(number);
  }
  beyond.u8(0);
  beyond.var_uint(5);
  beyond.u8(0);
  const Result<Bytes> result = convert_update(beyond.bytes(), Encoding::V1, Encoding::V1);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().find("2^32"), std::string::npos) << result.error();
}

// A few bytes of v2 that say "collected, length 1" 2^53 times.
TEST(UpdateCodec, ColumnsThatRepeatForEverAreBounded) {
  Encoder update;
  UintOptRleWriter client;
  client.write(5);
  UintOptRleWriter unused;
  update.u8(0);
  update.var_bytes({});
  update.var_bytes(client.finish());
  update.var_bytes({});
  update.var_bytes({});
  update.var_bytes(std::array<uint8_t, 1>{0});
  update.var_bytes(std::array<uint8_t, 1>{0});
  update.var_bytes({});
  update.var_bytes({});
  Encoder lengths;
  lengths.var_int(SignedVarint{1, true});
  lengths.var_uint(kSafeIntegerMax - 2);
  update.var_bytes(lengths.bytes());
  update.var_uint(1);
  update.var_uint(kSafeIntegerMax);
  update.var_uint(0);
  uint64_t structs = 0;
  StructReaderV2 reader(update.bytes());
  for (StructView view; reader.next(view);) ++structs;
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(structs, kStructsMin);
  // And a thousand such updates share one bound.
  const std::vector<ByteView> many(1000, update.bytes());
  EXPECT_FALSE(merge_updates(many, Encoding::V2).ok());
}

TEST(UpdateCodec, WhatNoYjsWritesIsRefused) {
  const auto refuses = [](std::initializer_list<uint8_t> structs, const char* reason) {
    Bytes bytes = {1, 1, 1, 0};
    bytes.insert(bytes.end(), structs);
    bytes.push_back(0);
    const Result<Bytes> result = convert_update(bytes, Encoding::V1, Encoding::V1);
    ASSERT_FALSE(result.ok()) << reason;
    EXPECT_NE(result.error().find(reason), std::string::npos) << result.error();
  };
  refuses({0, 0}, "without length");
  refuses({11, 1, 1, 't'}, "unknown kind of struct");
  refuses({0x80 | 10, 1, 0}, "unknown kind of struct");
  refuses({7, 1, 1, 't', 7}, "unknown shared type");
  refuses({4, 1, 1, 't', 2, 0xC3, 0x28}, "UTF-8");
  refuses({5, 1, 1, 't', 2, '{', '{'}, "JSON");
  refuses({4, 1, 1, 't', 0}, "without length");
}

TEST(DiffUpdate, TheFirstStructIsCutAndSkipsBeforeItAreLeftOut) {
  const Bytes update = update_of({string_of(2, 0, "abc"), run_of(StructKind::Skip, 2, 3, 2),
                                  string_of(2, 5, "fgh"), string_of(1, 0, "xy")});
  const auto diff = [&update](Clock known) {
    StateVector state;
    state.set(2, known);
    return structs_of(diff_update(update, state));
  };
  EXPECT_EQ(diff(0), "2:0+3 2:3+2S 2:5+3 1:0+2");
  EXPECT_EQ(diff(2), "2:2+1 2:3+2S 2:5+3 1:0+2");
  EXPECT_EQ(diff(3), "2:5+3 1:0+2");
  EXPECT_EQ(diff(6), "2:6+2 1:0+2");
  EXPECT_EQ(diff(8), "1:0+2");
}

TEST(ContainsUpdate, StateAndDeletionsBothCount) {
  IdSet deleted;
  deleted.add(2, 1, 1);
  const Bytes update = update_of({string_of(2, 0, "abc")}, deleted);
  StateVector state;
  state.set(2, 3);
  EXPECT_TRUE(contains_update(state, deleted, update).value());
  EXPECT_FALSE(contains_update(state, IdSet(), update).value());
  state.set(2, 2);
  EXPECT_FALSE(contains_update(state, deleted, update).value());
}

TEST(StateVector, EntriesStandHighestClientFirstAndTheLastOfEqualOnesCounts) {
  StateVector state;
  for (const ClientId client : {5, 9, 1, 5})
    state.set(client, static_cast<Clock>(client + state.size()));
  EXPECT_EQ(state.size(), 3U);
  EXPECT_EQ(state.get(5), 8U);
  EXPECT_EQ(state.entries().front().client, 9U);
  EXPECT_EQ(StateVector::decode(state.encode()).value(), state);
  EXPECT_FALSE(StateVector::decode(Bytes{5, 1}).ok());
}

}  // namespace
}  // namespace lattice::crdt
