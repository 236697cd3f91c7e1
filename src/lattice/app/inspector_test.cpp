// SPDX-License-Identifier: MIT
// Who may see the inspector. That it is served at all is tested with Python pages (test_server.py).
#include "lattice/app/internal/inspector.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace lattice::app::internal {
namespace {

net::RequestHead request(std::string address, std::string host, net::Headers more = {}) {
  net::RequestHead head;
  head.method = "GET";
  head.path = head.target = std::string(kInspectorPath);
  head.remote_address = std::move(address);
  head.headers = std::move(more);
  head.headers.emplace_back("Host", std::move(host));
  return head;
}

TEST(Inspector, AnswersThisMachine) {
  for (const char* address : {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(may_inspect(request(address, "localhost:8000"))) << address;
  }
  for (const char* host : {"localhost", "127.0.0.1:8000", "[::1]:8000", "app.localhost"}) {
    EXPECT_TRUE(may_inspect(request("127.0.0.1", host))) << host;
  }
}

TEST(Inspector, AnswersNoOtherMachine) {
  for (const char* address : {"192.0.2.1", "10.0.0.1", "::ffff:192.0.2.1", "1127.0.0.1", ""}) {
    EXPECT_FALSE(may_inspect(request(address, "localhost:8000"))) << address;
  }
}

// A foreign page can make its own name point to this machine.
TEST(Inspector, AnswersNoOtherName) {
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "a b"}) {
    EXPECT_FALSE(may_inspect(request("127.0.0.1", host))) << host;
  }
}

TEST(Inspector, AnswersNoProxyAndNoOtherSite) {
  for (const char* name : {"Forwarded", "X-Forwarded-For", "x-forwarded-host", "Via"}) {
    EXPECT_FALSE(may_inspect(request("127.0.0.1", "localhost", {{name, "x"}}))) << name;
  }
  for (const char* site : {"cross-site", "same-site", "anything"}) {
    EXPECT_FALSE(may_inspect(request("127.0.0.1", "localhost", {{"Sec-Fetch-Site", site}})))
        << site;
  }
  for (const char* site : {"same-origin", "none"}) {
    EXPECT_TRUE(may_inspect(request("127.0.0.1", "localhost", {{"Sec-Fetch-Site", site}}))) << site;
  }
}

}  // namespace
}  // namespace lattice::app::internal
