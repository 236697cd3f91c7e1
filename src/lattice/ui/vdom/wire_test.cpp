// SPDX-License-Identifier: MIT
// Encoder behaviour beyond the golden frames, and the client decoder on bytes of strangers.
#include "lattice/ui/vdom/wire.hpp"

#include <gtest/gtest.h>

#include <random>

#include "lattice/base/error.hpp"
#include "lattice/ui/vdom/frame_decoder.hpp"
#include "lattice/ui/vdom/internal/json_for_tests.hpp"
#include "lattice/ui/vdom/internal/random_tree_for_tests.hpp"

namespace lattice::vdom {
namespace {

Value string(const char* data) { return std::string(data); }

DownFrame decode(const std::vector<uint8_t>& bytes) {
  FrameDecoder decoder;
  Result<DownFrame> frame = decoder.decode(bytes);
  EXPECT_TRUE(frame.ok()) << (frame.ok() ? "" : frame.error());
  return std::move(frame).value();
}

DownTree insert(const VNode& node) {
  FrameEncoder encoder;
  encoder.begin(1, 0);
  encoder.insert(0, 0, 1, node);
  return decode(encoder.take()).ops.at(0).tree.at(0);
}

TEST(FrameEncoder, ATextChangeTakesAtMostTwelveBytes) {
  FrameEncoder encoder;
  encoder.begin(1, 0);
  encoder.text(9999, "1234");
  EXPECT_LE(encoder.take().size(), 12u);
}

TEST(FrameEncoder, ANameIsSentOncePerConnection) {
  FrameEncoder encoder;
  encoder.begin(1, 0);
  encoder.set_attr(1, "title", string("x"));
  const size_t first = encoder.take().size();
  encoder.begin(2, 0);
  encoder.set_attr(1, "title", string("x"));
  EXPECT_EQ(encoder.take().size(), first - 6);
}

TEST(FrameEncoder, ARefusedOpLeavesFrameAndAtomsAsTheyWere) {
  FrameEncoder encoder;
  encoder.begin(1, 0);
  encoder.text(1, "a");
  const size_t size = encoder.size();
  EXPECT_THROW(
      encoder.insert(0, 0, 1, VNode::element("div", {{"title", string("x")}}, {VNode::slot({1})})),
      Error);
  EXPECT_THROW(encoder.set_attr(1, "href", string("javascript:x")), Error);
  EXPECT_THROW(encoder.set_attr(1, "title", SlotId{1}), Error);
  EXPECT_EQ(encoder.size(), size);
  encoder.set_attr(1, "title", string("y"));
  const DownFrame frame = decode(encoder.take());
  ASSERT_EQ(frame.ops.size(), 2u);
  EXPECT_EQ(frame.ops[1].name, "title");
}

TEST(FrameEncoder, NamesBeyondTheAtomBoundAreSentInFull) {
  FrameEncoder encoder;
  FrameDecoder decoder;
  encoder.begin(1, 0);
  for (uint32_t i = 0; i < kAtomsMax + 3; ++i) {
    encoder.set_class(1, std::to_string(i).insert(0, 1, 'c'), true);
  }
  encoder.set_class(1, std::to_string(kAtomsMax + 2).insert(0, 1, 'c'), false);
  const Result<DownFrame> frame = decoder.decode(encoder.take());
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame.value().ops.back().name, "c65537");
  EXPECT_EQ(frame.value().ops[kAtomsMax - 1].name, "c65534");
}

TEST(FrameEncoder, SetChoosesTheOpByTagAndName) {
  FrameEncoder encoder;
  encoder.begin(1, 0);
  encoder.set(1, "input", "value", string("x"), 7);
  encoder.set(1, "input", "checked", true);
  encoder.set(1, "p", "style.color", nullptr);
  encoder.set(1, "p", "class.on", nullptr);
  encoder.set(1, "p", "title", 1.5);
  EXPECT_THROW(encoder.set(1, "p", "class.on", string("x")), Error);
  const DownFrame frame = decode(encoder.take());
  ASSERT_EQ(frame.ops.size(), 5u);
  EXPECT_EQ(frame.ops[0].op, Op::InputValue);
  EXPECT_EQ(frame.ops[0].revision, 7u);
  EXPECT_EQ(frame.ops[1].op, Op::SetProp);
  EXPECT_EQ(frame.ops[2].op, Op::SetStyle);
  EXPECT_EQ(frame.ops[3].op, Op::SetClass);
  EXPECT_EQ(frame.ops[4].value, string("1.5"));
}

TEST(FrameEncoder, AnInputValueKeepsABooleanAsStateAndSendsANumberAsText) {
  FrameEncoder encoder;
  encoder.begin(1, 0);
  encoder.input_value(1, 2, true);
  encoder.input_value(1, 2, 0.5);
  encoder.set(1, "input", "value", true, 2);
  const DownFrame frame = decode(encoder.take());
  EXPECT_EQ(frame.ops.at(0).value, Value(true));
  EXPECT_EQ(frame.ops.at(1).value, string("0.5"));
  EXPECT_EQ(frame.ops.at(2).value, string("true"));
}

TEST(FrameEncoder, ATreePutsClassBeforeItsSwitchesAndTheInputValueLast) {
  const DownTree tree = insert(VNode::element(
      "input",
      {{"value", int64_t{9}}, {"class.on", true}, {"class", string("a")}, {"max", int64_t{10}}}));
  ASSERT_EQ(tree.attrs.size(), 4u);
  EXPECT_EQ(tree.attrs[0].name, "class");
  EXPECT_EQ(tree.attrs[1].name, "max");
  EXPECT_EQ(tree.attrs[2].op, Op::SetClass);
  EXPECT_EQ(tree.attrs[3].name, "value");
  EXPECT_EQ(tree.attrs[3].op, Op::SetProp);
}

TEST(FrameEncoder, ATreeLeavesOutWhatANewElementHasNot) {
  const DownTree tree = insert(VNode::element("p", {{"title", nullptr},
                                                    {"hidden", false},
                                                    {"class.on", false},
                                                    {"style.color", nullptr},
                                                    {"on_click", nullptr},
                                                    {"aria-hidden", false}}));
  ASSERT_EQ(tree.attrs.size(), 1u);
  EXPECT_EQ(tree.attrs[0].value, string("false"));
}

TEST(FrameEncoder, FragmentsInATreeOpenUp) {
  const DownTree tree = insert(VNode::element(
      "p", {},
      {VNode::fragment({VNode::text(string("a")), VNode::fragment({})}), VNode::text(int64_t{2})}));
  ASSERT_EQ(tree.children.size(), 2u);
  EXPECT_EQ(tree.children[1].text, "2");
}

TEST(FrameEncoder, AFragmentAloneOrADeepTreeIsRefused) {
  EXPECT_THROW(insert(VNode::fragment({})), Error);
  VNode node = VNode::element("p");
  for (size_t i = 0; i <= kTreeDepthMax; ++i) {
    VNode outer = VNode::element("div");
    outer.children.push_back(std::move(node));
    node = std::move(outer);
  }
  EXPECT_THROW(insert(node), Error);
}

size_t count(const DownTree& tree) {
  size_t nodes = 1;
  for (const DownTree& child : tree.children) nodes += count(child);
  return nodes;
}

TEST(FrameEncoder, RandomTreesTakeAsManyIdsAsCountNodesSays) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    internal::RandomTree random(seed);
    random.with_slots = false;
    const VNode node = random.element(3);
    EXPECT_EQ(count(insert(node)), count_nodes(node));
  }
}

TEST(ClientFrame, TruncationIsRefusedAtEveryByteThatIsNoFieldEnd) {
  for (const internal::Json& entry : internal::read_golden("client.json").array()) {
    const std::vector<uint8_t> bytes = internal::from_hex(entry["hex"].string());
    size_t accepted = 0;
    for (size_t size = 0; size < bytes.size(); ++size) {
      accepted += decode_client_frame(std::span(bytes).first(size)).ok() ? 1 : 0;
    }
    // An event may end after its head and after each field, but nowhere else.
    const internal::Json* fields = entry["frame"].find("fields");
    const size_t ends = fields == nullptr ? 0 : fields->object().size();
    EXPECT_EQ(accepted, ends) << entry["name"].string();
  }
}

TEST(ClientFrame, AFrameOverTheSizeBoundIsRefusedWith1009) {
  const std::vector<uint8_t> bytes(kClientFrameBytesMax + 1, 0);
  uint16_t code = 0;
  EXPECT_FALSE(decode_client_frame(bytes, &code).ok());
  EXPECT_EQ(code, 1009);
}

TEST(ClientFrame, RandomAndMutatedBytesNeverCrashAndFailWithAKnownCode) {
  std::vector<std::vector<uint8_t>> seeds;
  for (const internal::Json& entry : internal::read_golden("client.json").array()) {
    seeds.push_back(internal::from_hex(entry["hex"].string()));
  }
  std::mt19937 random(20261124);
  size_t accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::vector<uint8_t> bytes = seeds[random() % seeds.size()];
    if (random() % 4 == 0) bytes.assign(random() % 64, 0);
    for (size_t i = random() % 4; i < 4 && !bytes.empty(); ++i) {
      bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
    uint16_t code = 0;
    if (decode_client_frame(bytes, &code).ok()) {
      ++accepted;
      EXPECT_EQ(code, 0);
    } else {
      EXPECT_TRUE(code == 1002 || code == 1007) << code;
    }
  }
  EXPECT_GT(accepted, 0u);
}

}  // namespace
}  // namespace lattice::vdom
