// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec events: the executions that matched a policy, one line each.
#include "commands.hpp"
#include "llexec/events.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstring>
#include <memory>

namespace llexec::cli {
namespace {

void print_event(const Event& event, const Context& context) {
    if (context.json) {
        print_json(stdout, Json{{"time_ns", event.time.count()},
                                {"generation", event.generation},
                                {"policy", event.policy},
                                {"outcome", to_string(event.outcome)},
                                {"errno", event.error},
                                {"pid", event.pid},
                                {"uid", event.uid},
                                {"cgroup", event.cgroup},
                                {"ruleset_id", event.ruleset_id},
                                {"filename", event.filename},
                                {"exe", event.exe}});
        return;
    }
    std::string line = fmt::format("{}: {}: {} (pid {}, uid {})", event.policy,
                                   to_string(event.outcome), event.filename, event.pid, event.uid);
    if (event.exe != event.filename)
        line += ", runs " + event.exe;
    if (event.error != 0)
        line += fmt::format(": {}", std::strerror(event.error));
    print_line(stdout, line);
}

void print_events(bool follow, Context& context) {
    auto reader = EventReader::open();
    if (!reader) {
        fail(context, reader.error());
        return;
    }
    const auto handle = [&](const Event& event) {
        print_event(event, context);
    };
    for (;;) {
        const auto count = reader->poll(std::chrono::milliseconds(follow ? -1 : 0), handle);
        if (!count) {
            fail(context, count.error());
            return;
        }
        // Whoever reads them wants them now, and may be gone.
        if (!flush_output() || (!follow && *count == 0))
            return;
    }
}

} // namespace

void add_events(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("events", "Print, once, the executions that matched a policy");
    const auto follow = std::make_shared<bool>(false);
    command->add_flag("--follow", *follow, "Wait for more");
    command->callback([follow, &context] {
        if (!refuse_rest(context, "events"))
            print_events(*follow, context);
    });
}

} // namespace llexec::cli
