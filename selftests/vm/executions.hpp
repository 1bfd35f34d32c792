// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Very many executions of one small program, or ones that fail at a chosen place.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace llexec::vmtest {

/// vm_small_probe's answer when something else than a denial kept it from a file.
inline constexpr int strange_answer = 1 << 6;

/// A copy of vm_small_probe.
void place_small_probe(const std::filesystem::path& path);

/// How one execution ended.
struct Execution {
    int error = 0;  ///< errno of execve(2), or 0
    int signal = 0; ///< that killed it, or 0
    int files = 0;  ///< vm_small_probe's answer: the files that it can read, one bit for each
};

/// Executes a program again and again, each time in a new process that borrows this one's memory
/// until then, as after vfork(2).
class Launcher {
  public:
    explicit Launcher(const std::filesystem::path& program,
                      const std::vector<std::string>& arguments);

    /// In the new process: what is done before it executes the program.
    std::function<void()> before;
    /// In the new process, if that failed: whether it tries again. Then the error is the first one,
    /// and all else is about the second execution.
    std::function<bool()> after_error;

    Execution run();

  private:
    static int child(void* launcher);
    void execute();

    std::vector<std::string> words_;
    std::vector<char*> argv_;
    std::vector<char> stack_;
    int error_ = 0;
};

} // namespace llexec::vmtest
