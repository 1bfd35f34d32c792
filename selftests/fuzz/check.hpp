// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What must hold, whatever the input is.
#pragma once

#include "llexec/diagnostic.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

namespace llexec::fuzz {

inline void check(bool condition) {
    if (!condition)
        std::abort();
}

/// No finding is beyond the end of its text.
inline void check_places(std::span<const Diagnostic> diagnostics, std::string_view text) {
    const auto lines = std::ranges::count(text, '\n') + 1;
    for (const Diagnostic& diagnostic : diagnostics)
        // One line more: where something is missing at the end.
        check(diagnostic.position.line <= lines + 1);
}

} // namespace llexec::fuzz
