// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lint/checks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <initializer_list>

namespace llexec::lint {
namespace {

void check_classes(Findings& findings) {
    const AccessMasks& handled = findings.policy().handled;
    if (handled.fs == 0)
        findings.add("unhandled-class", Position{},
                     "no filesystem right is handled: access to files stays unrestricted",
                     "list them in handled_access_fs");
    if (handled.net == 0)
        findings.add("unhandled-class", Position{},
                     "no network right is handled: TCP and UDP stay unrestricted",
                     "list them in handled_access_net");
    if (handled.scoped == 0)
        findings.add("scopes-unused", Position{},
                     "no scope is used: signals and abstract unix sockets stay unrestricted",
                     "list signal and abstract_unix_socket in scoped");
}

/// Landlock denies moving a file into another directory unless both grant refer.
void check_refer(Findings& findings) {
    const std::uint64_t making = fs_rights({"make_reg", "make_dir", "make_sym"});
    const std::uint64_t removing = fs_rights({"remove_file", "remove_dir"});
    const std::uint64_t refer = fs_rights({"refer"});
    for (const PathRule& rule : findings.policy().paths)
        if ((rule.access & making) != 0 && (rule.access & removing) != 0 &&
            (rule.access & refer) == 0)
            findings.add("no-refer", rule.grants,
                         fmt::format("files may be created and removed beneath '{}', but not moved "
                                     "between its directories: rename(2) fails with EXDEV",
                                     rule.path),
                         "grant refer too");
}

} // namespace

void check_rights(Findings& findings) {
    check_classes(findings);
    check_refer(findings);
}

} // namespace llexec::lint
