// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The readers of the parts of a policy document, but for its body. Each reports through the Reader
// and fills what it could read.
#pragma once

#include "llexec/policy.hpp"
#include "llexec/policy_file.hpp"
#include "llexec/user_database.hpp"
#include "policy/reader.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// The [[match]] tables.
void read_match(const Node& root, Reader& reader, UserDatabase& users, Policy& policy);

/// The [enforce] table.
void read_enforce(const Node& root, Reader& reader, Policy& policy);

/// The [lint] table.
void read_lint(const Node& root, Reader& reader, Policy& policy);

/// One entry of `include`.
struct Include {
    std::string path; ///< as written
    Position position;
};

/// The entries of `include`.
[[nodiscard]] std::vector<Include> read_include(const Node& root, Reader& reader);

/// See compose_policies().
[[nodiscard]] ParsedPolicy compose_documents(std::span<const PolicyText> texts,
                                             std::string_view name, UserDatabase& users);

/// A line of a text, without its end; numbers start at 1.
[[nodiscard]] std::string_view line_of(std::string_view text, std::uint32_t number);

/// What a policy of that file is called.
[[nodiscard]] std::string_view policy_name(std::string_view file);

} // namespace llexec
