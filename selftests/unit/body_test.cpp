// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The Landlock Config body: what is accepted means what it means upstream, and the rest is refused
// at its place.
#include "catch.hpp"
#include "fakes.hpp"

#include <fmt/format.h>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Findings = std::vector<std::string>;

constexpr std::string_view rule = "[[ruleset]]\nhandled_access_fs = [\"execute\"]\n";

std::uint64_t access_of(const Policy& policy, std::string_view path) {
    for (const PathRule& found : policy.paths)
        if (found.path == path)
            return found.access;
    return 0;
}

} // namespace

TEST_CASE("rights without a name are written as the kernel's number") {
    const Policy policy = parse_valid(
        "[[ruleset]]\nhandled_access_fs = [\"execute\", 0x100000]\nhandled_access_net = [8]\n"
        "[[path_beneath]]\nallowed_access = [0x200004]\nparent = [\"/a\"]\n");
    CHECK(policy.handled == AccessMasks{.fs = 0x300005, .net = 8, .scoped = 0});
    CHECK(access_of(policy, "/a") == 0x200004);
    CHECK(
        findings("[[ruleset]]\nhandled_access_fs = [0]\nscoped = [-1]\n") ==
        Findings{"2:22 error: 0 is not a set of rights", "3:11 error: -1 is not a set of rights"});
}

TEST_CASE("quiet rights and quiet rules") {
    const Policy policy = parse_valid(
        "[[ruleset]]\nhandled_access_fs = [\"execute\", \"read_file\"]\nquiet_access_fs = "
        "[\"read_file\"]\nscoped = [\"signal\"]\nquiet_scoped = [\"signal\"]\n"
        "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/a\", \"/b\"]\n"
        "[[path_beneath]]\nquiet = true\nparent = [\"/b\", \"/c\"]\n");
    CHECK(policy.quiet == AccessMasks{.fs = 4, .net = 0, .scoped = 2});
    REQUIRE(policy.paths.size() == 3);
    CHECK_FALSE(policy.paths[0].quiet);
    CHECK(policy.paths[1].quiet);
    CHECK(policy.paths[1].access == 1);
    CHECK(policy.paths[2].quiet);
    CHECK(policy.paths[2].access == 0);
}

TEST_CASE("what could never be quiet is refused") {
    CHECK(findings(
              "[[ruleset]]\nscoped = [\"signal\"]\nquiet_scoped = [\"abstract_unix_socket\"]\n") ==
          Findings{"3:1 error: 'quiet_scoped' has rights that are not handled"});
    CHECK(findings("[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/a\"]\nquiet = "
                   "true\n") ==
          Findings{"3:11 error: a quiet rule, but no right of its class is quiet"});
    CHECK(
        findings("[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = [1]\nquiet = \"yes\"\n") ==
        Findings{"4:9 error: 'quiet' is a string, not a boolean"});
    CHECK(findings("[[path_beneath]]\nparent = [\"/a\"]\nquiet = false\n") ==
          Findings{"1:1 error: 'allowed_access' is missing"});
}

TEST_CASE("a document without content is refused") {
    const Findings empty{"0:0 error: empty configuration"};
    CHECK(findings("") == empty);
    CHECK(findings("# nothing\n") == empty);
    CHECK(findings("abi = 6\n") == empty);
    CHECK(findings("[enforce]\nmode = \"observe\"\n") == empty);
    CHECK(findings("[[match]]\nuser = [0]\n") == empty);
}

TEST_CASE("abi is an integer from 1 to 2147483647") {
    CHECK(parse_valid(fmt::format("abi = 1\n{}", rule)).abi == 1);
    CHECK(parse_valid(fmt::format("abi = 2147483647\n{}", rule)).abi == 2147483647);
    CHECK(parse_valid(rule).abi == std::nullopt);
    const auto [value, shown] = GENERATE(table<std::string_view, std::string_view>({
        {"0", "'abi' is 0, and must be 1 to 2147483647"},
        {"-1", "'abi' is -1, and must be 1 to 2147483647"},
        {"2147483648", "'abi' is 2147483648, and must be 1 to 2147483647"},
        {"4294967295", "'abi' is 4294967295, and must be 1 to 2147483647"},
        {"2.0", "'abi' is a floating-point number, not an integer"},
        {"\"6\"", "'abi' is a string, not an integer"},
        {"true", "'abi' is a boolean, not an integer"},
        {"[6]", "'abi' is an array, not an integer"},
        {"1979-05-27", "'abi' is a date or time, not an integer"},
    }));
    CHECK(findings(fmt::format("abi = {}\n{}", value, rule)) ==
          Findings{fmt::format("1:7 error: {}", shown)});
}

TEST_CASE("integers beyond 64 bits are refused") {
    const auto value = GENERATE(as<std::string>{}, "18446744073709551616",
                                "340282366920938463463374607431768211456");
    const ParsedPolicy parsed = parse(fmt::format("abi = {}\n{}", value, rule));
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].position.line == 1);
    CHECK_FALSE(parsed.policy);
}

TEST_CASE("a bad abi is reported once, not again at each group") {
    CHECK(findings("abi = 0\n[[ruleset]]\nhandled_access_fs = [\"abi.all\"]\n") ==
          Findings{"1:7 error: 'abi' is 0, and must be 1 to 2147483647"});
}

TEST_CASE("a group needs abi") {
    CHECK(findings("[[ruleset]]\nhandled_access_fs = [\"abi.all\"]\nscoped = [\"abi.all\"]\n") ==
          Findings{"2:22 error: group 'abi.all' needs 'abi'",
                   "3:11 error: group 'abi.all' needs 'abi'"});
}

TEST_CASE("present arrays are not empty") {
    CHECK(findings("ruleset = []\n") == Findings{"1:11 error: 'ruleset' is empty"});
    CHECK(findings("path_beneath = []\n") == Findings{"1:16 error: 'path_beneath' is empty"});
    CHECK(findings("net_port = []\n") == Findings{"1:12 error: 'net_port' is empty"});
    CHECK(findings("[[ruleset]]\nhandled_access_fs = []\nhandled_access_net = []\nscoped = []\n") ==
          Findings{"2:21 error: 'handled_access_fs' is empty",
                   "3:22 error: 'handled_access_net' is empty", "4:10 error: 'scoped' is empty"});
    CHECK(findings("[[path_beneath]]\nallowed_access = []\nparent = []\n") ==
          Findings{"2:18 error: 'allowed_access' is empty", "3:10 error: 'parent' is empty"});
    CHECK(findings("[[net_port]]\nallowed_access = []\nport = []\n") ==
          Findings{"2:18 error: 'allowed_access' is empty", "3:8 error: 'port' is empty"});
    CHECK(findings("[[ruleset]]\n") == Findings{"1:1 error: empty ruleset"});
}

TEST_CASE("what a rule needs is named when it is missing") {
    CHECK(findings("[[path_beneath]]\n") ==
          Findings{"1:1 error: 'allowed_access' is missing", "1:1 error: 'parent' is missing"});
    CHECK(findings("[[net_port]]\nport = [1]\n") ==
          Findings{"1:1 error: 'allowed_access' is missing"});
}

TEST_CASE("a single table where several are possible is a type error") {
    CHECK(findings("[ruleset]\nhandled_access_fs = [\"execute\"]\n") ==
          Findings{"1:2 error: 'ruleset' is a table, not an array of tables"});
    CHECK(findings("ruleset = [1, {handled_access_fs = [\"execute\"]}]\n") ==
          Findings{"1:12 error: expected a table, found an integer"});
}

TEST_CASE("inline tables are tables") {
    CHECK(parse_valid("ruleset = [{handled_access_fs = [\"execute\"]}]\n").handled.fs == 1);
}

TEST_CASE("unknown keys are refused in each table, with the key that was meant") {
    const ParsedPolicy parsed = parse(
        "pathBeneath = 1\nabi = 6\n"
        "[[ruleset]]\nhandled_access_sf = [\"execute\"]\nscoped = [\"signal\"]\n"
        "[[path_beneath]]\nallowed_access = [\"execute\"]\nparents = [\"/\"]\nparent = [\"/\"]\n"
        "[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = [1]\nmode = 1\n");
    Findings shown;
    for (const Diagnostic& d : parsed.diagnostics)
        shown.push_back(
            fmt::format("{}:{} {}; {}", d.position.line, d.position.column, d.message, d.advice));
    CHECK(shown ==
          Findings{"1:1 unknown key 'pathBeneath'; did you mean 'path_beneath'?",
                   "4:1 unknown key 'handled_access_sf'; did you mean 'handled_access_fs'?",
                   "8:1 unknown key 'parents'; did you mean 'parent'?",
                   "13:1 unknown key 'mode'; 'mode' belongs in [enforce]"});
}

TEST_CASE("every keyword of Landlock Config stands for its right") {
    for (const AccessRight& right : access_rights()) {
        CAPTURE(right.name);
        const std::string_view key = right.access_class == AccessClass::fs    ? "handled_access_fs"
                                     : right.access_class == AccessClass::net ? "handled_access_net"
                                                                              : "scoped";
        AccessMasks expected;
        expected.of(right.access_class) = right.bit;
        CHECK(parse_valid(fmt::format("[[ruleset]]\n{} = [\"{}\"]\n", key, right.name)).handled ==
              expected);
    }
}

TEST_CASE(
    "of very many errors the first are listed, with what is around each, and the rest counted") {
    std::string text = "{\"abi\":6,\"ruleset\":[{\"handledAccessFs\":[0";
    for (int i = 1; i < 300'000; ++i)
        text += ",0";
    text += "]}]}";
    const ParsedPolicy parsed = parse(text, "test.json");
    CHECK_FALSE(parsed.policy);
    REQUIRE(parsed.diagnostics.size() == 101);
    for (const Diagnostic& diagnostic : parsed.diagnostics)
        CHECK(diagnostic.source.size() <= 256);
    CHECK(parsed.diagnostics[1].position == Position{.line = 1, .column = 43});
    CHECK(parsed.diagnostics[99].message == "0 is not a set of rights");
    CHECK(parsed.diagnostics[100].message == "not listed: 299900 more like this");
}

TEST_CASE("errors do not hide findings of lints, nor these one another") {
    std::string text = "abi = 1\n[[ruleset]]\nhandled_access_fs = [\"execute\"]\n"
                       "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"\"";
    for (int i = 0; i < 150; ++i)
        text += ",\n\"relative\"";
    text += ",\n3]\n";
    const ParsedPolicy parsed = parse(text);
    const auto of = [&](std::string_view lint) {
        return std::ranges::count(parsed.diagnostics, lint, &Diagnostic::lint);
    };
    CHECK(of("relative-path") == 101);
    CHECK(of("empty-path") == 1);
    CHECK(of("") == 1);
    CHECK(parse("[lint]\nallow = [\"relative-path\"]\n" + text.substr(8)).diagnostics.size() == 2);
}

TEST_CASE("a keyword of another class is refused, and an unknown one gets a suggestion") {
    CHECK(findings("[[ruleset]]\nhandled_access_fs = [\"bind_tcp\"]\n") ==
          Findings{
              "2:22 error: 'bind_tcp' is a network right, and this list takes filesystem rights"});
    CHECK(
        findings("[[ruleset]]\nscoped = [\"execute\"]\n") ==
        Findings{"2:11 error: 'execute' is a filesystem right, and this list takes scope rights"});
    CHECK(findings("[[ruleset]]\nhandled_access_net = [\"abi.read_execute\"]\n") ==
          Findings{"2:23 error: unknown network right 'abi.read_execute'"});
    CHECK(findings("[[ruleset]]\nhandled_access_fs = [\"v4.all\"]\n") ==
          Findings{"2:22 error: unknown filesystem right 'v4.all'"});
    const ParsedPolicy parsed = parse("[[ruleset]]\nhandled_access_fs = [\"read_fil\"]\n");
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].message == "unknown filesystem right 'read_fil'");
    CHECK(parsed.diagnostics[0].advice == "did you mean 'read_file'?");
    CHECK(findings("[[ruleset]]\nhandled_access_fs = [true]\n") ==
          Findings{"2:22 error: expected a string, found a boolean"});
}

TEST_CASE("several rulesets are one: their rights are joined") {
    const Policy policy =
        parse_valid("[[ruleset]]\nhandled_access_fs = [\"execute\"]\n"
                    "[[ruleset]]\nhandled_access_fs = [\"execute\", \"read_file\"]\n"
                    "handled_access_net = [\"bind_tcp\"]\n");
    CHECK(policy.handled == AccessMasks{.fs = 5, .net = 1, .scoped = 0});
}

TEST_CASE("a right that a rule uses is handled") {
    const Policy policy =
        parse_valid("[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"/\"]\n"
                    "[[ruleset]]\nhandled_access_net = [\"connect_tcp\"]\n");
    CHECK(policy.handled == AccessMasks{.fs = 4, .net = 2, .scoped = 0});
    CHECK(access_of(policy, "/") == 4);
}

TEST_CASE("rules on one path are joined, whatever way it is written") {
    const Policy policy = parse_valid("[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = "
                                      "[\"/a/b\", \"/a/b\", \"/a//b/\"]\n"
                                      "[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent "
                                      "= [\"/a/./b\", \"/a/../a/b\"]\n");
    REQUIRE(policy.paths.size() == 2);
    CHECK(access_of(policy, "/a/b") == 5);
    CHECK(access_of(policy, "/a/../a/b") == 4);
    CHECK(policy.paths[1].grants.at(0).position == Position{.line = 3, .column = 11});
}

TEST_CASE("rules on one port are joined") {
    const Policy policy =
        parse_valid("[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = [0, 65535, 0]\n"
                    "[[net_port]]\nallowed_access = [\"connect_tcp\"]\nport = [0]\n");
    REQUIRE(policy.ports.size() == 2);
    CHECK(policy.ports[0].port == 0);
    CHECK(policy.ports[0].access == 3);
    CHECK(policy.ports[1].port == 65535);
    CHECK(policy.ports[1].access == 1);
}

TEST_CASE("a port is an integer from 0 to 65535") {
    CHECK(
        findings(
            "[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = [65536, -1, \"80\", 443.0]\n") ==
        Findings{"3:9 error: port 65536 is out of range", "3:16 error: port -1 is out of range",
                 "3:20 error: expected a port number, found a string",
                 "3:26 error: expected a port number, found a floating-point number"});
}

TEST_CASE("a rule whose groups stand for nothing at its abi is dropped, with a warning") {
    const int abi = GENERATE(1, 2, 3);
    const std::string text = fmt::format(
        "abi = {}\n{}[[net_port]]\nallowed_access = [\"abi.all\"]\nport = [80]\n", abi, rule);
    const Policy policy = parse_valid(text);
    CHECK(policy.ports.empty());
    CHECK(policy.handled.net == 0);
    CHECK(findings(text) ==
          Findings{
              fmt::format("5:19 warning: 'abi.all' stands for no network right at abi = {}", abi)});
}

TEST_CASE("a policy that handles nothing is refused") {
    CHECK(findings("abi = 3\n[[ruleset]]\nhandled_access_net = [\"abi.all\"]\n") ==
          Findings{"0:0 error: no access right is handled, so there is nothing to enforce",
                   "3:23 warning: 'abi.all' stands for no network right at abi = 3"});
}

TEST_CASE("it is noted where abi.all leaves UDP unrestricted") {
    const std::string_view text = "abi = {}\n[[ruleset]]\nhandled_access_net = [\"abi.all\"{}]\n";
    CHECK(findings(fmt::format(fmt::runtime(text), 9, "")).empty());
    CHECK(findings(fmt::format(fmt::runtime(text), 10, "")) ==
          Findings{"3:23 note: 'abi.all' has no UDP right, so UDP stays unrestricted"});
    CHECK(findings(fmt::format(fmt::runtime(text), 11, ", \"bind_udp\"")).empty());
}

TEST_CASE("a parent is written once for each value of its variables") {
    const Policy policy = parse_valid(R"(
[[variable]]
name = "home"
literal = ["/home/ada", "/home/ben", "/home/ada"]
[[path_beneath]]
allowed_access = ["read_file"]
parent = ["${home}/${kind}", "$${home}", "/usr"]
[[variable]]
name = "kind"
literal = ["a", "b//"]
)");
    std::vector<std::string> paths;
    for (const PathRule& rule : policy.paths)
        paths.push_back(rule.path);
    CHECK(paths == std::vector<std::string>{"${home}", "/home/ada/a", "/home/ada/b", "/home/ben/a",
                                            "/home/ben/b", "/usr"});
    CHECK(access_of(policy, "/home/ada/b") == 4);
}

TEST_CASE("a variable that is declared again has the values of all declarations") {
    const Policy policy = parse_valid(R"(
[[variable]]
name = "x"
[[variable]]
name = "x"
literal = ["/b"]
[[variable]]
name = "x"
literal = ["/a", "/b"]
[[path_beneath]]
allowed_access = ["execute"]
parent = ["${x}"]
)");
    CHECK(policy.paths.size() == 2);
}

TEST_CASE("a variable without values makes no path, and the rights stay handled") {
    constexpr std::string_view text = R"(
[[variable]]
name = "none"
[[variable]]
name = "empty"
literal = [""]
[[path_beneath]]
allowed_access = ["execute"]
parent = ["${none}/x", "${empty}", "a${none}b${empty}"]
)";
    const ParsedPolicy parsed = parse(text);
    REQUIRE(parsed.policy);
    CHECK(parsed.policy->paths.empty());
    CHECK(parsed.policy->handled.fs == 1);
    CHECK(parsed.diagnostics.size() == 3);
    CHECK(findings(text).front() ==
          "9:11 warning: '${none}/x' names nothing: its variables are empty");
}

TEST_CASE("variables that are wrong are reported where they stand") {
    CHECK(findings(R"(
[[variable]]
name = "1foo"
[[variable]]
literal = ["x"]
[[variable]]
name = "x"
literal = []
[[variable]]
name = "x"
literal = [7]
[[path_beneath]]
allowed_access = ["execute"]
parent = ["/${", "${}", "${a-b}", "${hom}", "$${x", "$"]
)") == Findings{
           "3:8 error: '1foo' cannot name a variable: a name starts with an ASCII letter",
           "4:1 error: 'name' is missing",
           "8:11 error: 'literal' is empty",
           "11:12 error: expected a string, found an integer",
           "14:11 error: in '/${', at byte 1: '${' without a '}' after it",
           "14:18 error: in '${}', at byte 0: '${}' is no variable: the name is empty",
           "14:25 error: in '${a-b}', at byte 0: '${a-b}' is no variable: a name has only ASCII "
           "letters, digits and underscores",
           "14:35 error: variable 'hom' is not declared",
           "14:45 warning: '$${x' is a relative path",
           "14:53 warning: '$' is a relative path",
       });
}

TEST_CASE("an expansion that is too large is refused before it is made") {
    std::string values;
    for (int i = 0; i < 100; ++i)
        values += fmt::format("\"/{}\", ", i);
    const auto with = [&](std::string_view parent) {
        return fmt::format("[[variable]]\nname = \"x\"\nliteral = [{}]\n[[path_beneath]]\n"
                           "allowed_access = [\"execute\"]\nparent = [\"{}\"]\n",
                           values, parent);
    };
    CHECK(parse_valid(with("${x}${x}")).paths.size() == 10000);
    CHECK(findings(with("${x}${x}${x}")) ==
          Findings{"6:11 error: '${x}${x}${x}' stands for too many paths"});
    std::string many;
    for (int i = 0; i < 40; ++i)
        many += "${x}";
    CHECK(findings(with(many)).size() == 1);
}

TEST_CASE("each rule on an expansion counts, and too many are refused before they are made") {
    std::string values;
    for (int i = 0; i < 60'000; ++i)
        values += fmt::format("\"{}\",", i);
    const auto with = [&](int rules) {
        std::string parents;
        for (int i = 0; i < rules; ++i)
            parents += "\"/${x}\",";
        return fmt::format("[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [{}]\n"
                           "[[variable]]\nname = \"x\"\nliteral = [{}]\n",
                           parents, values);
    };
    CHECK(parse_valid(with(17)).paths.size() == 60'000);
    CHECK(findings(with(18)) == Findings{"3:11 error: '/${x}' stands for too many paths"});
    CHECK(findings(with(70'000)) == Findings{"3:11 error: '/${x}' stands for too many paths"});
}

TEST_CASE("what is declared again and again is read as fast as what is declared once") {
    std::string text = "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/${x}\"]\n";
    for (int i = 0; i < 5'000; ++i)
        text += fmt::format("[[variable]]\nname=\"x\"\nliteral=[\"{}\"]\n", i);
    CHECK(parse_valid(text).paths.size() == 5'000);
}

TEST_CASE("a path with a NUL byte is refused, whatever it is made from") {
    CHECK(findings("[[path_beneath]]\nallowed_access = [\"execute\"]\n"
                   "parent = [\"/usr\", \"/etc\\u0000/x\"]\n") ==
          Findings{"3:19 error: a NUL byte in '/etc\\x00/x'"});
    CHECK(findings("[[variable]]\nname = \"x\"\nliteral = [\"a\\u0000\"]\n") ==
          Findings{"3:12 error: a NUL byte in 'a\\x00'"});
    CHECK(findings(R"({"pathBeneath": [{"allowedAccess": ["execute"], "parent": ["/a\u0000"]}]})",
                   "test.json") == Findings{"1:60 error: a NUL byte in '/a\\x00'"});
}

TEST_CASE("an escaped dollar in a path is a dollar") {
    const Policy policy = parse_valid(
        "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/$${x}\", \"/$y\"]\n");
    CHECK(access_of(policy, "/${x}") == 1);
    CHECK(access_of(policy, "/$y") == 1);
}

TEST_CASE("an empty parent names nothing, and its rights stay handled") {
    const std::string_view text =
        "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"\"]\n";
    CHECK(parse_valid(text).paths.empty());
    CHECK(parse_valid(text).handled.fs == 1);
    CHECK(findings(text) == Findings{"3:11 warning: the empty path names nothing"});
}

TEST_CASE("a relative parent is accepted with a warning") {
    const std::string_view text =
        "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"./a\"]\n";
    CHECK(access_of(parse_valid(text), "./a") == 1);
    CHECK(findings(text) == Findings{"3:11 warning: './a' is a relative path"});
}

TEST_CASE("order does not matter") {
    const std::string a = "[[ruleset]]\nhandled_access_fs = [\"read_file\", \"execute\"]\n";
    const std::string b =
        "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/b\", \"/a\"]\n";
    const std::string c = "[[net_port]]\nallowed_access = [\"bind_tcp\"]\nport = [2, 1]\n";
    const Policy first = parse_valid(a + b + c);
    for (const std::string& text : {a + c + b, b + a + c, b + c + a, c + a + b, c + b + a}) {
        const Policy other = parse_valid(text);
        CHECK(other.handled == first.handled);
        REQUIRE(other.paths.size() == 2);
        REQUIRE(other.ports.size() == 2);
        CHECK(other.paths[0].path == first.paths[0].path);
        CHECK(other.ports[0].port == first.ports[0].port);
    }
}
