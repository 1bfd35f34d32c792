// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Findings about policies that are valid, and probably not what their authors meant. Each kind has
// a name, by which it is documented (docs/lints.md) and silenced.
#pragma once

#include "llexec/diagnostic.hpp"

#include <span>
#include <string>
#include <string_view>

namespace llexec {

struct Lint {
    std::string_view name;
    Severity severity; ///< warning or note
    std::string_view summary;
};

/// Every lint, ordered by name.
[[nodiscard]] std::span<const Lint> lints();

/// The lint of that name, or nullptr.
[[nodiscard]] const Lint* find_lint(std::string_view name);

/// A finding of the lint of that name, which exists.
[[nodiscard]] Diagnostic make_finding(std::string_view name, std::string file, Position position,
                                      std::string message, std::string advice = {});

} // namespace llexec
