// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "executions.hpp"

#include "catch.hpp"

#include <cerrno>
#include <csignal>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace llexec::vmtest {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t stack_size = 65536;

} // namespace

void place_small_probe(const fs::path& path) {
    fs::create_directories(path.parent_path());
    fs::copy_file(fs::read_symlink("/proc/self/exe").parent_path() / "vm_small_probe", path,
                  fs::copy_options::overwrite_existing);
    fs::permissions(path, fs::perms{0755});
}

Launcher::Launcher(const fs::path& program, const std::vector<std::string>& arguments)
    : words_{program}, stack_(stack_size) {
    words_.insert(words_.end(), arguments.begin(), arguments.end());
    for (std::string& word : words_)
        argv_.push_back(word.data());
    argv_.push_back(nullptr);
}

void Launcher::execute() {
    char* environment[] = {nullptr};
    ::execve(argv_[0], argv_.data(), environment);
}

int Launcher::child(void* launcher) {
    auto* const self = static_cast<Launcher*>(launcher);
    if (self->before)
        self->before();
    self->execute();
    self->error_ = errno;
    if (self->after_error && self->after_error())
        self->execute();
    ::_exit(strange_answer);
}

Execution Launcher::run() {
    error_ = 0;
    const pid_t pid =
        ::clone(child, stack_.data() + stack_.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, this);
    int status = 0;
    Execution result;
    if (pid < 0 || ::waitpid(pid, &status, 0) != pid) {
        result.files = strange_answer;
        return result;
    }
    result.error = error_;
    result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result.files = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return result;
}

} // namespace llexec::vmtest
