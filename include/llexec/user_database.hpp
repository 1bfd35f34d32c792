// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Where the names of users and groups come from.
#pragma once

#include "llexec/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llexec {

/// Name look-ups, injected so that a caller (or a test) decides which database answers.
class UserDatabase {
  public:
    UserDatabase() = default;
    UserDatabase(const UserDatabase&) = delete;
    UserDatabase& operator=(const UserDatabase&) = delete;
    virtual ~UserDatabase() = default;

    /// The user's ID; nullopt if there is no user of that name; an error if the database could not
    /// answer.
    [[nodiscard]] virtual Result<std::optional<std::uint32_t>> user_id(const std::string& name) = 0;
    /// The same for a group.
    [[nodiscard]] virtual Result<std::optional<std::uint32_t>>
    group_id(const std::string& name) = 0;
};

/// The system's databases, through getpwnam_r(3) and getgrnam_r(3).
class SystemUserDatabase final : public UserDatabase {
  public:
    [[nodiscard]] Result<std::optional<std::uint32_t>> user_id(const std::string& name) override;
    [[nodiscard]] Result<std::optional<std::uint32_t>> group_id(const std::string& name) override;
};

/// The groups that a login of that user has, from the system's databases; none for an unknown user.
[[nodiscard]] std::vector<std::uint32_t> groups_of_user(std::uint32_t user);

/// The program that a login of that user starts, from the system's database; empty for an unknown
/// user, and for one without.
[[nodiscard]] std::string shell_of_user(std::uint32_t user);

} // namespace llexec
