// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Reach::next_exec: a ruleset that waits for the next execution.
#include "catch.hpp"
#include "child.hpp"
#include "crew.hpp"
#include "llexec/landlock_uapi.hpp"
#include "rulesets.hpp"

#include <cerrno>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace llexec;
using namespace tsync;

namespace {

constexpr RestrictOptions at_exec{.reach = Reach::next_exec};

bool kernel_has_exectime() {
    return kernel_has(uapi::exectime_abi, "a ruleset that waits for an execution");
}

/// The static program that tells about itself.
std::string probe() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "tsync_probe";
}

long stored(const BuiltRuleset& ruleset) {
    const auto done = enforce(ruleset, at_exec);
    return done ? (*done == Reach::next_exec ? 0 : -1) : done.error().code;
}

/// Executes `program` in a child; it tells what it finds under names that start with `prefix`.
/// Returns 0, or the errno value of the execution.
int execute(const Report& report, const std::string& program, const std::string& prefix,
            const Files& files) {
    const pid_t child = ::fork();
    if (child == 0) {
        const std::string fd = std::to_string(report.fd());
        ::execl(program.c_str(), program.c_str(), fd.c_str(), prefix.c_str(), files.a().c_str(),
                files.b().c_str(), nullptr);
        ::_exit(errno);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void report_state(const Report& report, const std::string& when, const Files& files) {
    report(when + " a", read_file(files.a()));
    report(when + " nnp", no_new_privs());
}

} // namespace

TEST_CASE("a ruleset that waits is in force after the next execution, and not before") {
    if (!kernel_has_exectime())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        report("control", execute(report, probe(), "control", files));
        report("stored", stored(ruleset));
        report_state(report, "waiting", files);
        // Neither in the child that inherits it, until that executes.
        report("executed", execute(report, probe(), "program", files));
        report_state(report, "still", files);
    });
    INFO(facts.text());
    CHECK(facts["control"] == 0);
    CHECK(facts["control a"] == 0);
    CHECK(facts["control b"] == 0);
    CHECK(facts["control nnp"] == 0);
    CHECK(facts["stored"] == 0);
    CHECK(facts["waiting a"] == 0);
    CHECK(facts["waiting nnp"] == 0);
    CHECK(facts["executed"] == 0);
    CHECK(facts["program a"] == EACCES);
    CHECK(facts["program b"] == 0);
    CHECK(facts["program nnp"] == 1);
    CHECK(facts["still a"] == 0);
    CHECK(facts["still nnp"] == 0);
}

TEST_CASE("an execution that fails enforces nothing, and leaves the ruleset waiting") {
    if (!kernel_has_exectime())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        report.need(stored(ruleset) == 0, "a ruleset that waits");
        report("missing", ::execl("/nonexistent", "x", nullptr) < 0 ? errno : 0);
        report("no program", ::execl(files.a().c_str(), "x", nullptr) < 0 ? errno : 0);
        report_state(report, "after", files);
        report("executed", execute(report, probe(), "program", files));
    });
    INFO(facts.text());
    CHECK(facts["missing"] == ENOENT);
    CHECK(facts["no program"] == EACCES);
    CHECK(facts["after a"] == 0);
    CHECK(facts["after nnp"] == 0);
    CHECK(facts["executed"] == 0);
    CHECK(facts["program a"] == EACCES);
}

TEST_CASE("a ruleset that waits is the calling thread's own") {
    if (!kernel_has_exectime())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(2);
        report("stored",
               crew.on(0, [&](std::size_t) { return static_cast<int>(stored(ruleset)); }));
        report("same",
               crew.on(0, [&](std::size_t) { return execute(report, probe(), "same", files); }));
        report("other",
               crew.on(1, [&](std::size_t) { return execute(report, probe(), "other", files); }));
    });
    INFO(facts.text());
    CHECK(facts["stored"] == 0);
    CHECK(facts["same a"] == EACCES);
    CHECK(facts["other a"] == 0);
}

TEST_CASE("a later ruleset takes the place of the one that waits") {
    if (!kernel_has_exectime())
        return;
    const Files files;
    const BuiltRuleset without_a = files.without_a();
    const BuiltRuleset without_b = files.without_b();
    const Facts facts = in_child([&](const Report& report) {
        report.need(stored(without_a) == 0, "the first ruleset");
        report.need(stored(without_b) == 0, "the second ruleset");
        report("executed", execute(report, probe(), "program", files));
    });
    CHECK(facts["executed"] == 0);
    CHECK(facts["program a"] == 0);
    CHECK(facts["program b"] == EACCES);
}

TEST_CASE("a ruleset that waits keeps a set-user-ID program from gaining privileges") {
    if (!kernel_has_exectime())
        return;
    if (::geteuid() != 0) {
        WARN("skipped: needs root, to make a set-user-ID program");
        return;
    }
    constexpr uid_t user = 1000;
    constexpr uid_t owner = 2000;
    const Files files;
    const std::string program = files.directory() + "/probe";
    std::filesystem::copy_file(probe(), program);
    REQUIRE(::chown(program.c_str(), owner, 0) == 0);
    REQUIRE(::chmod(program.c_str(), 04755) == 0);
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        report.need(::setresuid(user, user, user) == 0, "another user");
        report("control", execute(report, program, "control", files));
        // Without no_new_privs it takes CAP_SYS_ADMIN.
        const Restriction restriction{.ruleset = &ruleset, .flags = 0};
        const auto refused = enforce_on_self({&restriction, 1}, kernel(), at_exec);
        report("refused", refused ? 0 : refused.error().code);
        report("after refusal", execute(report, program, "after refusal", files));
        report("stored", stored(ruleset));
        report("executed", execute(report, program, "program", files));
    });
    INFO(facts.text());
    CHECK(facts["control euid"] == owner);
    CHECK(facts["refused"] == EPERM);
    CHECK(facts["after refusal euid"] == owner);
    CHECK(facts["after refusal a"] == 0);
    CHECK(facts["stored"] == 0);
    CHECK(facts["program euid"] == user);
    CHECK(facts["program nnp"] == 1);
    CHECK(facts["program a"] == EACCES);
}

TEST_CASE("a seventeenth layer refuses the execution for which a ruleset waits") {
    if (!kernel_has_exectime())
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const int own = GENERATE(uapi::max_layers - 1, uapi::max_layers);
    const Facts facts = in_child([&](const Report& report) {
        report.need(stack_layers(own) == 0, "layers");
        report("stored", stored(ruleset));
        report("executed", execute(report, probe(), "program", files));
    });
    CAPTURE(own);
    CHECK(facts["stored"] == 0);
    CHECK(facts["executed"] == (own < uapi::max_layers ? 0 : E2BIG));
}

TEST_CASE("a kernel that cannot keep a ruleset for an execution is told from one that can") {
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        const auto done = enforce(ruleset, at_exec);
        report("done", done.has_value());
        report("unsupported", !done && done.error().kind == ErrorKind::unsupported);
        report("a", read_file(files.a()));
    });
    const bool has = kernel().abi >= uapi::exectime_abi;
    CHECK(facts["done"] == (has ? 1 : 0));
    CHECK(facts["unsupported"] == (has ? 0 : 1));
    CHECK(facts["a"] == 0);
}
