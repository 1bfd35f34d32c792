// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lint/checks.hpp"
#include "lint/rescue_shell.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace llexec {
namespace lint {

void Findings::add(std::string_view lint, Position position, std::string message,
                   std::string advice) {
    if (!policy_.silences(lint))
        findings_.push_back(
            make_finding(lint, policy_.file, position, std::move(message), std::move(advice)));
}

void Findings::add(std::string_view lint, const std::vector<Grant>& grants, std::string message,
                   std::string advice) {
    if (policy_.silences(lint))
        return;
    const Grant first = grants.empty() ? Grant{} : grants.front();
    findings_.push_back(make_finding(lint, policy_.file_of(first), first.position,
                                     std::move(message), std::move(advice)));
}

void Findings::error(Position position, std::string message, std::string advice) {
    findings_.push_back({.severity = Severity::error,
                         .file = policy_.file,
                         .position = position,
                         .message = std::move(message),
                         .advice = std::move(advice)});
}

void Findings::error(const std::vector<Grant>& grants, std::string message, std::string advice) {
    const Grant first = grants.empty() ? Grant{} : grants.front();
    findings_.push_back({.severity = Severity::error,
                         .file = policy_.file_of(first),
                         .position = first.position,
                         .message = std::move(message),
                         .advice = std::move(advice)});
}

namespace {

/// Which policies name each program, and for whom.
class SameProgram {
  public:
    void check(Findings& findings, Files& files) {
        const Policy& policy = findings.policy();
        std::set<std::string> own;
        for (const MatchBlock& block : policy.match)
            for (const ExePath& exe : block.exes) {
                const Files::Facts& facts = files.facts(exe.path);
                std::vector<Entry>& others = entries_[facts.exists ? facts.real : exe.path];
                for (const Entry& other : others)
                    if (other.policy->name != policy.name && may_share_users(*other.block, block) &&
                        own.insert(exe.path).second)
                        findings.add("same-program", exe.position,
                                     fmt::format("policy '{}' is for '{}' as well",
                                                 other.policy->name, printable(exe.path)),
                                     "an execution that both select has two layers: each can only "
                                     "take away");
                others.push_back({.policy = &policy, .block = &block});
            }
    }

  private:
    struct Entry {
        const Policy* policy;
        const MatchBlock* block;
    };

    static bool may_share_users(const MatchBlock& a, const MatchBlock& b) {
        return a.users.empty() || b.users.empty() ||
               std::ranges::any_of(a.users, [&](const Principal& user) {
                   return std::ranges::find(b.users, user.id, &Principal::id) != b.users.end();
               });
    }

    std::map<std::string, std::vector<Entry>> entries_;
};

} // namespace
} // namespace lint

class Linter::State {
  public:
    explicit State(const AccessMasks& kernel_rights) : rights(kernel_rights) {}

    AccessMasks rights; ///< of the kernel
    lint::Files files;
    lint::RescueShell rescue_shell;
};

Linter::Linter(const AccessMasks& rights) : state_(std::make_unique<State>(rights)) {}

Linter::~Linter() = default;

std::vector<Diagnostic> Linter::check(std::span<const Policy> policies) {
    std::vector<Diagnostic> all;
    lint::SameProgram same;
    for (const Policy& policy : policies) {
        lint::Findings findings(policy);
        lint::check_rights(findings);
        lint::check_rules(findings, state_->files);
        lint::check_programs(findings, state_->files);
        lint::check_start(findings, state_->files, state_->rights);
        state_->rescue_shell.check(findings);
        same.check(findings, state_->files);
        std::ranges::move(findings.take(), std::back_inserter(all));
    }
    return all;
}

std::vector<Diagnostic> lint_texts(std::span<const Policy> policies) {
    std::vector<Diagnostic> all;
    for (const Policy& policy : policies) {
        lint::Findings findings(policy);
        lint::check_rights(findings);
        std::ranges::move(findings.take(), std::back_inserter(all));
    }
    return all;
}

} // namespace llexec
