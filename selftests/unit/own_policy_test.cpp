// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What llexecd leaves itself, and the policy of its self-test.
#include "catch.hpp"
#include "confinement.hpp"
#include "fakes.hpp"
#include "self_test.hpp"

#include <algorithm>

using namespace llexec;
using namespace llexec::daemon;
using namespace llexec::testing;

namespace {

const OwnPlaces places{.read = {"/usr", "/etc/passwd"},
                       .write = {"/var/lib/llexec"},
                       .sockets = {"/run"},
                       .programs = "/libexec/llexec"};

std::uint64_t rights(const std::vector<std::string>& names) {
    std::uint64_t mask = 0;
    for (const std::string& name : names)
        mask |= find_access_right(AccessClass::fs, name)->bit;
    return mask;
}

const std::uint64_t reading = rights({"read_file", "read_dir"});
const std::uint64_t writing = reading | rights({"write_file", "truncate", "make_reg", "make_dir",
                                                "remove_file", "remove_dir"});

/// What the policy grants at that path.
std::uint64_t granted(const Policy& policy, const std::string& path) {
    const auto rule = std::ranges::find(policy.paths, path, &PathRule::path);
    return rule == policy.paths.end() ? 0 : rule->access;
}

} // namespace

TEST_CASE("llexecd handles all rights of each ABI on itself, but abstract sockets") {
    const std::uint64_t abstract =
        find_access_right(AccessClass::scope, "abstract_unix_socket")->bit;
    for (int abi = 1; abi <= newest_known_abi(); ++abi) {
        CAPTURE(abi);
        const Policy policy = own_policy(places, abi);
        AccessMasks all = rights_of_abi(abi);
        all.scoped &= ~abstract;
        CHECK(policy.handled == all);
        CHECK(policy.quiet.empty());
        CHECK(policy.enforce.no_new_privs);
        CHECK(policy.enforce.mode == Mode::enforce);
    }
    CHECK(own_policy(places, newest_known_abi()).handled.scoped != 0);
}

TEST_CASE("llexecd grants itself what is listed, and nothing else") {
    for (int abi = 1; abi <= newest_known_abi(); ++abi) {
        CAPTURE(abi);
        const Policy policy = own_policy(places, abi);
        const std::uint64_t known = rights_of_abi(abi).fs;
        CHECK(policy.paths.size() == 5);
        CHECK(policy.ports.empty());
        CHECK(granted(policy, "/usr") == reading);
        CHECK(granted(policy, "/etc/passwd") == reading);
        CHECK(granted(policy, "/var/lib/llexec") == (writing & known));
        CHECK(granted(policy, "/run") == ((reading | rights({"resolve_unix"})) & known));
        CHECK(granted(policy, "/libexec/llexec") == rights({"execute", "read_file"}));
        // Nothing else may be executed.
        for (const PathRule& rule : policy.paths)
            CHECK(((rule.access & rights({"execute"})) != 0) == (rule.path == "/libexec/llexec"));
    }
}

TEST_CASE("no directory of llexecd's sockets has one by which programs are started") {
    for (const std::string socket :
         {"/run/systemd/private", "/run/dbus/system_bus_socket", "/run/systemd/notify"})
        for (const std::string& directory : own_sockets()) {
            CAPTURE(socket, directory);
            CHECK_FALSE((socket + "/").starts_with(directory + "/"));
        }
}

TEST_CASE("places that are listed twice are one rule with the rights of both") {
    OwnPlaces twice = places;
    twice.read = {"/z", "/run", "/a", "/z"};
    twice.write = {"/run"};
    twice.programs = "/a";
    const Policy policy = own_policy(twice, newest_known_abi());
    std::vector<std::string> paths;
    for (const PathRule& rule : policy.paths)
        paths.push_back(rule.path);
    CHECK(paths == std::vector<std::string>{"/a", "/run", "/z"}); // as Policy has them
    CHECK(granted(policy, "/run") == (writing | rights({"resolve_unix"})));
    CHECK(granted(policy, "/a") == (reading | rights({"execute"})));
    CHECK(granted(policy, "/z") == reading);
}

TEST_CASE("each kernel takes llexecd's own policy, also where places are missing") {
    for (int abi = 1; abi <= newest_known_abi(); ++abi) {
        CAPTURE(abi);
        FakeLandlock kernel(abi);
        kernel.objects = {{"/usr", FakeLandlock::Object::directory},
                          {"/etc/passwd", FakeLandlock::Object::file},
                          {"/run", FakeLandlock::Object::directory},
                          {"/libexec/llexec", FakeLandlock::Object::directory}};
        const auto ruleset = build_ruleset(own_policy(places, abi), support_of_abi(abi), kernel);
        REQUIRE(ruleset.has_value());
        CHECK(ruleset->rules_added == 4);
        CHECK(ruleset->rules_skipped == 1);
        CHECK(kernel.path_rules["/libexec/llexec"] == rights({"execute", "read_file"}));
        CHECK(kernel.path_rules["/etc/passwd"] == rights({"read_file"}));
        CHECK(kernel.port_rules.empty());
    }
}

TEST_CASE("the self-test's policy keeps its program from sending signals, and logs nothing") {
    const Policy policy = self_test_policy("/libexec/self-test");
    CHECK(policy.name == self_test_name);
    REQUIRE(policy.match.size() == 1);
    REQUIRE(policy.match[0].exes.size() == 1);
    CHECK(policy.match[0].exes[0].path == "/libexec/self-test");
    CHECK(policy.handled ==
          AccessMasks{.scoped = find_access_right(AccessClass::scope, "signal")->bit});
    CHECK(policy.enforce.mode == Mode::enforce);
    CHECK(policy.enforce.log == log_none);
    CHECK(policy.paths.empty());
}
