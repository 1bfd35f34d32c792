// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "unconfined.hpp"

#include "llexec/processes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace llexec::daemon {
namespace {

/// The others are counted.
constexpr std::size_t max_named = 20;

} // namespace

std::optional<std::size_t> say_unconfined(const Journal& journal) {
    const auto processes = find_unconfined_processes();
    if (!processes) {
        journal.say(processes.error(), "cannot tell which processes are not confined",
                    Priority::warning);
        return std::nullopt;
    }
    for (std::size_t i = 0; i < std::min(processes->size(), max_named); ++i) {
        const UnconfinedProcess& process = (*processes)[i];
        journal.say(Priority::notice,
                    fmt::format("not confined, because it has run since before {} was loaded: "
                                "{} (pid {}); restart it",
                                process.policy, process.command, process.pid),
                    {{"LLEXEC_POLICY", process.policy},
                     {"LLEXEC_PID", std::to_string(process.pid)},
                     {"OBJECT_PID", std::to_string(process.pid)}});
    }
    if (processes->size() > max_named)
        journal.say(Priority::notice, fmt::format("{} more processes are not confined: "
                                                  "`llexec status`",
                                                  processes->size() - max_named));
    return processes->size();
}

} // namespace llexec::daemon
