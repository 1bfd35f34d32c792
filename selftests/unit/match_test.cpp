// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "catch.hpp"
#include "fakes.hpp"

#include <fmt/format.h>

#include <string>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Findings = std::vector<std::string>;

std::string with_match(std::string_view lines) {
    return fmt::format("[[match]]\n{}\n[[ruleset]]\nhandled_access_fs = [\"execute\"]\n", lines);
}

} // namespace

TEST_CASE("each match block keeps its programs, users and groups") {
    const Policy policy = parse_valid(with_match("exe = [\"/usr/sbin/nginx\", \"//bin/./sh\"]\n"
                                                 "user = [\"www-data\", 0, \"1000\"]\n"
                                                 "group = [\"root\"]\n"
                                                 "[[match]]\nexe = [\"/bin/true\"]"));
    REQUIRE(policy.match.size() == 2);
    const MatchBlock& block = policy.match[0];
    REQUIRE(block.exes.size() == 2);
    CHECK(block.exes[0].path == "/usr/sbin/nginx");
    CHECK(block.exes[0].position == Position{.line = 2, .column = 8});
    CHECK(block.exes[1].path == "/bin/sh");
    REQUIRE(block.users.size() == 3);
    CHECK(block.users[0].id == 33);
    CHECK(block.users[0].spelling == "www-data");
    CHECK(block.users[1].id == 0);
    CHECK(block.users[2].id == 1000);
    REQUIRE(block.groups.size() == 1);
    CHECK(block.groups[0].id == 0);
    CHECK(policy.match[1].users.empty());
    CHECK(policy.match[1].position.line == 5);
}

TEST_CASE("the same program, user or group twice counts once") {
    const Policy policy =
        parse_valid(with_match("exe = [\"/bin/sh\", \"/bin//sh\"]\nuser = [\"root\", 0, \"0\"]"));
    CHECK(policy.match[0].exes.size() == 1);
    CHECK(policy.match[0].users.size() == 1);
}

TEST_CASE("very many programs and users are read, and each once") {
    std::string exes;
    std::string users;
    for (int i = 0; i < 20'000; ++i) {
        exes += fmt::format("\"/{}\",", i);
        users += fmt::format("{},", i);
    }
    const Policy policy = parse_valid(fmt::format(
        "[[match]]\nexe = [{0}\"/7\"]\nuser = [{1}7]\n[[ruleset]]\nscoped = [\"signal\"]\n", exes,
        users));
    CHECK(policy.match.at(0).exes.size() == 20'000);
    CHECK(policy.match.at(0).users.size() == 20'000);
}

TEST_CASE("a match block without a selector is refused") {
    CHECK(findings(with_match("")) == Findings{"1:1 error: this entry of 'match' selects nothing"});
}

TEST_CASE("a program is an absolute path that a file can have") {
    const auto [written, message] = GENERATE(table<std::string_view, std::string_view>({
        {"nginx", "'nginx' is not an absolute path"},
        {"", "'' is not an absolute path"},
        {"/usr/sbin/", "'/usr/sbin/' names a directory"},
        {"/", "'/' names a directory"},
        {"/.", "'/.' names a directory"},
        {"/usr/../bin/sh", "'..' in '/usr/../bin/sh'"},
        {"/a\\u0000b", "no file can have this path"},
    }));
    CHECK(findings(with_match(fmt::format("exe = [\"{}\"]", written))) ==
          Findings{fmt::format("2:8 error: {}", message)});
    CHECK(findings(with_match(fmt::format("exe = [\"/{}\"]", std::string(4095, 'a')))) ==
          Findings{"2:8 error: no file can have this path"});
}

TEST_CASE("users and groups that do not exist are refused at their place") {
    CHECK(findings(with_match("user = [\"root\", \"nobody-here\"]\ngroup = [\"no-group\"]")) ==
          Findings{"2:17 error: there is no user 'nobody-here'",
                   "3:10 error: there is no group 'no-group'"});
}

TEST_CASE("a database that cannot answer is an error, not an unknown name") {
    CHECK(findings(with_match("user = [\"broken\"]")) ==
          Findings{"2:9 error: cannot look up user 'broken': looking up 'broken' failed: "
                   "Input/output error"});
}

TEST_CASE("user and group numbers are those that the kernel has") {
    CHECK(parse_valid(with_match("user = [4294967294]")).match[0].users[0].id == 4294967294U);
    const auto value = GENERATE(as<std::string>{}, "-1", "4294967295", "\"4294967295\"",
                                "\"99999999999999999999999\"");
    const ParsedPolicy parsed = parse(with_match(fmt::format("user = [{}]", value)));
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].message.ends_with("is out of range"));
}

TEST_CASE("selectors are arrays, and what to write instead is said") {
    const ParsedPolicy parsed =
        parse(with_match("user = \"root\"\nexe = [true]\ngroup = [1.5, \"\"]"));
    REQUIRE(parsed.diagnostics.size() == 4);
    CHECK(parsed.diagnostics[0].message == "'user' is a string, not an array");
    CHECK(parsed.diagnostics[0].advice == "write it as an array: user = [\"www-data\"]");
    CHECK(parsed.diagnostics[1].message == "expected a string, found a boolean");
    CHECK(parsed.diagnostics[2].message ==
          "expected a group name or number, found a floating-point number");
    CHECK(parsed.diagnostics[3].message == "'' is not a group name");
}

TEST_CASE("a single match table is refused") {
    CHECK(findings("[match]\nuser = [0]\n[[ruleset]]\nhandled_access_fs = [\"execute\"]\n") ==
          Findings{"1:2 error: 'match' is a table, not an array of tables"});
}

TEST_CASE("a selector that is not known is taken for a typing mistake") {
    const ParsedPolicy parsed = parse(with_match("usr = [0]\nuser = [0]\nexe_beneth = [\"/x\"]"));
    REQUIRE(parsed.diagnostics.size() == 2);
    CHECK(parsed.diagnostics[0].advice == "did you mean 'user'?");
    CHECK(parsed.diagnostics[1].advice == "did you mean 'exe_beneath'?");
}

TEST_CASE("directories are normalised absolute paths, each once") {
    const Policy policy = parse_valid(
        with_match("exe_beneath = [\"/opt\", \"//opt/./\", \"/srv/a/\", \"/\", \"/.\"]"));
    const auto& directories = policy.match[0].directories;
    REQUIRE(directories.size() == 3);
    CHECK(directories[0].path == "/opt");
    CHECK(directories[0].position == Position{.line = 2, .column = 16});
    CHECK(directories[1].path == "/srv/a");
    CHECK(directories[2].path == "/");
    CHECK(check_attachable(policy).empty());
}

TEST_CASE("a directory is an absolute path that a file can have") {
    const auto [written, message] = GENERATE(table<std::string_view, std::string_view>({
        {"opt", "'opt' is not an absolute path"},
        {"", "'' is not an absolute path"},
        {"/opt/../usr", "'..' in '/opt/../usr'"},
        {"/..", "'..' in '/..'"},
        {"/a\\u0000b", "no file can have this path"},
    }));
    CHECK(findings(with_match(fmt::format("exe_beneath = [\"{}\"]", written))) ==
          Findings{fmt::format("2:16 error: {}", message)});
}

TEST_CASE("cgroups are written below the root, with or without its slash") {
    const Policy policy = parse_valid(
        with_match("cgroup = [\"/system.slice/nginx.service\", \"system.slice//nginx.service/\", "
                   "\"a/./b\", \"/\", \"sys/fs\", \"/sys/fs/cgroups\"]"));
    const auto& cgroups = policy.match[0].cgroups;
    REQUIRE(cgroups.size() == 5);
    CHECK(cgroups[0].path == "/system.slice/nginx.service");
    CHECK(cgroups[0].position == Position{.line = 2, .column = 11});
    CHECK(cgroups[1].path == "/a/b");
    CHECK(cgroups[2].path == "/");
    CHECK(cgroups[3].path == "/sys/fs");
    CHECK(cgroups[4].path == "/sys/fs/cgroups");
    CHECK(check_attachable(policy).empty());
}

TEST_CASE("a cgroup is a path that a cgroup can have") {
    const auto [written, message] = GENERATE(table<std::string_view, std::string_view>({
        {"", "'' is not a cgroup"},
        {"/a/../b", "'..' in '/a/../b'"},
        {"..", "'..' in '..'"},
        {"/a\\u0000b", "no cgroup can be named '/a\\x00b'"},
        {"/a\\nb", "no cgroup can be named '/a\\x0ab'"},
        {"/sys/fs/cgroup", "'/sys/fs/cgroup' is a path of the file system"},
        {"/sys/fs/cgroup/a", "'/sys/fs/cgroup/a' is a path of the file system"},
    }));
    CHECK(findings(with_match(fmt::format("cgroup = [\"{}\"]", written))) ==
          Findings{fmt::format("2:11 error: {}", message)});
}

TEST_CASE("a cgroup has as many levels, of names as long, as the programs look at") {
    std::string deep;
    for (int i = 0; i < 32; ++i)
        deep += "/" + std::string(255, 'x');
    const auto messages = [](const std::string& path) {
        return findings(with_match(fmt::format("cgroup = [\"{}\"]", path)));
    };
    CHECK(messages(deep).empty());
    CHECK(messages(deep + "/") == Findings{});
    CHECK(messages(deep + "/x").size() == 1);
    CHECK(messages("/" + std::string(256, 'x')).size() == 1);
}

TEST_CASE("paths of places have to be strings in arrays") {
    const ParsedPolicy parsed = parse(with_match("cgroup = \"/x\"\nexe_beneath = [1]"));
    REQUIRE(parsed.diagnostics.size() == 2);
    CHECK(parsed.diagnostics[0].message == "'cgroup' is a string, not an array");
    CHECK(parsed.diagnostics[0].advice == "write it as an array: cgroup = [\"/user.slice\"]");
    CHECK(parsed.diagnostics[1].message == "expected a string, found an integer");
}

TEST_CASE("in JSON the key is exeBeneath") {
    const ParsedPolicy parsed = parse(R"({"match": [{"exeBeneath": ["/opt"], "cgroup": ["x"]}],
                  "ruleset": [{"scoped": ["signal"]}]})",
                                      "test.json");
    REQUIRE(parsed.policy.has_value());
    REQUIRE(parsed.policy->match[0].directories.size() == 1);
    CHECK(parsed.policy->match[0].directories[0].path == "/opt");
    CHECK(parsed.policy->match[0].cgroups[0].path == "/x");
}

TEST_CASE("only a policy that selects something can be attached") {
    CHECK(check_attachable(parse_valid(with_match("user = [0]"))).empty());
    const auto problems =
        check_attachable(parse_valid("[[ruleset]]\nhandled_access_fs = [\"execute\"]\n"));
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].severity == Severity::error);
    CHECK(problems[0].file == "test.toml");
}

TEST_CASE("a block of more combinations than there is room for cannot be attached") {
    const auto numbers = [](int count) {
        std::string text;
        for (int i = 0; i < count; ++i)
            text += std::to_string(i) + ",";
        return text;
    };
    const auto problems_of = [&](const std::string& key, int users, int groups) {
        return check_attachable(parse_valid(with_match(key + "\nuser = [" + numbers(users) +
                                                       "]\ngroup = [" + numbers(groups) + "]")));
    };
    const std::string program = "exe = [\"/bin/sh\"]";
    CHECK(problems_of(program, 256, 256).empty());
    CHECK(problems_of("cgroup = [\"/a\"]", 257, 256).size() == 1);
    // These are looked up by user.
    CHECK(problems_of("", 257, 256).empty());
    const auto problems = problems_of(program, 257, 256);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].position.line != 0);
    CHECK(problems[0].message.find("65536") != std::string::npos);
}
