// SPDX-License-Identifier: MIT
// A TCP socket, plain or under TLS, as one type.
//
// Deciding at run time costs one branch per operation and spares a second instantiation of all of
// Beast's WebSocket code. Included by listener.cpp and client_loop.cpp alone (it shows Boost).
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <optional>
#include <utility>

namespace lattice::net::internal {

namespace asio = boost::asio;
using boost::system::error_code;

using StrandExecutor = asio::strand<asio::io_context::executor_type>;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, StrandExecutor>;

class AnyStream {
 public:
  using executor_type = StrandExecutor;

  using Handshake = asio::ssl::stream_base::handshake_type;

  AnyStream(TcpSocket socket, asio::ssl::context* tls,
            Handshake handshake = asio::ssl::stream_base::server)
      : handshake_(handshake) {
    if (tls != nullptr) {
      tls_ = std::make_unique<asio::ssl::stream<TcpSocket>>(std::move(socket), *tls);
    } else {
      plain_.emplace(std::move(socket));
    }
  }

  TcpSocket& socket() noexcept { return tls_ ? tls_->next_layer() : *plain_; }
  executor_type get_executor() noexcept { return socket().get_executor(); }
  bool is_tls() const noexcept { return tls_ != nullptr; }
  // REQUIRES: is_tls().
  SSL* native_handle() noexcept { return tls_->native_handle(); }
  void cut() noexcept {
    error_code ignored;
    socket().close(ignored);
  }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      tls_->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_->async_read_some(buffers, std::forward<Handler>(handler));
    }
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (tls_) {
      tls_->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      plain_->async_write_some(buffers, std::forward<Handler>(handler));
    }
  }
  // REQUIRES: is_tls().
  template <class Handler>
  void async_handshake(Handler&& handler) {
    tls_->async_handshake(handshake_, std::forward<Handler>(handler));
  }
  template <class Handler>
  void async_shutdown(Handler&& handler) {
    tls_->async_shutdown(std::forward<Handler>(handler));
  }

 private:
  Handshake handshake_;
  std::unique_ptr<asio::ssl::stream<TcpSocket>> tls_;
  std::optional<TcpSocket> plain_;
};

// What Beast's WebSocket asks of its transport, found by argument-dependent lookup. Beast's own
// teardown waits without a bound for the peer to close; the WebSocket lingers with one instead.
template <class Handler>
void async_teardown(boost::beast::role_type, AnyStream& stream, Handler&& handler) {
  error_code ignored;
  stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
  asio::post(stream.get_executor(),
             boost::beast::bind_front_handler(std::forward<Handler>(handler), error_code{}));
}
inline void teardown(boost::beast::role_type role, AnyStream& stream, error_code& error) {
  boost::beast::websocket::teardown(role, stream.socket(), error);
}
inline void beast_close_socket(AnyStream& stream) { stream.cut(); }

}  // namespace lattice::net::internal
