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
    Lint{"cannot-restart", note, "a program that could not be executed again, or by `llexec run`"},
    Lint{"cannot-start", warning, "a program whose own files it may not read: it cannot start"},
    Lint{"directory-right-on-file", note, "rights that only directories have, on something else"},
    Lint{"empty-group", warning, "a group that stands for no right at the policy's ABI version"},
    Lint{"empty-path", warning, "a rule's path that names nothing"},
    Lint{"ignored-entry", warning,
         "an entry of a directory that is named like a policy and is none"},
    Lint{"kernel-lacks-right", warning, "a right that this kernel cannot enforce"},
    Lint{"missing-path", warning, "a rule's path that does not exist"},
    Lint{"missing-program", warning, "a program or directory of [[match]] that does not exist"},
    Lint{"multi-call-program", warning,
         "a program that is several programs, by the name it is called by"},
    Lint{"no-match", note, "a policy that is never attached to anything"},
    Lint{"no-refer", warning,
         "rights to create files without refer: renames to other directories fail"},
    Lint{"pointless-rule", warning, "a rule that grants what a wider one grants"},
    Lint{"program-not-executable", warning, "a program of exe that cannot be executed"},
    Lint{"relative-path", warning, "a rule's path that depends on a working directory"},
    Lint{"replaced-by-upgrade", warning, "a rule on a file that a package upgrade replaces"},
    Lint{"rescue-shell", warning, "a policy for the shell that a broken machine is repaired with"},
    Lint{"same-program", note, "several policies for one program: each is a layer"},
    Lint{"scopes-unused", note, "scopes that the policy does not use"},
    Lint{"script-program", note, "a program that is a script: its interpreter runs it"},
    Lint{"set-user-id-program", warning, "a program that changes its user, group or capabilities"},
    Lint{"single-file-write", warning,
         "writing to one file, but not to its directory: atomic saves fail"},
    Lint{"symlink-path", note, "a rule's path that is a symbolic link: the rule is on its target"},
    Lint{"symlink-program", note,
         "a program of exe that is a symbolic link: its target is matched"},
    Lint{"udp-unrestricted", note, "a group of network rights that has no UDP right"},
    Lint{"unhandled-class", warning, "a class of rights that the policy does not restrict at all"},
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
