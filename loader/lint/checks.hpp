// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The lints that look at one policy, by what they are about.
#pragma once

#include "lint/files.hpp"
#include "llexec/lint.hpp"

namespace llexec::lint {

/// Collects what is found about one policy.
class Findings {
  public:
    explicit Findings(const Policy& policy) : policy_(policy) {}

    /// About the policy as a whole, or a place of its own file.
    void add(std::string_view lint, Position position, std::string message,
             std::string advice = {});
    /// About the first place that names an object.
    void add(std::string_view lint, const std::vector<Grant>& grants, std::string message,
             std::string advice = {});

    /// What makes a policy unusable here, about a place of its own file.
    void error(Position position, std::string message, std::string advice = {});
    /// The same, about the first place that names an object.
    void error(const std::vector<Grant>& grants, std::string message, std::string advice = {});

    [[nodiscard]] const Policy& policy() const { return policy_; }
    [[nodiscard]] std::vector<Diagnostic> take() { return std::move(findings_); }

  private:
    const Policy& policy_;
    std::vector<Diagnostic> findings_;
};

/// What is handled, and which rights belong together.
void check_rights(Findings& findings);

/// The paths of rules.
void check_rules(Findings& findings, Files& files);

/// The programs of exe, and the directories of exe_beneath.
void check_programs(Findings& findings, Files& files);

/// Whether those programs can start, on a kernel with these rights.
void check_start(Findings& findings, Files& files, const AccessMasks& rights);

} // namespace llexec::lint
