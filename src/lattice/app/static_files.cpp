// SPDX-License-Identifier: MIT
#include "lattice/app/static_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <utility>

#include "lattice/base/bytes.hpp"
#include "lattice/base/error.hpp"

namespace lattice::app {

namespace {

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) noexcept : value_(value) {}
  ~FileDescriptor() {
    if (value_ >= 0) ::close(value_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const noexcept { return value_; }

 private:
  int value_;
};

std::optional<std::string> real_path(const std::string& path) {
  std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  if (!real) return std::nullopt;
  return std::string(real.get());
}

bool lies_in(std::string_view path, std::string_view root) noexcept {
  if (root == "/") return true;
  return path.starts_with(root) && path.size() > root.size() && path[root.size()] == '/';
}

// `rest` is what follows the prefix: "/a/b.css".
bool is_plain_path(std::string_view rest) noexcept {
  if (rest.empty() || rest.front() != '/' || rest.find('\\') != std::string_view::npos)
    return false;
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    const std::string_view part = rest.substr(0, rest.find('/'));
    if (part.empty() || part.front() == '.') return false;
    rest.remove_prefix(part.size());
  }
  return true;
}

std::string http_date(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  const size_t length =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), length};
}

std::string entity_tag(const struct stat& status) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "\"%llx-%llx-%llx\"",
                static_cast<unsigned long long>(status.st_size),
                static_cast<unsigned long long>(status.st_mtim.tv_sec),
                static_cast<unsigned long long>(status.st_mtim.tv_nsec));
  return text.data();
}

bool is_fresh(const net::RequestHead& head, const std::string& tag, const std::string& modified) {
  // If-None-Match wins (RFC 9110, 13.2.2). Dates are compared as text: ours come back as we sent
  // them.
  if (std::string_view known = head.header("If-None-Match"); !known.empty()) {
    return known == "*" || known.find(tag) != std::string_view::npos;
  }
  return head.header("If-Modified-Since") == modified;
}

std::optional<std::string> read_all(int file, size_t size) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(file, bytes.data() + done, size - done);
    if (count < 0) return std::nullopt;
    if (count == 0) break;  // it has shrunk meanwhile
    done += static_cast<size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

net::Response not_found() { return net::Response::text(404, "not found"); }

}  // namespace

std::optional<std::string> decode_path(std::string_view path) {
  std::string decoded;
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      if (path.size() - i < 3) return std::nullopt;
      const int high = hex_digit(path[i + 1]);
      const int low = hex_digit(path[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return std::nullopt;
    decoded += c;
  }
  if (!is_valid_utf8(decoded)) return std::nullopt;
  return decoded;
}

std::string_view media_type(std::string_view file_name) noexcept {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 27> kTypes{{
      {".avif", "image/avif"},
      {".css", "text/css; charset=utf-8"},
      {".csv", "text/csv; charset=utf-8"},
      {".gif", "image/gif"},
      {".html", "text/html; charset=utf-8"},
      {".ico", "image/x-icon"},
      {".jpeg", "image/jpeg"},
      {".jpg", "image/jpeg"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".md", "text/markdown; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".mp3", "audio/mpeg"},
      {".mp4", "video/mp4"},
      {".ogg", "audio/ogg"},
      {".pdf", "application/pdf"},
      {".png", "image/png"},
      {".svg", "image/svg+xml"},
      {".ttf", "font/ttf"},
      {".txt", "text/plain; charset=utf-8"},
      {".wasm", "application/wasm"},
      {".webm", "video/webm"},
      {".webmanifest", "application/manifest+json"},
      {".webp", "image/webp"},
      {".woff", "font/woff"},
      {".woff2", "font/woff2"},
  }};
  const size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return "application/octet-stream";
  for (const auto& [extension, type] : kTypes) {
    if (net::equal_ignoring_case(file_name.substr(dot), extension)) return type;
  }
  return "application/octet-stream";
}

StaticFiles::StaticFiles(std::string prefix, std::string folder, size_t file_bytes_max)
    : prefix_(std::move(prefix)), file_bytes_max_(file_bytes_max) {
  while (prefix_.ends_with('/')) prefix_.pop_back();
  if (!prefix_.empty() && prefix_.front() != '/') throw Error("a static prefix begins with '/'");
  auto root = real_path(folder);
  struct stat status{};
  if (!root || ::stat(root->c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    throw Error("the static folder " + folder + " does not exist");
  }
  root_ = std::move(*root);
}

bool StaticFiles::covers(std::string_view path) const noexcept {
  return path.size() > prefix_.size() && path.starts_with(prefix_) && path[prefix_.size()] == '/';
}

net::Response StaticFiles::serve(const net::RequestHead& head, std::string_view path) const {
  const std::string_view rest = path.substr(prefix_.size());
  if (!is_plain_path(rest)) return not_found();
  auto real = real_path(root_ + std::string(rest));
  if (!real || !lies_in(*real, root_)) return not_found();
  // NOFOLLOW: the path was just resolved, so a link here has come since. NONBLOCK: a pipe must not
  // hang.
  FileDescriptor file(::open(real->c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return not_found();
  }
  if (static_cast<uint64_t>(status.st_size) > file_bytes_max_) {
    return net::Response::text(500, "file too large to be served");
  }
  const std::string tag = entity_tag(status);
  const std::string modified = http_date(status.st_mtim.tv_sec);
  net::Response response;
  response.headers = {{"ETag", tag},
                      {"Last-Modified", modified},
                      {"Cache-Control", "no-cache"},
                      {"X-Content-Type-Options", "nosniff"}};
  if (is_fresh(head, tag, modified)) {
    response.status = 304;
    return response;
  }
  auto bytes = read_all(file.get(), static_cast<size_t>(status.st_size));
  if (!bytes) return not_found();
  response.headers.emplace_back("Content-Type", std::string(media_type(rest)));
  response.body = std::make_shared<const std::string>(std::move(*bytes));
  return response;
}

}  // namespace lattice::app
