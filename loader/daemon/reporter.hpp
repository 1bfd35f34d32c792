// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Executions in the journal, as many as it can take.
#pragma once

#include "journal.hpp"
#include "llexec/events.hpp"
#include "llexec/settings.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace llexec::daemon {

class Reporter {
  public:
    using Clock = std::chrono::steady_clock;

    /// For each policy and outcome: this many at once, and as many again in each `window`.
    static constexpr std::uint64_t burst = 500;
    /// For all policies: of failures, and of all other executions. Two of them, so that however
    /// many go well, those that fail are written.
    static constexpr std::uint64_t total_burst = 1000;
    static constexpr std::chrono::seconds window{10};

    /// What a report is about and the programs do not know: a cgroup's path, by its ID; empty if it
    /// is gone.
    using CgroupPath = std::function<std::string(std::uint64_t id)>;

    Reporter(const Journal& journal, CgroupPath cgroup_path)
        : journal_(journal), cgroup_path_(std::move(cgroup_path)) {}

    void set_report(Report report) { report_ = report; }

    /// Writes it to the journal, unless there were too many of its kind.
    void say(const Event& event, Clock::time_point now);

    /// Says how many were withheld in windows that are over. The time when that has to be done
    /// again; none if nothing is withheld.
    [[nodiscard]] std::optional<Clock::time_point> say_withheld(Clock::time_point now);

    [[nodiscard]] std::uint64_t withheld() const { return withheld_; }

  private:
    struct Window {
        Clock::time_point begin;
        std::uint64_t said = 0;
        std::uint64_t withheld = 0;
    };

    using Kind = std::pair<std::string, Outcome>;

    void say_withheld(const Kind& kind, Window& of) const;

    const Journal& journal_;
    CgroupPath cgroup_path_;
    Report report_ = Report::all;
    std::map<Kind, Window> windows_;
    Window failures_;
    Window others_;
    std::uint64_t withheld_ = 0;
};

} // namespace llexec::daemon
