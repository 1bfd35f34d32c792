// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The templates of Landlock Config: strings in which "${name}" stands for each value of a variable
// and "$$" for "$".
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

/// The values of each variable that is declared. None at all is a declaration too.
using Variables = std::map<std::string, std::vector<std::string>, std::less<>>;

/// What makes a name invalid, for messages; empty for a valid one: an ASCII letter, then ASCII
/// letters, digits and underscores.
[[nodiscard]] std::string_view name_fault(std::string_view name);

struct TemplateError {
    std::size_t offset = 0; ///< of the "$", in bytes
    std::string message;
};

class Template {
  public:
    [[nodiscard]] static std::expected<Template, TemplateError> parse(std::string_view text);

    /// The variables that it refers to, in order; one for each reference.
    [[nodiscard]] std::vector<std::string_view> references() const;

    /// How many strings expand() returns, and their size in all; the largest value of the type
    /// stands for anything too large for it. Every reference must be declared.
    struct Extent {
        std::size_t strings;
        std::size_t bytes;
    };
    [[nodiscard]] Extent extent(const Variables& variables) const;

    /// Each reference replaced by each of its values, independently, the last one varying fastest.
    /// Every reference must be declared; look at extent() first.
    [[nodiscard]] std::vector<std::string> expand(const Variables& variables) const;

  private:
    struct Token {
        bool is_reference;
        std::string text; ///< literal text, or a variable's name
    };
    std::vector<Token> tokens_;
};

} // namespace llexec
