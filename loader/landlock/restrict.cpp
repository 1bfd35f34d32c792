// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/landlock.hpp"
#include "llexec/landlock_uapi.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <unistd.h>

namespace llexec {
namespace {

constexpr std::uint32_t log_flags = uapi::restrict_self_log_same_exec_off |
                                    uapi::restrict_self_log_new_exec_on |
                                    uapi::restrict_self_log_subdomains_off;

std::string_view hint_for(int code) {
    switch (code) {
    case EPERM:
        return "no_new_privs = true in [enforce], or CAP_SYS_ADMIN, is needed";
    case E2BIG:
        return "this thread already has 16 Landlock layers, the kernel's limit";
    default:
        return {};
    }
}

/// What one ruleset takes on this kernel.
struct Step {
    int ruleset = -1;
    std::uint32_t flags = 0;
    bool prctl_first = false; ///< for no_new_privs
};

Step step_for(const Restriction& restriction, int abi) {
    Step step{.ruleset = restriction.ruleset->fd.get(), .flags = restriction.flags};
    if (abi < uapi::log_flags_abi)
        step.flags &= ~log_flags;
    if (abi < uapi::no_new_privs_abi) {
        step.prctl_first = (step.flags & uapi::restrict_self_no_new_privs) != 0;
        step.flags &= ~uapi::restrict_self_no_new_privs;
    }
    return step;
}

Result<> take(const Step& step, LandlockSyscalls& syscalls) {
    if (step.prctl_first) {
        if (const int error = syscalls.set_no_new_privs(); error < 0)
            return system_error(-error, "cannot set no_new_privs");
    }
    if (const int error = syscalls.restrict_self(step.ruleset, step.flags); error < 0)
        return system_error(-error, "landlock_restrict_self failed", std::string(hint_for(-error)));
    return {};
}

/// Layers on the calling thread, as far as it goes.
Result<> take_all(std::span<const Step> steps, LandlockSyscalls& syscalls) {
    for (const Step& step : steps) {
        if (Result<> done = take(step, syscalls); !done)
            return done;
    }
    return {};
}

struct Trial {
    std::span<const Step> steps;
    LandlockSyscalls& syscalls;
    Result<> result;
};

/// Whether `steps` would succeed on the calling thread: on one that inherits its domain, and ends
/// with it. Not with TSYNC, which nothing takes back.
Result<> try_first(std::span<const Step> steps, LandlockSyscalls& syscalls) {
    Trial trial{.steps = steps, .syscalls = syscalls, .result = {}};
    // The process' signal handlers know nothing of this thread.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread{};
    const int error = ::pthread_create(
        &thread, nullptr,
        [](void* argument) -> void* {
            auto& mine = *static_cast<Trial*>(argument);
            mine.result = take_all(mine.steps, mine.syscalls);
            return nullptr;
        },
        &trial);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    // Going on without the trial could leave some of the layers behind.
    if (error != 0)
        return system_error(error, "cannot start the thread on which several layers are tried");
    ::pthread_join(thread, nullptr);
    return std::move(trial.result);
}

/// Waits for threads that have ended and are still counted.
bool has_one_thread(LandlockSyscalls& syscalls) {
    constexpr int tries = 20;
    constexpr useconds_t pause = 1000;
    for (int i = 0; i < tries; ++i) {
        const int count = syscalls.thread_count();
        if (count == 1)
            return true;
        if (count < 0)
            return false;
        ::usleep(pause);
    }
    return false;
}

/// How far a layer that is to restrict the process reaches on a kernel without TSYNC.
Result<Reach> reach_without_tsync(int abi, WithoutTsync choice, LandlockSyscalls& syscalls) {
    if (has_one_thread(syscalls))
        return Reach::process;
    if (choice == WithoutTsync::thread_only)
        return Reach::thread;
    return failure(ErrorKind::unsupported,
                   fmt::format("this kernel cannot restrict a process of several threads: its "
                               "Landlock ABI is {}, {} is needed",
                               abi, uapi::tsync_abi),
                   "restrict it while it has one thread, which /proc/self/task has to show");
}

Result<Reach> enforce_at_exec(std::span<Step> steps, const KernelSupport& support,
                              LandlockSyscalls& syscalls) {
    if (steps.size() > 1)
        return failure(ErrorKind::policy,
                       fmt::format("the kernel keeps one ruleset for the next execution, and these "
                                   "are {}",
                                   steps.size()),
                       "make one policy of them: by include, or by composing them");
    if (support.abi < uapi::exectime_abi)
        return failure(ErrorKind::unsupported,
                       fmt::format("this kernel cannot keep a ruleset for the next execution: its "
                                   "Landlock ABI is {}, {} is needed",
                                   support.abi, uapi::exectime_abi));
    steps.front().flags |= uapi::restrict_self_exectime;
    Result<> done = take(steps.front(), syscalls);
    // All other flags are known by now: this number means something else on that kernel.
    if (!done && done.error().code == EINVAL)
        return failure(ErrorKind::unsupported,
                       fmt::format("this kernel cannot keep a ruleset for the next execution, "
                                   "although its Landlock ABI is {}",
                                   support.abi));
    if (!done)
        return std::unexpected(std::move(done.error()));
    return Reach::next_exec;
}

} // namespace

std::uint32_t restrict_flags(const Enforce& enforce) {
    return enforce.log | (enforce.no_new_privs ? uapi::restrict_self_no_new_privs : 0U);
}

Result<Reach> enforce_on_self(std::span<const Restriction> restrictions,
                              const KernelSupport& support, const RestrictOptions& options,
                              LandlockSyscalls& syscalls) {
    if (restrictions.empty())
        return system_error(EINVAL, "there is no ruleset to enforce");
    std::vector<Restriction> wanted(restrictions.begin(), restrictions.end());
    for (const Restriction& restriction : restrictions)
        wanted.front().flags |= restriction.flags & uapi::restrict_self_no_new_privs;
    std::vector<Step> steps;
    steps.reserve(wanted.size());
    for (const Restriction& restriction : wanted)
        steps.push_back(step_for(restriction, support.abi));
    if (options.reach == Reach::next_exec)
        return enforce_at_exec(steps, support, syscalls);

    Result<Reach> reach = options.reach;
    const bool process = options.reach == Reach::process;
    if (process && support.abi < uapi::tsync_abi)
        reach = reach_without_tsync(support.abi, options.without_tsync, syscalls);
    if (!reach)
        return reach;
    if (steps.size() > 1) {
        if (Result<> possible = try_first(steps, syscalls); !possible)
            return std::unexpected(std::move(possible.error()));
    }
    if (process && support.abi >= uapi::tsync_abi) {
        for (Step& step : steps)
            step.flags |= uapi::restrict_self_tsync;
    }
    if (Result<> done = take_all(steps, syscalls); !done)
        return std::unexpected(std::move(done.error()));
    return reach;
}

} // namespace llexec
