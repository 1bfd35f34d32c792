// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// One finding about a policy, with the place it was found at. Findings are data: rendering is the
// caller's.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace llexec {

/// A place in a file. Both are 1-based; a column counts characters (Unicode code points), not
/// bytes. Line 0 means the file as a whole; column 0 the line as a whole.
struct Position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;

    friend auto operator<=>(const Position&, const Position&) = default;
};

enum class Severity {
    error,   ///< the policy is unusable
    warning, ///< usable, but probably not what its author meant
    note,    ///< information
};

/// "error", "warning" or "note".
[[nodiscard]] std::string_view to_string(Severity severity);

struct Diagnostic {
    Severity severity = Severity::error;
    std::string file; ///< as the caller named it
    Position position;
    std::string message;  ///< what was found
    std::string advice;   ///< what would be right; may be empty
    std::string lint{};   ///< the name of the lint that found it, see llexec/lint.hpp; empty for
                          ///< what is wrong in itself
    std::string source{}; ///< the line of the file that `position` is in, where it is at hand: raw
                          ///< bytes without the line's end, and of a long line only what is around
                          ///< `position`; may be empty
    std::uint32_t source_column = 1; ///< of the first character of `source`

    friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

/// True if any of `diagnostics` is an error.
[[nodiscard]] bool has_errors(std::span<const Diagnostic> diagnostics);

} // namespace llexec
