// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lint/rescue_shell.hpp"

#include "llexec/off_switch.hpp"
#include "llexec/printable.hpp"
#include "llexec/user_database.hpp"
#include "query/hierarchy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

namespace llexec::lint {
namespace {

constexpr const char* last_resort = "/bin/sh"; // sulogin's own

constexpr std::array services{"/system.slice/rescue.service", "/system.slice/emergency.service"};

/// In the order in which systemd comes to the shell.
std::vector<std::string> systemd_starters() {
    return {"/usr/lib/systemd/systemd-executor", "/lib/systemd/systemd-sulogin-shell",
            "/sbin/sulogin"};
}

/// As sulogin chooses it. Its environment is the service manager's, which is that of llexecd too.
std::string shell_of_root() {
    for (const char* const name : {"SUSHELL", "sushell"})
        // Nothing here changes the environment.
        if (const char* const shell = std::getenv(name)) // NOLINT(concurrency-mt-unsafe)
            return shell;
    return shell_of_user(0);
}

/// Nothing if there is no such file.
std::optional<ExecutedFiles> look_at(const std::string& path) {
    if (!path.starts_with('/'))
        return std::nullopt;
    if (auto files = executed_files(path))
        return *files;
    // One that cannot be read can be executed and selected all the same.
    if (auto real = real_path(path))
        return ExecutedFiles{.asked = std::move(*real)};
    return std::nullopt;
}

/// Where the policy would be enforced on an execution by systemd, if it would.
std::optional<Position> selecting_block(const Policy& policy, const ExecutedFiles& files) {
    const bool asks_for_cgroup = std::ranges::any_of(
        policy.match, [](const MatchBlock& block) { return !block.cgroups.empty(); });
    for (const char* const service : services) {
        const Selection selection =
            select_policy(policy, {.user = 0, .groups = {0}, .cgroup = service}, files);
        if (selection.selected)
            return selection.block;
        if (!asks_for_cgroup)
            return std::nullopt; // the services differ in nothing else
    }
    return std::nullopt;
}

} // namespace

RescueShell::RescueShell() : RescueShell(shell_of_root(), systemd_starters()) {}

RescueShell::RescueShell(const std::string& shell, const std::vector<std::string>& starters) {
    for (const std::string& starter : starters)
        if (auto files = look_at(starter))
            starters_.push_back(std::move(*files));
    auto files = look_at(shell);
    if (!files)
        files = look_at(last_resort);
    if (files)
        shell_ = std::move(*files);
}

void RescueShell::check(Findings& findings) const {
    const Policy& policy = findings.policy();
    if (policy.enforce.mode != Mode::enforce || shell_.asked.empty())
        return;
    const std::string shell = printable(shell_.asked);
    const std::string advice =
        fmt::format("exclude it: name programs, users or a cgroup in this block; {} on the "
                    "kernel's command line is the way out",
                    off_word);
    if (const auto block = selecting_block(policy, shell_)) {
        findings.add("rescue-shell", *block,
                     fmt::format("this block selects root's shell '{}' in rescue.target or "
                                 "emergency.target",
                                 shell),
                     advice);
        return;
    }
    for (const ExecutedFiles& starter : starters_)
        if (const auto block = selecting_block(policy, starter)) {
            findings.add("rescue-shell", *block,
                         fmt::format("this block selects '{}' in rescue.target or "
                                     "emergency.target, and root's shell '{}' is started inside "
                                     "its domain",
                                     printable(starter.asked), shell),
                         advice);
            return;
        }
}

} // namespace llexec::lint

namespace llexec {

std::vector<Diagnostic> lint_rescue_shell(std::span<const Policy> policies) {
    const lint::RescueShell shell;
    std::vector<Diagnostic> all;
    for (const Policy& policy : policies) {
        lint::Findings findings(policy);
        shell.check(findings);
        std::ranges::move(findings.take(), std::back_inserter(all));
    }
    return all;
}

} // namespace llexec
