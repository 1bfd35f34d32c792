// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/path_hash.hpp"

#include "llexec/name_hash.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace llexec::kernel {

std::uint64_t hash_name(std::uint64_t hash, std::string_view name) {
    std::array<__u64, LLEXEC_NAME_SIZE / sizeof(__u64)> words{};
    const std::size_t size = std::min(name.size(), std::size_t{LLEXEC_NAME_SIZE - 1});
    std::memcpy(words.data(), name.data(), size);
    return llexec_hash_name(hash, words.data(), static_cast<__u32>(size + 1));
}

std::uint64_t suffix_hash(std::string_view names, std::uint64_t seed) {
    std::uint64_t hash = seed;
    while (!names.empty()) {
        const std::size_t slash = names.rfind('/');
        const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
        if (begin < names.size())
            hash = hash_name(hash, names.substr(begin));
        names = names.substr(0, slash == std::string_view::npos ? 0 : slash);
    }
    return hash;
}

} // namespace llexec::kernel
