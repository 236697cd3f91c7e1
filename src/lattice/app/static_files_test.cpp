// SPDX-License-Identifier: MIT
#include "lattice/app/static_files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lattice/base/error.hpp"
#include "lattice/net/digest.hpp"

namespace lattice::app {
namespace {

namespace fs = std::filesystem;

class StaticFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base = fs::temp_directory_path() / ("lattice-static-" + net::random_token(6));
    fs::create_directories(base / "public/sub");
    fs::create_directories(base / "public-not");
    write(base / "secret.txt", "secret");
    write(base / "public-not/secret.txt", "secret");
    write(base / "public/a.css", "body{}");
    write(base / "public/sub/b c.txt", "b");
    write(base / "public/.env", "secret");
    fs::create_symlink(base / "secret.txt", base / "public/link.txt");
    fs::create_symlink(base, base / "public/up");
    fs::create_symlink(base / "public/a.css", base / "public/inner.css");
  }
  void TearDown() override { fs::remove_all(base); }
  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

  // As the server does it: decode, route by prefix, serve.
  net::Response get(const std::string& path, net::Headers headers = {}) {
    StaticFiles files("/static", base / "public", 1000);
    net::RequestHead head;
    head.headers = std::move(headers);
    auto decoded = decode_path(path);
    if (!decoded || !files.covers(*decoded)) return net::Response::text(404, "");
    return files.serve(head, *decoded);
  }

  fs::path base;
};

TEST_F(StaticFilesTest, FileIsServedWithTypeAndValidators) {
  net::Response response = get("/static/a.css");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(*response.body, "body{}");
  EXPECT_EQ(net::find_header(response.headers, "Content-Type"), "text/css; charset=utf-8");
  EXPECT_EQ(net::find_header(response.headers, "X-Content-Type-Options"), "nosniff");
  EXPECT_FALSE(net::find_header(response.headers, "Last-Modified").empty());
}

TEST_F(StaticFilesTest, EscapesAreDecodedOnce) {
  EXPECT_EQ(get("/static/sub/b%20c.txt").status, 200);
  EXPECT_EQ(get("/static/sub/b%2520c.txt").status, 404);
}

TEST_F(StaticFilesTest, LinkInsideTheFolderIsServed) {
  EXPECT_EQ(get("/static/inner.css").status, 200);
}

TEST_F(StaticFilesTest, UnchangedFileIs304) {
  net::Response first = get("/static/a.css");
  std::string tag(net::find_header(first.headers, "ETag"));
  std::string date(net::find_header(first.headers, "Last-Modified"));
  EXPECT_EQ(get("/static/a.css", {{"If-None-Match", tag}}).status, 304);
  EXPECT_EQ(get("/static/a.css", {{"If-Modified-Since", date}}).status, 304);
  EXPECT_EQ(get("/static/a.css", {{"If-None-Match", "\"x\""}, {"If-Modified-Since", date}}).status,
            200);
  write(base / "public/a.css", "body{color:red}");
  EXPECT_EQ(get("/static/a.css", {{"If-None-Match", tag}}).status, 200);
}

TEST_F(StaticFilesTest, NothingOutsideTheFolderIsServed) {
  for (const char* path : {"/static/../secret.txt",
                           "/static/..%2fsecret.txt",
                           "/static/%2e%2e/secret.txt",
                           "/static/%2e%2e%2fsecret.txt",
                           "/static/.%2e/secret.txt",
                           "/static/..%5csecret.txt",
                           "/static/..\\secret.txt",
                           "/static/sub/../../secret.txt",
                           "/static/sub/%2e%2e/%2e%2e/secret.txt",
                           "/static/..;/secret.txt",
                           "/static//etc/passwd",
                           "/static/%2fetc/passwd",
                           "/static/%2Fetc%2Fpasswd",
                           "/static/link.txt",
                           "/static/up/secret.txt",
                           "/static/.env",
                           "/static/%2eenv",
                           "/static/a.css%00.txt",
                           "/static/a.css%0a",
                           "/static/%c0%ae%c0%ae/secret.txt",
                           "/static/%252e%252e/secret.txt",
                           "/static/./a.css",
                           "/static-not/secret.txt",
                           "/static",
                           "/static/",
                           "/static/sub",
                           "/static/sub/",
                           "/static/a.css/",
                           "/static/%zz",
                           "/static/%2",
                           "/static/%",
                           "/staticx/a.css",
                           "//static/a.css",
                           "/static/nothing"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(StaticFilesTest, PipeAndUnreadableThingsAre404AndDoNotHang) {
  ASSERT_EQ(::mkfifo((base / "public/pipe").c_str(), 0600), 0);
  EXPECT_EQ(get("/static/pipe").status, 404);
}

TEST_F(StaticFilesTest, FileBeyondTheBoundIsRefused) {
  write(base / "public/large.bin", std::string(1001, 'x'));
  EXPECT_EQ(get("/static/large.bin").status, 500);
}

TEST_F(StaticFilesTest, MissingFolderIsAnError) {
  EXPECT_THROW(StaticFiles("/static", base / "nowhere", 1), Error);
  EXPECT_THROW(StaticFiles("/static", base / "secret.txt", 1), Error);
  EXPECT_THROW(StaticFiles("static", base, 1), Error);
}

TEST(MediaType, GoesByTheLastExtension) {
  EXPECT_EQ(media_type("a.min.JS"), "text/javascript; charset=utf-8");
  EXPECT_EQ(media_type("a"), "application/octet-stream");
  EXPECT_EQ(media_type("a.svg"), "image/svg+xml");
}

}  // namespace
}  // namespace lattice::app
