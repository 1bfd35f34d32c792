// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Rulesets on simulated kernels of every ABI.
#include "catch.hpp"
#include "fakes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <set>

using namespace llexec;
using namespace llexec::testing;

namespace {

std::vector<Grant> at(Position position) {
    return {{.access = 1, .file = 0, .position = position}};
}

PathRule on(std::string path, std::uint64_t access, Position position) {
    return {.path = std::move(path), .access = access, .grants = at(position)};
}

/// Handles every right that this version knows, with a rule of every right on a directory and on a
/// port.
Policy everything() {
    Policy policy;
    policy.name = "everything";
    policy.file = "everything.toml";
    policy.handled = rights_of_abi(11);
    policy.paths = {
        {.path = "/usr", .access = policy.handled.fs, .grants = at({.line = 1, .column = 2})}};
    policy.ports = {
        {.port = 443, .access = policy.handled.net, .grants = at({.line = 3, .column = 4})}};
    return policy;
}

Policy reading(std::vector<PathRule> rules) {
    Policy policy = everything();
    policy.handled = {.fs = 0xd, .net = 0, .scoped = 0};
    policy.ports.clear();
    policy.paths = std::move(rules);
    return policy;
}

constexpr std::uint64_t read_file = 4;
constexpr std::uint64_t read_dir = 8;

KernelSupport support_of(FakeLandlock& kernel) {
    const auto support = query_kernel_support(kernel);
    REQUIRE(support.has_value());
    return *support;
}

Result<BuiltRuleset> build(const Policy& policy, FakeLandlock& kernel) {
    return build_ruleset(policy, support_of(kernel), kernel);
}

int popcount(const AccessMasks& masks) {
    return std::popcount(masks.fs) + std::popcount(masks.net) + std::popcount(masks.scoped);
}

} // namespace

TEST_CASE("best effort enforces what each kernel has, and names each right that it lacks") {
    const int abi = GENERATE(range(1, 12));
    CAPTURE(abi);
    FakeLandlock kernel(abi);
    const Policy policy = everything();
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    const AccessMasks known = rights_of_abi(abi);
    CHECK(built->handled == known);
    CHECK(kernel.attr.handled_access_fs == known.fs);
    CHECK(kernel.attr.handled_access_net == known.net);
    CHECK(kernel.attr.scoped == known.scoped);
    CHECK(kernel.path_rules.at("/usr") == known.fs);
    CHECK(kernel.port_rules.contains(443) == (abi >= 4));
    CHECK(built->rules_added + built->rules_skipped == 2);

    // Each right is either handled or reported, and none is both.
    CHECK(static_cast<int>(built->notes.size()) == popcount(policy.handled) - popcount(known));
    for (const AccessRight& right : access_rights()) {
        const bool handled = (known.of(right.access_class) & right.bit) != 0;
        const bool reported = std::ranges::any_of(built->notes, [&](const Diagnostic& note) {
            return note.message.find(fmt::format("'{}'", right.name)) != std::string::npos;
        });
        CAPTURE(right.name);
        CHECK(handled != reported);
    }
}

TEST_CASE("strict refuses a kernel that lacks anything that the policy asks for") {
    const int abi = GENERATE(range(1, 12));
    CAPTURE(abi);
    FakeLandlock kernel(abi);
    Policy policy = everything();
    policy.enforce.compat = Compat::strict;
    const auto built = build(policy, kernel);
    if (abi >= 10) {
        CHECK(built.has_value());
        return;
    }
    REQUIRE_FALSE(built.has_value());
    CHECK(built.error().kind == ErrorKind::unsupported);
    CHECK(has_errors(built.error().diagnostics));
    CHECK(kernel.attr.handled_access_fs == 0);
}

TEST_CASE("strict is content with a kernel that has just what is asked for") {
    for (const AccessRight& right : access_rights()) {
        CAPTURE(right.name);
        Policy policy;
        policy.enforce.compat = Compat::strict;
        policy.handled.of(right.access_class) = right.bit;
        FakeLandlock enough(right.first_abi);
        CHECK(build(policy, enough).has_value());
        if (right.first_abi == 1)
            continue;
        FakeLandlock older(right.first_abi - 1);
        CHECK_FALSE(build(policy, older).has_value());
    }
}

TEST_CASE("a kernel that can enforce nothing of a policy is an error, even with best effort") {
    FakeLandlock kernel(3);
    Policy policy;
    policy.handled.net = 3;
    const auto built = build(policy, kernel);
    REQUIRE_FALSE(built.has_value());
    CHECK(built.error().kind == ErrorKind::unsupported);
    CHECK(built.error().diagnostics.size() == 2);
}

TEST_CASE("a right that only the kernel knows is enforced, on files too where it is theirs") {
    FakeLandlock kernel(11);
    const std::uint64_t both = next_fs_right | next_fs_right << 1;
    kernel.unnamed_rights = both;
    kernel.unnamed_file_rights = next_fs_right << 1;
    Policy policy = everything();
    policy.handled.fs |= both;
    policy.paths = {on("/usr", both, {1, 1}), on("/etc/passwd", both | 4, {2, 2})};
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    CHECK(built->notes.empty());
    CHECK(built->handled == policy.handled);
    CHECK(kernel.path_rules["/usr"] == both);
    // A mixture that the kernel refuses on a file loses what has no name, not what has one.
    CHECK(kernel.path_rules["/etc/passwd"] == 4);
    // What is asked about that kernel, and not of it, has the same answer.
    const auto dry = dry_run(policy, support_of(kernel));
    REQUIRE(dry.has_value());
    CHECK(dry->notes.empty());
    CHECK(dry->handled == policy.handled);
}

TEST_CASE("quiet rights and rules reach the kernel, or are reported as lost") {
    Policy policy = everything();
    policy.quiet = {.fs = 4, .net = 1, .scoped = 1};
    policy.paths = {PathRule{.path = "/usr", .access = 4, .quiet = true, .grants = at({1, 1})},
                    PathRule{.path = "/etc", .access = 0, .quiet = true, .grants = at({2, 2})}};
    policy.ports = {PortRule{.port = 80, .access = 0, .quiet = true, .grants = at({3, 3})}};
    FakeLandlock kernel(11);
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    CHECK(built->notes.empty());
    CHECK(kernel.attr.quiet_access_fs == 4);
    CHECK(kernel.attr.quiet_access_net == 1);
    CHECK(kernel.attr.quiet_scoped == 1);
    CHECK(kernel.quiet_objects == std::vector<std::string>{"/usr", "/etc", "80"});

    FakeLandlock old(9);
    const auto lost = build(policy, old);
    REQUIRE(lost.has_value());
    CHECK(old.quiet_objects.empty());
    CHECK(lost->rules_skipped == 2);
    CHECK(std::ranges::any_of(lost->notes, [](const Diagnostic& note) {
        return note.message.starts_with("denials of quiet rights are logged");
    }));
    policy.enforce.compat = Compat::strict;
    CHECK_FALSE(build(policy, old).has_value());
}

TEST_CASE("a right that this version does not know is reported, never dropped in silence") {
    FakeLandlock kernel(11);
    Policy policy = everything();
    policy.handled.fs |= 1ULL << 40;
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    REQUIRE(built->notes.size() == 1);
    CHECK(built->notes[0].message ==
          "filesystem right 0x10000000000 stays unrestricted: this kernel does not have it");
    // A kernel that has no right of the class answers E2BIG.
    FakeLandlock old(3);
    policy.handled = {.fs = 4, .net = 1ULL << 40, .scoped = 0};
    const auto without_class = build(policy, old);
    REQUIRE(without_class.has_value());
    CHECK(std::ranges::any_of(without_class->notes, [](const Diagnostic& note) {
        return note.message ==
               "network right 0x10000000000 stays unrestricted: this kernel does not have it";
    }));
    policy.enforce.compat = Compat::strict;
    CHECK_FALSE(build(policy, kernel).has_value());
}

TEST_CASE("what a policy silences is not reported, but where it asks for an error") {
    FakeLandlock kernel(3);
    Policy policy = everything();
    policy.paths.push_back(on("/missing", read_file, {5, 6}));
    const auto lints = [&](std::vector<std::string> allowed) {
        policy.allowed_lints = std::move(allowed);
        std::set<std::string> found;
        const auto built = build(policy, kernel);
        for (const Diagnostic& note : built.value().notes)
            found.insert(note.lint);
        return found;
    };
    CHECK(lints({}) == std::set<std::string>{"kernel-lacks-right", "missing-path"});
    CHECK(lints({"missing-path"}) == std::set<std::string>{"kernel-lacks-right"});
    CHECK(lints({"kernel-lacks-right"}) == std::set<std::string>{"missing-path"});
    policy.allowed_lints = {"kernel-lacks-right", "missing-path"};
    policy.enforce.missing_paths = MissingPaths::error;
    const auto refused = build(policy, kernel);
    REQUIRE_FALSE(refused.has_value());
    REQUIRE(refused.error().diagnostics.size() == 1);
    CHECK(refused.error().diagnostics[0].severity == Severity::error);
    CHECK(refused.error().diagnostics[0].lint.empty());
    policy.enforce = Enforce{};
    policy.enforce.compat = Compat::strict;
    CHECK_FALSE(build(policy, kernel).has_value());
}

TEST_CASE("a missing path costs its own rule and no other") {
    FakeLandlock kernel(7);
    kernel.open_errors["/secret"] = -EACCES;
    const auto built = build(
        reading({on("/etc", read_file, {1, 1}), on("/missing", read_file, {2, 2}),
                 on("/secret", read_file, {3, 3}),
                 on(std::string("/usr\0/x", 7), read_file, {4, 4}), on("/usr", read_file, {5, 5})}),
        kernel);
    REQUIRE(built.has_value());
    CHECK(built->handled.fs == 0xd);
    CHECK(built->rules_added == 2);
    CHECK(built->rules_skipped == 3);
    CHECK(kernel.path_rules.size() == 2);
    REQUIRE(built->notes.size() == 3);
    CHECK(built->notes[0].severity == Severity::warning);
    CHECK(built->notes[0].position == Position{2, 2});
    CHECK(built->notes[0].message == "'/missing' cannot be opened: No such file or directory");
    CHECK(built->notes[1].message == "'/secret' cannot be opened: Permission denied");
    CHECK(built->notes[2].position == Position{4, 4});
}

TEST_CASE("missing_paths = error refuses, and lists all that is missing") {
    FakeLandlock kernel(7);
    Policy policy = reading(
        {on("/a", read_file, {1, 1}), on("/b", read_file, {2, 2}), on("/usr", read_file, {3, 3})});
    policy.enforce.missing_paths = MissingPaths::error;
    const auto built = build(policy, kernel);
    REQUIRE_FALSE(built.has_value());
    CHECK(built.error().kind == ErrorKind::policy);
    REQUIRE(built.error().diagnostics.size() == 2);
    CHECK(built.error().diagnostics[0].severity == Severity::error);
    CHECK(built.error().diagnostics[1].position == Position{2, 2});
    policy.paths.erase(policy.paths.begin(), policy.paths.begin() + 2);
    CHECK(build(policy, kernel).has_value());
}

TEST_CASE("a rule on a file loses the rights that only directories have") {
    FakeLandlock kernel(7);
    const auto built = build(reading({{"/etc/passwd", read_file | read_dir, {}}}), kernel);
    REQUIRE(built.has_value());
    CHECK(kernel.path_rules.at("/etc/passwd") == read_file);
    CHECK(built->notes.empty());
}

TEST_CASE("a rule on a file with nothing but directory rights is as one on what is missing") {
    FakeLandlock kernel(7);
    Policy policy = reading({on("/etc/passwd", read_dir, {5, 6}), on("/usr", read_file, {7, 8})});
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    CHECK(built->rules_added == 1);
    CHECK(built->rules_skipped == 1);
    REQUIRE(built->notes.size() == 1);
    CHECK(built->notes[0].severity == Severity::warning);
    CHECK(built->notes[0].position == Position{5, 6});
    policy.enforce.missing_paths = MissingPaths::error;
    const auto refused = build(policy, kernel);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::policy);
    REQUIRE(refused.error().diagnostics.size() == 1);
    CHECK(refused.error().diagnostics[0].position == Position{5, 6});
}

TEST_CASE("what nobody can look at costs its own rule, and a want of descriptors everything") {
    FakeLandlock kernel(7);
    kernel.objects["/fuse"] = FakeLandlock::Object::unknown;
    const Policy policy = reading({on("/fuse", read_file, {1, 1}), on("/usr", read_file, {2, 2})});
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    CHECK(built->rules_added == 1);
    REQUIRE(built->notes.size() == 1);
    CHECK(built->notes[0].message == "'/fuse' cannot be opened: Permission denied");
    kernel.open_errors["/usr"] = -EMFILE;
    const auto refused = build(policy, kernel);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind == ErrorKind::system);
    CHECK(refused.error().code == EMFILE);
}

TEST_CASE("a rule on a pinned BPF object is left out") {
    FakeLandlock kernel(7);
    kernel.objects["/sys/fs/bpf/link"] = FakeLandlock::Object::bpf_pin;
    const Policy policy =
        reading({on("/sys/fs/bpf/link", read_file, {1, 1}), on("/usr", read_file, {2, 2})});
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    CHECK(kernel.path_rules.size() == 1);
    CHECK(kernel.path_rules.contains("/usr"));
    REQUIRE(built->notes.size() == 1);
    CHECK(built->notes[0].message == "'/sys/fs/bpf/link' is a BPF object, which would stay "
                                     "although its pin is removed");
    CHECK(built->notes[0].position == Position{1, 1});
}

TEST_CASE("a rule whose rights the kernel lacks is skipped") {
    FakeLandlock kernel(1);
    Policy policy = reading({{"/usr", 1U << 14, {}}, {"/etc", read_file, {}}});
    policy.handled.fs |= 1U << 14;
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    CHECK(built->rules_added == 1);
    CHECK(built->rules_skipped == 1);
}

TEST_CASE("logging that was asked for and that the kernel lacks is reported") {
    FakeLandlock kernel(6);
    Policy policy = reading({});
    CHECK(build(policy, kernel)->notes.empty());
    policy.enforce.log_position = {9, 7};
    REQUIRE(build(policy, kernel)->notes.size() == 1);
    CHECK(build(policy, kernel)->notes[0].position == Position{9, 7});
    policy.enforce.log = log_none;
    CHECK(build(policy, kernel)->notes.empty());
    policy.enforce.log = log_subdomains_off;
    policy.enforce.compat = Compat::strict;
    CHECK_FALSE(build(policy, kernel).has_value());
    FakeLandlock newer(7);
    CHECK(build(policy, newer).has_value());
}

TEST_CASE("building closes each path, and a failure the ruleset too") {
    FakeLandlock kernel(7);
    const std::size_t before = open_descriptors();
    {
        const auto built =
            build(reading({{"/usr", read_file, {}}, {"/etc/passwd", read_file, {}}}), kernel);
        REQUIRE(built.has_value());
        CHECK(open_descriptors() == before + 1);
    }
    kernel.open_errors["/etc/passwd"] = -ENFILE;
    CHECK_FALSE(build(reading({{"/usr", read_file, {}}, {"/etc/passwd", read_file, {}}}), kernel)
                    .has_value());
    CHECK(open_descriptors() == before);
}

TEST_CASE("a policy file's masks reach the kernel") {
    FakeLandlock kernel(7);
    const Policy policy = parse_valid(
        "abi = 6\n[[ruleset]]\nhandled_access_fs = [\"abi.all\"]\n"
        "handled_access_net = [\"abi.all\"]\nscoped = [\"abi.all\"]\n"
        "[[path_beneath]]\nallowed_access = [\"abi.read_execute\"]\nparent = [\"/usr\"]\n"
        "[[net_port]]\nallowed_access = [\"connect_tcp\"]\nport = [443]\n");
    const auto built = build(policy, kernel);
    REQUIRE(built.has_value());
    CHECK(built->handled == AccessMasks{.fs = 0xffff, .net = 3, .scoped = 3});
    CHECK(kernel.path_rules.at("/usr") == 0x200d);
    CHECK(kernel.port_rules.at(443) == 2);
}

TEST_CASE("a dry run tells what another kernel would enforce, and makes nothing") {
    Policy policy;
    policy.handled = rights_of_abi(11);
    policy.paths = {{.path = "/", .access = 1, .grants = at({})},
                    {.path = "/nonexistent", .access = 1, .grants = at({.line = 7, .column = 3})}};
    const std::size_t before = open_descriptors();
    {
        const auto built = dry_run(policy, support_of_abi(4));
        REQUIRE(built.has_value());
        CHECK(built->handled == rights_of_abi(4));
        CHECK(built->rules.size() == 1);
        CHECK(built->notes.back().position.line == 7);
    }
    CHECK(open_descriptors() == before);
    policy.enforce.compat = Compat::strict;
    CHECK_FALSE(dry_run(policy, support_of_abi(4)).has_value());
    CHECK(dry_run(policy, support_of_abi(11)).has_value());
}
