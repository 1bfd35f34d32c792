// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// An execution that was selected, each allocation of which fails in turn: it is confined, refused
// or killed. Only with on_error = "allow" do the same faults let it run unrestricted.
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

std::string beneath(const fs::path& program) {
    return match("exe_beneath = [\"" + program.parent_path().string() + "\"]\n" +
                 "cgroup = [\"/vmtest\"]");
}

/// For all that is done at one enforcement point: to load takes longest.
PolicySet policies_of(const FaultWorld& world) {
    const std::string layer = world.policy(match_exe(world.layered));
    return {
        {"program", world.policy(match_exe(world.program))},
        {"script", world.policy(match_exe(world.script))},
        {"beneath", world.policy(beneath(world.beneath))},
        {"first", layer},
        {"second", layer},
        {"third", world.policy(beneath(world.layered))},
        {"allow", world.policy(match_exe(world.may_be_free) + enforce("on_error = \"allow\""))}};
}

struct Selection {
    std::string name;
    Target target;
};

std::vector<Selection> selections(const FaultWorld& world) {
    return {
        {.name = "a program", .target = program_of(world, world.program)},
        {.name = "a script", .target = script_of(world)},
        {.name = "beneath a directory, in a cgroup", .target = program_of(world, world.beneath)},
        {.name = "three layers", .target = program_of(world, world.layered)}};
}

void check_all_allocations(const Selection& selection, const std::string& point) {
    CAPTURE(selection.name);
    CHECK(files_of(selection.target) == selection.target.confined);
    const std::uint64_t ended = ended_by_policy(point);
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
    CHECK(ended_by_policy(point) > ended);
}

void check_allocations_of_the_enforcement(const FaultWorld& world, const std::string& point) {
    const std::uint64_t ended = ended_by_policy(point);
    FaultSettings settings;
    settings.only_below("bpf_landlock_restrict_binprm");
    const Totals totals = fail_each_allocation("bpf_landlock_restrict_binprm, " + point,
                                               program_of(world, world.program));
    CHECK(totals.failed > 0);
    CHECK((point == committing ? totals.killed : totals.refused) > 0);
    CHECK((point == committing ? totals.refused : totals.killed) == 0);
    CHECK(totals.unrestricted == 0);
    CHECK(totals.strange == 0);
    CHECK(ended_by_policy(point) - ended == totals.killed + totals.refused);
}

/// What would not be seen if no fault ever hit the enforcement.
void check_on_error_allow(const FaultWorld& world, const std::string& point) {
    const Target target = program_of(world, world.may_be_free);
    CHECK(files_of(target) == target.confined);
    const FaultSettings settings;
    const Totals totals =
        fail_each_allocation("execve, " + point + ", on_error = \"allow\"", target);
    CHECK(totals.unrestricted > 0);
    CHECK(totals.strange == 0);
    CHECK(status()["executions"]["allowed"].get<unsigned>() == totals.unrestricted);
}

} // namespace

TEST_CASE("faults: an execution that was selected never runs unrestricted") {
    const std::string point = GENERATE(committing, staged);
    if (!faults_are_possible())
        return;
    CAPTURE(point);
    const FaultWorld world;
    unload();
    const BpfObjects objects = bpf_objects();
    const ObjectCounts counts;
    for (const Selection& selection : selections(world))
        CHECK(files_of(selection.target) == selection.target.unrestricted);
    load(policies_of(world), point);
    check_allocations_of_the_enforcement(world, point);
    check_on_error_allow(world, point);
    for (const Selection& selection : selections(world))
        check_all_allocations(selection, point);
    unload();
    CHECK(counts.are_balanced());
    CHECK(counts.domains().made > 0);
    CHECK(eventually([&] { return bpf_objects() == objects; }));
}
