// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The test programs on the three exec hooks, and what they are to do in the next execution.
#pragma once

#include "steps.h"
#include "support.hpp"

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

struct exec_steps_bpf;

namespace interface {

struct Step {
    std::uint32_t action = STEP_NONE;
    std::uint32_t slot = 0;
    std::uint32_t flags = 0;
};

inline Step restrict_with(std::uint32_t slot, std::uint32_t flags = 0) {
    return {STEP_RESTRICT, slot, flags};
}
inline Step restrict_once(std::uint32_t slot, std::uint32_t flags = 0) {
    return {STEP_RESTRICT_ONCE, slot, flags};
}
inline Step restrict_null(std::uint32_t flags) {
    return {STEP_RESTRICT_NULL, 0, flags};
}
inline Step has_ruleset(std::uint32_t slot, std::uint32_t flags = 0) {
    return {STEP_HAS_RULESET, slot, flags};
}
inline Step deny() {
    return {STEP_DENY, 0, 0};
}
inline Step deny_once() {
    return {STEP_DENY_ONCE, 0, 0};
}

/// Attached as long as the object lives; does nothing to processes other than its child.
class ExecSteps {
  public:
    ExecSteps();
    ExecSteps(const ExecSteps&) = delete;
    ExecSteps& operator=(const ExecSteps&) = delete;
    ~ExecSteps();

    [[nodiscard]] int rulesets() const;
    void put(std::uint32_t slot, const UniqueFd& ruleset);
    void empty(std::uint32_t slot);
    /// Replaces the steps of a hook.
    void set(interface_hook hook, const std::vector<Step>& steps);
    /// What the steps of a hook returned in the child's last execution.
    [[nodiscard]] std::vector<int> results(interface_hook hook) const;
    /// How often the child went through the hook.
    [[nodiscard]] unsigned calls(interface_hook hook) const;

    /// The domains that were enforced on the child in its last run, in that order.
    [[nodiscard]] std::vector<interface_enforced> enforced() const;

    /// in_child(), with the child as the process that is affected.
    Outcome run(const std::function<void(const Report&)>& body);
    /// A child that executes `path` with these arguments.
    Outcome run(const std::string& path, const std::vector<std::string>& arguments);

    /// The last child's process ID.
    [[nodiscard]] int pid() const { return pid_; }

  private:
    struct Destroy {
        void operator()(exec_steps_bpf* skeleton) const;
    };
    std::unique_ptr<exec_steps_bpf, Destroy> skeleton_;
    std::vector<std::size_t> sizes_ = std::vector<std::size_t>(INTERFACE_HOOKS);
    int pid_ = 0;
};

inline constexpr interface_hook all_hooks[] = {AT_CREDS_FOR_EXEC, AT_CREDS_FROM_FILE,
                                               AT_COMMITTING_CREDS};
inline constexpr interface_hook staging_hooks[] = {AT_CREDS_FOR_EXEC, AT_CREDS_FROM_FILE};

} // namespace interface
