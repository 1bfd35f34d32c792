// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a program can tell about itself.
#include "probe.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace probe {
namespace {

constexpr int max_layers = 16;

/// Enforces a ruleset that denies next to nothing.
bool add_layer() {
    landlock_ruleset_attr attr{};
    attr.handled_access_fs = LANDLOCK_ACCESS_FS_MAKE_BLOCK;
    const auto fd =
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0));
    if (fd < 0)
        return false;
    const bool added = ::syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    ::close(fd);
    return added;
}

bool add_layers(int count) {
    for (int i = 0; i < count; ++i)
        if (!add_layer())
            return false;
    return true;
}

/// The layers of this process' domain, told from how many can be added: in a child, since they
/// stay. 99: not even a first one could be tried.
int count_layers() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        int added = 0;
        while (added <= max_layers && add_layer())
            ++added;
        ::_exit(errno == E2BIG ? max_layers - added : 99);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

std::string field_of_status(const std::string& field) {
    const int fd = ::open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return "unreadable";
    std::string text(8192, '\0');
    const auto size = ::read(fd, text.data(), text.size());
    ::close(fd);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    const auto begin = text.find("\n" + field + ":");
    if (begin == std::string::npos)
        return "missing";
    const auto value = text.find_first_not_of("\t ", begin + field.size() + 2);
    return text.substr(value, text.find('\n', value) - value);
}

} // namespace

std::optional<Answer> describe_state(const Word& word) {
    if (word.kind == "layers")
        return Answer{.exit = allowed, .text = std::to_string(count_layers())};
    if (word.kind == "status") // status:Threads
        return Answer{.exit = allowed, .text = field_of_status(word.first)};
    if (word.kind == "sleep")
        return Answer{.exit = allowed,
                      .text = std::to_string(::sleep(static_cast<unsigned>(number(word.first))))};
    if (word.kind == "wait") { // until that file is there
        while (::access(word.first.c_str(), F_OK) != 0)
            ::usleep(10000);
        return Answer{.exit = allowed, .text = "allowed"};
    }
    if (word.kind == "nnp")
        return Answer{.exit = allowed,
                      .text = std::to_string(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))};
    if (word.kind == "euid")
        return Answer{.exit = allowed, .text = std::to_string(::geteuid())};
    if (word.kind == "stack") { // stack:16, of its own
        if (add_layers(number(word.first)))
            return Answer{.exit = allowed, .text = "allowed"};
        return judge(-1, EPERM);
    }
    return std::nullopt;
}

} // namespace probe
