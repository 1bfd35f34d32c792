// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lint/checks.hpp"
#include "llexec/path_walk.hpp"
#include "policy/text.hpp"
#include "program/own_programs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <sys/stat.h>

namespace llexec::lint {
namespace {

std::string_view privilege_of(const Program& program) {
    return program.set_user_id    ? "set-user-ID"
           : program.set_group_id ? "set-group-ID"
                                  : "has capabilities";
}

/// As whoever loads the policy does with it.
void report_missing(Findings& findings, Position position, std::string message,
                    std::string advice) {
    if (findings.policy().enforce.missing_paths == MissingPaths::error)
        findings.error(position, std::move(message), "or allow it with missing_paths = \"warn\"");
    else
        findings.add("missing-program", position, std::move(message), std::move(advice));
}

void check_directory(Findings& findings, Files& files, const DirectoryPath& directory) {
    const std::string shown = printable(directory.path);
    const std::string& problem = files.problem(directory.path);
    if (problem.empty() && S_ISDIR(files.facts(directory.path).mode))
        return;
    report_missing(findings, directory.position,
                   problem.empty() ? fmt::format("'{}' is not a directory", shown)
                                   : fmt::format("'{}' cannot be opened: {}", shown, problem),
                   "programs beneath it are not selected until the policies are loaded again");
}

/// Whether what is put there later is selected by its path, as loading has it.
bool has_path(const std::string& path) {
    const auto end = walk_named(path);
    return end && end->ends;
}

void check_program(Findings& findings, Files& files, const ExePath& exe) {
    const std::string shown = printable(exe.path);
    const Files::Facts& facts = files.facts(exe.path);
    if (const std::string& problem = files.problem(exe.path); !problem.empty()) {
        report_missing(
            findings, exe.position, fmt::format("'{}' cannot be opened: {}", shown, problem),
            facts.exists         ? "executions of that file are not selected"
            : has_path(exe.path) ? "once it exists, it is selected by this path alone "
                                   "until the policies are loaded again"
                                 : "it is not selected until the policies are loaded again");
        return;
    }
    if (!S_ISREG(facts.mode)) {
        report_missing(findings, exe.position, fmt::format("'{}' is not a regular file", shown),
                       "once it is a program, executions are selected by this path alone until the "
                       "policies are loaded again");
        return;
    }
    if (is_own_program(exe.path)) {
        findings.error(exe.position, fmt::format("'{}' is llexec itself", shown),
                       "remove it: llexec is never selected");
        return;
    }
    if (facts.symlink)
        findings.add("symlink-program", exe.position,
                     fmt::format("'{}' is a symbolic link to '{}'", shown, printable(facts.real)),
                     "executions of that file are selected, by whatever name");
    const Program* const program = files.program(exe.path);
    if (program == nullptr || !program->executable) {
        findings.add("program-not-executable", exe.position,
                     fmt::format("'{}' cannot be executed", shown));
        return;
    }
    if (program->kind == ProgramKind::script)
        for (const NeededFile& need : program->needs)
            if (need.use == FileUse::script_interpreter) {
                findings.add(
                    "script-program", exe.position,
                    fmt::format("'{}' is a script that {} runs", shown, printable(need.path)),
                    "the policy has to allow what its interpreter does, too");
                break;
            }
    if (program->set_user_id || program->set_group_id || program->file_capabilities)
        findings.add("set-user-id-program", exe.position,
                     fmt::format("'{}' {}{}", shown,
                                 program->set_user_id || program->set_group_id ? "is " : "",
                                 privilege_of(*program)),
                     "it keeps that transition when it is started from outside; with no_new_privs, "
                     "what it executes itself gains nothing");
    if (const std::vector<std::string>& names = files.other_names(exe.path); !names.empty()) {
        const std::size_t listed = std::min<std::size_t>(names.size(), 5);
        findings.add(
            "multi-call-program", exe.position,
            fmt::format(
                "'{}' is also {} other programs: {}{}", shown, names.size(),
                fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(listed), ", "),
                listed < names.size() ? ", ..." : ""),
            "the policy is for all of them");
    }
}

/// The objects of a policy's rules, as far as they exist.
struct Ruleset {
    std::uint64_t handled = 0;
    std::vector<std::pair<FileObject, std::uint64_t>> rules = {};
};

Ruleset ruleset_of(const Policy& policy, Files& files, const AccessMasks& rights) {
    Ruleset ruleset{.handled = policy.handled.fs & rights.fs};
    for (const PathRule& rule : policy.paths) {
        const Files::Facts& facts = files.facts(rule.path);
        if (facts.hierarchy)
            ruleset.rules.emplace_back(facts.hierarchy->places.front().object, rule.access);
    }
    return ruleset;
}

/// Whether the rules let what is at a path be used with these rights.
bool grants(const Ruleset& ruleset, const Files::Facts& facts, std::uint64_t rights) {
    rights &= ruleset.handled;
    if (!facts.hierarchy)
        return true; // nobody can tell
    for (const Hierarchy::Place& place : facts.hierarchy->places)
        for (const auto& [object, access] : ruleset.rules)
            if (object == place.object)
                rights &= ~access;
    return rights == 0;
}

class StartChecks {
  public:
    StartChecks(Findings& findings, Files& files, Ruleset ruleset)
        : findings_(findings), files_(files), ruleset_(std::move(ruleset)) {}

    void check(const ExePath& exe) {
        const Program* const program = files_.program(exe.path);
        if (program == nullptr || !program->executable)
            return;
        for (const MissingFile& missing : program->missing)
            findings_.add("cannot-start", exe.position,
                          fmt::format("'{}' cannot start at all: '{}' needs {} '{}': {}",
                                      printable(exe.path), printable(missing.needed_by),
                                      to_string(missing.use), printable(missing.name),
                                      missing.reason));
        if (program->kind == ProgramKind::script)
            need(exe, program->target, "the script itself", read_, "cannot-start");
        // The kernel opens these before the policy takes effect, but not when the program is
        // executed again from inside, or by `llexec run`.
        need(exe, program->target, "the program itself", execute_, "cannot-restart");
        std::string asked = program->path;
        std::set<std::string> inside; ///< executed under the policy
        for (const NeededFile& file : program->needs) {
            const std::string what =
                fmt::format("{} of '{}'", to_string(file.use), printable(file.needed_by));
            switch (file.use) {
            case FileUse::script_interpreter: {
                const bool by_kernel = file.needed_by == asked;
                need(exe, file.path, what, execute_, by_kernel ? "cannot-restart" : "cannot-start");
                // What env(1) executes is named by the script as well, and comes second.
                if (by_kernel)
                    asked = file.path;
                else
                    inside.insert(file.path);
                break;
            }
            case FileUse::elf_interpreter:
                need(exe, file.path, what, execute_,
                     inside.contains(file.needed_by) ? "cannot-start" : "cannot-restart");
                break;
            case FileUse::library:
            case FileUse::library_cache:
                need(exe, file.path, what, read_, "cannot-start");
                break;
            case FileUse::preload:
                break;
            }
        }
    }

  private:
    void need(const ExePath& exe, const std::string& path, std::string_view what,
              std::uint64_t rights, std::string_view lint) {
        const Files::Facts& facts = files_.facts(path);
        if (!facts.exists || grants(ruleset_, facts, rights) ||
            !reported_.emplace(facts.real, lint).second)
            return;
        const std::uint64_t asked = rights & ruleset_.handled;
        findings_.add(lint, exe.position,
                      fmt::format("'{}' {}: no rule grants {} on '{}', {}", printable(exe.path),
                                  lint == "cannot-start"
                                      ? "cannot start under this policy"
                                      : "cannot be executed again under this policy, nor by "
                                        "`llexec run`",
                                  fmt::join(names_of_rights(AccessClass::fs, asked), " and "),
                                  printable(path), what),
                      fmt::format("grant it on '{}' or a directory above",
                                  printable(directory_of(facts.real))));
    }

    Findings& findings_;
    Files& files_;
    Ruleset ruleset_;
    const std::uint64_t read_ = fs_rights({"read_file"});
    const std::uint64_t execute_ = fs_rights({"read_file", "execute"});
    std::set<std::pair<std::string, std::string>> reported_; ///< file and lint
};

} // namespace

void check_programs(Findings& findings, Files& files) {
    for (const MatchBlock& block : findings.policy().match) {
        for (const ExePath& exe : block.exes)
            check_program(findings, files, exe);
        for (const DirectoryPath& directory : block.directories)
            check_directory(findings, files, directory);
    }
}

void check_start(Findings& findings, Files& files, const AccessMasks& rights) {
    StartChecks checks(findings, files, ruleset_of(findings.policy(), files, rights));
    for (const MatchBlock& block : findings.policy().match)
        for (const ExePath& exe : block.exes)
            checks.check(exe);
}

} // namespace llexec::lint
