// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "process.hpp"

#include "broadcast.hpp"
#include "llexec/landlock_uapi.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <span>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tsync {
namespace {

using namespace llexec;

constexpr std::uint64_t read_file = 1U << 2;
constexpr std::uint64_t make_block = 1U << 11;

int create_ruleset(std::uint64_t handled) {
    return static_cast<int>(::syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0));
}

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(2);
}

/// The kernel's own system call: what is measured is not the library.
bool restrict_self(int ruleset, std::uint32_t flags) {
    return ::syscall(SYS_landlock_restrict_self, ruleset, flags) == 0;
}

bool restrict_threads(std::span<const pid_t> siblings, int ruleset, How how) {
    constexpr std::uint32_t flags =
        uapi::restrict_self_log_new_exec_on | uapi::restrict_self_no_new_privs;
    if (how == How::tsync)
        return restrict_self(ruleset, flags | uapi::restrict_self_tsync);
    return broadcast(siblings, ruleset, flags) == 0;
}

} // namespace

Setup make_setup(std::size_t rules) {
    char name[] = "/tmp/tsync-bench.XXXXXX";
    if (::mkdtemp(name) == nullptr)
        give_up("mkdtemp");
    Setup setup{.ruleset = create_ruleset(read_file), .denied = std::string(name) + "/denied"};
    if (setup.ruleset < 0)
        give_up("landlock_create_ruleset");
    for (std::size_t i = 0; i < rules; ++i) {
        const std::string path = std::string(name) + '/' + std::to_string(i);
        if (::mkdir(path.c_str(), 0755) != 0)
            give_up("mkdir");
        struct [[gnu::packed]] {
            std::uint64_t access;
            std::int32_t parent;
        } const attr{read_file, ::open(path.c_str(), O_PATH | O_CLOEXEC)};
        if (::syscall(SYS_landlock_add_rule, setup.ruleset, uapi::rule_path_beneath, &attr, 0) != 0)
            give_up("landlock_add_rule");
        ::close(attr.parent);
    }
    const int fd = ::open(setup.denied.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        give_up("open");
    ::close(fd);
    return setup;
}

Threads::Threads(std::size_t count) : siblings_(count - 1) {
    prepare_broadcast();
    tids_.reserve(siblings_.size());
    for (std::size_t i = 0; i < siblings_.size(); ++i)
        tids_.push_back(siblings_.tid(i));
}

void Threads::diverge() {
    const int ruleset = create_ruleset(make_block);
    const auto differ = [&](std::size_t) {
        return restrict_self(ruleset, 0) ? 0 : 1;
    };
    if (siblings_.count(differ) != siblings_.size())
        give_up("landlock_restrict_self");
    ::close(ruleset);
}

void Threads::warm_up(How how) {
    restrict_threads({}, -1, how);
}

bool Threads::restrict_all(const Setup& setup, How how) {
    return restrict_threads(tids_, setup.ruleset, how);
}

std::size_t Threads::count_outside(const Setup& setup) {
    const auto read = [&](std::size_t) {
        const int fd = ::open(setup.denied.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return 1;
        ::close(fd);
        return 0;
    };
    return siblings_.count(read) + (read(0) == 0 ? 1 : 0);
}

std::optional<long> in_process(const std::function<long()>& body) {
    std::fflush(nullptr);
    int ends[2];
    if (::pipe(ends) != 0)
        give_up("pipe");
    const pid_t child = ::fork();
    if (child < 0)
        give_up("fork");
    if (child == 0) {
        const long value = body();
        ::_exit(::write(ends[1], &value, sizeof(value)) == sizeof(value) ? 0 : 1);
    }
    ::close(ends[1]);
    long value = 0;
    const bool told = ::read(ends[0], &value, sizeof(value)) == sizeof(value);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (!told || status != 0)
        return std::nullopt;
    return value;
}

} // namespace tsync
