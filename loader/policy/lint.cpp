// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/lint.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace llexec {
namespace {

using enum Severity;

// The one place to name a lint.
constexpr std::array all{
    Lint{"empty-group", warning, "a group that stands for no right at the policy's ABI version"},
    Lint{"empty-path", warning, "a rule's path that names nothing"},
    Lint{"ignored-entry", warning,
         "an entry of a directory that is named like a policy and is none"},
    Lint{"no-match", note, "a policy that is never attached to anything"},
    Lint{"relative-path", warning, "a rule's path that depends on a working directory"},
    Lint{"udp-unrestricted", note, "a group of network rights that has no UDP right"},
};
static_assert(std::ranges::is_sorted(all, {}, &Lint::name));

} // namespace

std::span<const Lint> lints() {
    return all;
}

const Lint* find_lint(std::string_view name) {
    const auto* const found = std::ranges::find(all, name, &Lint::name);
    return found == all.end() ? nullptr : found;
}

Diagnostic make_finding(std::string_view name, std::string file, Position position,
                        std::string message, std::string advice) {
    const Lint* const lint = find_lint(name);
    return {.severity = lint == nullptr ? warning : lint->severity,
            .file = std::move(file),
            .position = position,
            .message = std::move(message),
            .advice = std::move(advice),
            .lint = std::string(name)};
}

} // namespace llexec
