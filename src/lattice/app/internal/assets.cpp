// SPDX-License-Identifier: MIT
#include "lattice/app/internal/assets.hpp"

#include <utility>

#include "lattice/app/static_files.hpp"
#include "lattice/net/digest.hpp"

namespace lattice::app::internal {

Asset::Asset(std::string_view stem, std::string_view extension, std::string bytes)
    : bytes_(std::make_shared<const std::string>(std::move(bytes))) {
  const std::string hash = net::sha256_hex(*bytes_).substr(0, 16);
  url_.append(stem).append("-").append(hash).append(extension);
  tag_.append("\"").append(hash).append("\"");
  media_type_ = std::string(media_type(extension));
}

net::Response Asset::serve(const net::RequestHead& head) const {
  net::Response response;
  response.headers = {{"ETag", tag_},
                      {"Cache-Control", "public, max-age=31536000, immutable"},
                      {"X-Content-Type-Options", "nosniff"}};
  if (head.header("If-None-Match").find(tag_) != std::string_view::npos) {
    response.status = 304;
    return response;
  }
  response.headers.emplace_back("Content-Type", media_type_);
  response.body = bytes_;
  return response;
}

}  // namespace lattice::app::internal
