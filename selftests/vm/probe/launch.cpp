// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Ways to execute a program.
#include "probe.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

namespace probe {
namespace {

Answer errno_answer() {
    return {.exit = failed, .text = "errno " + std::to_string(errno)};
}

Answer via_empty_path(int fd, char** argv) {
    if (fd >= 0)
        ::syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
    return errno_answer();
}

/// A copy, which is another file.
int in_memory(const char* path) {
    const int from = ::open(path, O_RDONLY | O_CLOEXEC);
    const int to = ::memfd_create("probe", 0);
    struct stat status{};
    if (from < 0 || to < 0 || ::fstat(from, &status) != 0 ||
        ::sendfile(to, from, nullptr, static_cast<std::size_t>(status.st_size)) != status.st_size)
        return -1;
    return to;
}

/// Threads that are in a system call each, in the kernel or spinning; then one of them, not the
/// first, executes.
Answer via_thread(char** argv) {
    static int pipe_ends[2];
    static std::atomic<int> alive;
    if (::pipe2(pipe_ends, O_CLOEXEC) != 0)
        return errno_answer();
    const auto reader = [] {
        ++alive;
        char byte = 0;
        while (::read(pipe_ends[0], &byte, 1) >= 0)
            ;
    };
    const auto sleeper = [] {
        ++alive;
        for (;;)
            ::pause();
    };
    const auto poller = [] {
        ++alive;
        for (;;)
            ::poll(nullptr, 0, 1);
    };
    const auto spinner = [] {
        ++alive;
        for (;;)
            ::getppid();
    };
    for (int i = 0; i < 3; ++i) {
        std::thread(reader).detach();
        std::thread(sleeper).detach();
        std::thread(poller).detach();
    }
    std::thread(spinner).detach();
    std::thread([argv] {
        while (alive < 10)
            std::this_thread::yield();
        ::execve(argv[0], argv, environ);
        ::_exit(errno);
    }).join();
    return errno_answer();
}

/// Runs the program `count` times, one after the other, or until the file `stop` is there, and
/// tells how they ended.
Answer repeat(int count, const std::string& stop, char** argv) {
    std::vector<int> ends(6);
    for (int i = 0; i < count; ++i) {
        if (!stop.empty() && ::access(stop.c_str(), F_OK) == 0)
            break;
        pid_t child = 0;
        int status = 0;
        const int error = ::posix_spawn(&child, argv[0], nullptr, nullptr, argv, environ);
        if (error != 0 || ::waitpid(child, &status, 0) != child)
            ++ends[4];
        else if (WIFSIGNALED(status))
            ++ends[5];
        else
            ++ends[static_cast<std::size_t>(WEXITSTATUS(status) & 3)];
    }
    return {.exit = allowed,
            .text = "allowed " + std::to_string(ends[0]) + ", denied " + std::to_string(ends[1]) +
                    ", other " + std::to_string(ends[2] + ends[3]) + ", refused " +
                    std::to_string(ends[4]) + ", killed " + std::to_string(ends[5])};
}

/// Executes itself again until `left` is 0, and then the program.
Answer chain(int left, char** argv) {
    if (left <= 0) {
        ::execve(argv[0], argv, environ);
        return errno_answer();
    }
    std::string word = "via-chain:" + std::to_string(left - 1);
    std::string separator = "--";
    std::vector<char*> next{argv[0], word.data(), separator.data()};
    for (char** argument = argv; *argument != nullptr; ++argument)
        next.push_back(*argument);
    next.push_back(nullptr);
    ::execve(argv[0], next.data(), environ);
    return errno_answer();
}

} // namespace

std::optional<Answer> try_launch(const Word& word) {
    std::string path = word.first;
    char* arguments[] = {path.data(), nullptr};
    if (word.kind == "check") {
        const long result =
            ::syscall(SYS_execveat, AT_FDCWD, path.c_str(), arguments, environ, AT_EXECVE_CHECK);
        return judge(result, EACCES);
    }
    if (word.kind == "try-exec") { // one that is going to fail
        ::execve(path.c_str(), arguments, environ);
        return errno_answer();
    }
    return std::nullopt;
}

std::optional<Answer> launch(const Word& word, char** argv) {
    if (argv[0] == nullptr)
        return std::nullopt;
    if (word.kind == "via-empty-path")
        return via_empty_path(::open(argv[0], O_PATH | O_CLOEXEC), argv);
    if (word.kind == "via-memory")
        return via_empty_path(in_memory(argv[0]), argv);
    if (word.kind == "via-thread")
        return via_thread(argv);
    if (word.kind == "via-repeat")
        return repeat(number(word.first), word.second, argv);
    if (word.kind == "via-chain")
        return chain(number(word.first), argv);
    if (word.kind == "via-rename") { // the new file takes the program's place just before
        if (::rename(word.first.c_str(), argv[0]) != 0)
            return errno_answer();
    }
    ::execve(argv[0], argv, environ);
    return errno_answer();
}

} // namespace probe
