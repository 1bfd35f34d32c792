// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a thread stores for its next execution (LANDLOCK_RESTRICT_SELF_EXECTIME): it is stored, or
// the caller is told that it is not; and what is stored is enforced, or nothing is executed.
#include "catch.hpp"
#include "exec_faults.hpp"
#include "interface/task.hpp"
#include "object_counts.hpp"

#include <cerrno>
#include <cstdio>
#include <sys/syscall.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr std::uint64_t fs_read_file = 1U << 2;
constexpr std::uint32_t no_new_privs_flag = 1U << 4;
constexpr std::uint32_t exectime_flag = 1U << 5;

/// A ruleset that keeps out of `closed_by_it`, or out of `closed` instead.
class Own {
  public:
    explicit Own(const FaultWorld& world) : Own(world, world.closed) {}
    Own(const FaultWorld& world, const fs::path& readable)
        : ruleset_(interface::create_ruleset(fs_read_file)) {
        REQUIRE(ruleset_ >= 0);
        for (const fs::path& path : {fs::path("/proc"), world.open, readable})
            REQUIRE(interface::add_path_rule(ruleset_, fs_read_file, path.c_str()) == 0);
    }
    Own(const Own&) = delete;
    Own& operator=(const Own&) = delete;
    ~Own() { ::close(ruleset_); }

    [[nodiscard]] int store(std::uint32_t flags = no_new_privs_flag) const {
        return interface::restrict_self(ruleset_, exectime_flag | flags);
    }
    /// As Target::before.
    void store_or_end() const {
        if (store() != 0)
            ::_exit(strange_answer);
    }

  private:
    int ruleset_;
};

bool is_possible() {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1);
    if (abi < 12)
        std::printf("skipped: Landlock ABI %ld, and EXECTIME needs 12\n", abi);
    return abi >= 12 && faults_are_possible();
}

/// A program that is asked for all three files.
Target target_of(const FaultWorld& world, int confined) {
    Target target = program_of(world, world.program);
    target.arguments.push_back(world.closed_by_it / "file");
    target.confined = confined;
    target.unrestricted = 0b111;
    return target;
}

} // namespace

TEST_CASE("faults: EXECTIME stores, or says that it does not") {
    if (!is_possible())
        return;
    unload();
    const FaultWorld world;
    const ObjectCounts counts;
    {
        const Own own(world);
        Target target = target_of(world, 0b011);
        CHECK(files_of(target) == target.unrestricted);
        const FaultSettings settings;
        Totals totals;
        for_each_allocation([&](unsigned nth) {
            int result = -1;
            bool failed = false;
            target.before = [&] {
                const Fault fault;
                fault.arm(nth);
                result = own.store();
                failed = fault.take_back();
            };
            const int files = files_of(target);
            CAPTURE(nth, result, failed);
            CHECK(files == (result == 0 ? target.confined : target.unrestricted));
            CHECK((result == 0 || (failed && result == -ENOMEM)));
            totals.failed += failed ? 1 : 0;
            if (failed)
                (result == 0 ? totals.done : totals.refused) += 1;
            return failed;
        });
        report("landlock_restrict_self, EXECTIME", totals);
        CHECK(totals.refused > 0);
    }
    CHECK(counts.are_balanced());
}

TEST_CASE("faults: EXECTIME that replaces leaves the old one or the new one") {
    if (!is_possible())
        return;
    unload();
    const FaultWorld world;
    const ObjectCounts counts;
    {
        const Own before(world);
        const Own after(world, world.closed_by_it);
        Target target = target_of(world, 0);
        constexpr int old_files = 0b011;
        constexpr int new_files = 0b101;
        const FaultSettings settings;
        Totals totals;
        for_each_allocation([&](unsigned nth) {
            int result = -1;
            bool failed = false;
            target.before = [&] {
                before.store_or_end();
                const Fault fault;
                fault.arm(nth);
                result = after.store();
                failed = fault.take_back();
            };
            const int files = files_of(target);
            CAPTURE(nth, result, failed);
            CHECK(files == (result == 0 ? new_files : old_files));
            CHECK((result == 0 || (failed && result == -ENOMEM)));
            totals.failed += failed ? 1 : 0;
            if (failed)
                (result == 0 ? totals.done : totals.refused) += 1;
            return failed;
        });
        report("landlock_restrict_self, EXECTIME again", totals);
        CHECK(totals.refused > 0);
    }
    CHECK(counts.are_balanced());
}

TEST_CASE("faults: what was stored with EXECTIME is enforced, or nothing is executed") {
    const std::string point = GENERATE(as<std::string>{}, "", committing, staged);
    CAPTURE(point);
    if (!is_possible())
        return;
    unload();
    const FaultWorld world;
    const ObjectCounts counts;
    {
        const Own own(world);
        // Beside a policy: both, and in no case only one of them.
        if (!point.empty())
            load({{"p", world.policy(match_exe(world.program))}}, point);
        Target target = target_of(world, point.empty() ? 0b011 : 0b001);
        target.before = [&] {
            own.store_or_end();
        };
        CHECK(files_of(target) == target.confined);
        const FaultSettings settings;
        const Totals totals = fail_each_allocation(
            "execve with EXECTIME" + (point.empty() ? "" : " and a policy, " + point), target);
        CHECK(totals.refused > 0);
        CHECK(totals.unrestricted == 0);
        CHECK(totals.strange == 0);
    }
    unload();
    CHECK(counts.are_balanced());
}
