// SPDX-License-Identifier: MIT
#include "lattice/app/upgrade_check.hpp"

#include <gtest/gtest.h>

#include <string>

namespace lattice::app {
namespace {

net::RequestHead request(std::string host, std::string origin, bool is_secure = false) {
  net::RequestHead head;
  head.method = "GET";
  head.path = head.target = "/_lattice/ws";
  head.is_secure = is_secure;
  head.headers = {{"Host", std::move(host)}};
  if (!origin.empty()) head.headers.emplace_back("Origin", std::move(origin));
  return head;
}

const AccessPolicy kPublic{.is_loopback_bind = false, .allowed_hosts = {}, .allowed_origins = {}};
const AccessPolicy kLoopback{.is_loopback_bind = true, .allowed_hosts = {}, .allowed_origins = {}};

TEST(UpgradeCheck, PageOfTheSameSchemeHostAndPortGetsIn) {
  struct Case {
    const char* host;
    const char* origin;
    bool is_secure;
  };
  for (const Case& good : {Case{"example.org", "http://example.org", false},
                           Case{"example.org:80", "http://example.org", false},
                           Case{"example.org", "http://example.org:80", false},
                           Case{"example.org", "https://example.org", true},
                           Case{"example.org:443", "https://example.org", true},
                           Case{"example.org:8000", "http://example.org:8000", false},
                           Case{"EXAMPLE.org", "http://example.ORG", false},
                           Case{"example.org.", "http://example.org", false},
                           Case{"[2001:db8::1]:8000", "http://[2001:db8::1]:8000", false}}) {
    EXPECT_TRUE(check_upgrade(request(good.host, good.origin, good.is_secure), kPublic).ok())
        << good.host << " " << good.origin;
  }
}

TEST(UpgradeCheck, ForeignOriginsAre403) {
  for (const char* origin : {"http://evil.com",
                             "http://example.org.evil.com",
                             "http://evil.com/example.org",
                             "http://xexample.org",
                             "http://example.orgx",
                             "http://sub.example.org",
                             "http://example.com",
                             "http://example.org:8001",
                             "https://example.org:8000",
                             "http://example.org",
                             "null",
                             "file://",
                             "chrome-extension://abc",
                             "example.org:8000",
                             "//example.org:8000",
                             "http:/example.org:8000",
                             "http://user@example.org:8000",
                             "http://example.org:8000@evil.com",
                             "http://example.org:8000/",
                             "http://example.org:8000/path",
                             "http://example.org:8000?q",
                             "http://example.org:8000#f",
                             "http://example.org:0",
                             "http://example.org:",
                             "http://example.org:8000:8000",
                             "http://example.org:65536",
                             "http://example.org:+8000",
                             "http://example.org:08000x",
                             "http:// example.org:8000",
                             "http://example.org:8000 ",
                             "http://ex\xc3\xa4mple.org:8000",
                             "http://[::1%eth0]:8000",
                             "http://[]:8000",
                             "http://.example.org:8000",
                             "http://example..org:8000",
                             "http://",
                             "ws://example.org:8000",
                             "*",
                             "http://example.org:8000, http://evil.com",
                             "http://*.org:8000"}) {
    EXPECT_EQ(check_upgrade(request("example.org:8000", origin), kPublic).status, 403) << origin;
  }
}

TEST(UpgradeCheck, ListedOriginsGetInExactly) {
  AccessPolicy policy = kPublic;
  policy.allowed_origins = {"https://app.example.org", "http://other:9000"};
  EXPECT_TRUE(check_upgrade(request("example.org", "https://app.example.org"), policy).ok());
  EXPECT_TRUE(check_upgrade(request("example.org", "https://app.example.org:443"), policy).ok());
  EXPECT_TRUE(check_upgrade(request("example.org", "http://other:9000"), policy).ok());
  EXPECT_FALSE(check_upgrade(request("example.org", "http://app.example.org"), policy).ok());
  EXPECT_FALSE(check_upgrade(request("example.org", "http://other"), policy).ok());
}

TEST(UpgradeCheck, RequestWithoutAnOriginComesFromNoBrowserAndGetsIn) {
  EXPECT_TRUE(check_upgrade(request("example.org", ""), kPublic).ok());
}

TEST(UpgradeCheck, SecondOriginIsRefused) {
  net::RequestHead head = request("example.org", "http://example.org");
  head.headers.emplace_back("origin", "http://example.org");
  EXPECT_EQ(check_upgrade(head, kPublic).status, 403);
}

TEST(UpgradeCheck, RebindingHostIs403OnALoopbackBind) {
  EXPECT_EQ(check_upgrade(request("evil.com:8000", "http://evil.com:8000"), kLoopback).status, 403);
}

TEST(HostCheck, LoopbackBindAnswersToLoopbackNamesOnly) {
  for (const char* host : {"localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000",
                           "LOCALHOST", "app.localhost:8000"}) {
    EXPECT_TRUE(check_host(request(host, ""), kLoopback).ok()) << host;
  }
  for (const char* host : {"evil.com", "127.0.0.1.evil.com", "localhost.evil.com", "127.0.0.2",
                           "0.0.0.0", "xlocalhost", "192.168.0.1:8000"}) {
    EXPECT_EQ(check_host(request(host, ""), kLoopback).status, 421) << host;
  }
}

TEST(HostCheck, AllowedHostsAreAddedWithAnyOrTheirOwnPort) {
  AccessPolicy policy = kLoopback;
  policy.allowed_hosts = {"example.org", "other.org:8443"};
  EXPECT_TRUE(check_host(request("example.org:1234", ""), policy).ok());
  EXPECT_TRUE(check_host(request("other.org:8443", ""), policy).ok());
  EXPECT_TRUE(check_host(request("localhost", ""), policy).ok());
  EXPECT_EQ(check_host(request("other.org", ""), policy).status, 421);
  EXPECT_EQ(check_host(request("sub.example.org", ""), policy).status, 421);
  policy.allowed_hosts = {"*"};
  EXPECT_TRUE(check_host(request("anything", ""), policy).ok());
}

TEST(HostCheck, PublicBindAnswersToAnyNameUnlessToldOtherwise) {
  EXPECT_TRUE(check_host(request("anything.org", ""), kPublic).ok());
  AccessPolicy policy = kPublic;
  policy.allowed_hosts = {"example.org"};
  EXPECT_EQ(check_host(request("anything.org", ""), policy).status, 421);
}

TEST(HostCheck, MalformedHostIs400) {
  for (const char* host : {"", "a b", "user@a", "a:0", "a:99999", "a:b", "[::1", "::1", "a/b",
                           "a,b", "a;b", "a'b", "\"a\""}) {
    EXPECT_EQ(check_host(request(host, ""), kPublic).status, 400) << host;
  }
}

}  // namespace
}  // namespace lattice::app
