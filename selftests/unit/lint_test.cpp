// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Each lint finds what it is about, and nothing where it is not so.
#include "catch.hpp"
#include "fakes.hpp"
#include "lint/rescue_shell.hpp"
#include "llexec/lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <unistd.h>

using namespace llexec;
using namespace llexec::testing;
namespace fs = std::filesystem;

namespace {

/// A directory of its own, with a little of everything.
class Files {
  public:
    Files() {
        std::string name = (fs::temp_directory_path() / "llexec-lint-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = fs::canonical(name);
        fs::create_directories(root_ / "dir/sub");
        for (const char* file : {"file", "dir/file", "program"})
            std::ofstream(root_ / file) << "text\n";
        std::ofstream(root_ / "script") << "#!/bin/sh\n";
        std::ofstream(root_ / "env-script") << "#!/usr/bin/env sh\n";
        for (const char* file : {"program", "script", "env-script"})
            fs::permissions(root_ / file, fs::perms(0755));
        fs::create_symlink("dir", root_ / "link");
        fs::create_symlink("program", root_ / "program-link");
    }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    ~Files() {
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    [[nodiscard]] std::string operator/(std::string_view below) const { return root_ / below; }

  private:
    fs::path root_;
};

constexpr std::string_view handles_all =
    "abi = 9\n[[ruleset]]\nhandled_access_fs = [\"abi.all\"]\nhandled_access_net = "
    "[\"abi.all\"]\nscoped = [\"abi.all\"]\n";

std::string rule(std::string_view access, std::string_view path) {
    return fmt::format("[[path_beneath]]\nallowed_access = {}\nparent = [\"{}\"]\n", access, path);
}

std::string matching(std::string_view exe) {
    return fmt::format("[[match]]\nexe = [\"{}\"]\n", exe);
}

std::string beneath(std::string_view directory) {
    return fmt::format("[[match]]\nexe_beneath = [\"{}\"]\n", directory);
}

std::vector<Diagnostic> findings_of(std::initializer_list<std::string> texts,
                                    const AccessMasks& rights = rights_of_abi(11)) {
    std::vector<Policy> policies;
    for (const std::string& text : texts)
        policies.push_back(parse_valid(text, fmt::format("p{}.toml", policies.size())));
    return Linter(rights).check(policies);
}

std::set<std::string> lints_of(std::initializer_list<std::string> texts) {
    std::set<std::string> names;
    for (const Diagnostic& finding : findings_of(texts)) {
        REQUIRE(find_lint(finding.lint) != nullptr);
        CHECK(finding.severity == find_lint(finding.lint)->severity);
        names.insert(finding.lint);
    }
    return names;
}

std::string all(std::string_view more) {
    return std::string(handles_all) + std::string(more);
}

using Names = std::set<std::string>;

std::vector<Diagnostic> rescue_findings(const lint::RescueShell& shell, std::string_view text) {
    const Policy policy = parse_valid(all(text));
    lint::Findings findings(policy);
    shell.check(findings);
    return findings.take();
}

/// An environment variable, until the end of the scope. The tests are one thread.
class Variable {
  public:
    Variable(const char* name, const std::string& value) : name_(name) {
        ::setenv(name, value.c_str(), 1); // NOLINT(concurrency-mt-unsafe)
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { ::unsetenv(name_); } // NOLINT(concurrency-mt-unsafe)

  private:
    const char* name_;
};

} // namespace

TEST_CASE("a policy that restricts everything and grants nothing odd has no finding") {
    const Files files;
    CHECK(lints_of({all(rule(R"(["abi.read_write"])", files / "dir"))}).empty());
}

TEST_CASE("classes that are not handled are found") {
    CHECK(lints_of({"[[ruleset]]\nscoped = [\"signal\"]\n"}) == Names{"unhandled-class"});
    CHECK(findings_of({"[[ruleset]]\nscoped = [\"signal\"]\n"}).size() == 2);
    CHECK(lints_of({"[[ruleset]]\nhandled_access_fs = [\"execute\"]\nhandled_access_net = "
                    "[\"bind_tcp\"]\n"}) == Names{"scopes-unused"});
}

TEST_CASE("rights to create and remove without refer are found") {
    const Files files;
    CHECK(lints_of({all(rule(R"(["make_reg", "remove_file", "write_file"])", files / "dir"))}) ==
          Names{"no-refer"});
    CHECK(lints_of({all(rule(R"(["make_reg", "remove_file", "refer"])", files / "dir"))}).empty());
    CHECK(lints_of({all(rule(R"(["make_reg", "write_file"])", files / "dir"))}).empty());
}

TEST_CASE("paths of rules are looked at") {
    const Files files;
    CHECK(lints_of({all(rule(R"(["read_file"])", files / "nothing"))}) == Names{"missing-path"});
    CHECK(lints_of({all(rule(R"(["read_file"])", files / "link"))}) == Names{"symlink-path"});
    CHECK(lints_of({all(rule(R"(["read_file", "read_dir"])", files / "file"))}) ==
          Names{"directory-right-on-file"});
    CHECK(lints_of({all(rule(R"(["write_file"])", files / "file"))}) == Names{"single-file-write"});
    CHECK(lints_of({all(rule(R"(["write_file"])", files / "dir/file") +
                        rule(R"(["make_reg"])", files / "dir"))})
              .empty());
    CHECK(
        lints_of({all(rule(R"(["read_file"])", "/usr/bin/env"))}).contains("replaced-by-upgrade"));
}

TEST_CASE("what could not be built is an error") {
    const Files files;
    const auto errors = [](const std::string& text) {
        std::vector<std::string> messages;
        for (const Diagnostic& finding : findings_of({text}))
            if (finding.severity == Severity::error) {
                CHECK(finding.lint.empty());
                messages.push_back(finding.message);
            }
        return messages;
    };
    CHECK(errors(all(rule(R"(["read_dir"])", files / "file"))).size() == 1);
    CHECK(errors(all(rule(R"(["read_dir"])", files / "dir"))).empty());
    const std::string missing = all(rule(R"(["read_dir"])", files / "nothing"));
    CHECK(errors(missing).empty());
    constexpr std::string_view strict = "[enforce]\nmissing_paths = \"error\"\n";
    CHECK(errors(missing + std::string(strict)).size() == 1);
    const std::string program = all(matching(files / "nothing"));
    CHECK(errors(program).empty());
    CHECK(errors(program + std::string(strict)).size() == 1);
    const std::string no_program = all(matching(files / "dir"));
    CHECK(errors(no_program).empty());
    CHECK(errors(no_program + std::string(strict)).size() == 1);
    const std::string directory = all(beneath(files / "nothing"));
    CHECK(errors(directory).empty());
    CHECK(errors(directory + std::string(strict)).size() == 1);
}

TEST_CASE("a policy for llexec itself is refused, as it is when it is loaded") {
    // The program of the tests stands for an installed one.
    const auto found = findings_of({all(matching(fs::read_symlink("/proc/self/exe").string()))});
    REQUIRE_FALSE(found.empty());
    CHECK(std::ranges::any_of(found, [](const Diagnostic& finding) {
        return finding.severity == Severity::error &&
               finding.message.ends_with(" is llexec itself");
    }));
}

TEST_CASE("what loading leaves out is found") {
    const Files files;
    const auto messages = [](const std::string& text) {
        std::vector<std::string> found;
        for (const Diagnostic& finding : findings_of({text}))
            if (finding.lint == "missing-program" || finding.lint == "missing-path")
                found.push_back(finding.message);
        return found;
    };
    const std::string beneath_file = all(beneath(files / "file"));
    CHECK(messages(beneath_file) ==
          std::vector{fmt::format("'{}' is not a directory", files / "file")});
    CHECK(messages(all(beneath(files / "nothing"))).size() == 1);
    CHECK(messages(all(beneath(files / "dir"))).empty());
    const std::string program = all(matching(files / "program-link"));
    const std::string directory = all(beneath(files / "link"));
    const std::string path = all(rule(R"(["read_file"])", files / "link"));
    for (const std::string& text : {program, directory, path})
        CHECK(messages(text).empty());
    if (::geteuid() != 0)
        return; // nobody else gives files away
    for (const char* const link : {"program-link", "link"})
        REQUIRE(::lchown((files / link).c_str(), 4711, static_cast<gid_t>(-1)) == 0);
    for (const std::string& text : {program, directory, path}) {
        const auto found = messages(text);
        REQUIRE(found.size() == 1);
        CHECK(found[0].find("a symbolic link of user 4711 leads to") != std::string::npos);
    }
}

TEST_CASE("whether a program is selected once it is there is said") {
    const Files files;
    const auto advice = [](const std::string& program) {
        for (const Diagnostic& finding : findings_of({all(matching(program))}))
            if (finding.lint == "missing-program")
                return finding.advice;
        return std::string("not missing");
    };
    CHECK(advice(files / "program") == "not missing");
    for (const char* const by_path : {"nothing", "dir"})
        CHECK(advice(files / by_path).find("selected by this path alone") != std::string::npos);
    fs::create_symlink("nothing/../program", files / "by-nothing");
    CHECK(advice(files / "by-nothing") == "it is not selected until the policies are loaded again");
    if (::geteuid() != 0)
        return; // nobody else gives files away
    fs::create_symlink("nothing", files / "to-nothing");
    CHECK(advice(files / "to-nothing").find("selected by this path alone") != std::string::npos);
    REQUIRE(::lchown((files / "to-nothing").c_str(), 4711, static_cast<gid_t>(-1)) == 0);
    CHECK(advice(files / "to-nothing") == "it is not selected until the policies are loaded again");
}

TEST_CASE("what the text alone says needs no machine") {
    const std::vector<Policy> policies{
        parse_valid(rule(R"(["make_reg", "remove_file"])", "/nowhere"))};
    Names names;
    for (const Diagnostic& finding : lint_texts(policies))
        names.insert(finding.lint);
    CHECK(names == Names{"no-refer", "scopes-unused", "unhandled-class"});
}

TEST_CASE("a rule that a wider one makes pointless is found, through links too") {
    const Files files;
    CHECK(lints_of({all(rule(R"(["read_file"])", files / "dir/sub") +
                        rule(R"(["abi.read_execute"])", files / "dir"))}) ==
          Names{"pointless-rule"});
    CHECK(lints_of({all(rule(R"(["read_file"])", files / "link/sub") +
                        rule(R"(["abi.read_execute"])", files / "dir"))}) ==
          Names{"pointless-rule"});
    CHECK(lints_of({all(rule(R"(["read_file", "execute"])", files / "dir/sub") +
                        rule(R"(["read_file"])", files / "dir"))})
              .empty());
}

TEST_CASE("programs are looked at") {
    const Files files;
    const auto with = [&](std::string_view exe) {
        return lints_of({all(matching(exe) + rule(R"(["abi.read_execute"])", "/"))});
    };
    CHECK(with(files / "nothing") == Names{"missing-program"});
    CHECK(with(files / "file") == Names{"program-not-executable"});
    CHECK(with(files / "program").empty());
    CHECK(with(files / "program-link") == Names{"symlink-program"});
    CHECK(with(files / "script") == Names{"script-program"});
    fs::permissions(files / "program", fs::perms(04755));
    CHECK(with(files / "program") == Names{"set-user-id-program"});
}

TEST_CASE("a program that cannot read its own files cannot start") {
    const Files files;
    const auto with = [&](std::string_view exe, const std::string& rules) {
        Names names = lints_of({all(matching(exe) + rules)});
        names.erase("symlink-program");
        names.erase("script-program");
        names.erase("symlink-path");
        names.erase("pointless-rule"); // /lib beside /usr, where it is a link into it
        return names;
    };
    // Its libraries are below /lib or /usr/lib, whatever is a link to what.
    CHECK(with("/usr/bin/env", rule(R"(["abi.read_execute"])", "/")).empty());
    CHECK(with("/usr/bin/env", rule(R"(["abi.read_execute"])", files / "dir")) ==
          Names{"cannot-restart", "cannot-start"});
    // The kernel opens the program and ld.so before the policy takes effect.
    CHECK(with("/usr/bin/env", rule(R"(["read_file"])", "/")) == Names{"cannot-restart"});
    // A script is read by its interpreter.
    const std::string system = rule(R"(["abi.read_execute"])", "/usr") +
                               rule(R"(["abi.read_execute"])", "/etc") +
                               rule(R"(["abi.read_execute"])", "/lib");
    CHECK(with(files / "script", system) == Names{"cannot-restart", "cannot-start"});
    CHECK(with(files / "script", system + rule(R"(["read_file"])", files / "script")) ==
          Names{"cannot-restart"});
    // What env(1) executes is executed under the policy.
    const std::string readable = rule(R"(["read_file"])", "/");
    CHECK(with(files / "script", readable) == Names{"cannot-restart"});
    CHECK(with(files / "env-script", readable) == Names{"cannot-restart", "cannot-start"});
}

TEST_CASE("two policies for one program are found, under any of its names") {
    const Files files;
    const std::string rules = rule(R"(["abi.read_execute"])", "/");
    CHECK(lints_of({all(matching(files / "program") + rules),
                    all(matching(files / "program-link") + rules)}) ==
          Names{"same-program", "symlink-program"});
    CHECK(lints_of({all(matching(files / "program") + rules),
                    all(matching(files / "script") + rules)}) == Names{"script-program"});
    // No execution is of two users.
    const auto for_user = [&](int user) {
        return all(fmt::format("{}user = [{}]\n{}", matching(files / "program"), user, rules));
    };
    CHECK(lints_of({for_user(1), for_user(2)}).empty());
    CHECK(lints_of({for_user(1), for_user(2), for_user(1)}) == Names{"same-program"});
}

TEST_CASE("a policy that is enforced on the rescue shell is found") {
    const Files files;
    const lint::RescueShell shell(files / "program", {});
    const auto finds = [&](std::string_view match) {
        return !rescue_findings(shell, match).empty();
    };
    CHECK(finds(matching(files / "program")));
    CHECK(finds(matching(files / "program-link")));
    CHECK(finds(fmt::format("[[match]]\nexe_beneath = [\"{}\"]\n", files / "")));
    CHECK(finds("[[match]]\nuser = [\"root\"]\n"));
    CHECK(finds("[[match]]\ngroup = [\"root\"]\n"));
    for (const char* cgroup :
         {"/", "/system.slice", "/system.slice/rescue.service", "/system.slice/emergency.service"})
        CHECK(finds(fmt::format("[[match]]\ncgroup = [\"{}\"]\n", cgroup)));
    // What keeps it out, one key at a time.
    CHECK_FALSE(finds(matching(files / "script")));
    CHECK_FALSE(finds(fmt::format("[[match]]\nexe_beneath = [\"{}\"]\n", files / "dir")));
    CHECK_FALSE(finds("[[match]]\nuser = [\"www-data\"]\n"));
    CHECK_FALSE(finds("[[match]]\ngroup = [\"www-data\"]\n"));
    CHECK_FALSE(finds("[[match]]\ncgroup = [\"/user.slice\"]\n"));
    CHECK_FALSE(finds("[[match]]\nuser = [\"root\"]\ncgroup = [\"/user.slice\"]\n"));
    CHECK_FALSE(finds(matching(files / "program") + "user = [\"www-data\"]\n"));
    CHECK_FALSE(finds(""));
    // What is only reported, and what the policy says that it means.
    CHECK_FALSE(finds(matching(files / "program") + "[enforce]\nmode = \"observe\"\n"));
    CHECK_FALSE(finds(matching(files / "program") + "[lint]\nallow = [\"rescue-shell\"]\n"));
}

TEST_CASE("the finding about the rescue shell has the block, the shell and the way out") {
    const Files files;
    const lint::RescueShell shell(files / "program-link", {});
    const auto found = rescue_findings(
        shell, "[[match]]\nuser = [\"www-data\"]\n\n[[match]]\nuser = [\"root\"]\n");
    REQUIRE(found.size() == 1);
    CHECK(found[0].severity == Severity::warning);
    CHECK(found[0].lint == "rescue-shell");
    CHECK(found[0].file == "test.toml");
    // handles_all has five lines.
    CHECK(found[0].position.line == 9);
    CHECK(found[0].message ==
          fmt::format("this block selects root's shell '{}' in rescue.target or emergency.target",
                      files / "program"));
    CHECK(found[0].advice == "exclude it: name programs, users or a cgroup in this block; "
                             "llexec.off on the kernel's command line is the way out");
}

TEST_CASE("what starts the rescue shell hands its domain down") {
    const Files files;
    const std::string policy = matching(files / "dir/starter");
    std::ofstream(files / "dir/starter") << "text\n";
    fs::permissions(files / "dir/starter", fs::perms(0755));
    const lint::RescueShell shell(files / "program", {files / "nothing", files / "dir/starter"});
    const auto found = rescue_findings(shell, policy);
    REQUIRE(found.size() == 1);
    CHECK(found[0].message ==
          fmt::format("this block selects '{}' in rescue.target or emergency.target, and root's "
                      "shell '{}' is started inside its domain",
                      files / "dir/starter", files / "program"));
    // One finding, about the shell, if both are selected.
    const auto both = rescue_findings(shell, "[[match]]\nuser = [\"root\"]\n");
    REQUIRE(both.size() == 1);
    CHECK(both[0].message.starts_with("this block selects root's shell"));
    // Without it among the starters, its policy is none for the shell.
    CHECK(rescue_findings(lint::RescueShell(files / "program", {}), policy).empty());
}

TEST_CASE("the rescue shell is sh where root's does not exist") {
    const Files files;
    const std::string sh = matching("/bin/sh");
    for (const std::string& none : {std::string(), files / "nothing", std::string("program")})
        CHECK(rescue_findings(lint::RescueShell(none, {}), sh).size() == 1);
    CHECK(rescue_findings(lint::RescueShell(files / "program", {}), sh).empty());
    // A shell that is a script is selected by its interpreter too.
    CHECK(rescue_findings(lint::RescueShell(files / "script", {}), sh).size() == 1);
}

TEST_CASE("this machine's rescue shell is looked at by check, and by whoever loads policies") {
    const Files files;
    const Policy mine = parse_valid(all(matching(files / "program")));
    const Policy everything = parse_valid(all("[[match]]\nuser = [\"root\"]\n"));
    const auto names = [](const std::vector<Diagnostic>& found) {
        Names result;
        for (const Diagnostic& finding : found)
            result.insert(finding.lint);
        return result;
    };
    const auto loading = [](const Policy& policy) {
        return lint_rescue_shell(std::span(&policy, 1));
    };
    const auto checking = [](const Policy& policy) {
        return Linter(rights_of_abi(11)).check(std::span(&policy, 1));
    };
    CHECK(names(loading(everything)) == Names{"rescue-shell"});
    CHECK(names(checking(everything)).contains("rescue-shell"));
    CHECK(loading(mine).empty());
    CHECK_FALSE(names(checking(mine)).contains("rescue-shell"));
    // As sulogin(8) has it: this goes before the user database.
    for (const char* name : {"SUSHELL", "sushell"}) {
        const Variable variable(name, files / "program");
        CHECK(names(loading(mine)) == Names{"rescue-shell"});
        CHECK(names(checking(mine)).contains("rescue-shell"));
    }
    CHECK(loading(mine).empty());
}

TEST_CASE("a policy silences lints by name") {
    const Files files;
    const std::string text = all(rule(R"(["read_file"])", files / "nothing"));
    CHECK(lints_of({text}) == Names{"missing-path"});
    CHECK(lints_of({text + "[lint]\nallow = [\"missing-path\"]\n"}).empty());
    // Also those that are found while the text is read.
    const std::string relative = all(rule(R"(["read_file"])", "usr"));
    CHECK(parse(relative).diagnostics.size() == 1);
    CHECK(parse(relative + "[lint]\nallow = [\"relative-path\"]\n").diagnostics.empty());
}

TEST_CASE("an unknown name in lint is refused with a suggestion") {
    const ParsedPolicy parsed = parse(all("[lint]\nallow = [\"mising-path\", 3]\n"));
    REQUIRE(parsed.diagnostics.size() == 2);
    CHECK(parsed.diagnostics[0].message == "there is no lint 'mising-path'");
    CHECK(parsed.diagnostics[0].advice == "did you mean 'missing-path'?");
    CHECK_FALSE(parsed.policy);
}
