// SPDX-License-Identifier: MIT
// An asset held in memory under a URL that names its content, so that it is cached for ever.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lattice/net/exchange.hpp"

namespace lattice::app::internal {

class Asset {
 public:
  // "/_lattice/client", ".js" -> "/_lattice/client-0f3a....js". Empty bytes make an empty asset,
  // which is served all the same.
  Asset(std::string_view stem, std::string_view extension, std::string bytes);
  const std::string& url() const noexcept { return url_; }
  net::Response serve(const net::RequestHead& head) const;

 private:
  std::string url_;
  std::string tag_;
  std::string media_type_;
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace lattice::app::internal
