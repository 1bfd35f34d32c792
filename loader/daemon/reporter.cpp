// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "reporter.hpp"

#include <fmt/format.h>

#include <cstring>

namespace llexec::daemon {
namespace {

bool is_failure(Outcome outcome) {
    return outcome == Outcome::refused || outcome == Outcome::killed || outcome == Outcome::allowed;
}

Priority priority_of(Outcome outcome) {
    return is_failure(outcome) ? Priority::warning : Priority::info;
}

std::string message_of(const Event& event) {
    std::string text =
        fmt::format("{}: {}: {}", event.policy, to_string(event.outcome), event.filename);
    if (!event.exe.empty() && event.exe != event.filename)
        text += ", runs " + event.exe;
    if (event.error != 0)
        text += fmt::format(": {}", std::strerror(event.error));
    return text + fmt::format(" (pid {}, uid {})", event.pid, event.uid);
}

} // namespace

void Reporter::say(const Event& event, Clock::time_point now) {
    if (report_ == Report::failures && !is_failure(event.outcome))
        return;
    const Kind kind{event.policy, event.outcome};
    Window& of = windows_.try_emplace(kind, Window{.begin = now}).first->second;
    if (now - of.begin >= window) {
        say_withheld(kind, of);
        of = {.begin = now};
    }
    Window& total = is_failure(event.outcome) ? failures_ : others_;
    if (now - total.begin >= window)
        total = {.begin = now};
    if (of.said == burst || total.said == total_burst) {
        ++of.withheld;
        ++withheld_;
        return;
    }
    ++of.said;
    ++total.said;
    std::vector<Field> fields{{"LLEXEC_POLICY", event.policy},
                              {"LLEXEC_OUTCOME", std::string(to_string(event.outcome))},
                              {"LLEXEC_FILENAME", event.filename},
                              {"LLEXEC_EXE", event.exe},
                              {"LLEXEC_PID", std::to_string(event.pid)},
                              {"LLEXEC_UID", std::to_string(event.uid)},
                              {"LLEXEC_CGROUP", cgroup_path_(event.cgroup)},
                              {"LLEXEC_GENERATION", std::to_string(event.generation)},
                              {"LLEXEC_RULESET_ID", fmt::format("{:x}", event.ruleset_id)},
                              {"ERRNO", std::to_string(event.error)}};
    // The journal adds what it knows of that process, so that it is found with its unit's records.
    fields.push_back({"OBJECT_PID", std::to_string(event.pid)});
    journal_.say(priority_of(event.outcome), message_of(event), fields);
}

void Reporter::say_withheld(const Kind& kind, Window& of) const {
    if (of.withheld == 0)
        return;
    journal_.say(
        priority_of(kind.second),
        fmt::format("{}: {}: {} more executions", kind.first, to_string(kind.second), of.withheld),
        {{"LLEXEC_POLICY", kind.first},
         {"LLEXEC_OUTCOME", std::string(to_string(kind.second))},
         {"LLEXEC_WITHHELD", std::to_string(of.withheld)}});
    of.withheld = 0;
}

std::optional<Reporter::Clock::time_point> Reporter::say_withheld(Clock::time_point now) {
    std::optional<Clock::time_point> next;
    for (auto at = windows_.begin(); at != windows_.end();) {
        auto& [kind, of] = *at;
        const Clock::time_point end = of.begin + window;
        if (now >= end) {
            say_withheld(kind, of);
            at = windows_.erase(at);
            continue;
        }
        if (of.withheld != 0)
            next = next ? std::min(*next, end) : end;
        ++at;
    }
    return next;
}

} // namespace llexec::daemon
