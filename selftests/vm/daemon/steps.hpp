// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Stopping a program on its way into the system calls that change what is loaded or kept.
#pragma once

#include "processes.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace llexec::vmtest {

/// How often each system call was made, or hit, by its name.
using Calls = std::map<std::string, int>;

/// Stops one program, which does not notice, and is not traced: with the notifications of
/// seccomp(2). What it forks is never stopped for long.
class Steps {
  public:
    Steps() : Steps(std::string()) {}
    /// Stops it at no other system call than this one; at those that change something, if it is
    /// empty.
    explicit Steps(std::string only);
    Steps(const Steps&) = delete;
    Steps& operator=(const Steps&) = delete;
    /// What the program calls from now on fails: it is to end before.
    ~Steps();

    /// Run in the child, just before it executes the program.
    [[nodiscard]] InChild in_child() const;
    /// To be called once, with the child.
    void watch(pid_t pid);

    /// The name of the call that it is stopped before, after some milliseconds at most.
    [[nodiscard]] std::optional<std::string> next();
    /// Lets it make the call that next() told of.
    void go_on();
    /// Makes that call fail.
    void fail(int error);

  private:
    std::string only_;
    int here_ = -1;
    int there_ = -1;
    int listener_ = -1;
    pid_t pid_ = -1;
    std::uint64_t stopped_ = 0; ///< the notification that waits for an answer
};

} // namespace llexec::vmtest
