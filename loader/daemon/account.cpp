// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "account.hpp"

#include "cgroups.hpp"
#include "files.hpp"
#include "llexec/attach.hpp"
#include "llexec/printable.hpp"
#include "llexec/processes.hpp"
#include "self_test.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <sys/epoll.h>
#include <utility>

namespace llexec::daemon {
namespace {

using namespace std::chrono_literals;

/// Counters are written at most this often.
constexpr auto metrics_delay = 1s;

} // namespace

Account::Account(Setting setting)
    : setting_(setting), reporter_(setting.journal, cgroup_path),
      lost_(setting.journal, "/run/llexec/events-lost") {}

Result<> Account::begin() {
    auto metrics = setting_.loop.add_timer([this] { write_metrics(); });
    if (!metrics)
        return std::unexpected(std::move(metrics.error()));
    metrics_timer_ = *metrics;
    auto withheld = setting_.loop.add_timer([this] { say_withheld(); });
    if (!withheld)
        return std::unexpected(std::move(withheld.error()));
    withheld_timer_ = *withheld;
    return {};
}

void Account::write_metrics_soon() {
    metrics_timer_->set(0ms);
}

void Account::notify_ready() const {
    ::sd_notifyf(0, "READY=1\nSTATUS=%s", printable(status_line()).c_str());
}

void Account::notify_status() const {
    // Errors name files, and a line of its own would be another message to systemd.
    ::sd_notifyf(0, "STATUS=%s", printable(status_line()).c_str());
}

std::string Account::status_line() const {
    if (!setting_.enforcement->active()) {
        if (setting_.off && setting_.trouble)
            return fmt::format("switched off by {}, but: {}", *setting_.off,
                               setting_.trouble->message());
        if (setting_.off)
            return fmt::format("switched off by {}: no policy is enforced", *setting_.off);
        return "NOTHING IS ENFORCED" + (setting_.trouble ? ": " + setting_.trouble->message() : "");
    }
    std::string line =
        fmt::format("{} policies enforced", setting_.enforcement->current().set.policies.size());
    if (setting_.off)
        line += fmt::format("; they could not be switched off, as {} asks for", *setting_.off);
    if (const auto& refused = setting_.enforcement->refused())
        line += !refused->stored.set.ok() && !refused->stored.hindered
                    ? fmt::format("; those in {} have errors and are not used",
                                  setting_.store.directory())
                    : fmt::format("; those in {} are not used: {}", setting_.store.directory(),
                                  refused->why.message());
    if (!setting_.enforcement->follows())
        line += "; no change is followed without SIGHUP";
    if (const auto& behind = setting_.enforcement->behind())
        line += "; a change of files is not followed: " + behind->message();
    if (const auto& failure = setting_.enforcement->self_test_failure())
        line += "; they have not passed the " + failure->message();
    if (setting_.counters.unconfined != 0)
        line += fmt::format("; {} processes from before are not confined",
                            setting_.counters.unconfined);
    return line;
}

void Account::read_events(bool fresh) {
    if (events_ && !fresh)
        return;
    drop_events();
    auto reader = EventReader::open(&setting_.owner);
    if (!reader) {
        // Enforcement does not depend on it.
        setting_.journal.say(reader.error(), "executions are not reported", Priority::critical);
        return;
    }
    events_.emplace(std::move(*reader));
    if (auto added = setting_.loop.on_poll(events_->fd(), EPOLLIN, [this] { report_events(); });
        !added) {
        setting_.journal.say(added.error(), "executions are not reported", Priority::critical);
        events_.reset();
        return;
    }
    // There is room for more of them at once.
    report_events();
}

void Account::drop_events() {
    if (!events_)
        return;
    setting_.loop.forget(events_->fd());
    events_.reset();
}

void Account::report_events() {
    const auto now = Reporter::Clock::now();
    const auto count = events_->poll(0ms, [&](const Event& event) {
        if (event.policy != self_test_name || event.error != 0)
            reporter_.say(event, now);
    });
    if (!count) {
        setting_.journal.say(count.error(), "executions are not reported any more");
        drop_events();
        return;
    }
    setting_.counters.events += *count;
    metrics_timer_->set(metrics_delay);
    say_withheld();
}

void Account::say_withheld() {
    const auto now = Reporter::Clock::now();
    if (const auto next = reporter_.say_withheld(now))
        withheld_timer_->set(std::chrono::duration_cast<std::chrono::milliseconds>(*next - now) +
                             1ms);
    setting_.counters.reports_withheld = reporter_.withheld();
}

void Account::say_lost() {
    const auto status = read_status();
    if (!status)
        setting_.journal.say(status.error(),
                             "it is not known how many executions were not reported",
                             Priority::warning);
    else if (*status)
        lost_.say(**status);
}

/// Those that there were may have been restarted: then something was executed.
void Account::count_unconfined() {
    if (setting_.counters.unconfined == 0)
        return;
    const auto processes = find_unconfined_processes();
    // Said when policies are loaded.
    if (!processes || processes->size() == setting_.counters.unconfined)
        return;
    setting_.counters.unconfined = processes->size();
    notify_status();
}

void Account::write_metrics() {
    const auto status = read_status();
    // Written every second, at times.
    const Journal::Topic about(setting_.journal, "counters");
    if (!status) {
        setting_.journal.say(status.error(), "cannot read the counters");
        return;
    }
    if (*status)
        lost_.say(**status);
    count_unconfined();
    if (setting_.settings.metrics.empty())
        return;
    if (auto written = replace_file(setting_.settings.metrics,
                                    render_metrics(*status, setting_.counters), 0644, Durable::no);
        !written)
        setting_.journal.say(written.error(), "cannot write metrics", Priority::warning);
}

} // namespace llexec::daemon
