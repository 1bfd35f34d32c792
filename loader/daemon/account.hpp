// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What llexecd tells: of itself in its status, of executions in the journal, and counters in a
// file.
#pragma once

#include "enforcement.hpp"
#include "event_loop.hpp"
#include "journal.hpp"
#include "llexec/events.hpp"
#include "llexec/owner.hpp"
#include "llexec/settings.hpp"
#include "lost_events.hpp"
#include "metrics.hpp"
#include "policy_store.hpp"
#include "reporter.hpp"

#include <optional>
#include <string>

namespace llexec::daemon {

class Account {
  public:
    struct Setting {
        const Journal& journal;
        const Owner& owner;
        EventLoop& loop;
        const PolicyStore& store;
        const Settings& settings;
        const std::optional<Enforcement>& enforcement; ///< there when something is told of it
        const std::optional<std::string>& off;         ///< what llexec is switched off by
        const std::optional<Error>& trouble; ///< why what was asked for last could not be done
        Counters& counters;
    };

    /// What `setting` refers to outlives it.
    explicit Account(Setting setting);

    /// Makes its timers, before anything else.
    [[nodiscard]] Result<> begin();

    /// Reports what is executed from now on. `fresh`: other programs report it than before.
    void read_events(bool fresh);
    void drop_events();
    /// The settings have changed.
    void set_report(Report report) { reporter_.set_report(report); }

    /// Says how many executions could not be reported, if that is not said already.
    void say_lost();

    void write_metrics();
    /// Once what is being done is done.
    void write_metrics_soon();

    /// Tells the service manager, also that llexecd is ready.
    void notify_ready() const;
    void notify_status() const;

  private:
    [[nodiscard]] std::string status_line() const;
    void report_events();
    void say_withheld();
    void count_unconfined();

    Setting setting_;
    Reporter reporter_;
    LostEvents lost_;
    std::optional<EventReader> events_;
    EventLoop::Timer* metrics_timer_ = nullptr;
    EventLoop::Timer* withheld_timer_ = nullptr;
};

} // namespace llexec::daemon
