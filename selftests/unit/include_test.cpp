// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policies that take in the rules of other files.
#include "catch.hpp"
#include "fakes.hpp"

#include <fmt/format.h>

#include <cerrno>

using namespace llexec;
using namespace llexec::testing;

namespace {

class FakeFiles final : public PolicyFiles {
  public:
    Result<std::string> read(const std::string& path) override {
        reads.push_back(path);
        const auto found = texts.find(path);
        if (found == texts.end())
            return system_error(ENOENT, "open failed");
        return found->second;
    }

    std::map<std::string, std::string> texts;
    std::vector<std::string> reads;
};

ParsedPolicy parse_with(FakeFiles& files, std::string_view text,
                        std::string_view file = "/etc/p/main.toml") {
    FakeUsers users;
    return parse_policy(text, file, users, {.files = &files, .standard = false});
}

std::vector<std::string> shown(const ParsedPolicy& parsed) {
    std::vector<std::string> result;
    for (const Diagnostic& d : parsed.diagnostics)
        result.push_back(
            fmt::format("{}:{}:{} {}", d.file, d.position.line, d.position.column, d.message));
    return result;
}

constexpr std::string_view grants_a =
    "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/a\"]\n";
constexpr std::string_view grants_b =
    "[[path_beneath]]\nallowed_access = [\"read_file\"]\nparent = [\"/a\", \"/b\"]\n";

} // namespace

TEST_CASE("an included file's rules are the policy's own, and known by their file") {
    FakeFiles files;
    files.texts["/etc/p/more.toml"] = grants_b;
    const ParsedPolicy parsed =
        parse_with(files, fmt::format("include = [\"more.toml\"]\n{}", grants_a));
    CHECK(shown(parsed).empty());
    REQUIRE(parsed.policy);
    const Policy& policy = *parsed.policy;
    CHECK(policy.handled.fs == 5);
    CHECK(policy.included == std::vector<std::string>{"/etc/p/more.toml"});
    REQUIRE(policy.paths.size() == 2);
    CHECK(policy.paths[0].access == 5);
    REQUIRE(policy.paths[0].grants.size() == 2);
    CHECK(policy.file_of(policy.paths[0].grants[0]) == "/etc/p/main.toml");
    CHECK(policy.file_of(policy.paths[0].grants[1]) == "/etc/p/more.toml");
    CHECK(policy.paths[0].grants[1] ==
          Grant{.access = 4, .file = 1, .position = {.line = 3, .column = 11}});
}

TEST_CASE("an include never takes a handled right away") {
    FakeFiles files;
    files.texts["/etc/p/variables.toml"] = "[[variable]]\nname = \"x\"\nliteral = [\"/x\"]\n";
    const ParsedPolicy parsed =
        parse_with(files, "include = [\"variables.toml\"]\n[[ruleset]]\nhandled_access_fs = "
                          "[\"execute\"]\nhandled_access_net = [\"bind_tcp\"]\nscoped = "
                          "[\"signal\"]\n[[path_beneath]]\nallowed_access = [\"execute\"]\nparent "
                          "= [\"${x}\"]\n");
    REQUIRE(parsed.policy);
    CHECK(parsed.policy->handled == AccessMasks{.fs = 1, .net = 1, .scoped = 2});
    CHECK(parsed.policy->paths.at(0).path == "/x");
}

TEST_CASE("what is quiet may be handled in another file, in either direction") {
    const std::string quiet =
        "[[ruleset]]\nscoped = [\"signal\"]\nquiet_access_fs = "
        "[\"write_file\"]\n[[path_beneath]]\nparent = [\"/a\"]\nquiet = true\n";
    const std::string handled = "[[ruleset]]\nhandled_access_fs = [\"write_file\"]\n";
    const std::string include = "include = [\"more.toml\"]\n";
    FakeFiles files;
    for (const auto& [own, more] : {std::pair(quiet, handled), std::pair(handled, quiet)}) {
        files.texts["/etc/p/more.toml"] = more;
        const ParsedPolicy parsed = parse_with(files, include + own);
        CHECK(shown(parsed).empty());
        REQUIRE(parsed.policy);
        CHECK(parsed.policy->quiet.fs == 2);
    }
    files.texts["/etc/p/more.toml"] = quiet;
    CHECK(shown(parse_with(files, include + std::string(grants_a))) ==
          std::vector<std::string>{
              "/etc/p/more.toml:3:1 'quiet_access_fs' has rights that are not handled"});
}

TEST_CASE("an included file may refer to variables of its includer") {
    FakeFiles files;
    files.texts["/etc/p/site.toml"] =
        "[[path_beneath]]\nallowed_access = [\"execute\"]\nparent = [\"/srv/${site}\"]\n";
    const ParsedPolicy parsed = parse_with(
        files, "include = [\"site.toml\"]\n[[variable]]\nname = \"site\"\nliteral = [\"shop\"]\n");
    REQUIRE(parsed.policy);
    CHECK(parsed.policy->paths.at(0).path == "/srv/shop");
}

TEST_CASE("relative paths start at the file that includes, absolute ones are taken as they are") {
    FakeFiles files;
    files.texts["/etc/p/sub/one.toml"] = "include = [\"two.toml\", \"/three.json\"]\n";
    files.texts["/etc/p/sub/two.toml"] = grants_a;
    files.texts["/three.json"] = R"({"netPort": [{"allowedAccess": ["bind_tcp"], "port": [1]}]})";
    const ParsedPolicy parsed = parse_with(files, "include = [\"sub/one.toml\"]\n");
    CHECK(shown(parsed).empty());
    REQUIRE(parsed.policy);
    CHECK(parsed.policy->ports.size() == 1);
    files.texts["local.toml"] = grants_a;
    CHECK(parse_with(files, "include = [\"local.toml\"]\n", "main.toml").policy.has_value());
}

TEST_CASE("what is included twice counts once") {
    FakeFiles files;
    files.texts["/etc/p/one.toml"] = "include = [\"common.toml\"]\n";
    files.texts["/etc/p/two.toml"] = "include = [\"./common.toml\"]\n";
    files.texts["/etc/p/common.toml"] = grants_a;
    const ParsedPolicy parsed = parse_with(files, "include = [\"one.toml\", \"two.toml\"]\n");
    REQUIRE(parsed.policy);
    CHECK(parsed.policy->paths.at(0).grants.size() == 1);
    CHECK(std::ranges::count(files.reads, "/etc/p/common.toml") == 1);
}

TEST_CASE("cycles are refused") {
    FakeFiles files;
    files.texts["/etc/p/one.toml"] = fmt::format("include = [\"two.toml\"]\n{}", grants_a);
    files.texts["/etc/p/two.toml"] = "include = [\"./one.toml\"]\n";
    CHECK(shown(parse_with(files, "include = [\"one.toml\"]\n")) ==
          std::vector<std::string>{"/etc/p/two.toml:1:12 './one.toml' includes itself"});
    CHECK(shown(parse_with(files, "include = [\"main.toml\"]\n")) ==
          std::vector<std::string>{"/etc/p/main.toml:1:12 'main.toml' includes itself"});
    // The same file under ever longer names.
    files.texts.clear();
    std::string name = "/etc/p/x/../loop.toml";
    for (int i = 0; i < 40; ++i) {
        files.texts[name] = "include = [\"x/../loop.toml\"]\n";
        name.insert(name.rfind('/'), "/x/..");
    }
    const ParsedPolicy deep = parse_with(files, "include = [\"x/../loop.toml\"]\n");
    REQUIRE(deep.diagnostics.size() == 1);
    CHECK(deep.diagnostics[0].message == "'x/../loop.toml' is one include too many");
}

TEST_CASE("an include that is missing or wrong refuses the policy") {
    FakeFiles files;
    files.texts["/etc/p/bad.toml"] = "[[ruleset]]\nscoped = [\"x\"]\n";
    files.texts["/etc/p/broken.toml"] = "[[";
    files.texts["/etc/p/own.toml"] =
        fmt::format("[[match]]\nuser = [0]\n[enforce]\n[lint]\n{}", grants_a);
    const ParsedPolicy parsed = parse_with(
        files,
        fmt::format("include = [\"missing.toml\", \"bad.toml\", \"broken.toml\", \"own.toml\", "
                    "\"\"]\n{}",
                    grants_a));
    CHECK_FALSE(parsed.policy);
    const std::vector<std::string> findings = shown(parsed);
    REQUIRE(findings.size() == 7);
    CHECK(findings[0] == "/etc/p/main.toml:1:12 cannot include 'missing.toml': open failed: No "
                         "such file or directory");
    CHECK(findings[1] == "/etc/p/main.toml:1:67 '' names no file");
    CHECK(findings[2] == "/etc/p/bad.toml:2:11 unknown scope right 'x'");
    CHECK(findings[3].starts_with("/etc/p/broken.toml:1:"));
    CHECK(findings[4].starts_with("/etc/p/own.toml:1:"));
    CHECK(findings[4].ends_with("'match' in a file that is included"));
    CHECK(findings[5].ends_with("'enforce' in a file that is included"));
    CHECK(findings[6].ends_with("'lint' in a file that is included"));
}

TEST_CASE("a policy cannot include without end") {
    FakeFiles files;
    std::string names;
    for (std::size_t i = 0; i <= max_included_files; ++i) {
        files.texts[fmt::format("/etc/p/{}.toml", i)] = grants_a;
        names += fmt::format("{}\"{}.toml\"", i == 0 ? "" : ", ", i);
    }
    const ParsedPolicy parsed = parse_with(files, fmt::format("include = [{}]\n", names));
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].message ==
          fmt::format("'{}.toml' is one include too many", max_included_files));
}

TEST_CASE("the line of an included file is shown from that file") {
    FakeFiles files;
    files.texts["/etc/p/bad.toml"] = "[[ruleset]]\nscoped = [\"x\"]\n";
    const ParsedPolicy parsed = parse_with(files, "include = [\"bad.toml\"]\n");
    REQUIRE(parsed.diagnostics.size() == 1);
    CHECK(parsed.diagnostics[0].source == "scoped = [\"x\"]");
}
