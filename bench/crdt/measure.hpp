// SPDX-License-Identifier: MIT
// What the programs of bench crdt have in common: figures, traces, documents.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "lattice/crdt.hpp"

namespace crdt_bench {

using namespace lattice::crdt;

inline bool quick = false;

inline double now_ms() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

inline void print(const std::string& name, double value, const char* unit = "ms") {
  std::printf("{\"case\": \"%s\", \"%s\": %.6g}\n", name.c_str(), unit, value);
  std::fflush(stdout);
}

inline double fastest(const std::function<double()>& run) {
  double best = 1e300;
  for (int i = 0; i < (quick ? 3 : 5); ++i) best = std::min(best, run());
  return best;
}

inline Doc make(uint64_t client) {
  DocOptions options;
  options.client_id = client;
  return Doc(options);
}

struct Patch {
  uint32_t index = 0;
  uint32_t erased = 0;
  std::string text;
};

// One author's edits, in turns with the other's or alone.
struct Turn {
  uint32_t agent = 0;
  std::vector<uint32_t> parents;  // turns that its author had seen
  std::vector<Patch> patches;
};

struct Trace {
  std::vector<Patch> patches;  // of all turns
  std::vector<Turn> turns;
  uint32_t agents = 1;
  std::string end;
};

inline Trace read_trace(const std::string& file) {
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
  const auto number = [](const Any& value) { return static_cast<uint32_t>(value.as_number()); };
  if (const Any* agents = json.value().find("numAgents")) trace.agents = number(*agents);
  for (const Any& transaction : transactions->as_array()) {
    Turn& turn = trace.turns.emplace_back();
    if (const Any* agent = transaction.find("agent")) turn.agent = number(*agent);
    if (const Any* parents = transaction.find("parents")) {
      for (const Any& parent : parents->as_array()) turn.parents.push_back(number(parent));
    }
    for (const Any& patch : transaction.find("patches")->as_array()) {
      const auto& parts = patch.as_array();
      turn.patches.push_back(
          {number(parts[0]), number(parts[1]), std::string(parts[2].as_string())});
    }
    trace.patches.insert(trace.patches.end(), turn.patches.begin(), turn.patches.end());
  }
  return trace;
}

inline void type(const Text& text, const std::vector<Patch>& patches) {
  for (const Patch& patch : patches) {
    if (patch.erased != 0) text.erase(patch.index, patch.erased);
    if (!patch.text.empty()) text.insert(patch.index, patch.text);
  }
}

inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "bench_crdt: %s does not hold\n", what);
  std::exit(1);
}

using Part = std::pair<const char*, void (*)()>;

// The parts that the command line asks for: [--quick] [--case PREFIX] [part...].
inline void run_parts(int argc, char** argv, const std::vector<Part>& all) {
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
  for (const auto& [name, run] : all) {
    if (parts.empty() || std::find(parts.begin(), parts.end(), name) != parts.end()) run();
  }
}

}  // namespace crdt_bench
