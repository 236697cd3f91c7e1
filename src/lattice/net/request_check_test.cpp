// SPDX-License-Identifier: MIT
#include "lattice/net/request_check.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lattice::net {
namespace {

constexpr const char* kHost = "Host: a\r\n";

uint16_t status_of(const std::string& fields, const std::string& line = "GET / HTTP/1.1") {
  return check_request_head(line + "\r\n" + kHost + fields + "\r\n").status;
}

TEST(RequestCheck, OrdinaryHeadsPass) {
  EXPECT_EQ(status_of(""), 0);
  EXPECT_EQ(status_of("Content-Length: 5\r\n", "POST /a?b=%20c HTTP/1.1"), 0);
  EXPECT_EQ(status_of("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.1"), 0);
  EXPECT_EQ(status_of("X:\r\nY: \t a b\t\r\n"), 0);
  EXPECT_EQ(check_request_head("GET / HTTP/1.0\r\n\r\n").status, 0);
}

TEST(RequestCheck, AmbiguousMessageLengthsAreRefused) {
  for (const char* fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n", "Content-Length: -1\r\n", "Content-Length: 0x5\r\n",
        "Content-Length: \r\n", "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 5\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(status_of(fields), 400) << fields;
  }
  for (const char* fields :
       {"Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n"}) {
    EXPECT_EQ(status_of(fields), 501) << fields;
  }
  EXPECT_EQ(check_request_head("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status, 400);
}

TEST(RequestCheck, SloppyHeaderLinesAreRefused) {
  for (const char* fields :
       {" folded\r\n", "X: a\r\n\tfolded\r\n", "no colon\r\n", ": empty\r\n", "X y: a\r\n",
        "X: a\rb\r\n", "X: a\nY: b\r\n", "X: a\x01\r\n", "X\x80: a\r\n", "Host: b\r\n"}) {
    EXPECT_EQ(status_of(fields), 400) << fields;
  }
  EXPECT_EQ(status_of(std::string("X: a\0b\r\n", 8)), 400);
}

TEST(RequestCheck, SloppyRequestLinesAreRefused) {
  for (const char* line :
       {"GET", "GET /", "GET  / HTTP/1.1", "G ET / HTTP/1.1", "GET /a b HTTP/1.1",
        "GET http://a/ HTTP/1.1", "GET * HTTP/1.1", "GET /\xff HTTP/1.1", "GET /\x01 HTTP/1.1",
        " GET / HTTP/1.1", "(GET / HTTP/1.1"}) {
    EXPECT_EQ(status_of("", line), 400) << line;
  }
  EXPECT_EQ(status_of("", "GET / HTTP/2.0"), 505);
  EXPECT_EQ(status_of("", "GET / http/1.1"), 505);
}

TEST(RequestCheck, HostIsRequiredExactlyOnce) {
  EXPECT_EQ(check_request_head("GET / HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(check_request_head("").status, 400);
  EXPECT_EQ(check_request_head("GET / HTTP/1.1").status, 400);
}

}  // namespace
}  // namespace lattice::net
