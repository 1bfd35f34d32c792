// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// One program, executed again and again, each time with another allocation that fails.
#pragma once

#include "executions.hpp"
#include "fault.hpp"
#include "policies.hpp"

#include <functional>
#include <string>

namespace llexec::vmtest {

/// Programs, a script, and files that they can or cannot read.
class FaultWorld {
  public:
    FaultWorld();
    FaultWorld(const FaultWorld&) = delete;
    FaultWorld& operator=(const FaultWorld&) = delete;
    ~FaultWorld();

    fs::path root;
    fs::path program;
    fs::path script;      ///< its interpreter is a program of its own
    fs::path beneath;     ///< the only program in its directory
    fs::path layered;     ///< likewise
    fs::path may_be_free; ///< a program to be selected with on_error = "allow"
    fs::path open;
    fs::path closed;       ///< to the policy
    fs::path closed_by_it; ///< to what the caller stores for its next execution

    /// The text of a policy that keeps what `match` selects out of `closed`.
    [[nodiscard]] std::string policy(const std::string& match) const;
};

/// What is executed, and what it answers.
struct Target {
    fs::path path;
    std::vector<std::string> arguments;
    int confined = 0;
    int unrestricted = 0;
    /// In the process that executes, before any fault; ends the process if it fails.
    std::function<void()> before;
};
Target program_of(const FaultWorld& world, const fs::path& program);
Target script_of(const FaultWorld& world);

/// Executes it once, without a fault. A bit for each file that it can read.
int files_of(const Target& target);

/// Executes it with each allocation failing in turn. CHECKs that no execution was less than
/// confined; nor the one that follows, in the same process and without a fault, if it was refused.
Totals fail_each_allocation(const std::string& name, const Target& target);

} // namespace llexec::vmtest
