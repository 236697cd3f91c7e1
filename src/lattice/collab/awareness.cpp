// SPDX-License-Identifier: MIT
#include "lattice/collab/awareness.hpp"

#include <utility>

#include "lattice/base/bytes.hpp"

namespace lattice::collab {

namespace {

constexpr uint64_t kSafeIntegerMax = (uint64_t{1} << 53) - 1;  // of JavaScript's numbers
constexpr std::string_view kGone = "null";

struct Entry {
  uint64_t client = 0;
  uint64_t clock = 0;
  std::string_view json;  // into the update
};

Result<std::vector<Entry>> parse(std::span<const uint8_t> update, const AwarenessOptions& options) {
  ByteReader reader(update);
  const uint64_t count = reader.varint();
  // Three bytes are the least that an entry takes: a count that promises more is a lie.
  if (!reader.ok() || count > reader.remaining() / 3) {
    return Failure{"awareness: the update does not hold the states that it announces"};
  }
  if (count > options.clients_max) return Failure{"awareness: too many clients in one update"};
  std::vector<Entry> entries;
  entries.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    Entry entry{reader.varint(), reader.varint(), reader.string()};
    if (!reader.ok()) return Failure{"awareness: the update ends within a state"};
    if (entry.client > kSafeIntegerMax || entry.clock > kSafeIntegerMax) {
      return Failure{"awareness: a client id or clock beyond 2^53"};
    }
    if (entry.json.size() > options.state_bytes_max) {
      return Failure{"awareness: a state of " + std::to_string(entry.json.size()) +
                     " bytes; at most " + std::to_string(options.state_bytes_max) + " are taken"};
    }
    if (!is_valid_utf8(entry.json) || !is_json(entry.json, options.state_depth_max)) {
      return Failure{"awareness: a state is not JSON"};
    }
    entries.push_back(entry);
  }
  if (!reader.at_end()) return Failure{"awareness: bytes after the last state"};
  return entries;
}

}  // namespace

std::vector<uint64_t> AwarenessChange::clients() const {
  std::vector<uint64_t> all = added;
  all.insert(all.end(), updated.begin(), updated.end());
  all.insert(all.end(), removed.begin(), removed.end());
  return all;
}

Awareness::Awareness(std::optional<uint64_t> client_id, AwarenessOptions options)
    : client_id_(client_id), options_(options) {}

const std::string* Awareness::state(uint64_t client) const noexcept {
  auto found = clients_.find(client);
  return found != clients_.end() && found->second.json ? &*found->second.json : nullptr;
}

AwarenessChange Awareness::set_local_state(std::optional<std::string> json, TimePoint now) {
  LATTICE_ASSERT(client_id_.has_value());
  AwarenessChange change;
  auto [entry, is_new] = clients_.try_emplace(*client_id_);
  State& state = entry->second;
  const bool was_present = state.json.has_value();
  if (!is_new) ++state.clock;
  if (json && !was_present) {
    change.added.push_back(*client_id_);
    ++present_;
  } else if (json && json != state.json) {
    change.updated.push_back(*client_id_);
  } else if (!json && was_present) {
    change.removed.push_back(*client_id_);
    --present_;
  }
  state.json = std::move(json);
  state.heard_at = now;
  return change;
}

Result<Awareness::Applied> Awareness::apply(std::span<const uint8_t> update, TimePoint now) {
  Result<std::vector<Entry>> entries = parse(update, options_);
  if (!entries) return Failure{entries.error()};
  if (clients_.size() + entries.value().size() > options_.clients_max) forget_gone();
  if (clients_.size() + entries.value().size() > options_.clients_max) {
    size_t unknown = 0;
    for (const Entry& entry : entries.value()) unknown += clients_.count(entry.client) == 0 ? 1 : 0;
    if (clients_.size() + unknown > options_.clients_max) {
      return Failure{"awareness: more than " + std::to_string(options_.clients_max) + " clients"};
    }
  }
  Applied applied;
  for (const Entry& entry : entries.value()) {
    applied.named.push_back(entry.client);
    const bool is_gone = entry.json == kGone;
    auto [place, is_new] = clients_.try_emplace(entry.client);
    State& state = place->second;
    const bool was_present = state.json.has_value();
    const bool is_news = is_new || entry.clock > state.clock ||
                         (entry.clock == state.clock && is_gone && was_present);
    if (!is_news) continue;
    state.clock = entry.clock;
    state.heard_at = now;
    if (is_gone && was_present && client_id_ == entry.client) {
      // Nobody but this client says that it is gone.
      ++state.clock;
      applied.reannounce = true;
      continue;
    }
    if (is_gone) {
      state.json.reset();
      if (was_present) {
        --present_;
        applied.change.removed.push_back(entry.client);
      }
      continue;
    }
    if (!was_present) {
      ++present_;
      applied.change.added.push_back(entry.client);
    } else if (*state.json != entry.json) {
      applied.change.updated.push_back(entry.client);
    }
    state.json = std::string(entry.json);
  }
  return applied;
}

// What has been gone longest is of no use any more but to refuse its own old updates.
void Awareness::forget_gone() {
  std::erase_if(clients_,
                [&](const auto& entry) { return !entry.second.json && client_id_ != entry.first; });
}

std::vector<uint8_t> Awareness::encode(std::span<const uint64_t> clients) const {
  uint64_t known = 0;
  for (uint64_t client : clients) known += clients_.count(client);
  ByteWriter writer;
  writer.varint(known);
  for (uint64_t client : clients) {
    auto found = clients_.find(client);
    if (found == clients_.end()) continue;
    writer.varint(client);
    writer.varint(found->second.clock);
    writer.string(found->second.json ? std::string_view(*found->second.json) : kGone);
  }
  return writer.take();
}

std::vector<uint8_t> Awareness::encode_present() const {
  std::vector<uint64_t> present;
  present.reserve(present_);
  for (const auto& [client, state] : clients_) {
    if (state.json) present.push_back(client);
  }
  return encode(present);
}

AwarenessChange Awareness::remove(std::span<const uint64_t> clients, TimePoint now) {
  AwarenessChange change;
  for (uint64_t client : clients) {
    auto found = clients_.find(client);
    if (found == clients_.end() || !found->second.json) continue;
    State& state = found->second;
    state.json.reset();
    if (client_id_ == client) {
      ++state.clock;
      state.heard_at = now;
    }
    --present_;
    change.removed.push_back(client);
  }
  return change;
}

Awareness::Tick Awareness::tick(TimePoint now) {
  Tick tick;
  std::vector<uint64_t> outdated;
  for (auto& [client, state] : clients_) {
    if (!state.json) continue;
    if (client_id_ == client) {
      if (now - state.heard_at < options_.outdated_after / 2) continue;
      ++state.clock;
      state.heard_at = now;
      tick.renewed = true;
    } else if (now - state.heard_at >= options_.outdated_after) {
      outdated.push_back(client);
    }
  }
  tick.change = remove(outdated, now);
  return tick;
}

// ---------------------------------------------------------------------------------- JSON

namespace {

class JsonScan {
 public:
  JsonScan(std::string_view text, size_t depth_max) : text_(text), depth_max_(depth_max) {}

  // Containers are kept on a stack of one bool each (true: object), so that depth costs no calls.
  bool run() {
    if (!value()) return false;
    while (!open_.empty()) {
      blank();
      if (!(open_.back() ? after_member() : after_item())) return false;
    }
    blank();
    return at_ == text_.size();
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void blank() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool digits() {
    const size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ > start;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool hex4() {
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
        return false;
      }
    }
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      if (take('u')) {
        if (!hex4()) return false;
      } else if (at_ >= text_.size() ||
                 std::string_view("\"\\/bfnrt").find(text_[at_++]) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }
  bool member() {
    blank();
    if (!string()) return false;
    blank();
    return take(':') && value();
  }
  bool open(bool is_object) {
    if (open_.size() >= depth_max_) return false;
    open_.push_back(is_object);
    return true;
  }
  // A scalar, an empty container, or a container opened up to the end of its first scalar.
  bool value() {
    for (;;) {
      blank();
      if (take('{')) {
        blank();
        if (take('}')) return true;
        if (!open(true)) return false;
        if (!string()) return false;
        blank();
        if (!take(':')) return false;
        continue;
      }
      if (take('[')) {
        blank();
        if (take(']')) return true;
        if (!open(false)) return false;
        continue;
      }
      if (at_ >= text_.size()) return false;
      const char c = text_[at_];
      if (c == '"') return string();
      if (c == 't') return word("true");
      if (c == 'f') return word("false");
      if (c == 'n') return word("null");
      return number();
    }
  }
  bool after_member() {
    if (take(',')) return member();
    if (!take('}')) return false;
    open_.pop_back();
    return true;
  }
  bool after_item() {
    if (take(',')) return value();
    if (!take(']')) return false;
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  const size_t depth_max_;
  size_t at_ = 0;
  std::vector<bool> open_;
};

}  // namespace

bool is_json(std::string_view text, size_t depth_max) noexcept {
  return JsonScan(text, depth_max).run();
}

}  // namespace lattice::collab
