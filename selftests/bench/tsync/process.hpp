// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A process of several threads that is restricted once.
#pragma once

#include "crew.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tsync {

enum class How { tsync, broadcast };

/// What is the same for all that is measured.
struct Setup {
    int ruleset = -1;
    std::string denied; ///< a file that nobody can read under the ruleset
};

/// A ruleset of `rules` rules about directories, and a file that it denies. Ends the program if
/// there cannot be one.
Setup make_setup(std::size_t rules);

/// The threads of this process.
class Threads {
  public:
    explicit Threads(std::size_t count);

    /// Gives each thread a domain, and so credentials, of its own.
    void diverge();
    /// What restrict_all() does the first time only: reading its code in. Restricts nobody.
    static void warm_up(How how);
    /// Restricts all; whether that succeeded on each of them.
    bool restrict_all(const Setup& setup, How how);
    /// Those that are not restricted.
    std::size_t count_outside(const Setup& setup);

  private:
    Crew siblings_;
    std::vector<pid_t> tids_;
};

/// What `body` returns in a child, or nothing if the child died.
std::optional<long> in_process(const std::function<long()>& body);

} // namespace tsync
