// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexec status: what is loaded, and what it did.
#include "commands.hpp"
#include "llexec/attach.hpp"
#include "llexec/processes.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace llexec::cli {
namespace {

Json to_json(const PolicyStatus& policy) {
    Json json{{"name", policy.name},
              {"mode", policy.mode == Mode::observe ? "observe" : "enforce"},
              {"on_error", policy.on_error == OnError::allow ? "allow" : "deny"}};
    json["slot"] = policy.slot ? Json(*policy.slot) : Json(nullptr);
    json["ruleset_id"] = policy.ruleset_id ? Json(*policy.ruleset_id) : Json(nullptr);
    json["matched"] = policy.matched;
    json["applied"] = policy.applied;
    json["nested"] = policy.nested;
    json["failed"] = policy.failed;
    return json;
}

Json to_json(const Result<std::vector<UnconfinedProcess>>& unconfined) {
    if (!unconfined)
        return nullptr;
    Json processes = Json::array();
    for (const UnconfinedProcess& process : *unconfined)
        processes.push_back({{"pid", process.pid},
                             {"command", process.command},
                             {"exe", process.exe},
                             {"policy", process.policy}});
    return processes;
}

void print_status_json(const Status& status,
                       const Result<std::vector<UnconfinedProcess>>& unconfined) {
    Json policies = Json::array();
    for (const PolicyStatus& policy : status.policies)
        policies.push_back(to_json(policy));
    print_json(stdout, Json{{"loaded", true},
                            {"whole", status.whole},
                            {"generation", status.generation},
                            {"loaded_at", status.loaded_at},
                            {"enforce_at", to_string(status.enforce_at)},
                            {"policies", std::move(policies)},
                            {"executions",
                             {{"matched", status.executions_matched},
                              {"refused", status.executions_refused},
                              {"killed", status.executions_killed},
                              {"allowed", status.executions_allowed}}},
                            {"events_lost", status.events_lost},
                            {"unconfined", to_json(unconfined)}});
}

void print_unconfined(const std::vector<UnconfinedProcess>& unconfined) {
    if (!unconfined.empty())
        print_line(stdout, "not confined, because they have run since before their policy was "
                           "loaded; restart them:");
    for (const UnconfinedProcess& process : unconfined)
        print_line(stdout, fmt::format("{:>8}  {}  ({}), policy {}", process.pid, process.command,
                                       process.exe, process.policy));
}

std::string ruleset_of(const PolicyStatus& policy) {
    if (policy.mode == Mode::observe)
        return "observe";
    return policy.ruleset_id ? fmt::format("{:x}", *policy.ruleset_id) : "EMPTY";
}

void print_status_text(const Status& status) {
    if (!status.whole)
        print_line(stdout, fmt::format("NOT WHOLE: something is missing in {}, so not all of this "
                                       "is enforced, or nothing; load policies again",
                                       pin_directory));
    if (status.generation == 0) {
        print_line(stdout, "attached, but nothing is enforced");
        return;
    }
    print_line(stdout, fmt::format("generation {}, loaded {:%Y-%m-%d %H:%M:%S %Z}, enforced at {}",
                                   status.generation,
                                   fmt::localtime(static_cast<std::time_t>(status.loaded_at)),
                                   to_string(status.enforce_at)));
    std::size_t width = 6;
    for (const PolicyStatus& policy : status.policies)
        width = std::max(width, policy.name.size());
    print_line(stdout, fmt::format("{:<{}}  {:>16}  {:>8}  {:>8}  {:>8}  {:>8}", "policy", width,
                                   "ruleset", "matched", "applied", "nested", "failed"));
    for (const PolicyStatus& policy : status.policies)
        print_line(stdout, fmt::format("{:<{}}  {:>16}  {:>8}  {:>8}  {:>8}  {:>8}", policy.name,
                                       width, ruleset_of(policy), policy.matched, policy.applied,
                                       policy.nested, policy.failed));
    print_line(stdout, fmt::format("executions: {} matched, {} refused, {} killed, {} allowed "
                                   "without a layer; {} events lost",
                                   status.executions_matched, status.executions_refused,
                                   status.executions_killed, status.executions_allowed,
                                   status.events_lost));
}

} // namespace

void add_status(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("status", "Show what is loaded, and what it did");
    command->callback([&context] {
        if (refuse_rest(context, "status"))
            return;
        const auto status = read_status();
        if (!status) {
            fail(context, status.error());
            return;
        }
        if (!*status) {
            if (context.json)
                print_json(stdout, Json{{"loaded", false}});
            else
                print_line(stdout, "nothing is loaded");
            return;
        }
        const auto unconfined = find_unconfined_processes();
        if (context.json) {
            print_status_json(**status, unconfined);
            return;
        }
        print_status_text(**status);
        if (unconfined)
            print_unconfined(*unconfined);
        else // not worth failing: all else is told
            print_line(stderr, "llexec: cannot tell which processes are not confined: " +
                                   unconfined.error().message());
    });
}

} // namespace llexec::cli
