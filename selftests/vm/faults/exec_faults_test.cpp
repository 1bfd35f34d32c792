// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// An execution that was selected, each allocation of which fails in turn: it is confined, refused
// or killed.
#include "catch.hpp"
#include "exec_faults.hpp"
#include "kernel_objects.hpp"
#include "object_counts.hpp"

using namespace llexec::vmtest;

namespace {

/// How often the programs that select and enforce had to end an execution themselves.
std::uint64_t ended_by_policy(const std::string& point) {
    return status()["executions"][point == committing ? "killed" : "refused"].get<std::uint64_t>();
}

struct Selection {
    std::string name;
    Target target;
    PolicySet policies;
};

std::vector<Selection> selections(const FaultWorld& world) {
    const std::string beneath = match("exe_beneath = [\"" + world.program.parent_path().string() +
                                      "\"]\n" + "cgroup = [\"/vmtest\"]");
    const std::string exe = world.policy(match_exe(world.program));
    return {{.name = "a program", .target = program_of(world), .policies = {{"p", exe}}},
            {.name = "a script",
             .target = script_of(world),
             .policies = {{"p", world.policy(match_exe(world.script))}}},
            {.name = "beneath a directory, in a cgroup",
             .target = program_of(world),
             .policies = {{"p", world.policy(beneath)}}},
            {.name = "three layers",
             .target = program_of(world),
             .policies = {{"a", exe}, {"b", exe}, {"c", world.policy(beneath)}}}};
}

} // namespace

TEST_CASE("faults: an execution that was selected never runs unrestricted") {
    const std::string point = GENERATE(committing, staged);
    const auto which = GENERATE(range(0, 4));
    if (!faults_are_possible())
        return;
    const FaultWorld world;
    const Selection selection = selections(world)[static_cast<std::size_t>(which)];
    CAPTURE(point, selection.name);
    unload();
    const BpfObjects objects = bpf_objects();
    const ObjectCounts counts;
    CHECK(files_of(selection.target) == selection.target.unrestricted);
    load(selection.policies, point);
    CHECK(files_of(selection.target) == selection.target.confined);
    {
        const FaultSettings settings;
        const Totals totals =
            fail_each_allocation("execve, " + point + ", " + selection.name, selection.target);
        CHECK(totals.failed > 50);
        CHECK(totals.refused > 0);
        CHECK(totals.unrestricted == 0);
        CHECK(totals.strange == 0);
    }
    // Some of it was not the kernel's refusal to execute anything, but the policy's.
    CHECK(ended_by_policy(point) > 0);
    unload();
    CHECK(counts.are_balanced());
    CHECK(counts.domains().made > 0);
    CHECK(eventually([&] { return bpf_objects() == objects; }));
}

// What would not be seen if no fault ever hit the enforcement.
TEST_CASE("faults: with on_error = \"allow\", the same faults let it run unrestricted") {
    const std::string point = GENERATE(committing, staged);
    if (!faults_are_possible())
        return;
    const FaultWorld world;
    const Target target = program_of(world);
    load({{"p", world.policy(match_exe(world.program) + enforce("on_error = \"allow\""))}}, point);
    const FaultSettings settings;
    const Totals totals =
        fail_each_allocation("execve, " + point + ", on_error = \"allow\"", target);
    CHECK(totals.unrestricted > 0);
    CHECK(totals.strange == 0);
    CHECK(status()["executions"]["allowed"].get<unsigned>() == totals.unrestricted);
    unload();
}

TEST_CASE("faults: each allocation of the enforcement itself") {
    const std::string point = GENERATE(committing, staged);
    if (!faults_are_possible())
        return;
    const FaultWorld world;
    unload();
    const ObjectCounts counts;
    load({{"p", world.policy(match_exe(world.program))}}, point);
    {
        FaultSettings settings;
        settings.only_below("bpf_landlock_restrict_binprm");
        const Totals totals =
            fail_each_allocation("bpf_landlock_restrict_binprm, " + point, program_of(world));
        CHECK(totals.failed > 0);
        CHECK((point == committing ? totals.killed : totals.refused) > 0);
        CHECK((point == committing ? totals.refused : totals.killed) == 0);
        CHECK(totals.unrestricted == 0);
        CHECK(totals.strange == 0);
        CHECK(ended_by_policy(point) == totals.killed + totals.refused);
    }
    unload();
    CHECK(counts.are_balanced());
}
