// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "attach/compile.hpp"
#include "catch.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

using namespace llexec;
using namespace llexec::attach;

namespace {

constexpr std::uint64_t generation = 7;

constexpr llexec_inode_id inode(std::uint64_t ino, std::uint32_t igeneration) {
    return {.ino = ino,
            .subvolume = 0,
            .dev = 1,
            .real_dev = 1,
            .igeneration = igeneration,
            .reserved = 0};
}

constexpr llexec_file_id shell{.inode = inode(10, 5), .path_hash = 100};
constexpr llexec_file_id server{.inode = inode(20, 6), .path_hash = 200};
constexpr llexec_file_id deep{.inode = inode(30, 7), .path_hash = 0};
constexpr llexec_file_id llexec_itself{.inode = inode(99, 9), .path_hash = 0};

constexpr std::uint64_t bin = 1001;
constexpr std::uint64_t opt = 1002;
constexpr std::uint64_t seed = 4711;

Identities ids() {
    return {.exes = {{"/bin/sh", shell}, {"/bin/server", server}, {"/deep", deep}},
            .directories = {{"/bin", bin}, {"/opt", opt}},
            .never = {llexec_itself},
            .seed = seed};
}

Principal id(std::uint32_t number) {
    return {.id = number, .spelling = {}, .position = {}};
}

MatchBlock block(std::vector<std::string> paths, std::vector<std::uint32_t> users = {},
                 std::vector<std::uint32_t> groups = {}) {
    MatchBlock result;
    for (std::string& path : paths)
        result.exes.push_back({.path = std::move(path), .position = {}});
    std::ranges::transform(users, std::back_inserter(result.users), id);
    std::ranges::transform(groups, std::back_inserter(result.groups), id);
    return result;
}

MatchBlock beneath(std::vector<std::string> directories, MatchBlock block = {}) {
    for (std::string& path : directories)
        block.directories.push_back({.path = std::move(path), .position = {}});
    return block;
}

MatchBlock inside(std::vector<std::string> cgroups, MatchBlock block = {}) {
    for (std::string& path : cgroups)
        block.cgroups.push_back({.path = std::move(path), .position = {}});
    return block;
}

Policy policy(std::string name, std::vector<MatchBlock> blocks) {
    Policy result;
    result.name = std::move(name);
    result.match = std::move(blocks);
    return result;
}

CompiledSet compiled(const std::vector<Policy>& policies) {
    auto set = compile(policies, ids(), generation);
    REQUIRE(set.has_value());
    return std::move(*set);
}

using Triple = std::array<std::uint32_t, 3>;

/// The rules of a range, as (policy, user, group).
std::vector<Triple> rules(const CompiledSet& set, const llexec_rule_range& range) {
    std::vector<Triple> result;
    for (std::uint32_t i = range.first; i < range.first + range.count; ++i)
        result.push_back({set.rules.at(i).policy, set.rules.at(i).user, set.rules.at(i).group});
    return result;
}

/// The conditions of a range's rules, as (directory, cgroup).
using Pair = std::pair<std::uint64_t, std::uint64_t>;
std::vector<Pair> places(const CompiledSet& set, const llexec_rule_range& range) {
    std::vector<Pair> result;
    for (std::uint32_t i = range.first; i < range.first + range.count; ++i)
        result.emplace_back(set.rules.at(i).directory, set.rules.at(i).cgroup);
    return result;
}

llexec_rule_range range_of(const CompiledSet& set, std::uint64_t place) {
    const auto found = std::ranges::find_if(
        set.by_place, [&](const auto& element) { return element.first.place == place; });
    REQUIRE(found != set.by_place.end());
    CHECK(found->first.generation == generation);
    return found->second;
}

llexec_rule_range range_of(const CompiledSet& set, const llexec_file_id& file) {
    const auto found = std::ranges::find_if(set.by_inode, [&](const auto& element) {
        return std::memcmp(&element.first.inode, &file.inode, sizeof(file.inode)) == 0;
    });
    REQUIRE(found != set.by_inode.end());
    return found->second;
}

constexpr std::uint32_t any = LLEXEC_ANY_ID;
constexpr std::uint64_t anywhere = LLEXEC_ANY_PLACE;

} // namespace

TEST_CASE("a file is found by its inode and by its path, with the same rules") {
    const CompiledSet set = compiled({policy("p", {block({"/bin/sh"})})});
    REQUIRE(set.by_path.size() == 1);
    CHECK(set.by_path[0].first.path_hash == shell.path_hash);
    CHECK(set.by_path[0].first.generation == generation);
    CHECK(set.by_path[0].second.first == range_of(set, shell).first);
    CHECK(rules(set, range_of(set, shell)) == std::vector<Triple>{{0, any, any}});
}

TEST_CASE("a file whose path has no hash is found by its inode only") {
    const CompiledSet set = compiled({policy("p", {block({"/deep"})})});
    CHECK(set.by_path.empty());
    CHECK(range_of(set, deep).count == 1);
}

TEST_CASE("all keys of a block must hold: a rule for each pair of user and group") {
    const CompiledSet set = compiled({policy("p", {block({"/bin/sh"}, {1, 2}, {3, 4})})});
    CHECK(rules(set, range_of(set, shell)) ==
          std::vector<Triple>{{0, 1, 3}, {0, 1, 4}, {0, 2, 3}, {0, 2, 4}});
}

TEST_CASE("any block selects: the rules of all blocks and policies of a file are together, in "
          "layer order") {
    const CompiledSet set =
        compiled({policy("a", {block({"/bin/sh"}, {5}), block({"/bin/sh"}, {}, {6})}),
                  policy("b", {block({"/bin/sh", "/bin/server"})})});
    CHECK(rules(set, range_of(set, shell)) ==
          std::vector<Triple>{{0, 5, any}, {0, any, 6}, {1, any, any}});
    CHECK(rules(set, range_of(set, server)) == std::vector<Triple>{{1, any, any}});
}

TEST_CASE("a block without a file is looked up by user, and only without users by group") {
    const CompiledSet set = compiled({policy("p", {block({}, {1, 2}, {3}), block({}, {}, {4})})});
    REQUIRE(set.by_user.size() == 2);
    for (const std::uint32_t user : {1U, 2U}) {
        CHECK(set.by_user[user - 1].first.id == user);
        // Whoever is looked up by his ID needs no condition that he has it.
        CHECK(rules(set, set.by_user[user - 1].second) == std::vector<Triple>{{0, any, 3}});
    }
    REQUIRE(set.by_group.size() == 1);
    CHECK(set.by_group[0].first.id == 4);
    CHECK(rules(set, set.by_group[0].second) == std::vector<Triple>{{0, any, any}});
}

TEST_CASE("a file that does not exist selects nothing") {
    const CompiledSet set = compiled({policy("p", {block({"/missing"})})});
    CHECK(set.rules.empty());
    CHECK(set.by_path.empty());
    CHECK(set.by_inode.size() == 1); // llexec itself
    CHECK(set.policies.size() == 1);
}

TEST_CASE("llexec itself is never selected, and naming it is an error") {
    CHECK(range_of(compiled({policy("p", {block({"/bin/sh"})})}), llexec_itself).never == 1);

    Identities with_self = ids();
    with_self.exes["/usr/bin/llexec"] = llexec_itself;
    const auto set =
        compile(std::vector{policy("p", {block({"/usr/bin/llexec"})})}, with_self, generation);
    REQUIRE_FALSE(set.has_value());
    CHECK(set.error().kind == ErrorKind::policy);
    CHECK(set.error().diagnostics.size() == 1);
}

TEST_CASE("a program that does not exist yet is found by its path only") {
    Identities later = ids();
    later.exes["/later"] = {.inode = inode(0, 6), .path_hash = 300};
    const auto set = compile(std::vector{policy("p", {block({"/later"})})}, later, generation);
    REQUIRE(set.has_value());
    CHECK(set->by_inode.size() == 1); // llexec itself
    REQUIRE(set->by_path.size() == 1);
    CHECK(set->by_path[0].first.path_hash == 300);
    CHECK(set->by_path[0].second.count == 1);
}

TEST_CASE("what stands at llexec's place is never selected, whatever selects it besides") {
    Identities installed = ids();
    const llexec_file_id place{.inode = inode(0, 6), .path_hash = 300};
    installed.never.push_back(place);
    installed.exes["/later"] = place;
    CHECK_FALSE(
        compile(std::vector{policy("p", {block({"/later"})})}, installed, generation).has_value());
    const auto set = compile(std::vector{policy("p", {block({"/bin/sh"})})}, installed, generation);
    REQUIRE(set.has_value());
    CHECK(set->by_path.back().first.path_hash == 300);
    CHECK(set->by_path.back().second.never == 1);
}

TEST_CASE("a policy keeps its number in every generation, and no two have the same") {
    const CompiledSet first = compiled({policy("p", {}), policy("q", {})});
    const CompiledSet second = compiled({policy("another", {}), policy("p", {})});
    CHECK(first.policies[0].name_hash == second.policies[1].name_hash);
    CHECK(first.policies[0].name_hash != first.policies[1].name_hash);
    CHECK(first.policies[0].name_hash != 0);
}

TEST_CASE("what [enforce] says reaches the programs") {
    Policy observing = policy("observing", {block({"/bin/sh"})});
    observing.enforce.mode = Mode::observe;
    Policy lenient = policy("lenient", {block({"/bin/sh"})});
    lenient.enforce.on_error = OnError::allow;
    lenient.enforce.no_new_privs = false;
    const CompiledSet set = compiled({lenient, observing});
    CHECK(set.policies[0].on_error == LLEXEC_ON_ERROR_ALLOW);
    CHECK(set.policies[0].mode == LLEXEC_MODE_ENFORCE);
    CHECK((set.policies[0].restrict_flags & 16U) == 0);
    CHECK(set.policies[1].mode == LLEXEC_MODE_OBSERVE);
    CHECK(set.policies[1].on_error == LLEXEC_ON_ERROR_DENY);
    CHECK((set.policies[1].restrict_flags & 16U) == 16U);
}

TEST_CASE("a thousand users of one program are a thousand rules, each once") {
    std::vector<std::uint32_t> users;
    for (std::uint32_t user = 0; user < 1000; ++user) {
        users.push_back(user);
        users.push_back(user);
    }
    const CompiledSet set = compiled({policy("p", {block({"/bin/sh"}, users)})});
    CHECK(range_of(set, shell).count == 1000);
    CHECK(set.rules.size() == 1000);
}

TEST_CASE("a block with directories and no file is looked up by each directory") {
    const CompiledSet set = compiled({policy("p", {beneath({"/bin", "/opt"}, block({}, {1}))})});
    CHECK(set.directories);
    CHECK_FALSE(set.cgroups);
    CHECK(set.by_place.size() == 2);
    CHECK(set.by_user.empty());
    for (const std::uint64_t place : {bin, opt}) {
        CHECK(rules(set, range_of(set, place)) == std::vector<Triple>{{0, 1, any}});
        CHECK(places(set, range_of(set, place)) == std::vector<Pair>{{anywhere, anywhere}});
    }
}

TEST_CASE("a block with files and directories is looked up by file, and the directory must hold") {
    const CompiledSet set =
        compiled({policy("p", {beneath({"/bin", "/opt"}, block({"/bin/sh"}))})});
    CHECK(set.by_place.empty());
    CHECK(set.directories);
    CHECK(places(set, range_of(set, shell)) == std::vector<Pair>{{bin, anywhere}, {opt, anywhere}});
}

TEST_CASE("a block with a cgroup alone, or with users, is looked up by the cgroup") {
    const std::uint64_t cgroup = cgroup_place("/a/b", seed);
    const CompiledSet set = compiled({policy("p", {inside({"/a/b"}, block({}, {1, 2}, {3}))})});
    CHECK(set.cgroups);
    CHECK_FALSE(set.directories);
    CHECK(set.by_user.empty());
    CHECK(rules(set, range_of(set, cgroup)) == std::vector<Triple>{{0, 1, 3}, {0, 2, 3}});
}

TEST_CASE("with a file or a directory, the cgroup must hold besides") {
    const std::uint64_t a = cgroup_place("/a", seed);
    const std::uint64_t b = cgroup_place("/b", seed);
    const CompiledSet set = compiled(
        {policy("p", {inside({"/a", "/b"}, block({"/bin/sh"})), inside({"/a"}, beneath({"/opt"})),
                      inside({"/b"}, beneath({"/bin"}, block({"/bin/server"})))})});
    const auto pairs = places(set, range_of(set, shell));
    CHECK(std::ranges::is_permutation(pairs, std::vector<Pair>{{anywhere, a}, {anywhere, b}}));
    CHECK(places(set, range_of(set, opt)) == std::vector<Pair>{{anywhere, a}});
    CHECK(places(set, range_of(set, server)) == std::vector<Pair>{{bin, b}});
    CHECK(set.by_place.size() == 1);
}

TEST_CASE("a directory that does not exist selects nothing, not everything") {
    const CompiledSet set = compiled({policy(
        "p", {beneath({"/missing"}), beneath({"/missing"}, block({"/bin/sh"})),
              beneath({"/missing"}, block({}, {1})), inside({"/a"}, beneath({"/missing"}))})});
    CHECK(set.rules.empty());
    CHECK(set.by_place.empty());
    CHECK(set.by_user.empty());
    CHECK_FALSE(set.directories);
}

TEST_CASE("policies without places make no execution look for them") {
    const CompiledSet set = compiled({policy("p", {block({"/bin/sh"}, {1}), block({}, {2}, {3})})});
    CHECK_FALSE(set.cgroups);
    CHECK_FALSE(set.directories);
}

TEST_CASE("the place of a cgroup depends on each of its names, where it ends, and the seed") {
    const std::vector<std::string> paths{"/",
                                         "/a",
                                         "/b",
                                         "/a/b",
                                         "/b/a",
                                         "/ab",
                                         "/a/a",
                                         "/aa",
                                         "/a.b",
                                         "/" + std::string(255, 'x'),
                                         "/" + std::string(254, 'x')};
    std::vector<std::uint64_t> hashes{anywhere};
    for (const std::string& path : paths)
        for (const std::uint64_t one_seed : {seed, seed + 1})
            hashes.push_back(cgroup_place(path, one_seed));
    std::ranges::sort(hashes);
    CHECK(std::ranges::adjacent_find(hashes) == hashes.end());
    CHECK(cgroup_place("/a/b", seed) == cgroup_place("/a/b", seed));
}

TEST_CASE("a set that could not be replaced in the maps is refused") {
    const auto set_of = [](std::uint32_t users) {
        std::vector<std::uint32_t> numbers(users);
        std::iota(numbers.begin(), numbers.end(), 0);
        return std::vector{policy("p", {block({}, std::move(numbers))})};
    };
    CHECK(compile(set_of(LLEXEC_MAX_FILES / 2), ids(), generation).has_value());
    const auto larger = compile(set_of(LLEXEC_MAX_FILES / 2 + 1), ids(), generation);
    REQUIRE_FALSE(larger.has_value());
    CHECK(larger.error().kind == ErrorKind::policy);
    CHECK(larger.error().what.find("32769 users, and 32768 is the limit") != std::string::npos);
}

TEST_CASE("thousands of programs in one block share its combinations") {
    Identities many = ids();
    std::vector<std::string> paths;
    for (std::uint64_t number = 0; number < 30000; ++number) {
        paths.push_back("/many/" + std::to_string(number));
        many.exes[paths.back()] = {.inode = inode(1000 + number, 1), .path_hash = 1000 + number};
    }
    std::vector<std::uint32_t> hundreds(256);
    std::iota(hundreds.begin(), hundreds.end(), 0);
    const auto set =
        compile(std::vector{policy("p", {block(paths, hundreds, hundreds)})}, many, generation);
    REQUIRE(set.has_value());
    CHECK(set->rules.size() == 65536);
    CHECK(set->by_inode.size() == paths.size() + 1); // llexec itself
    CHECK(set->by_path.size() == paths.size());
    CHECK(std::ranges::all_of(set->by_path, [](const auto& element) {
        return element.second.first == 0 && element.second.count == 65536;
    }));
}

TEST_CASE("policies that have more combinations together than fit are refused") {
    std::vector<std::uint32_t> hundreds(256);
    std::iota(hundreds.begin(), hundreds.end(), 0);
    const MatchBlock full = block({"/bin/sh"}, hundreds, hundreds);
    CHECK(compile(std::vector{policy("p", {full, full})}, ids(), generation).has_value());
    const auto larger =
        compile(std::vector{policy("p", {full}), policy("q", {block({}, {1})})}, ids(), generation);
    REQUIRE_FALSE(larger.has_value());
    CHECK(larger.error().kind == ErrorKind::policy);
    CHECK(larger.error().what.find("65536 is the limit") != std::string::npos);
}
