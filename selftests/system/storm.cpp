// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Executes a program that a policy is for, again and again, until it is told to stop, and counts
// how the executions ended.
//
//   storm WORKERS PROGRAM SECRET PUBLIC
//
// PROGRAM is vm_small_probe: its exit code tells which of the two files it could read. On SIGTERM
// the last line of the output is
//   executions=N confined=N unconfined=N refused=N killed=N strange=N
// where "refused" are those that execve(2) failed for, and "strange" what none of the others is.
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

enum End : std::size_t { executions, confined, unconfined, refused, killed, strange, ends };

constexpr std::array<const char*, ends> names = {"executions", "confined", "unconfined",
                                                 "refused",    "killed",   "strange"};

/// Shared by all workers.
struct Counts {
    std::array<std::atomic<unsigned long>, ends> of;
};

volatile std::sig_atomic_t stopped = 0;

void stop(int) {
    stopped = 1;
}

End judge(int status, int error) {
    constexpr int sees_public = 2;
    constexpr int sees_both = 3;
    if (error != 0)
        return refused;
    if (WIFSIGNALED(status))
        return killed;
    if (WEXITSTATUS(status) == sees_public)
        return confined;
    return WEXITSTATUS(status) == sees_both ? unconfined : strange;
}

End execute(char** argv) {
    static char* no_environment[] = {nullptr};
    static volatile int error = 0;
    error = 0;
    const pid_t child = ::vfork();
    if (child == 0) {
        ::execve(argv[0], argv, no_environment);
        error = errno;
        ::_exit(0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child)
        return strange;
    return judge(status, error);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::fputs("usage: storm WORKERS PROGRAM SECRET PUBLIC\n", stderr);
        return 2;
    }
    void* shared =
        ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        std::perror("mmap");
        return 2;
    }
    auto* const counts = new (shared) Counts{};
    struct sigaction action{};
    action.sa_handler = stop;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGTERM, &action, nullptr);

    std::vector<pid_t> others;
    const pid_t first = ::getpid();
    for (int i = 1; i < std::atoi(argv[1]) && ::getpid() == first; ++i)
        others.push_back(::fork());
    while (stopped == 0) {
        ++counts->of[execute(argv + 2)];
        ++counts->of[executions];
    }
    if (::getpid() != first)
        return 0;
    for (const pid_t other : others) {
        ::kill(other, SIGTERM);
        ::waitpid(other, nullptr, 0);
    }
    for (std::size_t i = 0; i < ends; ++i)
        std::printf("%s%s=%lu", i == 0 ? "" : " ", names.at(i), counts->of.at(i).load());
    std::puts("");
    return 0;
}
