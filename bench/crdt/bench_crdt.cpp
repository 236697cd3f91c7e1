// SPDX-License-Identifier: MIT
// How fast is a document: an editing history typed, received, loaded and encoded?
//
// Each case prints one line of JSON: {"case": ..., unit: value}, the value the fastest of some
// repetitions. Case names are those of the rivals' programs beside this one.
// Use: bench_crdt [--quick] [--case PREFIX] [part...]; parts: paper, siblings, map, random. Traces
// are looked for in $LATTICE_TRACES, then in ../shared/traces.
#include <random>
#include <string>
#include <vector>

#include "crdt/measure.hpp"

using namespace crdt_bench;

namespace {

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
          type(text, trace.patches);
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
          doc.transact([&] { type(text, trace.patches); });
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
  const uint32_t count = 10000;
  std::vector<Bytes> updates;
  for (uint32_t i = 1; i <= count; ++i) {
    Doc doc = make(i);
    doc.text("t").insert(0, "ab");
    updates.push_back(doc.encode_state_as_update());
  }
  print("siblings/10000 clients at one spot", fastest([&] {
          Doc doc = make(20000);
          const double begin = now_ms();
          for (const Bytes& update : updates) check(doc.apply_update(update).ok(), "applying");
          const double took = now_ms() - begin;
          check(doc.text("t").length() == 2 * count, "every client's characters");
          return took;
        }));
}

void map() {
  const uint32_t count = 1000000;
  Doc doc = make(1);
  Map entries = doc.map("m");
  doc.transact([&] {
    for (uint32_t i = 0; i < count; ++i) {
      std::string key = std::to_string(i);
      key.insert(key.begin(), 'k');
      entries.set(key, Any(static_cast<int>(i)));
    }
  });
  entries.clear();
  Bytes bytes;
  print("map/1000000 deleted entries encode", fastest([&] {
          const double begin = now_ms();
          bytes = doc.encode_state_as_update();
          return now_ms() - begin;
        }));
  print("map/1000000 deleted entries load", fastest([&] {
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
  run_parts(argc, argv,
            {{"paper", paper}, {"siblings", siblings}, {"map", map}, {"random", random_inserts}});
}
