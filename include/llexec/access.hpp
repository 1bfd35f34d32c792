// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The access rights of Landlock: one table, from which keywords, groups and the masks of each ABI
// follow. A right that a new kernel adds is one line in loader/landlock/access.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

enum class AccessClass { fs, net, scope };

inline constexpr std::array access_classes{AccessClass::fs, AccessClass::net, AccessClass::scope};

/// "filesystem", "network" or "scope".
[[nodiscard]] std::string_view to_string(AccessClass access_class);

struct AccessRight {
    AccessClass access_class;
    std::string_view name; ///< the kernel's name in lower case, without its LANDLOCK_ prefix
    std::uint64_t bit;
    int first_abi;        ///< the first Landlock ABI version that has it
    bool landlock_config; ///< Landlock Config has this keyword; otherwise it is an extension of
                          ///< llexec
    bool on_files;        ///< filesystem rights: has a meaning for what is not a directory
};

/// A set of rights of each class, as bit masks of the kernel's values.
struct AccessMasks {
    std::uint64_t fs = 0;
    std::uint64_t net = 0;
    std::uint64_t scoped = 0;

    [[nodiscard]] bool empty() const { return fs == 0 && net == 0 && scoped == 0; }
    [[nodiscard]] std::uint64_t of(AccessClass access_class) const;
    [[nodiscard]] std::uint64_t& of(AccessClass access_class);

    friend bool operator==(const AccessMasks&, const AccessMasks&) = default;
};

/// Every right that this version knows, class by class, in bit order.
[[nodiscard]] std::span<const AccessRight> access_rights();

/// The right of that class and (case-sensitive) name, or nullptr.
[[nodiscard]] const AccessRight* find_access_right(AccessClass access_class, std::string_view name);

/// The filesystem rights of these names, which exist.
[[nodiscard]] std::uint64_t fs_rights(std::initializer_list<std::string_view> names);

/// What a kernel with Landlock ABI `abi` can handle. 0 and below: nothing. Rights that this version
/// does not know are never in it.
[[nodiscard]] AccessMasks rights_of_abi(int abi);

/// The newest Landlock ABI version that has a right that this version knows.
[[nodiscard]] int newest_known_abi();

/// The names of the rights of a mask, in bit order; a right without a name is a number, such as
/// "0x20000".
[[nodiscard]] std::vector<std::string> names_of_rights(AccessClass access_class,
                                                       std::uint64_t mask);

/// Those filesystem rights that the kernel accepts in a rule for what is not a directory.
[[nodiscard]] std::uint64_t file_rights();

/// The newest ABI version that the groups of Landlock Config follow. Above it a group means what it
/// means at this version: upstream has not defined groups for later ones, so abi.all never contains
/// bind_udp or connect_send_udp (ABI 10).
inline constexpr int group_abi_ceiling = 9;

/// The rights a group keyword (abi.all, abi.read_execute, abi.read_write) stands for in a document
/// of version `abi`, as Landlock Config defines it with the landlock crate 0.4.7 or later. May be 0
/// (abi.all of the network class at ABI 3). nullopt: no group of that name for that class.
[[nodiscard]] std::optional<std::uint64_t> expand_group(AccessClass access_class,
                                                        std::string_view keyword, int abi);

/// The Linux release that brought a Landlock ABI version, such as "6.12"; empty if not known.
[[nodiscard]] std::string_view linux_of_abi(int abi);

} // namespace llexec
