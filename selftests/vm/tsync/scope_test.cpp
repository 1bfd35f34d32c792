// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What threads of one process can do to each other and to each other's children, with
// scope = signal and abstract_unix_socket: restricted together, and each for itself.
#include "catch.hpp"
#include "child.hpp"
#include "crew.hpp"
#include "llexec/landlock_uapi.hpp"
#include "rulesets.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace llexec;
using namespace tsync;

namespace {

enum class How { not_at_all, together, each_for_itself };

/// Errata: signals between threads of a process are left alone by the scope.
constexpr std::uint32_t signal_erratum = 1U << 1;

/// A kernel that has what `how` needs.
bool can_restrict(How how) {
    return kernel_has(6, "a scope") &&
           (how != How::together || kernel_has(uapi::tsync_abi, "TSYNC"));
}

/// Restricts the calling thread and the crew's.
void restrict_threads(const Report& report, How how, Crew& crew, const BuiltRuleset& ruleset) {
    const auto alone = [&](std::size_t) {
        return enforce(ruleset, {.reach = Reach::thread}) ? 0 : 1;
    };
    if (how == How::together) {
        const auto done = enforce(ruleset);
        report.need(done && *done == Reach::process, "TSYNC");
    } else if (how == How::each_for_itself) {
        report.need(crew.count(alone) == crew.size() && alone(0) == 0, "enforcement on each");
    }
}

/// A child of the calling thread that waits to be killed.
pid_t waiting_child() {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        // PR_SET_PDEATHSIG would not do: that signal is one of the dying thread's, and denied as
        // such.
        while (::getppid() == parent)
            ::usleep(10'000);
        ::_exit(0);
    }
    return child;
}

/// Sends a signal and sees that it arrives: 0, the errno value, or -1.
int kill_and_reap(pid_t child) {
    const int error = ::kill(child, SIGKILL) == 0 ? 0 : errno;
    if (error != 0)
        return error;
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1;
}

std::atomic<int> arrived;

/// Sends a signal and sees that it arrives: 0, the errno value, or -1.
int see_arrive(const std::function<int()>& send) {
    const int before = arrived;
    if (send() != 0)
        return errno;
    for (int i = 0; i < 500 && arrived == before; ++i)
        ::usleep(10'000);
    return arrived == before + 1 ? 0 : -1;
}

sockaddr_un abstract_address(socklen_t& size) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const int length = std::snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
                                     "tsync-test-%d", ::getpid());
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 +
                                  static_cast<std::size_t>(length));
    return address;
}

int with_socket(int (*use)(int, const sockaddr*, socklen_t), int& fd) {
    socklen_t size = 0;
    const sockaddr_un address = abstract_address(size);
    fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return use(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 ? 0 : errno;
}

} // namespace

TEST_CASE("threads signal each other, restricted together or each for itself") {
    const How how = GENERATE(How::not_at_all, How::together, How::each_for_itself);
    if (!can_restrict(how))
        return;
    const BuiltRuleset ruleset = scoping();
    const Facts facts = in_child([&](const Report& report) {
        struct sigaction action{};
        action.sa_handler = [](int) {
            ++arrived;
        };
        report.need(::sigaction(SIGUSR1, &action, nullptr) == 0, "sigaction");
        Crew crew(4);
        restrict_threads(report, how, crew, ruleset);
        const auto signal_to = [](pid_t thread) {
            return see_arrive([&] { return ::tgkill(::getpid(), thread, SIGUSR1); });
        };
        const pid_t caller = ::gettid();
        report("to a sibling", signal_to(crew.tid(1)));
        report("to the caller", crew.on(0, [&](std::size_t) { return signal_to(caller); }));
        report("between siblings", crew.on(0, [&](std::size_t) { return signal_to(crew.tid(1)); }));
        report("to the process", crew.on(0, [](std::size_t) {
            return see_arrive([] { return ::kill(::getpid(), SIGUSR1); });
        }));
        // Where the scope is on, a process outside cannot be reached.
        report("outside", ::kill(::getppid(), 0) == 0 ? 0 : errno);
    });
    CAPTURE(static_cast<int>(how), facts.text());
    // Since that erratum is fixed the kernel does not ask for the domain within a process.
    const bool works = how != How::each_for_itself || (kernel().errata & signal_erratum) != 0;
    for (const char* const which :
         {"to a sibling", "to the caller", "between siblings", "to the process"})
        CHECK(facts[which] == (works ? 0 : EPERM));
    CHECK(facts["outside"] == (how == How::not_at_all ? 0 : EPERM));
}

TEST_CASE("threads signal each other's children only if they were restricted together") {
    const How how = GENERATE(How::not_at_all, How::together, How::each_for_itself);
    if (!can_restrict(how))
        return;
    const BuiltRuleset ruleset = scoping();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(2);
        restrict_threads(report, how, crew, ruleset);
        pid_t of_sibling = 0;
        crew.on(0, [&](std::size_t) {
            of_sibling = waiting_child();
            return 0;
        });
        const pid_t own = waiting_child();
        report("from the caller", kill_and_reap(of_sibling));
        report("from a sibling", crew.on(1, [&](std::size_t) { return kill_and_reap(own); }));
        // Its own it can always reach.
        report("one's own", crew.on(1, [](std::size_t) { return kill_and_reap(waiting_child()); }));
    });
    CAPTURE(static_cast<int>(how), facts.text());
    const int expected = how == How::each_for_itself ? EPERM : 0;
    CHECK(facts["from the caller"] == expected);
    CHECK(facts["from a sibling"] == expected);
    CHECK(facts["one's own"] == 0);
}

TEST_CASE("threads connect to each other's abstract sockets only if restricted together") {
    const How how = GENERATE(How::not_at_all, How::together, How::each_for_itself);
    if (!can_restrict(how))
        return;
    const BuiltRuleset ruleset = scoping();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(2);
        restrict_threads(report, how, crew, ruleset);
        report("listening", crew.on(0, [](std::size_t) {
            int fd = -1;
            const int error = with_socket(::bind, fd);
            return error != 0 ? error : ::listen(fd, 8);
        }));
        int fd = -1;
        report("from itself", crew.on(0, [&](std::size_t) { return with_socket(::connect, fd); }));
        report("from a sibling",
               crew.on(1, [&](std::size_t) { return with_socket(::connect, fd); }));
        report("from the caller", with_socket(::connect, fd));
    });
    CAPTURE(static_cast<int>(how), facts.text());
    const int expected = how == How::each_for_itself ? EPERM : 0;
    CHECK(facts["listening"] == 0);
    CHECK(facts["from itself"] == 0);
    CHECK(facts["from a sibling"] == expected);
    CHECK(facts["from the caller"] == expected);
}
