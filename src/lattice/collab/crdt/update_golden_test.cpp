// SPDX-License-Identifier: MIT
// What real Yjs made of updates: tests/foreign/yjs/golden/updates.txt, written by
// update_corpus.mjs.
//
// LATTICE_CRDT_CORPUS names another file of the same form, for as many histories as one likes:
//   node tests/foreign/yjs/update_corpus.mjs --seed 7 --histories 2000 > corpus.txt
//   LATTICE_CRDT_CORPUS=corpus.txt build/crdt_test --gtest_filter='UpdateGolden.*'
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "lattice/collab/crdt/any.hpp"
#include "lattice/collab/crdt/update.hpp"

namespace lattice::crdt {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes from_base64(std::string_view text) {
  Bytes bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if ((count += 6) >= 8) {
      count -= 8;
      bytes.push_back(static_cast<uint8_t>(bits >> count));
    }
  }
  return bytes;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

std::vector<Bytes> list_of(const std::string& field) {
  std::vector<Bytes> list;
  if (field == "-") return list;
  for (const std::string& item : split(field, ',')) list.push_back(from_base64(item));
  return list;
}

std::string hex(ByteView bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    text.push_back("0123456789abcdef"[byte >> 4]);
    text.push_back("0123456789abcdef"[byte & 15]);
  }
  return text;
}

template <class T>
std::string shown(const Result<T>& result) {
  if (!result.ok()) return "refused: " + result.error();
  if constexpr (std::is_same_v<T, Bytes>) {
    return hex(result.value());
  } else {
    return hex(result.value().encode());
  }
}

StateVector state_of(const std::string& field) {
  Result<StateVector> state = StateVector::decode(from_base64(field));
  EXPECT_TRUE(state.ok());
  return state.ok() ? state.value() : StateVector();
}

Encoding encoding_of(const std::string& field) {
  return field == "v2" ? Encoding::V2 : Encoding::V1;
}

void check_merge(const std::vector<std::string>& fields) {
  const std::vector<Bytes> updates = list_of(fields[2]);
  const std::vector<ByteView> views(updates.begin(), updates.end());
  EXPECT_EQ(shown(merge_updates(views, encoding_of(fields[1]))), hex(from_base64(fields[3])));
}

void check_meta(const std::vector<std::string>& fields) {
  const Result<UpdateMeta> meta = update_meta(from_base64(fields[2]), encoding_of(fields[1]));
  ASSERT_TRUE(meta.ok()) << meta.error();
  EXPECT_EQ(hex(meta.value().from.encode()), hex(from_base64(fields[3])));
  EXPECT_EQ(hex(meta.value().to.encode()), hex(from_base64(fields[4])));
}

void check_snapshot(const std::vector<std::string>& fields) {
  const Bytes bytes = from_base64(fields[2]);
  Decoder decoder(bytes);
  const IdSet deleted = IdSet::read(decoder, encoding_of(fields[1]));
  const StateVector state = StateVector::read(decoder);
  ASSERT_TRUE(decoder.ok() && decoder.at_end());
  Encoder encoder;
  deleted.write(encoder, encoding_of(fields[1]));
  state.write(encoder);
  EXPECT_EQ(hex(encoder.bytes()), hex(bytes));
}

void check_contains(const std::vector<std::string>& fields) {
  const Bytes deleted_bytes = from_base64(fields[2]);
  Decoder decoder(deleted_bytes);
  const IdSet deleted = IdSet::read(decoder, Encoding::V1);
  const Result<bool> result =
      contains_update(state_of(fields[3]), deleted, from_base64(fields[4]), encoding_of(fields[1]));
  ASSERT_TRUE(result.ok()) << result.error();
  EXPECT_EQ(result.value(), fields[5] == "true");
}

void check_any(const std::vector<std::string>& fields) {
  const Bytes bytes = from_base64(fields[1]);
  Decoder decoder(bytes);
  const Any value = read_any(decoder);
  ASSERT_TRUE(decoder.ok() && decoder.at_end()) << hex(bytes);
  Encoder again;
  write_any(again, value);
  EXPECT_EQ(hex(again.bytes()), hex(bytes));
  Decoder skipped(bytes);
  skip_any(skipped);
  EXPECT_TRUE(skipped.ok() && skipped.at_end());
  if (fields[2] == "-") return;
  const Bytes json = from_base64(fields[2]);
  EXPECT_EQ(to_json(value), std::string(text_of(json)));
}

void check_json(const std::vector<std::string>& fields) {
  const Bytes json = from_base64(fields[1]);
  EXPECT_TRUE(is_valid_json(text_of(json)));
  const Result<Any> value = parse_json(text_of(json));
  ASSERT_TRUE(value.ok()) << text_of(json);
  Encoder encoder;
  write_any(encoder, value.value());
  EXPECT_EQ(hex(encoder.bytes()), hex(from_base64(fields[2]))) << text_of(json);
  EXPECT_EQ(to_json(value.value()), std::string(text_of(json)));
}

using Check = void (*)(const std::vector<std::string>&);
const std::map<std::string, Check, std::less<>>& checks() {
  static const std::map<std::string, Check, std::less<>> kChecks = {
      {"merge", check_merge},
      {"diff",
       [](const std::vector<std::string>& fields) {
         EXPECT_EQ(shown(diff_update(from_base64(fields[2]), state_of(fields[3]),
                                     encoding_of(fields[1]))),
                   hex(from_base64(fields[4])));
       }},
      {"to_v2",
       [](const std::vector<std::string>& fields) {
         EXPECT_EQ(shown(convert_update(from_base64(fields[1]), Encoding::V1, Encoding::V2)),
                   hex(from_base64(fields[2])));
       }},
      {"to_v1",
       [](const std::vector<std::string>& fields) {
         EXPECT_EQ(shown(convert_update(from_base64(fields[1]), Encoding::V2, Encoding::V1)),
                   hex(from_base64(fields[2])));
       }},
      {"state",
       [](const std::vector<std::string>& fields) {
         EXPECT_EQ(shown(state_vector_of_update(from_base64(fields[2]), encoding_of(fields[1]))),
                   hex(from_base64(fields[3])));
       }},
      {"meta", check_meta},
      {"snapshot", check_snapshot},
      {"contains", check_contains},
      {"any", check_any},
      {"json", check_json},
  };
  return kChecks;
}

// Runs every case of the file; returns how many there were of each.
std::map<std::string, int> run_file(const std::string& path) {
  std::map<std::string, int> counts;
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    SCOPED_TRACE(path + ":" + std::to_string(number));
    const std::vector<std::string> fields = split(line, ' ');
    const auto check = checks().find(fields[0]);
    if (check == checks().end()) {
      ADD_FAILURE() << "no such case: " << fields[0];
      continue;
    }
    check->second(fields);
    ++counts[fields[0]];
    if (testing::Test::HasFailure()) break;
  }
  return counts;
}

TEST(UpdateGolden, EveryResultOfYjsIsMetByteForByte) {
  const std::map<std::string, int> counts =
      run_file(std::string(LATTICE_SOURCE_DIR) + "/tests/foreign/yjs/golden/updates.txt");
  for (const auto& [name, check] : checks()) {
    EXPECT_GT(counts.contains(name) ? counts.at(name) : 0, 1) << name;
  }
}

TEST(UpdateGolden, EveryCaseOfTheCorpusThatIsNamedIsMetByteForByte) {
  const char* const path = std::getenv("LATTICE_CRDT_CORPUS");
  if (path == nullptr) GTEST_SKIP() << "LATTICE_CRDT_CORPUS names no file";
  int total = 0;
  for (const auto& [name, count] : run_file(path)) total += count;
  std::printf("%d cases\n", total);
}

}  // namespace
}  // namespace lattice::crdt
