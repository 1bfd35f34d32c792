// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/user_database.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <utility>
#include <vector>

namespace llexec {
namespace {

constexpr std::size_t first_buffer = 1024;
constexpr std::size_t max_buffer = 16UL * 1024 * 1024; // a group's member list can be long

/// `query(buffer, found)` is one of the get*nam_r functions; returns its error number and sets
/// `found`.
template<class Entry, class Query>
Result<std::optional<std::uint32_t>> look_up(const std::string& name, Query query,
                                             std::uint32_t (*id_of)(const Entry&)) {
    for (std::vector<char> buffer(first_buffer);; buffer.resize(buffer.size() * 4)) {
        Entry entry{};
        Entry* found = nullptr;
        const int error = query(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE && buffer.size() < max_buffer)
            continue;
        if (found != nullptr)
            return id_of(*found);
        // The manual allows these for "no such name" beside 0.
        if (error == 0 || error == ENOENT || error == ESRCH)
            return std::nullopt;
        return system_error(error, fmt::format("looking up '{}' failed", name));
    }
}

/// What `use` makes of the user's entry; `use` sees it while it lasts.
template<class Use>
auto of_user(std::uint32_t user, Use use) -> decltype(use(std::declval<const passwd&>())) {
    for (std::vector<char> buffer(first_buffer);; buffer.resize(buffer.size() * 4)) {
        passwd entry{};
        passwd* found = nullptr;
        const int error = ::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found);
        if (error == ERANGE && buffer.size() < max_buffer)
            continue;
        if (found == nullptr)
            return {};
        return use(*found);
    }
}

} // namespace

Result<std::optional<std::uint32_t>> SystemUserDatabase::user_id(const std::string& name) {
    return look_up<passwd>(name, ::getpwnam_r,
                           [](const passwd& entry) -> std::uint32_t { return entry.pw_uid; });
}

Result<std::optional<std::uint32_t>> SystemUserDatabase::group_id(const std::string& name) {
    return look_up<group>(name, ::getgrnam_r,
                          [](const group& entry) -> std::uint32_t { return entry.gr_gid; });
}

std::vector<std::uint32_t> groups_of_user(std::uint32_t user) {
    return of_user(user, [](const passwd& entry) -> std::vector<std::uint32_t> {
        int count = 64;
        std::vector<gid_t> groups(static_cast<std::size_t>(count));
        while (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0)
            groups.resize(static_cast<std::size_t>(count));
        groups.resize(static_cast<std::size_t>(count));
        return {groups.begin(), groups.end()};
    });
}

std::string shell_of_user(std::uint32_t user) {
    return of_user(user, [](const passwd& entry) -> std::string {
        return entry.pw_shell == nullptr ? "" : entry.pw_shell;
    });
}

} // namespace llexec
