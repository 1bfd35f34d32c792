// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "broadcast.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tsync {
namespace {

int signal_number() {
    return SIGRTMIN; // of what nptl leaves to others, the first
}

// What the handlers are to do. One broadcast at a time.
int ruleset_to_enforce = -1;
std::uint32_t flags_to_use = 0;
std::atomic<int> unfinished;
std::atomic<std::size_t> failures;

void futex(int operation, int value) {
    ::syscall(SYS_futex, &unfinished, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

void restrict_this_thread() {
    if (::syscall(SYS_landlock_restrict_self, ruleset_to_enforce, flags_to_use) != 0)
        ++failures;
}

void on_signal(int /*number*/) {
    const int saved = errno;
    restrict_this_thread();
    if (--unfinished == 0)
        futex(FUTEX_WAKE, 1);
    errno = saved;
}

} // namespace

void prepare_broadcast() {
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal_number(), &action, nullptr);
}

std::size_t broadcast(std::span<const pid_t> siblings, int ruleset, std::uint32_t flags) {
    ruleset_to_enforce = ruleset;
    flags_to_use = flags;
    failures = 0;
    unfinished = static_cast<int>(siblings.size());
    const pid_t process = ::getpid();
    for (const pid_t sibling : siblings) {
        if (::tgkill(process, sibling, signal_number()) != 0) {
            ++failures;
            --unfinished;
        }
    }
    for (int left = unfinished; left != 0; left = unfinished)
        futex(FUTEX_WAIT, left);
    restrict_this_thread();
    return failures;
}

} // namespace tsync
