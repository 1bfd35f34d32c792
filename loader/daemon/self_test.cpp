// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "self_test.hpp"

#include "llexec/attach.hpp"
#include "llexec/fd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace llexec::daemon {
namespace {

constexpr int patience_ms = 10'000;

/// How often the layer was applied, or the caller had it already.
Result<std::uint64_t> times_confined() {
    const auto status = read_status();
    if (!status)
        return std::unexpected(status.error());
    if (!*status)
        return failure(ErrorKind::system, "self-test: nothing is loaded");
    const auto policy = std::ranges::find((*status)->policies, self_test_name, &PolicyStatus::name);
    if (policy == (*status)->policies.end())
        return failure(ErrorKind::system, "self-test: its policy is not loaded");
    return policy->applied + policy->nested;
}

Result<pid_t> start(const std::string& program) {
    std::string name = program;
    char* const arguments[] = {name.data(), nullptr};
    char* const no_environment[] = {nullptr};
    pid_t pid = -1;
    if (const int error =
            ::posix_spawn(&pid, program.c_str(), nullptr, nullptr, arguments, no_environment);
        error != 0)
        return system_error(error, "self-test: cannot execute " + program);
    return pid;
}

/// How the process ends, as waitid(2) tells it. Kills it if it does not.
Result<siginfo_t> wait_for(pid_t pid) {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    pollfd wanted{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    int ready = -1;
    // poll(2) would wait for a descriptor that is not valid all the same.
    if (pidfd.valid())
        do
            ready = ::poll(&wanted, 1, patience_ms);
        while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        ::kill(pid, SIGKILL);
    siginfo_t ended{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED) != 0)
        if (errno != EINTR)
            return system_error(errno, "self-test: cannot wait for the program");
    if (ready <= 0)
        return failure(ErrorKind::system, "self-test: the program did not end");
    return ended;
}

} // namespace

Policy self_test_policy(const std::string& program) {
    Policy policy;
    policy.name = self_test_name;
    policy.file = "(llexecd)";
    policy.match.push_back({.exes = {{.path = program, .position = {}}},
                            .directories = {},
                            .cgroups = {},
                            .users = {},
                            .groups = {},
                            .position = {}});
    policy.enforce.log = uapi::restrict_self_log_same_exec_off;
    policy.handled.scoped = find_access_right(AccessClass::scope, "signal")->bit;
    return policy;
}

Result<> run_self_test(const std::string& program) {
    const auto before = times_confined();
    if (!before)
        return std::unexpected(before.error());
    const auto pid = start(program);
    if (!pid)
        return std::unexpected(pid.error());
    const auto ended = wait_for(*pid);
    if (!ended)
        return std::unexpected(ended.error());
    if (ended->si_code != CLD_EXITED)
        return failure(ErrorKind::system,
                       fmt::format("self-test: signal {} killed the program", ended->si_status));
    if (ended->si_status != 0)
        return failure(ErrorKind::system, "self-test: the program was executed and not confined");
    const auto after = times_confined();
    if (!after)
        return std::unexpected(after.error());
    if (*after == *before)
        return failure(ErrorKind::system, "self-test: the program is confined, but not by llexec");
    return {};
}

} // namespace llexec::daemon
