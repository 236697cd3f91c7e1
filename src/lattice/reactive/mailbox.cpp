// SPDX-License-Identifier: MIT
#include "lattice/reactive/mailbox.hpp"

namespace lattice {

Mailbox::Message Mailbox::closed_mark_;

Mailbox::~Mailbox() { close(); }

bool Mailbox::post(std::function<void()> body) {
  auto* message = new Message{std::move(body)};
  Message* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == &closed_mark_) {
      delete message;
      return false;
    }
    message->next = head;
  } while (!head_.compare_exchange_weak(head, message, std::memory_order_release,
                                        std::memory_order_relaxed));
  if (head == nullptr) {
    if (auto wake = wake_.load(); wake != nullptr && *wake) (*wake)();
  }
  return true;
}

void Mailbox::set_wake(std::function<void()> wake) {
  wake_.store(std::make_shared<std::function<void()>>(std::move(wake)));
  if (!empty()) (*wake_.load())();
}

Mailbox::Message* Mailbox::take() noexcept {
  Message* newest = head_.load(std::memory_order_relaxed);
  if (newest == &closed_mark_) return nullptr;
  newest = head_.exchange(nullptr, std::memory_order_acquire);
  Message* oldest = nullptr;
  while (newest != nullptr) {
    Message* next = std::exchange(newest->next, oldest);
    oldest = std::exchange(newest, next);
  }
  if (returned_ == nullptr) return oldest;
  Message* first = std::exchange(returned_, nullptr);
  Message* last = first;
  while (last->next != nullptr) last = last->next;
  last->next = oldest;
  return first;
}

void Mailbox::put_back(Message* oldest) { returned_ = oldest; }

void Mailbox::close() noexcept {
  Message* newest = head_.exchange(&closed_mark_, std::memory_order_acquire);
  if (newest != &closed_mark_) free_list(newest);
  free_list(std::exchange(returned_, nullptr));
}

void Mailbox::free_list(Message* message) noexcept {
  while (message != nullptr) delete std::exchange(message, message->next);
}

}  // namespace lattice
