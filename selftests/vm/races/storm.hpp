// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Processes on all CPUs that execute one small program, again and again, and count how that ends.
#pragma once

#include "executions.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace llexec::vmtest {

/// In memory that all processes share.
struct Counts {
    std::atomic<std::uint64_t> begun;                 ///< executions, whatever became of them
    std::atomic<std::uint64_t> refused;               ///< by an error of execve(2)
    std::atomic<std::uint64_t> killed;                ///< by SIGKILL
    std::atomic<std::uint64_t> other_signal;          ///< by any other
    std::array<std::atomic<std::uint64_t>, 128> read; ///< by the files that they could read
    std::atomic<int> last_error;
    std::atomic<bool> go;
    std::atomic<bool> enough; ///< has happened meanwhile
    std::atomic<bool> stop;   ///< for who disturbs them
    std::array<std::atomic<std::uint64_t>, 4> disturbances;
};

class Storm {
  public:
    /// Two workers for each CPU, kept there, which execute the program at least `executions` times
    /// in all. They wait for run().
    Storm(const std::filesystem::path& program, const std::vector<std::string>& files,
          std::uint64_t executions);
    Storm(const Storm&) = delete;
    Storm& operator=(const Storm&) = delete;
    /// Ends all of its processes.
    ~Storm();

    /// In a process of its own, until the last execution has ended: it shares counts().
    void disturb_by(const std::function<void(Counts&)>& body);
    /// Executes, calling `meanwhile` again and again until the last one has ended: which is not
    /// before it has returned that enough has happened.
    void run(const std::function<bool()>& meanwhile);

    [[nodiscard]] const Counts& counts() const { return *counts_; }
    /// Executions that ran and could read exactly these files, one bit for each.
    [[nodiscard]] std::uint64_t could_read(unsigned files) const { return counts_->read[files]; }
    /// All executions that ended in some way.
    [[nodiscard]] std::uint64_t ended() const;
    /// Whether these are all that were begun, and as many as were wanted.
    [[nodiscard]] bool complete() const;
    /// For people: what ended how often in which way.
    [[nodiscard]] std::string text() const;

  private:
    pid_t start(const std::function<void()>& body);

    Counts* counts_;
    std::uint64_t executions_;
    std::vector<pid_t> workers_;
    std::vector<pid_t> disturbers_;
};

} // namespace llexec::vmtest
