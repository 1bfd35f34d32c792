// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policies compared by what they allow.
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/policy_diff.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace llexec;
using namespace llexec::testing;

namespace {

/// "+WHERE RIGHTS" and "-WHERE RIGHTS"
std::vector<std::string> diff(std::string_view first, std::string_view second) {
    const PolicyDifference difference = diff_policies(parse_valid(first), parse_valid(second));
    std::vector<std::string> result;
    for (const auto& [sign, list] :
         {std::pair{'+', &difference.gained}, std::pair{'-', &difference.lost}})
        for (const AccessDifference& each : *list)
            result.push_back(
                fmt::format("{}{} {}", sign, each.where,
                            fmt::join(names_of_rights(each.access_class, each.rights), ",")));
    return result;
}

std::string handled(std::string_view fs, std::string_view more = "") {
    return fmt::format("[[ruleset]]\nhandled_access_fs = [{}]\n{}", fs, more);
}

std::string rule(std::string_view rights, std::string_view path) {
    return fmt::format("[[path_beneath]]\nallowed_access = [{}]\nparent = [\"{}\"]\n", rights,
                       path);
}

constexpr std::string_view rx = R"("read_file", "execute")";
using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("the same in other words is no difference") {
    const std::string one =
        handled(rx, rule(rx, "/nowhere/a") + rule("\"read_file\"", "/nowhere/b"));
    const std::string two = rule("\"read_file\"", "/nowhere/a") +
                            rule("\"execute\"", "/nowhere//a/") +
                            rule("\"read_file\"", "/nowhere/b");
    CHECK(diff(one, two).empty());
    // A rule below one that grants as much says nothing.
    CHECK(diff(one, one + rule("\"execute\"", "/nowhere/a/deep")).empty());
}

TEST_CASE("what is handled no longer is allowed everywhere but where it was") {
    const std::string one = handled(rx, rule(rx, "/nowhere/a"));
    CHECK(diff(one, handled("\"execute\"", rule("\"execute\"", "/nowhere/a"))) ==
          Lines{"+ read_file"});
    CHECK(diff(handled("\"execute\""), handled(rx)) == Lines{"- read_file"});
}

TEST_CASE("a wider rule is told once, at its top") {
    const std::string one = handled(rx, rule(rx, "/nowhere/a/b"));
    const std::string two = handled(rx, rule(rx, "/nowhere/a") + rule(rx, "/nowhere/a/c"));
    CHECK(diff(one, two) == Lines{"+/nowhere/a execute,read_file"});
    CHECK(diff(two, one) == Lines{"-/nowhere/a execute,read_file"});
}

TEST_CASE("ports and scopes") {
    const std::string one = "[[ruleset]]\nhandled_access_net = [\"bind_tcp\"]\nscoped = "
                            "[\"signal\"]\n[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = "
                            "[80]\n";
    const std::string two = "[[ruleset]]\nhandled_access_net = [\"bind_tcp\"]\n[[net_port]]\n"
                            "allowed_access = [\"bind_tcp\"]\nport = [81]\n";
    CHECK(diff(one, two) == Lines{"+81 bind_tcp", "+ signal", "-80 bind_tcp"});
}

TEST_CASE("filesystem rights bring refer with them") {
    CHECK(diff("[[ruleset]]\nscoped = [\"signal\"]\n",
               handled("\"execute\"", "scoped = [\"signal\"]\n")) == Lines{"- execute,refer"});
}

TEST_CASE("a link and where it leads to are the same place") {
    CHECK(diff(handled(rx, rule(rx, "/proc/self/root")), handled(rx, rule(rx, "/"))).empty());
}
