// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "processes.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

std::string content(int fd) {
    std::string text;
    char buffer[4096];
    off_t offset = 0;
    for (;;) {
        const auto size = ::pread(fd, buffer, sizeof(buffer), offset);
        if (size <= 0)
            return text;
        text.append(buffer, static_cast<std::size_t>(size));
        offset += size;
    }
}

[[noreturn]] void execute(const Arguments& arguments) {
    std::vector<char*> pointers;
    pointers.reserve(arguments.size() + 1);
    for (const std::string& argument : arguments)
        pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    ::execvp(pointers[0], pointers.data());
    std::fprintf(stderr, "execve\terrno %d\n", errno);
    std::fflush(stderr);
    ::_exit(127);
}

} // namespace

int Ended::code() const {
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
int Ended::signal() const {
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

std::string Ended::operator[](const std::string& word) const {
    const std::string text = "\n" + out;
    const std::string start = "\n" + word + "\t";
    const auto begin = text.rfind(start);
    if (begin == std::string::npos)
        return "(no answer)";
    const auto answer = begin + start.size();
    return text.substr(answer, text.find('\n', answer) - answer);
}

Process::Process(const Arguments& arguments, const InChild& in_child)
    : out_(::memfd_create("out", MFD_CLOEXEC)), err_(::memfd_create("err", MFD_CLOEXEC)) {
    pid_ = ::fork();
    if (pid_ != 0)
        return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(out_, STDOUT_FILENO);
    ::dup2(err_, STDERR_FILENO);
    if (in_child)
        in_child();
    execute(arguments);
}

Process::~Process() {
    if (pid_ > 0) {
        kill();
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_);
    ::close(err_);
}

bool Process::is_running() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

void Process::kill() const {
    ::kill(pid_, SIGKILL);
}

Ended Process::wait() {
    Ended ended;
    ::waitpid(pid_, &ended.status, 0);
    pid_ = -1;
    ended.out = content(out_);
    ended.err = content(err_);
    return ended;
}

Ended run(const Arguments& arguments, const InChild& in_child) {
    return Process(arguments, in_child).wait();
}

InChild as_user(unsigned user, unsigned group, std::vector<unsigned> supplementary) {
    return [user, group, supplementary = std::move(supplementary)] {
        const std::vector<gid_t> groups(supplementary.begin(), supplementary.end());
        if (::setgroups(groups.size(), groups.data()) != 0 ||
            ::setresgid(group, group, group) != 0 || ::setresuid(user, user, user) != 0)
            ::_exit(126);
    };
}

void private_mounts() {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        ::_exit(126);
}

int slowness() {
    const char* const factor = std::getenv("VMTEST_TIMEOUT_FACTOR");
    return factor != nullptr ? std::atoi(factor) : 1;
}

bool eventually(const std::function<bool()>& condition) {
    using namespace std::chrono_literals;
    const int tries = 500 * slowness();
    for (int i = 0; i < tries; ++i) {
        if (condition())
            return true;
        std::this_thread::sleep_for(20ms);
    }
    return false;
}

} // namespace llexec::vmtest
