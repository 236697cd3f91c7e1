// SPDX-License-Identifier: MIT
// Content hashes and unguessable tokens.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lattice::net {

// SHA-256 of `text` in lower-case hexadecimal.
std::string sha256_hex(std::string_view text);

// `bytes` random bytes from the system, as base64url without padding. Throws Error when the system
// has none.
std::string random_token(size_t bytes);

}  // namespace lattice::net
