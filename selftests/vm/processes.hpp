// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Starting programs and seeing how they end.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <sys/types.h>
#include <vector>

namespace llexec::vmtest {

using Arguments = std::vector<std::string>;
/// Runs in the child, before it executes the program.
using InChild = std::function<void()>;

struct Ended {
    int status = 0;
    std::string out;
    std::string err;

    /// -1 if a signal ended it.
    [[nodiscard]] int code() const;
    /// 0 if none ended it.
    [[nodiscard]] int signal() const;
    /// What vm_probe answered to a word, or "(no answer)"; the last one if there are several.
    [[nodiscard]] std::string operator[](const std::string& word) const;
};

/// A program that is running.
class Process {
  public:
    explicit Process(const Arguments& arguments, const InChild& in_child = {});
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    /// Kills it if it is still there.
    ~Process();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool is_running() const;
    void kill() const;
    Ended wait();

  private:
    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
};

Ended run(const Arguments& arguments, const InChild& in_child = {});

/// Run in the child: becomes another user, with nothing left of root's.
InChild as_user(unsigned user, unsigned group, std::vector<unsigned> supplementary = {});
/// Run in the child: a mount namespace of its own, without propagation.
void private_mounts();

/// How many times longer anything may take in this machine: VMTEST_TIMEOUT_FACTOR.
int slowness();

/// For what the kernel finishes some time later: within ten seconds, times slowness().
bool eventually(const std::function<bool()>& condition);

} // namespace llexec::vmtest
