// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What happened to executions that matched a policy.
#pragma once

#include "llexec/owner.hpp"
#include "llexec/result.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace llexec {

enum class Outcome {
    applied,  ///< the policy's ruleset is a layer of the new program's domain
    nested,   ///< the domain of the caller already enforces it
    observed, ///< mode = "observe"
    refused,  ///< could not be applied: execve(2) failed
    killed,   ///< could not be applied: the program was killed before its first instruction
    allowed,  ///< could not be applied, and on_error = "allow": runs without it
};

/// "applied", "nested" and so on.
[[nodiscard]] std::string_view to_string(Outcome outcome);

/// One policy that one execution matched, or each of the two decisions about a script, see
/// PolicyStatus.
struct Event {
    std::chrono::nanoseconds time{}; ///< CLOCK_BOOTTIME
    std::uint64_t generation = 0;
    std::uint32_t pid = 0; ///< of the process, in the initial PID namespace
    std::uint32_t uid = 0; ///< effective user ID of the caller of execve(2)
    Outcome outcome = Outcome::applied;
    int error = 0;                ///< errno value of a failure, or 0
    std::uint64_t cgroup = 0;     ///< of the process: ID of its control group in cgroup v2
    std::uint64_t ruleset_id = 0; ///< Landlock's ID; 0 if the policy only observes
    std::string policy;
    std::string filename; ///< as passed to execve(2); cut at 255 bytes
    std::string exe;      ///< what runs: a script's interpreter, or the script where that was not
                          ///< known yet (bprm_creds_for_exec); empty if longer than 255 bytes
};

/// Consumes the events of the loaded programs. Several readers share them: each event is read once.
class EventReader {
  public:
    /// Kind system with ENOENT if nothing is loaded, with EBUSY if there is an owner, and it is not
    /// `owner`.
    [[nodiscard]] static Result<EventReader> open(const Owner* owner = nullptr);

    EventReader(EventReader&&) noexcept;
    EventReader& operator=(EventReader&&) noexcept;
    EventReader(const EventReader&) = delete;
    EventReader& operator=(const EventReader&) = delete;
    ~EventReader();

    /// A descriptor for poll(2) and its like: readable while there are events.
    [[nodiscard]] int fd() const;

    /// Calls `handle` for each event that is there, waiting up to `timeout` for the first one; a
    /// negative timeout waits for ever. Returns how many there were; EINTR counts as none. After
    /// 1,024 it returns in any case: fd() is then still readable if there are more.
    [[nodiscard]] Result<std::size_t> poll(std::chrono::milliseconds timeout,
                                           const std::function<void(const Event&)>& handle);

  private:
    struct Impl;
    explicit EventReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace llexec
