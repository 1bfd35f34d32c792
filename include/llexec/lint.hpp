// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Findings about policies that are valid, and probably not what their authors meant. Each kind has
// a name, by which it is documented (docs/lints.md) and silenced.
#pragma once

#include "llexec/access.hpp"
#include "llexec/diagnostic.hpp"
#include "llexec/policy.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llexec {

struct Lint {
    std::string_view name;
    Severity severity; ///< warning or note
    std::string_view summary;
};

/// Every lint, ordered by name.
[[nodiscard]] std::span<const Lint> lints();

/// The lint of that name, or nullptr.
[[nodiscard]] const Lint* find_lint(std::string_view name);

/// A finding of the lint of that name, which exists.
[[nodiscard]] Diagnostic make_finding(std::string_view name, std::string file, Position position,
                                      std::string message, std::string advice = {});

/// Looks at what policies say, and at nothing else. Findings that a policy silences are left out.
[[nodiscard]] std::vector<Diagnostic> lint_texts(std::span<const Policy> policies);

/// The lint rescue-shell alone, for whoever loads policies: what that shell is, is found out once,
/// and of the files that policies name, only [[match]] is looked at. Findings that a policy
/// silences are left out.
[[nodiscard]] std::vector<Diagnostic> lint_rescue_shell(std::span<const Policy> policies);

/// Looks at policies as they would be enforced on this machine: at the files that rules and
/// [[match]] name. What the kernel cannot enforce is for build_ruleset() to find. Findings that a
/// policy silences are left out.
class Linter {
  public:
    /// For a kernel that can handle these rights.
    explicit Linter(const AccessMasks& rights);
    Linter(const Linter&) = delete;
    Linter& operator=(const Linter&) = delete;
    ~Linter();

    /// About each policy, and about several of them for one program.
    [[nodiscard]] std::vector<Diagnostic> check(std::span<const Policy> policies);

  private:
    class State;
    std::unique_ptr<State> state_; ///< what is known of files, for all policies
};

} // namespace llexec
