// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Restricting a process while other threads of it do the same, come and go, or send signals.
#include "catch.hpp"
#include "child.hpp"
#include "crew.hpp"
#include "llexec/landlock_uapi.hpp"
#include "rulesets.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>
#include <unistd.h>

using namespace llexec;
using namespace tsync;

namespace {

long failed(const Result<Reach>& result) {
    return result && *result == Reach::process ? 0 : 1;
}

/// One layer for each ruleset.
Result<Reach> enforce_all(std::initializer_list<const BuiltRuleset*> rulesets) {
    std::vector<Restriction> restrictions;
    restrictions.reserve(rulesets.size());
    for (const BuiltRuleset* const ruleset : rulesets)
        restrictions.push_back({.ruleset = ruleset, .flags = default_flags()});
    return enforce_on_self(restrictions, kernel());
}

} // namespace

TEST_CASE("of two threads that restrict the process at once, both do") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset without_a = files.without_a();
    const BuiltRuleset without_b = files.without_b();
    const BuiltRuleset other = build("[[ruleset]]\nhandled_access_fs = [\"make_block\"]\n");
    const bool several = GENERATE(false, true);
    constexpr int rounds = 30;
    long reading = 0;
    for (int i = 0; i < rounds; ++i) {
        const Facts facts = in_child([&](const Report& report) {
            Crew crew(6);
            reading +=
                static_cast<long>(crew.count([&](std::size_t) { return read_file(files.a()); }));
            report("before", reading);
            std::atomic<int> here = 0;
            const auto together = [&](std::size_t member) {
                ++here;
                while (here < 2)
                    ;
                const BuiltRuleset* const own = member == 0 ? &without_a : &without_b;
                return static_cast<int>(
                    failed(several ? enforce_all({own, &other}) : enforce_all({own})));
            };
            crew.start(0, together);
            crew.start(1, together);
            report("first", crew.finish(0));
            report("second", crew.finish(1));
            report("after", static_cast<long>(crew.count([&](std::size_t) {
                       return read_file(files.a()) == EACCES && read_file(files.b()) == EACCES ? 1
                                                                                               : 0;
                   })));
            report("caller", read_file(files.a()) == EACCES && read_file(files.b()) == EACCES);
        });
        CAPTURE(several, i, facts.text());
        REQUIRE(facts["before"] == 6);
        REQUIRE(facts["first"] == 0);
        REQUIRE(facts["second"] == 0);
        REQUIRE(facts["after"] == 0);
        REQUIRE(facts["caller"] == 1);
    }
}

TEST_CASE("threads that come and go while the process is restricted are restricted") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    constexpr int rounds = 10;
    long meanwhile = 0;
    long free_before = 0;
    for (int i = 0; i < rounds; ++i) {
        const Facts facts = in_child([&](const Report& report) {
            std::atomic<bool> enforced = false;
            std::atomic<bool> stop = false;
            std::atomic<long> created = 0;
            std::atomic<long> allowed_before = 0;
            std::atomic<long> allowed_after = 0;
            std::atomic<long> denied_after = 0;
            const auto visit = [&] {
                ++created;
                // In this order: a thread that is late in seeing the store says "before".
                const bool late = enforced;
                const bool allowed = read_file(files.a()) == 0;
                if (!late)
                    allowed_before += allowed ? 1 : 0;
                else
                    ++(allowed ? allowed_after : denied_after);
            };
            Crew crew(4);
            for (std::size_t member = 0; member < crew.size(); ++member)
                crew.start(member, [&](std::size_t) {
                    while (!stop)
                        std::thread(visit).join();
                    return 0;
                });
            while (created < 20)
                std::this_thread::yield();
            const long before = created;
            report("enforced", failed(enforce(ruleset)));
            enforced = true;
            report("meanwhile", created - before);
            while (denied_after + allowed_after < 20)
                std::this_thread::yield();
            stop = true;
            for (std::size_t member = 0; member < crew.size(); ++member)
                crew.finish(member);
            report("allowed before", allowed_before);
            report("allowed after", allowed_after);
            report("denied after", denied_after);
        });
        CAPTURE(i, facts.text());
        REQUIRE(facts["enforced"] == 0);
        REQUIRE(facts["allowed after"] == 0);
        REQUIRE(facts["denied after"] > 0);
        meanwhile += facts["meanwhile"];
        free_before += facts["allowed before"];
    }
    CAPTURE(meanwhile);
    CHECK(free_before > 0);
    CHECK(meanwhile > 0);
}

TEST_CASE("a signal for the calling thread does not keep the process from being restricted") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    static std::atomic<long> handled;
    const Facts facts = in_child([&](const Report& report) {
        struct sigaction action{};
        action.sa_handler = [](int) {
            ++handled;
        };
        report.need(::sigaction(SIGUSR1, &action, nullptr) == 0, "sigaction");
        Crew crew(100);
        std::atomic<bool> stop = false;
        const pid_t caller = ::gettid();
        crew.start(0, [&](std::size_t) {
            while (!stop)
                ::tgkill(::getpid(), caller, SIGUSR1);
            return 0;
        });
        while (handled == 0)
            std::this_thread::yield();
        const long before = handled;
        report("enforced", failed(enforce(ruleset)));
        report("handled", handled - before);
        stop = true;
        crew.finish(0);
        report("after",
               static_cast<long>(crew.count([&](std::size_t) { return read_file(files.a()); })));
    });
    INFO(facts.text());
    CHECK(facts["enforced"] == 0);
    CHECK(facts["handled"] > 0);
    CHECK(facts["after"] == 0);
}
