// SPDX-License-Identifier: MIT
// A client for tests: blocking, on plain sockets, able to send what no good client would.
//
// Every read has a deadline and throws when it passes, so that a failing test ends.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace lattice::net::testing {

constexpr std::chrono::seconds kPatience{20};

// Waits on a condition that another thread makes true.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

struct Answer {
  int status = 0;
  std::string head;  // status line and headers
  std::string body;

  std::string header(std::string_view name) const {
    const std::string start = "\r\n" + std::string(name) + ": ";
    const size_t at = head.find(start);
    if (at == std::string::npos) return {};
    return head.substr(at + start.size(), head.find("\r\n", at + 2) - at - start.size());
  }
};

class Client {
 public:
  explicit Client(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    timeval patience{kPatience.count(), 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      ::close(socket_);
      throw std::runtime_error("cannot connect");
    }
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Ends quietly when the peer has closed: the answer says why.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  Answer get(std::string_view target, std::string_view headers = {}) {
    return request("GET", target, headers);
  }
  Answer request(std::string_view method, std::string_view target, std::string_view headers = {}) {
    std::string text(method);
    text.append(" ").append(target).append(" HTTP/1.1\r\n");
    if (headers.find("Host:") == std::string_view::npos) text += "Host: localhost\r\n";
    text.append(headers).append("\r\n");
    send(text);
    return read_answer(method == "HEAD");
  }
  Answer read_answer(bool is_head = false) {
    Answer answer;
    size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) fill();
    answer.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
    const std::string length = answer.header("Content-Length");
    if (!is_head && !length.empty()) answer.body = take(std::stoul(length));
    return answer;
  }
  std::string take(size_t bytes) {
    while (buffer_.size() < bytes) fill();
    std::string taken = buffer_.substr(0, bytes);
    buffer_.erase(0, bytes);
    return taken;
  }
  // Whether the peer ends the connection before it sends another byte.
  bool is_closed_by_peer() {
    try {
      fill();
    } catch (const std::runtime_error& error) {
      return std::string_view(error.what()) == "closed";
    }
    return false;
  }

 private:
  void fill() {
    char chunk[65536];
    const ssize_t count = ::recv(socket_, chunk, sizeof(chunk), 0);
    if (count == 0 || (count < 0 && errno == ECONNRESET)) throw std::runtime_error("closed");
    if (count < 0) throw std::runtime_error("nothing came in time");
    buffer_.append(chunk, static_cast<size_t>(count));
  }

  int socket_;
  std::string buffer_;
};

struct Frame {
  uint8_t opcode = 0;
  std::vector<uint8_t> payload;
  // Of a close frame; 1005 = it had none.
  uint16_t close_code() const {
    return payload.size() < 2 ? 1005 : static_cast<uint16_t>(payload[0] << 8 | payload[1]);
  }
};

constexpr uint8_t kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

class WebSocketClient {
 public:
  explicit WebSocketClient(uint16_t port) : client_(port) {}

  Answer handshake(std::string_view target = "/_lattice/ws", std::string_view headers = {}) {
    std::string all(headers);
    all +=
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    return client_.get(target, all);
  }
  void send(uint8_t opcode, std::span<const uint8_t> payload, bool is_masked = true) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    const auto mask_bit = static_cast<char>(is_masked ? 0x80 : 0);
    if (payload.size() < 126) {
      frame += static_cast<char>(mask_bit | static_cast<char>(payload.size()));
    } else {
      const bool is_short = payload.size() <= 0xffff;
      frame += static_cast<char>(mask_bit | (is_short ? 126 : 127));
      for (int shift = is_short ? 8 : 56; shift >= 0; shift -= 8) {
        frame += static_cast<char>(static_cast<uint64_t>(payload.size()) >> shift);
      }
    }
    if (is_masked) frame.append(4, '\0');  // a mask of zeros leaves the payload as it is
    frame.append(reinterpret_cast<const char*>(payload.data()), payload.size());
    client_.send(frame);
  }
  void send_bytes(std::vector<uint8_t> payload) { send(kBinary, payload); }
  Frame read() {
    Frame frame;
    const std::string start = client_.take(2);
    frame.opcode = static_cast<uint8_t>(start[0]) & 15;
    uint64_t length = static_cast<uint8_t>(start[1]) & 127;
    if (length >= 126) {
      const std::string more = client_.take(length == 126 ? 2 : 8);
      length = 0;
      for (char byte : more) length = length << 8 | static_cast<uint8_t>(byte);
    }
    const std::string payload = client_.take(length);
    frame.payload.assign(payload.begin(), payload.end());
    return frame;
  }
  // Skips messages up to the close frame, answers it, and returns its code. 0 = cut without one.
  uint16_t read_close() {
    try {
      while (true) {
        Frame frame = read();
        if (frame.opcode != kClose) continue;
        send(kClose, frame.payload);
        return frame.close_code();
      }
    } catch (const std::runtime_error& error) {
      if (std::string_view(error.what()) == "closed") return 0;
      throw;
    }
  }
  Client& client() { return client_; }

 private:
  Client client_;
};

}  // namespace lattice::net::testing
