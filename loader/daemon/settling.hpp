// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How soon a change is answered.
#pragma once

#include <chrono>

namespace llexec::daemon {

/// The time from the first change that is seen to what is done about it: short, so that what a
/// package manager does in one go is answered once and at once. It grows while changes go on, for
/// whoever can make them, a confined program that replaces a file of its own rules for one, must
/// not keep the machine busy with reloads.
class Settling {
  public:
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds shortest{100};
    static constexpr std::chrono::milliseconds longest{5'000};
    /// Without anything to do for so long, it is the shortest again.
    static constexpr std::chrono::seconds quiet{30};

    /// For a change that is seen now.
    [[nodiscard]] std::chrono::milliseconds time(Clock::time_point now) const;

    /// Changes were answered now.
    void answered(Clock::time_point now);

  private:
    std::chrono::milliseconds next_ = shortest;
    Clock::time_point answered_;
};

} // namespace llexec::daemon
