// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policies in JSON: the same model under other names of keys, and findings at their place.
#include "catch.hpp"
#include "fakes.hpp"

#include <fmt/format.h>

#include <algorithm>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Findings = std::vector<std::string>;

Findings json_findings(std::string_view text) {
    return findings(text, "test.json");
}

constexpr std::string_view rule =
    R"("pathBeneath": [{"allowedAccess": ["execute"], "parent": ["/usr"]}])";

} // namespace

TEST_CASE("JSON and TOML say the same") {
    const Policy toml = parse_valid(R"(
abi = 6
[[variable]]
name = "site"
literal = ["a", "ü\u0001b"]
[[match]]
exe = ["/usr/sbin/nginx"]
user = ["www-data", 0]
group = ["33"]
[enforce]
mode = "observe"
no_new_privs = false
on_error = "allow"
compat = "strict"
missing_paths = "error"
log = "none"
[[ruleset]]
handled_access_fs = ["abi.all"]
handled_access_net = ["connect_tcp"]
scoped = ["signal"]
[[path_beneath]]
allowed_access = ["abi.read_execute"]
parent = ["/srv/${site}", "/usr"]
[[net_port]]
allowed_access = ["bind_tcp"]
port = [80, 443]
)");
    const Policy json = parse_valid(R"({
        "netPort": [{"port": [443, 80, 80], "allowedAccess": ["bind_tcp"]}],
        "pathBeneath": [{"parent": ["/usr", "/srv/${site}"], "allowedAccess": ["abi.read_execute"]}],
        "ruleset": [{"handledAccessFs": ["abi.all"], "handledAccessNet": ["connect_tcp"],
                     "scoped": ["signal"]}],
        "enforce": {"mode": "observe", "noNewPrivs": false, "onError": "allow", "compat": "strict",
                    "missingPaths": "error", "log": "none"},
        "match": [{"exe": ["\/usr/sbin/nginx"], "user": ["www-data", 0], "group": ["33"]}],
        "variable": [{"name": "site", "literal": ["a", "\u00fc\u0001b"]}],
        "abi": 6
    })",
                                    "test.json");
    CHECK(json.name == toml.name);
    CHECK(json.abi == toml.abi);
    CHECK(json.handled == toml.handled);
    REQUIRE(json.paths.size() == 3);
    REQUIRE(toml.paths.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(json.paths[i].path == toml.paths[i].path);
        CHECK(json.paths[i].access == toml.paths[i].access);
    }
    REQUIRE(json.ports.size() == 2);
    CHECK(json.ports[0].port == toml.ports[0].port);
    CHECK(json.ports[1].access == toml.ports[1].access);
    REQUIRE(json.match.size() == 1);
    CHECK(json.match[0].exes[0].path == "/usr/sbin/nginx");
    CHECK(json.match[0].users.size() == 2);
    CHECK(json.match[0].groups[0].id == 33);
    CHECK(json.enforce.mode == Mode::observe);
    CHECK_FALSE(json.enforce.no_new_privs);
    CHECK(json.enforce.on_error == OnError::allow);
    CHECK(json.enforce.compat == Compat::strict);
    CHECK(json.enforce.missing_paths == MissingPaths::error);
    CHECK(json.enforce.log == log_none);
}

TEST_CASE("a member that is null counts as absent") {
    CHECK(json_findings(fmt::format(R"({{"abi": null, "ruleset": null, {}}})", rule)).empty());
    CHECK(json_findings(R"({"ruleset": null})") == Findings{"0:0 error: empty configuration"});
    CHECK(json_findings(R"({"netPort": [{"port": null, "allowedAccess": ["bind_tcp"]}]})") ==
          Findings{"1:14 error: 'port' is missing"});
    CHECK(json_findings(R"({"netPort": [null]})").front() ==
          "1:14 error: expected an object, found null");
}

TEST_CASE("findings in JSON have their place and their words") {
    const auto [text, finding] = GENERATE(table<std::string_view, std::string>({
        {R"({})", "0:0 error: empty configuration"},
        {R"([])", "1:1 error: the document is not an object"},
        {R"( 7)", "1:2 error: the document is not an object"},
        {"{\"abi\": 2.0}", "1:9 error: 'abi' is a floating-point number, not an integer"},
        {"{\"abi\": -1}", "1:9 error: 'abi' is -1, and must be 1 to 2147483647"},
        {"{\"abi\": 2147483648}", "1:9 error: 'abi' is 2147483648, and must be 1 to 2147483647"},
        {"{\"abi\": 18446744073709551615}",
         "1:9 error: the number 18446744073709551615 is too large"},
        {"{\"abi\": 18446744073709551616}",
         "1:9 error: 'abi' is a floating-point number, not an integer"},
        {"{\n\t\"ä\": {}, \"path_beneath\": []}", "2:2 error: unknown key 'ä'"},
        {"{\"path_beneath\": []}", "1:2 error: unknown key 'path_beneath'"},
        {"{\"ruleset\" :[{\"handled_access_fs\": [\"execute\"]}]}",
         "1:15 error: unknown key 'handled_access_fs'"},
        {"{\"ruleset\": {}}", "1:2 error: 'ruleset' is an object, not an array of objects"},
        {"{\"ruleset\": []}", "1:13 error: 'ruleset' is empty"},
        {"{\"ruleset\": [{}]}", "1:14 error: empty ruleset"},
        {"{\"ruleset\": [[]]}", "1:14 error: expected an object, found an array"},
        {"{\"pathBeneath\": [{\"allowedAccess\": [\"x\\\"\\\\\", true], \"parent\": [3]}]}",
         "1:37 error: unknown filesystem right 'x\"\\'"},
        {"{\"abi\": 6, \"abi\": 6}", "1:12 error: the key 'abi' is there twice"},
        {"{\"abi\": null, \"abi\": 6}", "1:15 error: the key 'abi' is there twice"},
        {"{\"netPort\": [{\"allowedAccess\": [\"bind_tcp\"], \"port\": [1e3]}]}",
         "1:55 error: expected a port number, found a floating-point number"},
    }));
    CAPTURE(text);
    const Findings found = json_findings(text);
    CHECK(std::ranges::count(found, finding) == 1);
}

TEST_CASE("what is no JSON is refused where it stops being JSON") {
    const auto [text, position] = GENERATE(table<std::string_view, Position>({
        {"", {1, 1}},
        {"{", {1, 2}},
        {"{\"abi\": 6,}", {1, 11}},
        {"{\n\"abi\" 6}", {2, 7}},
        {"// no comments\n{}", {1, 1}},
        {"{} {}", {1, 4}},
        {"{\"abi\": 06}", {1, 11}},
        {"{\"ä\": \"\xff\"}", {1, 8}},
        {"{'abi': 6}", {1, 2}},
        {"{\"abi\": 1e999}", {1, 13}},
    }));
    CAPTURE(text);
    const ParsedPolicy parsed = parse(text, "test.json");
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].message.starts_with("JSON syntax: "));
    CHECK_FALSE(parsed.diagnostics[0].message.contains("json.exception"));
    CAPTURE(parsed.diagnostics[0].message);
    CHECK(parsed.diagnostics[0].position.line == position.line);
    CHECK(parsed.diagnostics[0].position.column == position.column);
    CHECK_FALSE(parsed.policy);
}

TEST_CASE("an object of very many keys is read, and each key once") {
    std::string text = "{";
    for (int i = 0; i < 40'000; ++i)
        text += fmt::format("\"{}\":0,", i);
    const Findings found = json_findings(text + "\"7\":0}");
    REQUIRE(found.size() == 1);
    CHECK(found.front().ends_with("error: the key '7' is there twice"));
    CHECK(json_findings(text + "\"abi\":6}").size() == 101);
}

TEST_CASE("JSON cannot be nested until the stack is exhausted") {
    const std::string deep(500'000, '[');
    CHECK(json_findings(fmt::format("{{\"abi\": {}", deep)) ==
          Findings{"1:72 error: nested too deeply"});
}

TEST_CASE("advice is written in the document's own syntax") {
    const ParsedPolicy json = parse(R"({"ruleset": [{}], "netPort": 5, "path": 1})", "test.json");
    REQUIRE(json.diagnostics.size() == 3);
    CHECK(json.diagnostics[0].advice ==
          "at least one of handledAccessFs, handledAccessNet and scoped is needed");
    CHECK(json.diagnostics[1].advice == "write \"netPort\": [{...}]");
    CHECK(json.diagnostics[2].advice == "known here: 'abi', 'variable', 'ruleset', 'pathBeneath', "
                                        "'netPort', 'include', 'match', 'enforce' or 'lint'");
    const ParsedPolicy place = parse(R"({"port": [1]})", "test.json");
    CHECK(place.diagnostics[1].advice == "'port' belongs in \"netPort\"");
}
