// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// TOML syntax, and findings of several parts of a file together.
#include "catch.hpp"
#include "fakes.hpp"

#include <fmt/format.h>

#include <algorithm>

using namespace llexec;
using namespace llexec::testing;

TEST_CASE("a syntax error is reported at its place") {
    const auto [text, position] = GENERATE(table<std::string_view, Position>({
        {"abi = 6\n[[ruleset\n", {2, 10}},
        {"abi = \n", {1, 7}},
        {"abi = 6\nabi = 7\n", {2, 7}},
        {"a = \"x\n", {1, 7}},
        {"\xff", {1, 1}},
    }));
    const ParsedPolicy parsed = parse(text);
    CAPTURE(text);
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].severity == Severity::error);
    CHECK(parsed.diagnostics[0].message.starts_with("TOML syntax: "));
    CHECK(parsed.diagnostics[0].position.line == position.line);
    CHECK(parsed.diagnostics[0].position.column == position.column);
    CHECK_FALSE(parsed.policy);
}

TEST_CASE("text that breaks the parser's own assumptions is a syntax error") {
    const auto [text, position] = GENERATE(table<std::string_view, Position>({
        {"[&", {1, 2}},
        {"abi = 6\n[[[1]]]\n", {2, 3}},
        {"abi = 6 # \u00e9\n[[ = 1\nx = \n", {2, 4}},
        {"[ = [\"bind_tcp\"]\n", {1, 3}},
    }));
    const ParsedPolicy parsed = parse(text);
    CAPTURE(text);
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].message.starts_with("TOML syntax: "));
    CHECK(parsed.diagnostics[0].position == position);
}

TEST_CASE("all findings of a file come out together, ordered by place") {
    const ParsedPolicy parsed =
        parse("abi = 6\n"
              "[[path_beneath]]\nallowed_access = [\"exec\"]\nparent = [\"${x}\"]\n"
              "[[match]]\nuser = [\"who\"]\n"
              "[enforce]\nmode = \"x\"\n"
              "[[net_port]]\nallowed_access = [\"bind\"]\nport = [65536]\n");
    CHECK(parsed.diagnostics.size() == 6);
    CHECK(std::ranges::is_sorted(parsed.diagnostics, {}, &Diagnostic::position));
    for (const Diagnostic& diagnostic : parsed.diagnostics)
        CHECK(diagnostic.file == "test.toml");
}

TEST_CASE("columns count characters") {
    CHECK(findings("[[ruleset]]\nhandled_access_fs = [\"\u00e9\u00e9\", \"x\"]\n") ==
          std::vector<std::string>{"2:22 error: unknown filesystem right '\u00e9\u00e9'",
                                   "2:28 error: unknown filesystem right 'x'"});
}

TEST_CASE("what is not ASCII stands in quotes and comments only") {
    for (const std::string_view character : {"\u00a1", "\u020d", "\u0421", "\u3000", "\ufeff"}) {
        const ParsedPolicy parsed =
            parse(fmt::format("# {0}\n[[match]]\nuser = [{0}]\n", character));
        REQUIRE(parsed.diagnostics.size() == 1);
        CHECK(parsed.diagnostics[0].position.line == 3);
        CHECK(parsed.diagnostics[0].message.starts_with("TOML syntax: "));
        CHECK(parse_valid(
                  fmt::format("\ufeff# {0}\n[[path_beneath]]\nallowed_access = [\"execute\"]\n"
                              "parent = [\"/{0}\", '/{0}']\n",
                              character))
                  .paths.size() == 1);
    }
}

TEST_CASE("keys cannot be nested until the stack is exhausted") {
    std::string deep;
    for (int i = 0; i < 200000; ++i)
        deep += "a.";
    for (const std::string& text :
         {deep + "a = 1\n", "[" + deep + "a]\n", "x = {" + deep + "a = 1}\n"}) {
        const ParsedPolicy parsed = parse(text);
        REQUIRE(parsed.diagnostics.size() == 1);
        CHECK(parsed.diagnostics[0].message == "too many dotted keys");
    }
    // Quotes at the end of a multi-line string do not hide what follows.
    const ParsedPolicy hidden = parse("x = [\"\"\"a\"\"\"\", {" + deep + "a = 1}]\n");
    REQUIRE(hidden.diagnostics.size() == 1);
    CHECK(hidden.diagnostics[0].message == "too many dotted keys");
    CHECK_FALSE(parse("x = " + std::string(200000, '[')).policy);
}

TEST_CASE("dots in strings and comments are not dotted keys") {
    const std::string dots(5000, '.');
    CHECK(parse_valid("# " + dots +
                      "\n[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/" + dots +
                      "\", '/\"" + dots + "', \"\"\"/\n\\\"" + dots + "\"\"\", '''/'" + dots +
                      "''']\n")
              .paths.size() == 4);
}

TEST_CASE("a policy is named after its file") {
    FakeUsers users;
    constexpr std::string_view text = "[[ruleset]]\nscoped = [\"signal\"]\n";
    const auto [file, name] = GENERATE(table<std::string_view, std::string_view>({
        {"/etc/llexec/10-nginx.toml", "10-nginx"},
        {"web.toml", "web"},
        {"web", "web"},
        {"a/b.c.toml", "b.c"},
        {"unit@x.toml", "unit@x"},
    }));
    const ParsedPolicy parsed = parse_policy(text, file, users);
    REQUIRE(parsed.policy);
    CHECK(parsed.policy->name == name);
    CHECK(parsed.policy->file == file);
}

TEST_CASE("a file whose name cannot be a policy's is refused") {
    FakeUsers users;
    constexpr std::string_view text = "[[ruleset]]\nscoped = [\"signal\"]\n";
    const std::string file = GENERATE(as<std::string>{}, ".toml", "a b.toml", "a\nb.toml",
                                      ".a.toml", "x/", std::string(64, 'a') + ".toml");
    const ParsedPolicy parsed = parse_policy(text, file, users);
    CHECK_FALSE(parsed.policy);
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].position == Position{});
}
