// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the readers of the parts of a policy share: reporting, and getting values of the right
// shape.
#pragma once

#include "policy/document.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llexec {

/// The tables of a policy file, for messages about keys in the wrong one.
enum class Place { root, variable, ruleset, path_beneath, net_port, match, enforce, lint };

/// Of one file, no more errors and no more findings of one lint are listed; what is beyond is
/// counted, in one more finding.
inline constexpr std::size_t max_listed_findings = 100;

/// Collects findings about one file. The getters report what has the wrong shape and return nothing
/// for it, so that the caller goes on and all findings of a file come out together.
class Reader {
  public:
    /// `standard`: what Landlock Config does not have is an error.
    Reader(std::string file, Syntax syntax, bool standard = false)
        : file_(std::move(file)), syntax_(syntax), standard_(standard) {}

    void error(Position position, std::string message, std::string advice = {});
    /// A finding of the lint of that name, see llexec/lint.hpp.
    void lint(std::string_view name, Position position, std::string message,
              std::string advice = {});

    /// Reports each key of `table` that this place does not have.
    void check_keys(const Node& table, Place place);

    /// The tables of a [[member]]; empty, with a finding, if it is anything but a non-empty array
    /// of tables. Entries of another type are reported and left out.
    std::vector<const Node*> tables(const Member& member);

    /// The values of a non-empty array; empty, with a finding, if it is anything else. `example`
    /// shows what to write.
    std::span<const Node> array(const Member& member, std::string_view example);

    /// The text of a string node, or nullptr with a finding.
    const std::string* string(const Node& node, std::string_view example);

    // Words for messages, in the document's own syntax.
    [[nodiscard]] std::string_view describe(const Node& node) const;
    [[nodiscard]] std::string key(std::string_view name) const; ///< path_beneath, pathBeneath
    [[nodiscard]] std::string entry(std::string_view name,
                                    std::string_view value) const; ///< abi = 6, "abi": 6
    [[nodiscard]] std::string
    table(std::string_view name) const; ///< [[ruleset]], "ruleset": [{...}]

    /// True if further errors are only counted.
    [[nodiscard]] bool full() const;

    /// All findings so far, ordered by position; the reader is empty afterwards.
    [[nodiscard]] std::vector<Diagnostic> take();
    /// True if there was an error, taken or not.
    [[nodiscard]] bool failed() const { return failed_; }

    [[nodiscard]] const std::string& file() const { return file_; }
    [[nodiscard]] Syntax syntax() const { return syntax_; }
    [[nodiscard]] bool standard() const { return standard_; }

  private:
    void add(Diagnostic diagnostic);

    /// Errors, or the findings of one lint.
    struct Kind {
        std::size_t count = 0;
        Position first_unlisted;
    };

    std::string file_;
    Syntax syntax_;
    bool standard_;
    std::multimap<Position, Diagnostic>
        diagnostics_; ///< those of one place stay in the order of their reports
    std::map<std::string, Kind, std::less<>> kinds_; ///< by the lint; "": errors
    bool failed_ = false;
};

} // namespace llexec
