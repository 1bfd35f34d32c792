// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace llexec::attach {

/// FNV-1a of bytes, of those before too if `digest` is theirs: this only has to tell versions of
/// programs apart, nobody gains from a collision.
inline std::uint64_t digest_of(const void* bytes, std::size_t size,
                               std::uint64_t digest = 0xcbf29ce484222325) {
    for (const unsigned char byte : std::span(static_cast<const unsigned char*>(bytes), size))
        digest = (digest ^ byte) * 0x100000001b3;
    return digest;
}

} // namespace llexec::attach
