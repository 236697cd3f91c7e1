// SPDX-License-Identifier: MIT
// The groups of crdt-benchmarks (B1: one writes, B2: two write at once, B3: 1540 write at once) and
// a history of two authors, with the same work as the rivals' programs do (cases.mjs).
//
// Use: bench_crdt_groups [--quick] [--case PREFIX] [part...]; parts: friends, b1, b2, b3.
#include <algorithm>
#include <string>
#include <vector>

#include "crdt/measure.hpp"

using namespace crdt_bench;

namespace {

constexpr uint32_t kOperations = 6000;
constexpr uint32_t kPeers = 1540;

// xorshift32, as every program of this bench has it.
class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed) {}
  uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  uint32_t below(uint32_t n) { return next() % n; }
  char letter() { return static_cast<char>('a' + below(26)); }
  std::string word() {
    std::string word(2 + below(8), ' ');
    for (char& c : word) c = letter();
    return word;
  }
  std::string letters(uint32_t count) {
    std::string letters(count, ' ');
    for (char& c : letters) c = letter();
    return letters;
  }

 private:
  uint32_t state_;
};

void random_change(const Text& text, Random& random) {
  const uint32_t length = text.length();
  const uint32_t position = random.below(length + 1);
  if (length == 0 || (random.next() & 1) == 0) {
    text.insert(position, random.word());
  } else {
    const uint32_t count = 1 + random.below(9);
    text.erase(position, std::min(length - position, count));
  }
}

// Outside of a transaction each change is one of its own.
using Steps = std::function<void(const Doc&, Random&)>;

void b1() {
  const auto run = [](const char* name, const Steps& steps) {
    print(std::string("b1/") + name, fastest([&] {
            const Doc a = make(1);
            const Doc b = make(2);
            a.on_update([&b](std::span<const uint8_t> update, Transaction&) {
              check(b.apply_update(update).ok(), "applying");
            });
            Random random(42);
            const double begin = now_ms();
            steps(a, random);
            const double took = now_ms() - begin;
            check(a.text("text").to_string() == b.text("text").to_string() &&
                      a.array("list").to_json() == b.array("list").to_json(),
                  name);
            return took;
          }));
  };
  const auto each = [](const std::function<void(const Text&, Random&, uint32_t)>& step) {
    return [step](const Doc& doc, Random& random) {
      const Text text = doc.text("text");
      for (uint32_t i = 0; i < kOperations; ++i) step(text, random, i);
    };
  };
  const auto each_number = [](const std::function<uint32_t(Random&, uint32_t)>& place) {
    return [place](const Doc& doc, Random& random) {
      const Array list = doc.array("list");
      for (uint32_t i = 0; i < kOperations; ++i) {
        list.insert(place(random, i), Any(static_cast<int>(i)));
      }
    };
  };
  run("1.1 append characters", each([](const Text& text, Random& random, uint32_t i) {
        text.insert(i, std::string(1, random.letter()));
      }));
  run("1.2 insert string", [](const Doc& doc, Random& random) {
    doc.text("text").insert(0, random.letters(kOperations));
  });
  run("1.3 prepend characters", each([](const Text& text, Random& random, uint32_t) {
        text.insert(0, std::string(1, random.letter()));
      }));
  run("1.4 random characters", each([](const Text& text, Random& random, uint32_t i) {
        const uint32_t place = random.below(i + 1);
        text.insert(place, std::string(1, random.letter()));
      }));
  run("1.5 random words", each([](const Text& text, Random& random, uint32_t) {
        const uint32_t place = random.below(text.length() + 1);
        text.insert(place, random.word());
      }));
  run("1.6 insert string, delete it", [](const Doc& doc, Random& random) {
    doc.text("text").insert(0, random.letters(kOperations));
    doc.text("text").erase(0, kOperations);
  });
  run("1.7 insert and delete strings",
      each([](const Text& text, Random& random, uint32_t) { random_change(text, random); }));
  run("1.8 append numbers", each_number([](Random&, uint32_t i) { return i; }));
  run("1.9 insert array of numbers", [](const Doc& doc, Random&) {
    std::vector<Any> numbers;
    for (uint32_t i = 0; i < kOperations; ++i) numbers.emplace_back(static_cast<int>(i));
    doc.array("list").insert(0, numbers);
  });
  run("1.10 prepend numbers", each_number([](Random&, uint32_t) { return 0u; }));
  run("1.11 random numbers",
      each_number([](Random& random, uint32_t i) { return random.below(i + 1); }));
}

void b2() {
  const auto run = [](const char* name, const std::function<void(const Text&, Random&)>& steps) {
    print(std::string("b2/") + name, fastest([&] {
            const Doc docs[] = {make(1), make(2)};
            docs[0].text("text").insert(0, std::string(100, 'a'));
            check(docs[1].apply_update(docs[0].encode_state_as_update()).ok(), "applying");
            std::vector<Bytes> sent[2];
            ObserverId observers[2];
            for (int i = 0; i < 2; ++i) {
              observers[i] = docs[i].on_update(
                  [&updates = sent[i]](std::span<const uint8_t> update, Transaction&) {
                    updates.emplace_back(update.begin(), update.end());
                  });
            }
            const double begin = now_ms();
            for (int i = 0; i < 2; ++i) {
              Random random(42 + static_cast<uint32_t>(i));
              steps(docs[i].text("text"), random);
            }
            for (int i = 0; i < 2; ++i) docs[i].off(observers[i]);
            for (int i = 0; i < 2; ++i) {
              for (const Bytes& update : sent[i]) {
                check(docs[1 - i].apply_update(update).ok(), "applying");
              }
            }
            const double took = now_ms() - begin;
            check(docs[0].text("text").to_string() == docs[1].text("text").to_string(), name);
            return took;
          }));
  };
  const auto each = [](const std::function<void(const Text&, Random&)>& step) {
    return [step](const Text& text, Random& random) {
      for (uint32_t i = 0; i < kOperations; ++i) step(text, random);
    };
  };
  run("2.1 concurrent string at 0",
      [](const Text& text, Random& random) { text.insert(0, random.letters(kOperations)); });
  run("2.2 concurrent random characters", each([](const Text& text, Random& random) {
        const uint32_t place = random.below(text.length() + 1);
        text.insert(place, std::string(1, random.letter()));
      }));
  run("2.3 concurrent random words", each([](const Text& text, Random& random) {
        const uint32_t place = random.below(text.length() + 1);
        text.insert(place, random.word());
      }));
  run("2.4 concurrent insert and delete", each(random_change));
}

void b3() {
  const auto run = [](const char* name, const std::function<void(const Doc&, uint32_t)>& change) {
    std::vector<Bytes> updates;
    for (uint32_t i = 1; i <= kPeers; ++i) {
      const Doc doc = make(i);
      change(doc, i);
      updates.push_back(doc.encode_state_as_update());
    }
    print(std::string("b3/") + name, fastest([&] {
            const Doc whole = make(kPeers + 1);
            const Doc copy = make(kPeers + 2);
            const double begin = now_ms();
            for (const Bytes& update : updates) check(whole.apply_update(update).ok(), "applying");
            check(copy.apply_update(whole.encode_state_as_update()).ok(), "applying");
            const double took = now_ms() - begin;
            check(whole.state_vector() == copy.state_vector() &&
                      whole.map("map").to_json() == copy.map("map").to_json() &&
                      whole.array("list").to_json() == copy.array("list").to_json() &&
                      whole.text("text").to_string() == copy.text("text").to_string(),
                  name);
            return took;
          }));
  };
  run("3.1 number in map",
      [](const Doc& doc, uint32_t i) { doc.map("map").set("v", Any(static_cast<int>(i))); });
  run("3.2 object in map", [](const Doc& doc, uint32_t i) {
    doc.map("map").set("v",
                       Any::object({{"name", Any(std::to_string(i))}, {"address", Any("here")}}));
  });
  run("3.3 string in map", [](const Doc& doc, uint32_t i) {
    std::string text;
    for (int k = 0; k < 20; ++k) text += std::to_string(i);
    doc.map("map").set("v", Any(text));
  });
  run("3.4 insert in array",
      [](const Doc& doc, uint32_t i) { doc.array("list").insert(0, Any(static_cast<int>(i))); });
  run("3.5 insert text",
      [](const Doc& doc, uint32_t i) { doc.text("text").insert(0, std::to_string(i)); });
}

// A document per author, brought to what it had seen before each of its turns.
std::vector<Bytes> updates_of(const Trace& trace) {
  std::vector<Doc> docs;
  std::vector<std::vector<bool>> seen(trace.agents, std::vector<bool>(trace.turns.size()));
  std::vector<Bytes> updates(trace.turns.size());
  Bytes made;
  for (uint32_t agent = 0; agent < trace.agents; ++agent) {
    docs.push_back(make(agent + 1));
    docs.back().on_update([&made](std::span<const uint8_t> update, Transaction&) {
      made.assign(update.begin(), update.end());
    });
  }
  for (size_t turn = 0; turn < trace.turns.size(); ++turn) {
    const auto& [agent, parents, patches] = trace.turns[turn];
    std::vector<uint32_t> missing;
    std::vector<uint32_t> stack = parents;
    while (!stack.empty()) {
      const uint32_t parent = stack.back();
      stack.pop_back();
      if (seen[agent][parent]) continue;
      seen[agent][parent] = true;
      missing.push_back(parent);
      stack.insert(stack.end(), trace.turns[parent].parents.begin(),
                   trace.turns[parent].parents.end());
    }
    std::sort(missing.begin(), missing.end());
    for (const uint32_t parent : missing) {
      if (!updates[parent].empty()) {
        check(docs[agent].apply_update(updates[parent]).ok(), "applying");
      }
    }
    made.clear();
    docs[agent].transact(
        [&, agent = agent, &patches = patches] { type(docs[agent].text("text"), patches); });
    seen[agent][turn] = true;
    updates[turn] = made;
  }
  return updates;
}

void friends() {
  const Trace trace = read_trace("friendsforever.json.gz");
  if (trace.turns.empty()) {
    std::fprintf(stderr, "bench_crdt_groups: no trace friendsforever; set LATTICE_TRACES\n");
    return;
  }
  const std::vector<Bytes> updates = updates_of(trace);
  Bytes state;
  std::string text;
  print("friends/remote", fastest([&] {
          const Doc doc = make(9);
          const double begin = now_ms();
          for (const Bytes& update : updates) {
            if (!update.empty()) check(doc.apply_update(update).ok(), "applying");
          }
          const double took = now_ms() - begin;
          text = doc.text("text").to_string();
          check(text.size() == trace.end.size(), "the length of the text of two authors");
          state = doc.encode_state_as_update();
          return took;
        }));
  print("friends/load", fastest([&] {
          const Doc doc = make(10);
          const double begin = now_ms();
          check(doc.apply_update(state).ok(), "loading");
          const std::string loaded = doc.text("text").to_string();
          const double took = now_ms() - begin;
          check(loaded == text, "the loaded text");
          return took;
        }));
}

}  // namespace

int main(int argc, char** argv) {
  run_parts(argc, argv, {{"friends", friends}, {"b1", b1}, {"b2", b2}, {"b3", b3}});
}
