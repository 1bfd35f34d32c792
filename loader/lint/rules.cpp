// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lint/checks.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <sys/stat.h>

namespace llexec::lint {
namespace {

/// Where packages put files that they replace; /usr/local is the administrator's own.
bool belongs_to_packages(const std::string& path) {
    constexpr std::array trees{"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/"};
    return !path.starts_with("/usr/local/") &&
           std::ranges::any_of(trees, [&](const char* tree) { return path.starts_with(tree); });
}

class RuleChecks {
  public:
    RuleChecks(Findings& findings, Files& files) : findings_(findings), files_(files) {
        for (const PathRule& rule : findings.policy().paths)
            if (rule.path.starts_with('/'))
                granted_[place_of(rule.path)] |= rule.access;
    }

    void check(const PathRule& rule) {
        const Files::Facts& facts = files_.facts(rule.path);
        if (const std::string& problem = files_.problem(rule.path); !problem.empty()) {
            std::string message =
                fmt::format("'{}' cannot be opened: {}", printable(rule.path), problem);
            if (findings_.policy().enforce.missing_paths == MissingPaths::error)
                findings_.error(rule.grants, std::move(message),
                                "create it, or remove the rule, or use missing_paths = \"warn\"");
            else
                findings_.add("missing-path", rule.grants, std::move(message),
                              "the rule is left out, and what it grants is denied");
            return;
        }
        if (facts.symlink)
            findings_.add("symlink-path", rule.grants,
                          fmt::format("'{}' is a symbolic link to '{}'", printable(rule.path),
                                      printable(facts.real)),
                          "the rule is on what it leads to when the policy is loaded");
        if (!S_ISDIR(facts.mode))
            check_file(rule, facts);
        check_wider(rule, facts);
    }

  private:
    std::string place_of(const std::string& path) {
        const Files::Facts& facts = files_.facts(path);
        return facts.exists ? facts.real : path;
    }

    /// What the rules of the directories above grant.
    [[nodiscard]] std::uint64_t granted_above(std::string path) const {
        std::uint64_t access = 0;
        while (path != "/") {
            path = directory_of(path);
            if (const auto rule = granted_.find(path); rule != granted_.end())
                access |= rule->second;
        }
        return access;
    }

    void check_file(const PathRule& rule, const Files::Facts& facts) {
        const std::string shown = printable(rule.path);
        const std::uint64_t useless =
            rule.access & rights_of_abi(newest_known_abi()).fs & ~file_rights();
        if (useless != 0 && useless == rule.access && !rule.quiet)
            findings_.error(rule.grants,
                            fmt::format("'{}' is not a directory, and only directory rights are "
                                        "granted on it",
                                        shown),
                            "grant a right that files have, or name the directory");
        else if (useless != 0)
            findings_.add("directory-right-on-file", rule.grants,
                          fmt::format("'{}' is not a directory: no meaning there for {}", shown,
                                      fmt::join(names_of_rights(AccessClass::fs, useless), ", ")),
                          "what has no meaning is left out");
        if (!S_ISREG(facts.mode))
            return;
        if (belongs_to_packages(facts.real))
            findings_.add("replaced-by-upgrade", rule.grants,
                          fmt::format("the rule is on the file that is at '{}' now: a package "
                                      "upgrade puts another one there",
                                      shown),
                          "name its directory, or load the policies again after upgrades");
        const std::uint64_t above = granted_above(facts.real);
        if ((rule.access & fs_rights({"write_file"})) != 0 &&
            (above & fs_rights({"make_reg"})) == 0 &&
            (findings_.policy().handled.fs & fs_rights({"make_reg"})) != 0)
            findings_.add("single-file-write", rule.grants,
                          fmt::format("'{}' may be written to, but its directory not: a program "
                                      "that saves to a new file and renames it cannot",
                                      shown),
                          "grant make_reg and remove_file on the directory if it does that");
    }

    void check_wider(const PathRule& rule, const Files::Facts& facts) {
        const std::uint64_t meant = S_ISDIR(facts.mode) ? rule.access : rule.access & file_rights();
        if (meant == 0 || rule.quiet || (meant & ~granted_above(facts.real)) != 0)
            return;
        findings_.add(
            "pointless-rule", rule.grants,
            fmt::format("wider rules grant this above '{}' already", printable(rule.path)),
            "remove it, or narrow the wider ones: Landlock rules cannot take away");
    }

    Findings& findings_;
    Files& files_;
    std::map<std::string, std::uint64_t, std::less<>> granted_; ///< by where paths lead to
};

} // namespace

void check_rules(Findings& findings, Files& files) {
    RuleChecks checks(findings, files);
    for (const PathRule& rule : findings.policy().paths)
        if (rule.path.starts_with('/')) // what a relative one means is not known here
            checks.check(rule);
}

} // namespace llexec::lint
