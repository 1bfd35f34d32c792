// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The readers of the parts of a policy document. Each reports through the Reader and fills what it
// could read.
#pragma once

#include "llexec/policy.hpp"
#include "llexec/user_database.hpp"
#include "policy/reader.hpp"

#include <string_view>

namespace llexec {

/// The Landlock Config body: abi, [[ruleset]], [[path_beneath]], [[net_port]].
void read_body(const Node& root, Reader& reader, Policy& policy);

/// The [[match]] tables.
void read_match(const Node& root, Reader& reader, UserDatabase& users, Policy& policy);

/// The [enforce] table.
void read_enforce(const Node& root, Reader& reader, Policy& policy);

/// Whether a directory's entry of that name is a policy.
[[nodiscard]] bool is_policy_file(std::string_view name);

/// What a policy of that file is called.
[[nodiscard]] std::string_view policy_name(std::string_view file);

} // namespace llexec
