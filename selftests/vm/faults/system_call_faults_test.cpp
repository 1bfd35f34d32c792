// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The map type's and Landlock's system calls, each allocation of which fails in turn: they fail and
// change nothing, or they do what they are to do.
#include "catch.hpp"
#include "fault.hpp"
#include "interface/task.hpp"
#include "object_counts.hpp"
#include "policies.hpp"

#include <array>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <cerrno>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr std::uint64_t fs_read_file = 1U << 2;

/// The number of the map type in the running kernel.
bpf_map_type map_type() {
    btf* const types = btf__load_vmlinux_btf();
    REQUIRE(types != nullptr);
    const int id = btf__find_by_name_kind(types, "bpf_map_type", BTF_KIND_ENUM);
    REQUIRE(id > 0);
    const btf_type* const type = btf__type_by_id(types, static_cast<std::uint32_t>(id));
    int number = -1;
    for (int i = 0; i < btf_vlen(type); ++i) {
        const auto& one = btf_enum(type)[i];
        if (std::string(btf__name_by_offset(types, one.name_off)) ==
            "BPF_MAP_TYPE_LANDLOCK_RULESET")
            number = one.val;
    }
    btf__free(types);
    REQUIRE(number >= 0);
    return static_cast<bpf_map_type>(number);
}

int new_map(bpf_map_type type) {
    return bpf_map_create(type, "faults", 4, 8, 100000, nullptr);
}

/// A map of the type.
class Slots {
  public:
    Slots() : map(new_map(map_type())) { REQUIRE(map >= 0); }
    Slots(const Slots&) = delete;
    Slots& operator=(const Slots&) = delete;
    ~Slots() { ::close(map); }

    [[nodiscard]] std::uint64_t id(std::uint32_t slot) const {
        std::uint64_t value = 0;
        return bpf_map_lookup_elem(map, &slot, &value) == 0 ? value : 0;
    }
    [[nodiscard]] int put(std::uint32_t slot, int ruleset) const {
        const auto value = static_cast<std::uint64_t>(ruleset);
        return bpf_map_update_elem(map, &slot, &value, BPF_ANY);
    }

    int map;
};

int new_ruleset() {
    const int ruleset = interface::create_ruleset(fs_read_file);
    REQUIRE(ruleset >= 0);
    return ruleset;
}

/// `call` returns a negative number if it fails; `check` is told whether it did not.
template<class Call, class Check>
Totals fail_each(const std::string& name, const Call& call, const Check& check) {
    const FaultSettings settings;
    const Fault fault;
    Totals totals;
    for_each_allocation([&](unsigned nth) {
        REQUIRE(nth < 1000);
        fault.arm(nth);
        const auto result = call();
        const bool failed = fault.take_back();
        CAPTURE(name, nth, result, failed);
        if (failed) {
            totals.failed += 1;
            (result < 0 ? totals.refused : totals.done) += 1;
        } else {
            CHECK(result >= 0);
        }
        check(result >= 0);
        return failed;
    });
    report(name, totals);
    return totals;
}

} // namespace

TEST_CASE("faults: an update of the map fails and changes nothing, or is done") {
    if (!faults_are_possible())
        return;
    unload();
    const ObjectCounts counts;
    {
        const Slots slots;
        const std::uint32_t slot = 7;
        const std::array<int, 2> rulesets{new_ruleset(), new_ruleset()};
        std::size_t next = 0;
        std::uint64_t before = 0;
        const Totals totals = fail_each(
            "BPF_MAP_UPDATE_ELEM", [&] { return slots.put(slot, rulesets[next]); },
            [&](bool done) {
                const std::uint64_t now = slots.id(slot);
                CHECK((now != before) == done);
                before = now;
                next = done ? 1 - next : next;
            });
        for (const int ruleset : rulesets)
            ::close(ruleset);
        CHECK(totals.refused > 0);
    }
    CHECK(counts.are_balanced());
}

TEST_CASE("faults: an element of the map is deleted, or still there") {
    if (!faults_are_possible())
        return;
    const Slots slots;
    const std::uint32_t slot = 7;
    const int ruleset = new_ruleset();
    REQUIRE(slots.put(slot, ruleset) == 0);
    const Totals totals = fail_each(
        "BPF_MAP_DELETE_ELEM", [&] { return bpf_map_delete_elem(slots.map, &slot); },
        [&](bool done) {
            CHECK((slots.id(slot) == 0) == done);
            REQUIRE(slots.put(slot, ruleset) == 0);
        });
    CHECK(totals.refused > 0);
    ::close(ruleset);
}

TEST_CASE("faults: a ruleset map is made or not, and all of it is freed") {
    if (!faults_are_possible())
        return;
    const bpf_map_type type = map_type();
    int map = -1;
    const Totals totals = fail_each(
        "BPF_MAP_CREATE", [&] { return map = new_map(type); },
        [&](bool done) {
            if (done)
                ::close(map);
        });
    CHECK(totals.refused > 0);
}

TEST_CASE("faults: rulesets and their rules are made or not, and all of it is freed") {
    if (!faults_are_possible())
        return;
    unload();
    const ObjectCounts counts;
    int ruleset = -1;
    const Totals made = fail_each(
        "landlock_create_ruleset",
        [&] { return ruleset = interface::create_ruleset(fs_read_file); },
        [&](bool done) {
            if (done)
                ::close(ruleset);
        });
    CHECK(made.refused > 0);
    ruleset = new_ruleset();
    const Totals added = fail_each(
        "landlock_add_rule",
        [&] {
            // Another rule each time.
            static const std::vector<std::string> paths{"/", "/proc", "/usr", "/usr/bin", "/etc"};
            static std::size_t next = 0;
            return interface::add_path_rule(ruleset, fs_read_file,
                                            paths[next++ % paths.size()].c_str());
        },
        [](bool) {});
    CHECK(added.refused > 0);
    ::close(ruleset);
    CHECK(counts.are_balanced());
}
