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

/// Finds the lines that findings are about. One walk over the text, as long as the places that it
/// is asked for come in order.
class SourceLines {
  public:
    explicit SourceLines(std::string_view text) : text_(text) {}

    /// Fills in the source of a finding that has a line.
    void show(Diagnostic& diagnostic);

  private:
    /// As far as there is something of it: at the line's end if the column is beyond.
    void go_to(Position place);

    std::string_view text_;
    std::size_t at_ = 0;
    Position here_{.line = 1, .column = 1}; ///< what is at at_
};

/// What a policy of that file is called.
[[nodiscard]] std::string_view policy_name(std::string_view file);

} // namespace llexec
