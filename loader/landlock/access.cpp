// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/access.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace llexec {
namespace {

using enum AccessClass;

// The one place to add a right.
constexpr std::array rights{
    // class, name, bit, first ABI, keyword of Landlock Config, has a meaning for what is not a
    // directory
    AccessRight{fs, "execute", 1U << 0, 1, true, true},
    AccessRight{fs, "write_file", 1U << 1, 1, true, true},
    AccessRight{fs, "read_file", 1U << 2, 1, true, true},
    AccessRight{fs, "read_dir", 1U << 3, 1, true, false},
    AccessRight{fs, "remove_dir", 1U << 4, 1, true, false},
    AccessRight{fs, "remove_file", 1U << 5, 1, true, false},
    AccessRight{fs, "make_char", 1U << 6, 1, true, false},
    AccessRight{fs, "make_dir", 1U << 7, 1, true, false},
    AccessRight{fs, "make_reg", 1U << 8, 1, true, false},
    AccessRight{fs, "make_sock", 1U << 9, 1, true, false},
    AccessRight{fs, "make_fifo", 1U << 10, 1, true, false},
    AccessRight{fs, "make_block", 1U << 11, 1, true, false},
    AccessRight{fs, "make_sym", 1U << 12, 1, true, false},
    AccessRight{fs, "refer", 1U << 13, 2, true, false},
    AccessRight{fs, "truncate", 1U << 14, 3, true, true},
    AccessRight{fs, "ioctl_dev", 1U << 15, 5, true, true},
    AccessRight{fs, "resolve_unix", 1U << 16, 9, false, true},
    AccessRight{net, "bind_tcp", 1U << 0, 4, true, false},
    AccessRight{net, "connect_tcp", 1U << 1, 4, true, false},
    AccessRight{net, "bind_udp", 1U << 2, 10, false, false},
    AccessRight{net, "connect_send_udp", 1U << 3, 10, false, false},
    AccessRight{scope, "abstract_unix_socket", 1U << 0, 6, true, false},
    AccessRight{scope, "signal", 1U << 1, 6, true, false},
};

// Index 0 is ABI 1.
constexpr std::array<std::string_view, 11> releases{"5.13", "5.19", "6.2", "6.7", "6.10", "6.12",
                                                    "6.15", "7.0",  "7.1", "7.2", "7.3"};

} // namespace

std::string_view to_string(AccessClass access_class) {
    switch (access_class) {
    case fs:
        return "filesystem";
    case net:
        return "network";
    case scope:
        return "scope";
    }
    return "filesystem";
}

std::uint64_t AccessMasks::of(AccessClass access_class) const {
    return access_class == AccessClass::fs ? fs : access_class == AccessClass::net ? net : scoped;
}

std::uint64_t& AccessMasks::of(AccessClass access_class) {
    return access_class == AccessClass::fs ? fs : access_class == AccessClass::net ? net : scoped;
}

std::span<const AccessRight> access_rights() {
    return rights;
}

const AccessRight* find_access_right(AccessClass access_class, std::string_view name) {
    const auto* const found = std::ranges::find_if(rights, [&](const AccessRight& right) {
        return right.access_class == access_class && right.name == name;
    });
    return found == rights.end() ? nullptr : found;
}

AccessMasks rights_of_abi(int abi) {
    AccessMasks masks;
    for (const AccessRight& right : rights)
        if (right.first_abi <= abi)
            masks.of(right.access_class) |= right.bit;
    return masks;
}

int newest_known_abi() {
    return std::ranges::max(rights, {}, &AccessRight::first_abi).first_abi;
}

std::uint64_t fs_rights(std::initializer_list<std::string_view> names) {
    std::uint64_t mask = 0;
    for (const std::string_view name : names)
        mask |= find_access_right(AccessClass::fs, name)->bit;
    return mask;
}

std::vector<std::string> names_of_rights(AccessClass access_class, std::uint64_t mask) {
    std::vector<std::string> names;
    for (; mask != 0; mask &= mask - 1) {
        const std::uint64_t bit = mask & -mask;
        const auto* const right = std::ranges::find_if(rights, [&](const AccessRight& each) {
            return each.access_class == access_class && each.bit == bit;
        });
        names.push_back(right == rights.end() ? fmt::format("{:#x}", bit)
                                              : std::string(right->name));
    }
    return names;
}

std::uint64_t file_rights() {
    std::uint64_t mask = 0;
    for (const AccessRight& right : rights)
        if (right.on_files)
            mask |= right.bit;
    return mask;
}

std::optional<std::uint64_t> expand_group(AccessClass access_class, std::string_view keyword,
                                          int abi) {
    const std::uint64_t all = rights_of_abi(std::min(abi, group_abi_ceiling)).of(access_class);
    if (keyword == "abi.all")
        return all;
    if (access_class != fs)
        return std::nullopt;
    const auto bit = [](std::string_view name) {
        return find_access_right(fs, name)->bit;
    };
    if (keyword == "abi.read_execute")
        return all & (bit("execute") | bit("read_file") | bit("read_dir") | bit("refer"));
    if (keyword == "abi.read_write")
        return all & ~bit("execute");
    return std::nullopt;
}

std::string_view linux_of_abi(int abi) {
    if (abi < 1 || static_cast<std::size_t>(abi) > releases.size())
        return {};
    return releases.at(static_cast<std::size_t>(abi) - 1);
}

} // namespace llexec
