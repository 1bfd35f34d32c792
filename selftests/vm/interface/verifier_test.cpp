// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the verifier refuses, and what it says. Nothing is attached.
#include "catch.hpp"
#include "refused.skel.h"
#include "support.hpp"

#include <memory>
#include <string>

namespace {

using namespace interface;

struct Load {
    int result = 0;
    std::string log;
};

struct Destroy {
    void operator()(refused_bpf* skeleton) const { refused_bpf::destroy(skeleton); }
};

Load load(const char* name, std::uint32_t map_flags = 0) {
    libbpf_set_print(nullptr);
    const std::unique_ptr<refused_bpf, Destroy> skeleton(refused_bpf::open());
    REQUIRE(skeleton != nullptr);
    REQUIRE(bpf_map__set_type(skeleton->maps.rulesets, ruleset_map_type()) == 0);
    REQUIRE(bpf_map__set_map_flags(skeleton->maps.rulesets, map_flags) == 0);
    std::string log(1U << 20U, '\0');
    bool found = false;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, skeleton->obj) {
        const bool wanted = std::string(bpf_program__name(program)) == name;
        found = found || wanted;
        REQUIRE(bpf_program__set_autoload(program, wanted) == 0);
        if (wanted)
            REQUIRE(bpf_program__set_log_buf(program, log.data(), log.size()) == 0);
    }
    REQUIRE(found);
    const int result = refused_bpf::load(skeleton.get());
    log.resize(log.find('\0'));
    return {result, log};
}

void accepted(const char* program) {
    const Load loaded = load(program);
    INFO(loaded.log);
    CHECK(loaded.result == 0);
}

void refused(const char* program, const std::string& message, std::uint32_t map_flags = 0) {
    const Load loaded = load(program, map_flags);
    INFO(program << ": " << loaded.log);
    CHECK(loaded.result < 0);
    CHECK(loaded.log.find(message) != std::string::npos);
}

const std::string restrict_not_allowed =
    "calling kernel function bpf_landlock_restrict_binprm is not allowed";
const std::string not_acquired =
    "release kfunc bpf_landlock_put_ruleset expects referenced PTR_TO_BTF_ID";
// A structure of numbers only, or an empty one, would be taken from any memory.
const std::string not_memory = "expected STRUCT bpf_landlock_ruleset";
const std::string lsm_only = "landlock ruleset map can only be used in LSM progs";

TEST_CASE("verifier: the three hooks are accepted") {
    accepted("ok_creds_for_exec");
    accepted("ok_creds_from_file");
    accepted("ok_committing_creds");
}

TEST_CASE("verifier: any sleepable LSM program may look up and put") {
    accepted("ok_put_in_file_open");
}

TEST_CASE("verifier: a program that cannot sleep may empty a slot") {
    accepted("ok_delete_without_sleeping");
}

TEST_CASE("verifier: no restriction from a hook without an execution") {
    refused("restrict_in_file_open", restrict_not_allowed);
}

TEST_CASE("verifier: no restriction from the other exec hooks") {
    refused("restrict_in_bprm_check", restrict_not_allowed);
    refused("restrict_in_committed_creds", restrict_not_allowed);
    refused("ask_in_committed_creds",
            "calling kernel function bpf_landlock_binprm_has_ruleset is not allowed");
}

TEST_CASE("verifier: not from cgroup programs") {
    refused("restrict_in_cgroup", restrict_not_allowed);
    refused("put_in_cgroup", "calling kernel function bpf_landlock_put_ruleset is not allowed");
}

TEST_CASE("verifier: not from programs that cannot sleep") {
    refused("restrict_without_sleeping",
            "program must be sleepable to call sleepable kfunc bpf_landlock_restrict_binprm");
    refused("put_without_sleeping",
            "program must be sleepable to call sleepable kfunc bpf_landlock_put_ruleset");
}

TEST_CASE("verifier: not from other types of programs") {
    refused("restrict_in_fentry", restrict_not_allowed);
    refused("restrict_in_syscall", restrict_not_allowed);
}

TEST_CASE("verifier: the map is for LSM programs") {
    refused("map_in_kprobe", lsm_only);
    refused("map_in_fentry", lsm_only);
}

TEST_CASE("verifier: what was looked up has to be put") {
    refused("forget_to_put", "Unreleased reference");
    refused("forget_to_put_on_error", "Unreleased reference");
}

TEST_CASE("verifier: no use after put") {
    refused("use_after_put", not_memory);
    refused("put_twice", not_acquired);
}

TEST_CASE("verifier: only what was looked up can be put") {
    refused("put_not_acquired", not_acquired);
    refused("put_maybe_null", "Possibly NULL pointer passed to trusted");
}

// bpf_landlock_restrict_binprm() takes a NULL that is written as one, and no failed lookup.
TEST_CASE("verifier: no kfunc takes an unchecked lookup") {
    refused("restrict_maybe_null", "R2 must be referenced or trusted");
    refused("ask_maybe_null", "Possibly NULL pointer passed to trusted");
}

TEST_CASE("verifier: arguments are what they say") {
    refused("restrict_with_something_else",
            "R2 expected pointer to STRUCT bpf_landlock_ruleset but R2 has a pointer to STRUCT "
            "linux_binprm");
    refused("restrict_something_else",
            "R1 expected pointer to STRUCT linux_binprm but R1 has a pointer to STRUCT "
            "task_struct");
    refused("restrict_null_execution", "Possibly NULL pointer passed to trusted");
}

TEST_CASE("verifier: memory of the program is not a ruleset") {
    refused("restrict_with_stack", not_memory);
    refused("restrict_with_map_value", not_memory);
    refused("ask_about_stack", not_memory);
    refused("put_stack", not_acquired);
}

TEST_CASE("verifier: a ruleset is opaque") {
    refused("read_ruleset", "access beyond struct bpf_landlock_ruleset");
}

TEST_CASE("verifier: programs neither fill nor walk the map") {
    refused("update_from_program", "cannot pass map_type");
    refused("iterate_map", "callback function not allowed for map");
}

TEST_CASE("verifier: a map that is read-only for programs cannot be emptied by one") {
    constexpr std::uint32_t rdonly_prog = 1U << 7;
    refused("ok_delete_without_sleeping", "write into map forbidden", rdonly_prog);
}

} // namespace
