// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How soon changes are answered, at times of the test's own.
#include "settling.hpp"

#include "catch.hpp"

using namespace llexec::daemon;
using namespace std::chrono_literals;

namespace {

constexpr Settling::Clock::time_point start{1h};

} // namespace

TEST_CASE("the first change is answered soon, also on a machine that has just been started") {
    const Settling settling;
    CHECK(settling.time(start) == 100ms);
    CHECK(settling.time(Settling::Clock::time_point{1s}) == 100ms);
}

TEST_CASE("while changes go on, each is answered later than the one before, up to a limit") {
    Settling settling;
    auto now = start;
    for (const auto expected :
         {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5000ms, 5000ms, 5000ms}) {
        CHECK(settling.time(now) == expected);
        now += expected;
        settling.answered(now);
    }
    // All day, every five seconds.
    int answers = 0;
    for (const auto end = now + 24h; now < end; ++answers) {
        now += settling.time(now);
        settling.answered(now);
    }
    CHECK(answers == 24 * 60 * 60 / 5);
}

TEST_CASE("after a quiet time a change is answered soon again") {
    Settling settling;
    for (int i = 0; i < 10; ++i)
        settling.answered(start);
    CHECK(settling.time(start + Settling::quiet - 1ms) == Settling::longest);
    CHECK(settling.time(start + Settling::quiet) == Settling::shortest);
    settling.answered(start + Settling::quiet);
    CHECK(settling.time(start + Settling::quiet) == 2 * Settling::shortest);
}
