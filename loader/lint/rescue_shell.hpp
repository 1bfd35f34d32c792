// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a machine is repaired with when it does not boot as it should: root's shell, as
// rescue.target and emergency.target of systemd start it.
#pragma once

#include "lint/checks.hpp"
#include "llexec/selection.hpp"

#include <string>
#include <vector>

namespace llexec::lint {

class RescueShell {
  public:
    /// This machine's.
    RescueShell();
    /// `shell`: what is executed for root; sh(1) if there is no such file, as sulogin(8) does it.
    /// `starters`: what is executed before it, in the same service; those that exist count.
    RescueShell(const std::string& shell, const std::vector<std::string>& starters);

    /// Whether the policy would be enforced on it, directly or because one of the programs that
    /// start it hands its domain down.
    void check(Findings& findings) const;

  private:
    std::vector<ExecutedFiles> starters_;
    ExecutedFiles shell_;
};

} // namespace llexec::lint
