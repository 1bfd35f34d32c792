// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The hashes of llexec/name_hash.h for names that the loader has as text.
#pragma once

#include <cstdint>
#include <string_view>

namespace llexec::kernel {

/// Adds a name to a hash, as the programs do. Longer ones than LLEXEC_NAME_SIZE - 1 bytes, which no
/// file and no cgroup has, are cut.
[[nodiscard]] std::uint64_t hash_name(std::uint64_t hash, std::string_view name);

/// What the hash of a path begins with, whose last components are those of `names`, separated by
/// slashes: the programs hash from the last component to the first.
[[nodiscard]] std::uint64_t suffix_hash(std::string_view names, std::uint64_t seed);

} // namespace llexec::kernel
