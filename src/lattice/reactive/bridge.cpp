// SPDX-License-Identifier: MIT
#include "lattice/reactive/bridge.hpp"

#include <algorithm>
#include <vector>

#include "lattice/reactive/context.hpp"
#include "lattice/reactive/runtime.hpp"

namespace lattice::reactive {

namespace {

// What a runtime's sending effects have to send. An effect that runs last empties it.
class Outbox {
 public:
  void add(const std::shared_ptr<Mailbox>& to, std::function<void()> letter) {
    auto found =
        std::find_if(bags_.begin(), bags_.end(), [&](const Bag& bag) { return bag.to == to; });
    if (found == bags_.end()) found = bags_.insert(bags_.end(), {to, {}});
    found->letters.push_back(std::move(letter));
    if (postman_) postman_->schedule();
  }

  static Outbox& of_current() {
    static const uint64_t key = new_context_key();
    Graph& graph = Graph::current();
    if (const void* found = graph.find_provided(key)) {
      return *static_cast<Outbox*>(const_cast<void*>(found));
    }
    auto made = std::make_shared<Outbox>();
    const UntrackedGuard guard(graph);
    Owner::root().run([&] {
      graph.provide(key, made);
      made->postman_ = effect([outbox = made.get()] { outbox->empty(); },
                              {.priority = kSendPriority + 1, .name = "bridge: outbox"});
    });
    return *made;
  }

 private:
  struct Bag {
    std::shared_ptr<Mailbox> to;
    std::vector<std::function<void()>> letters;
  };

  void empty() {
    for (Bag& bag : std::exchange(bags_, {})) {
      bag.to->post([letters = std::move(bag.letters)] {
        for (const auto& letter : letters) letter();
      });
    }
  }

  std::vector<Bag> bags_;
  std::optional<Effect> postman_;
};

}  // namespace

std::shared_ptr<Mailbox> mailbox_beyond(NodeHandle handle) {
  const Graph* graph = handle.index != 0 ? graph_of(at<Node>(handle.index)) : nullptr;
  if (graph == nullptr) throw_disposed("source of a bridge", handle);
  return static_cast<Runtime*>(graph->host)->shared_mailbox();
}

std::shared_ptr<Mailbox> mailbox_here() { return Runtime::current().shared_mailbox(); }

void send_after_flush(const std::shared_ptr<Mailbox>& to, std::function<void()> letter) {
  Outbox::of_current().add(to, std::move(letter));
}

}  // namespace lattice::reactive
