// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "metrics.hpp"

#include <fmt/format.h>

#include <functional>
#include <string_view>

namespace llexec::daemon {
namespace {

/// A label's value: only these three have a meaning in it.
std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '\\' || c == '"')
            result += '\\';
        if (c == '\n')
            result += "\\n";
        else
            result += c;
    }
    return result + "\"";
}

class Writer {
  public:
    void counter(std::string_view name, std::string_view help, std::uint64_t value) {
        head(name, "counter", help);
        text_ += fmt::format("llexec_{}_total {}\n", name, value);
    }

    void gauge(std::string_view name, std::string_view help, std::uint64_t value) {
        head(name, "gauge", help);
        text_ += fmt::format("llexec_{} {}\n", name, value);
    }

    void counter(std::string_view name, std::string_view help, const Status& status,
                 std::uint64_t PolicyStatus::* member) {
        head(name, "counter", help);
        for (const PolicyStatus& policy : status.policies)
            text_ += fmt::format("llexec_{}_total{{policy={}}} {}\n", name, quoted(policy.name),
                                 policy.*member);
    }

    std::string finish() { return text_ + "# EOF\n"; }

  private:
    void head(std::string_view name, std::string_view type, std::string_view help) {
        text_ += fmt::format("# TYPE llexec_{} {}\n# HELP llexec_{} {}\n", name, type, name, help);
    }

    std::string text_;
};

void add_status(Writer& writer, const Status& status) {
    writer.gauge("generation", "Number of the policies that are enforced.", status.generation);
    writer.gauge("generation_loaded_timestamp_seconds", "When they were loaded.", status.loaded_at);
    writer.gauge("policies", "How many there are.", status.policies.size());
    writer.counter("policy_matched", "Executions that a policy was for, in this generation.",
                   status, &PolicyStatus::matched);
    writer.counter("policy_applied", "Executions that got it as a layer.", status,
                   &PolicyStatus::applied);
    writer.counter("policy_nested", "Executions whose caller had it already.", status,
                   &PolicyStatus::nested);
    writer.counter("policy_failed", "Executions that it could not be applied to.", status,
                   &PolicyStatus::failed);
    writer.counter("executions_matched", "Executions that any policy was for.",
                   status.executions_matched);
    writer.counter("executions_refused", "Executions that failed, because of an error.",
                   status.executions_refused);
    writer.counter("executions_killed", "Programs killed before they ran, because of an error.",
                   status.executions_killed);
    writer.counter("executions_allowed", "Executions without a layer, as on_error says.",
                   status.executions_allowed);
    writer.counter("events_lost", "Executions that could not be reported.", status.events_lost);
}

} // namespace

std::string render_metrics(const std::optional<Status>& status, const Counters& counters) {
    Writer writer;
    writer.gauge("enforcing", "Whether policies are enforced.",
                 status && status->whole && status->generation != 0 ? 1 : 0);
    if (status)
        add_status(writer, *status);
    writer.gauge("policies_valid", "Whether the policies in the directory could be used.",
                 counters.policies_valid ? 1 : 0);
    writer.gauge("self_test_passed", "Whether the self-test's program was confined, the last time.",
                 counters.self_test_passed ? 1 : 0);
    writer.gauge("unconfined_processes",
                 "Processes from before their policy, when they were last counted.",
                 counters.unconfined);
    writer.counter("reloads", "Generations that llexecd made since it was started.",
                   counters.reloads);
    writer.counter("reloads_failed", "Times that it could not.", counters.reloads_failed);
    writer.counter("events", "Executions that it was told of.", counters.events);
    writer.counter("reports_withheld", "Those that were too many for the journal.",
                   counters.reports_withheld);
    return writer.finish();
}

} // namespace llexec::daemon
