// SPDX-License-Identifier: MIT
// How other threads reach a runtime: functions posted from anywhere, run by the owner in order.
//
// A lock-free stack (one compare-and-swap per post) that the owner takes whole and reverses, so
// posts of one thread keep their order. The wake function is called once per burst: by the post
// that finds the mailbox empty.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

namespace lattice {

class Mailbox {
 public:
  Mailbox() = default;
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // Any thread. After close() the message is dropped and false returned.
  bool post(std::function<void()> message);
  // Called on the posting thread; must be thread-safe itself. Set it before others post.
  void set_wake(std::function<void()> wake);
  // Owner only: runs what was posted so far, oldest first. `run` is given each message.
  template <class Run>
  size_t drain(Run&& run) {
    Message* message = take();
    size_t count = 0;
    while (message != nullptr) {
      std::unique_ptr<Message> current(message);
      message = message->next;
      ++count;
      try {
        run(current->body);
      } catch (...) {
        put_back(message);
        throw;
      }
    }
    return count;
  }
  bool empty() const noexcept { return head_.load(std::memory_order_acquire) == nullptr; }
  // Owner only: later posts are dropped.
  void close() noexcept;

 private:
  struct Message {
    std::function<void()> body;
    Message* next = nullptr;
  };
  static Message closed_mark_;

  Message* take() noexcept;
  void put_back(Message* oldest);
  static void free_list(Message* message) noexcept;

  std::atomic<Message*> head_{nullptr};
  Message* returned_ = nullptr;  // left over by a drain that threw; oldest first
  std::atomic<std::shared_ptr<std::function<void()>>> wake_{};
};

}  // namespace lattice
