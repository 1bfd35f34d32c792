// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Threads that wait for something to do.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <sys/types.h>
#include <vector>

namespace tsync {

class Crew {
  public:
    using Job = std::function<int(std::size_t)>;

    /// Returns when all of them are waiting.
    explicit Crew(std::size_t count);
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    /// Ends them.
    ~Crew();

    [[nodiscard]] std::size_t size() const { return members_.size(); }
    [[nodiscard]] pid_t tid(std::size_t member) const;

    /// What `job` returns on one of them.
    int on(std::size_t member, const Job& job);
    /// What it returns on each of them; all are told before the first is waited for.
    std::vector<int> each(const Job& job);
    /// How many of them it returns 0 on.
    std::size_t count(const Job& job);

    /// Lets one go on with `job` while this thread does something else; finish() is its result.
    void start(std::size_t member, Job job);
    int finish(std::size_t member);

  private:
    struct Member;
    std::vector<std::unique_ptr<Member>> members_;
};

/// Whether a thread of this process waits for something in the kernel.
bool is_asleep(pid_t thread);

} // namespace tsync
