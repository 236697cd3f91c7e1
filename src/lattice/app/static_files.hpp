// SPDX-License-Identifier: MIT
// Files of a folder, served under a URL prefix, and nothing outside that folder.
//
// The path is decoded once, split, and refused when a part is empty, starts with a dot or has a
// backslash or control character; the file's real path, symbolic links resolved, must lie in the
// folder. Whatever is wrong, the answer is the same 404. Reads from disk: not for I/O threads.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lattice/net/exchange.hpp"

namespace lattice::app {

// Percent-decodes a URL path. Nothing for malformed escapes, control characters (also encoded), or
// what is not UTF-8.
std::optional<std::string> decode_path(std::string_view path);

// The media type by file name, "application/octet-stream" when unknown.
std::string_view media_type(std::string_view file_name) noexcept;

class StaticFiles {
 public:
  // `prefix` like "/static", `folder` must exist. Throws Error.
  StaticFiles(std::string prefix, std::string folder, size_t file_bytes_max);

  // Whether a (decoded) path lies under the prefix.
  bool covers(std::string_view path) const noexcept;
  // GET or HEAD. REQUIRES: covers(path).
  net::Response serve(const net::RequestHead& head, std::string_view path) const;
  const std::string& prefix() const noexcept { return prefix_; }

 private:
  std::string prefix_;  // without a trailing slash
  std::string root_;    // the folder's real path
  size_t file_bytes_max_;
};

}  // namespace lattice::app
