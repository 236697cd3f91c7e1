// SPDX-License-Identifier: MIT
// How fast is a document: an editing history typed, received, loaded and encoded?
//
// Each case prints one line of JSON: {"case": ..., unit: value}, the value the fastest of some
// repetitions. Case names are those of the rivals' programs beside this one.
// Use: bench_crdt [--quick] [--case PREFIX] [part...]; parts: paper, siblings, map, random. Traces
// are looked for in $LATTICE_TRACES, then in ../shared/traces.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "lattice/crdt.hpp"

using namespace lattice::crdt;

namespace {

bool quick = false;

double now_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void print(const std::string& name, double value, const char* unit = "ms") {
  std::printf("{\"case\": \"%s\", \"%s\": %.6g}\n", name.c_str(), unit, value);
  std::fflush(stdout);
}

double fastest(const std::function<double()>& run) {
  double best = 1e300;
  for (int i = 0; i < (quick ? 3 : 5); ++i) best = std::min(best, run());
  return best;
}

Doc make(uint64_t client) {
  DocOptions options;
  options.client_id = client;
  return Doc(options);
}

struct Patch {
  uint32_t index = 0;
  uint32_t erased = 0;
  std::string text;
};

struct Trace {
  std::vector<Patch> patches;
  std::string end;
};

Trace read_trace(const std::string& file) {
  const char* folder = std::getenv("LATTICE_TRACES");
  const std::string path = std::string(folder ? folder : "../shared/traces") + "/" + file;
  const std::string command = "gzip -dc '" + path + "'";
  Trace trace;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return trace;
  std::string text;
  std::vector<char> buffer(1 << 20);
  for (size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), n);
  }
  pclose(pipe);
  const auto json = parse_json(text);
  if (!json.ok()) return trace;
  const Any* end = json.value().find("endContent");
  const Any* transactions = json.value().find("txns");
  if (end == nullptr || transactions == nullptr) return trace;
  trace.end = std::string(end->as_string());
  for (const Any& transaction : transactions->as_array()) {
    for (const Any& patch : transaction.find("patches")->as_array()) {
      const auto& parts = patch.as_array();
      trace.patches.push_back({static_cast<uint32_t>(parts[0].as_number()),
                               static_cast<uint32_t>(parts[1].as_number()),
                               std::string(parts[2].as_string())});
    }
  }
  return trace;
}

void type(const Text& text, const Trace& trace) {
  for (const Patch& patch : trace.patches) {
    if (patch.erased != 0) text.erase(patch.index, patch.erased);
    if (!patch.text.empty()) text.insert(patch.index, patch.text);
  }
}

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench_crdt: %s does not hold\n", what);
  std::exit(1);
}

void paper() {
  const Trace trace = read_trace("automerge-paper.json.gz");
  if (trace.patches.empty()) {
    std::fprintf(stderr, "bench_crdt: no trace automerge-paper; set LATTICE_TRACES\n");
    return;
  }
  std::vector<Bytes> updates;
  Bytes v1;
  Bytes v2;
  print("paper/local, update each", fastest([&] {
          updates.clear();
          updates.reserve(trace.patches.size());
          Doc doc = make(1);
          doc.on_update([&](std::span<const uint8_t> update, Transaction&) {
            updates.emplace_back(update.begin(), update.end());
          });
          Text text = doc.text("text");
          const double begin = now_ms();
          type(text, trace);
          const double took = now_ms() - begin;
          check(text.to_string() == trace.end, "the text of the trace");
          v1 = doc.encode_state_as_update();
          v2 = doc.encode_state_as_update({}, Encoding::V2);
          return took;
        }));
  print("paper/local, one transaction", fastest([&] {
          Doc doc = make(1);
          Text text = doc.text("text");
          const double begin = now_ms();
          doc.transact([&] { type(text, trace); });
          const double took = now_ms() - begin;
          check(doc.encode_state_as_update() == v1, "equal bytes of one transaction and many");
          return took;
        }));
  Doc half = make(2);
  print("paper/remote, one by one", fastest([&] {
          Doc doc = make(2);
          const double begin = now_ms();
          for (const Bytes& update : updates) check(doc.apply_update(update).ok(), "applying");
          const double took = now_ms() - begin;
          check(doc.encode_state_as_update() == v1, "equal bytes of the receiver");
          return took;
        }));
  for (size_t i = 0; i < updates.size() / 2; ++i) {
    check(half.apply_update(updates[i]).ok(), "applying");
  }
  for (const Encoding version : {Encoding::V1, Encoding::V2}) {
    const Bytes& bytes = version == Encoding::V1 ? v1 : v2;
    const std::string suffix = version == Encoding::V1 ? " v1" : " v2";
    print("paper/load" + suffix, fastest([&] {
            Doc doc = make(2);
            const double begin = now_ms();
            check(doc.apply_update(bytes, version).ok(), "loading");
            const std::string text = doc.text("text").to_string();
            const double took = now_ms() - begin;
            check(text == trace.end, "the loaded text");
            check(doc.encode_state_as_update({}, version) == bytes, "equal bytes after loading");
            return took;
          }));
    Doc doc = make(2);
    check(doc.apply_update(bytes, version).ok(), "loading");
    print("paper/encode" + suffix, fastest([&] {
            const double begin = now_ms();
            const Bytes encoded = doc.encode_state_as_update({}, version);
            return now_ms() - begin;
          }));
    if (version == Encoding::V1) {
      const StateVector state = half.state_vector();
      print("paper/diff", fastest([&] {
              const double begin = now_ms();
              const Bytes encoded = doc.encode_state_as_update(state);
              return now_ms() - begin;
            }));
      print("paper/memory", static_cast<double>(doc.memory_used()), "bytes");
      print("paper/parked", static_cast<double>(v2.size()), "bytes");
    }
  }
  for (const size_t count : {size_t{2000}, updates.size()}) {
    const std::vector<ByteView> views(updates.begin(),
                                      updates.begin() + static_cast<ptrdiff_t>(count));
    print(count == 2000 ? "paper/merge 2000" : "paper/merge all", fastest([&] {
            const double begin = now_ms();
            check(merge_updates(views).ok(), "merging");
            return now_ms() - begin;
          }));
  }
}

void siblings() {
  const uint32_t count = quick ? 2000 : 10000;
  std::vector<Bytes> updates;
  for (uint32_t i = 0; i < count; ++i) {
    Doc doc = make(1000 + i);
    doc.text("t").insert(0, "x");
    updates.push_back(doc.encode_state_as_update());
  }
  std::shuffle(updates.begin(), updates.end(), std::mt19937(1));
  print("siblings/" + std::to_string(count) + " clients at one spot", fastest([&] {
          Doc doc = make(1);
          const double begin = now_ms();
          for (const Bytes& update : updates) check(doc.apply_update(update).ok(), "applying");
          const double took = now_ms() - begin;
          check(doc.text("t").length() == count, "every client's character");
          return took;
        }));
}

void map() {
  const uint32_t count = quick ? 100000 : 1000000;
  Doc doc = make(1);
  Map entries = doc.map("m");
  doc.transact([&] {
    for (uint32_t i = 0; i < count; ++i) entries.set("key" + std::to_string(i), Any(1));
  });
  entries.clear();
  const std::string name = "map/" + std::to_string(count) + " deleted entries ";
  Bytes bytes;
  print(name + "encode", fastest([&] {
          const double begin = now_ms();
          bytes = doc.encode_state_as_update();
          return now_ms() - begin;
        }));
  print(name + "load", fastest([&] {
          Doc loaded = make(2);
          const double begin = now_ms();
          check(loaded.apply_update(bytes).ok(), "loading");
          return now_ms() - begin;
        }));
}

void random_inserts() {
  for (uint32_t size = 10000; size <= (quick ? 1000000u : 10000000u); size *= 10) {
    const uint32_t count = 100000;
    std::string content(size, 'a');
    print("random/insert in " + std::to_string(size) + " characters", fastest([&] {
            Doc doc = make(1);
            Text text = doc.text("t");
            std::mt19937 random(1);
            doc.transact([&] { text.insert(0, content); });
            for (uint32_t i = 0; i < count; ++i) text.insert(random() % text.length(), "b");
            const uint32_t measured = 20000;
            const double begin = now_ms();
            for (uint32_t i = 0; i < measured; ++i) text.insert(random() % text.length(), "b");
            return (now_ms() - begin) * 1e6 / measured;
          }),
          "ns");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (const char* said = std::getenv("LATTICE_BENCH_QUICK")) quick = std::string(said) == "1";
  std::vector<std::string> parts;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--case" && i + 1 < argc) {  // the harness's "paper/", or one case
      const std::string wanted = argv[++i];
      parts.push_back(wanted.substr(0, wanted.find('/')));
    } else if (word == "--quick") {
      quick = true;
    } else {
      parts.emplace_back(argv[i]);
    }
  }
  const std::pair<const char*, void (*)()> all[] = {
      {"paper", paper}, {"siblings", siblings}, {"map", map}, {"random", random_inserts}};
  for (const auto& [name, run] : all) {
    if (parts.empty() || std::find(parts.begin(), parts.end(), name) != parts.end()) run();
  }
}
