// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "settling.hpp"

#include <algorithm>

namespace llexec::daemon {

std::chrono::milliseconds Settling::time(Clock::time_point now) const {
    return now - answered_ >= quiet ? shortest : next_;
}

void Settling::answered(Clock::time_point now) {
    next_ = std::min(2 * time(now), longest);
    answered_ = now;
}

} // namespace llexec::daemon
