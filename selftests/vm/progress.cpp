// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a test program of this folder says while it runs: emulated, it takes minutes.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "catch.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>

namespace {

#if CATCH_VERSION_MAJOR == 2
using ListenerBase = Catch::TestEventListenerBase;
const std::string& name_of(const Catch::TestCaseStats& stats) {
    return stats.testInfo.name;
}
#else
using ListenerBase = Catch::EventListenerBase;
const std::string& name_of(const Catch::TestCaseStats& stats) {
    return stats.testInfo->name;
}
#endif

/// One line for each test as it ends, and the totals: whatever the reporter writes, and where.
class Progress final : public ListenerBase {
  public:
    using ListenerBase::ListenerBase;

    void testCaseStarting(const Catch::TestCaseInfo&) override { start_ = Clock::now(); }

    void testCaseEnded(const Catch::TestCaseStats& stats) override {
        const std::chrono::duration<double> elapsed = Clock::now() - start_;
        const auto& assertions = stats.totals.assertions;
        std::printf("%s %5.1f s  %s\n", assertions.allOk() ? "pass" : "FAIL", elapsed.count(),
                    name_of(stats).c_str());
        std::fflush(stdout);
    }

    void testRunEnded(const Catch::TestRunStats& stats) override {
        const auto& tests = stats.totals.testCases;
        std::printf("%s: %zu passed, %zu failed; %zu assertions\n", program_invocation_short_name,
                    static_cast<std::size_t>(tests.passed),
                    static_cast<std::size_t>(tests.total() - tests.passed),
                    static_cast<std::size_t>(stats.totals.assertions.total()));
        std::fflush(stdout);
    }

  private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point start_;
};

} // namespace

CATCH_REGISTER_LISTENER(Progress)
