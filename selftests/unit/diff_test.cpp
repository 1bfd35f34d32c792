// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policies compared by what they allow.
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/policy_diff.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

using namespace llexec;
using namespace llexec::testing;

namespace {

/// "+WHERE RIGHTS" and "-WHERE RIGHTS", with "except PLACES" behind.
std::vector<std::string> diff(std::string_view first, std::string_view second) {
    const PolicyDifference difference = diff_policies(parse_valid(first), parse_valid(second));
    std::vector<std::string> result;
    for (const auto& [sign, list] :
         {std::pair{'+', &difference.gained}, std::pair{'-', &difference.lost}})
        for (const AccessDifference& each : *list)
            result.push_back(
                fmt::format("{}{} {}{}{}", sign, each.where,
                            fmt::join(names_of_rights(each.access_class, each.rights), ","),
                            each.except.empty() ? "" : " except ", fmt::join(each.except, ",")));
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

TEST_CASE("what is quiet allows nothing") {
    const std::string quiet = "[[path_beneath]]\nparent = [\"/nowhere/a\"]\nquiet = true\n";
    CHECK(diff(handled(rx), handled(rx, "quiet_access_fs = [\"execute\"]\n" + quiet)).empty());
}

TEST_CASE("what is handled no longer is allowed everywhere but where it was") {
    const std::string one = handled(rx, rule(rx, "/nowhere/a"));
    CHECK(diff(one, handled("\"execute\"", rule("\"execute\"", "/nowhere/a"))) ==
          Lines{"+/ read_file except /nowhere/a"});
    CHECK(diff(handled("\"execute\""), handled(rx)) == Lines{"-/ read_file"});
}

TEST_CASE("a wider rule is told once, at its top") {
    const std::string one = handled(rx, rule(rx, "/nowhere/a/b"));
    const std::string two = handled(rx, rule(rx, "/nowhere/a") + rule(rx, "/nowhere/a/c"));
    CHECK(diff(one, two) == Lines{"+/nowhere/a execute,read_file except /nowhere/a/b"});
    CHECK(diff(two, one) == Lines{"-/nowhere/a execute,read_file except /nowhere/a/b"});
}

TEST_CASE("all of it is another difference than all but some of it") {
    const std::string one = handled(rx, rule(rx, "/"));
    CHECK(diff(one, handled(rx)) == Lines{"-/ execute,read_file"});
    CHECK(diff(one, handled(rx, rule(rx, "/nowhere/a") + rule(rx, "/nowhere/b") +
                                    rule(rx, "/nowhere/b/c"))) ==
          Lines{"-/ execute,read_file except /nowhere/a,/nowhere/b"});
    // Each right has its own exceptions.
    CHECK(diff(one, handled(rx, rule("\"execute\"", "/nowhere/a"))) ==
          Lines{"-/ read_file", "-/ execute except /nowhere/a"});
}

TEST_CASE("what is granted everywhere is as good as not handled") {
    CHECK(diff(handled("\"execute\""), handled(rx, rule("\"read_file\"", "/"))).empty());
}

TEST_CASE("a path that is not there and is relative is somewhere beneath the root") {
    for (const std::string path : {"nowhere/a", "../nowhere"})
        CHECK(diff(handled(rx, rule(rx, "/")), handled(rx, rule(rx, path))) ==
              Lines{"-/ execute,read_file except " + path});
}

TEST_CASE("a right differs at the places that the differences name, and nowhere else") {
    const std::vector<std::string> places{"/", "/nowhere/a", "/nowhere/a/b", "/nowhere/a/b/c",
                                          "/nowhere/d"};
    const auto is_beneath = [](const std::string& place, const std::string& top) {
        return top == "/" || place == top || place.starts_with(top + "/");
    };
    // The rules of a policy are a bit for each place; without any bit, read_file is not handled.
    const unsigned end = 1U << places.size();
    const auto policy = [&](unsigned rules) {
        std::string text = handled(rules == 0 ? "\"execute\"" : rx);
        for (std::size_t i = 0; i < places.size(); ++i)
            if ((rules >> i & 1) != 0)
                text += rule("\"read_file\"", places[i]);
        return parse_valid(text);
    };
    const auto allows = [&](unsigned rules, const std::string& place) {
        bool allowed = rules == 0;
        for (std::size_t i = 0; i < places.size(); ++i)
            allowed = allowed || ((rules >> i & 1) != 0 && is_beneath(place, places[i]));
        return allowed;
    };
    const auto names = [&](const std::vector<AccessDifference>& differences,
                           const std::string& place) {
        return std::ranges::any_of(differences, [&](const AccessDifference& each) {
            return is_beneath(place, each.where) &&
                   std::ranges::none_of(each.except, [&](const std::string& except) {
                       return is_beneath(place, except);
                   });
        });
    };
    std::vector<Policy> policies;
    for (unsigned rules = 0; rules < end; ++rules)
        policies.push_back(policy(rules));
    std::vector<std::string> wrong;
    for (unsigned first = 0; first < end; ++first)
        for (unsigned second = 0; second < end; ++second) {
            const PolicyDifference difference = diff_policies(policies[first], policies[second]);
            for (const std::string& place : places) {
                const bool before = allows(first, place);
                const bool after = allows(second, place);
                if (names(difference.gained, place) != (after && !before) ||
                    names(difference.lost, place) != (before && !after))
                    wrong.push_back(fmt::format("{} -> {} at {}", first, second, place));
            }
        }
    CHECK(wrong.empty());
}

TEST_CASE("ports and scopes") {
    const std::string one = "[[ruleset]]\nhandled_access_net = [\"bind_tcp\"]\nscoped = "
                            "[\"signal\"]\n[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = "
                            "[80]\n";
    const std::string two = "[[ruleset]]\nhandled_access_net = [\"bind_tcp\"]\n[[net_port]]\n"
                            "allowed_access = [\"bind_tcp\"]\nport = [81]\n";
    CHECK(diff(one, two) == Lines{"+81 bind_tcp", "+ signal", "-80 bind_tcp"});
    const std::string all = "[[ruleset]]\nscoped = [\"signal\"]\n";
    CHECK(diff(all, one) == Lines{"- bind_tcp except 80"});
    CHECK(diff(all, "[[ruleset]]\nhandled_access_net = [\"bind_tcp\"]\nscoped = [\"signal\"]\n") ==
          Lines{"- bind_tcp"});
}

TEST_CASE("filesystem rights bring refer with them") {
    CHECK(diff("[[ruleset]]\nscoped = [\"signal\"]\n",
               handled("\"execute\"", "scoped = [\"signal\"]\n")) == Lines{"-/ execute,refer"});
}

TEST_CASE("a link and where it leads to are the same place") {
    CHECK(diff(handled(rx, rule(rx, "/proc/self/root")), handled(rx, rule(rx, "/"))).empty());
}
