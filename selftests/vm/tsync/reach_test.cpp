// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Whom enforce_on_self() restricts, and what becomes of it when it fails.
#include "catch.hpp"
#include "child.hpp"
#include "crew.hpp"
#include "llexec/landlock_uapi.hpp"
#include "rulesets.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

using namespace llexec;
using namespace tsync;

namespace {

constexpr std::size_t siblings = 8;
constexpr int all = siblings;
constexpr RestrictOptions on_thread{.reach = Reach::thread};

/// On how many siblings `path` can be read, and whether it can be here.
void report_reading(const Report& report, const std::string& when, Crew& crew,
                    const std::string& path) {
    report(when + " siblings",
           static_cast<long>(crew.count([&](std::size_t) { return read_file(path); })));
    report(when + " caller", read_file(path));
}

/// The same for no_new_privs.
void report_no_new_privs(const Report& report, const std::string& when, Crew& crew) {
    report(when + " nnp siblings",
           all - static_cast<long>(crew.count([](std::size_t) { return no_new_privs(); })));
    report(when + " nnp caller", no_new_privs());
}

/// The errno value of a failure, 0 for what succeeded with `expected`, -1 for another success.
long outcome(const Result<Reach>& result, Reach expected) {
    if (!result)
        return result.error().code;
    return *result == expected ? 0 : -1;
}

/// A kernel without TSYNC, as far as enforce_on_self() is told.
KernelSupport without_tsync() {
    KernelSupport support = kernel();
    support.abi = std::min(support.abi, uapi::tsync_abi - 1);
    return support;
}

Result<Reach> enforce_without_tsync(const BuiltRuleset& ruleset, WithoutTsync choice) {
    const Restriction restriction{.ruleset = &ruleset, .flags = default_flags()};
    return enforce_on_self({&restriction, 1}, without_tsync(), {.without_tsync = choice});
}

} // namespace

TEST_CASE("a ruleset is enforced on all threads of the process") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(siblings);
        report_reading(report, "before", crew, files.a());
        report("enforced", outcome(enforce(ruleset), Reach::process));
        report_reading(report, "after", crew, files.a());
        report_reading(report, "elsewhere", crew, files.b());
        Crew later(1);
        report("later", later.on(0, [&](std::size_t) { return read_file(files.a()); }));
    });
    INFO(facts.text());
    CHECK(facts["before siblings"] == all);
    CHECK(facts["before caller"] == 0);
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after siblings"] == 0);
    CHECK(facts["after caller"] == EACCES);
    CHECK(facts["elsewhere siblings"] == all);
    CHECK(facts["elsewhere caller"] == 0);
    CHECK(facts["later"] == EACCES);
}

TEST_CASE("any thread can restrict the process") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(siblings);
        report("enforced", crew.on(3, [&](std::size_t) {
            return static_cast<int>(outcome(enforce(ruleset), Reach::process));
        }));
        report_reading(report, "after", crew, files.a());
    });
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after siblings"] == 0);
    CHECK(facts["after caller"] == EACCES);
}

TEST_CASE("a ruleset that is for the thread leaves the others as they were") {
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(siblings);
        report("enforced", outcome(enforce(ruleset, on_thread), Reach::thread));
        report_reading(report, "after", crew, files.a());
        report_no_new_privs(report, "after", crew);
        Crew later(1);
        report("later", later.on(0, [&](std::size_t) { return read_file(files.a()); }));
    });
    INFO(facts.text());
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after siblings"] == all);
    CHECK(facts["after caller"] == EACCES);
    CHECK(facts["after nnp siblings"] == 0);
    CHECK(facts["after nnp caller"] == 1);
    CHECK(facts["later"] == EACCES);
}

TEST_CASE("without TSYNC a process of one thread is restricted all the same") {
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        // That of a thread that has just ended is no other thread.
        std::make_unique<Crew>(siblings).reset();
        report("before", read_file(files.a()));
        report("enforced",
               outcome(enforce_without_tsync(ruleset, WithoutTsync::refuse), Reach::process));
        Crew crew(siblings);
        report_reading(report, "after", crew, files.a());
    });
    CHECK(facts["before"] == 0);
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after siblings"] == 0);
    CHECK(facts["after caller"] == EACCES);
}

TEST_CASE("without TSYNC a process of several threads is refused, or its thread restricted") {
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(1);
        const auto refused = enforce_without_tsync(ruleset, WithoutTsync::refuse);
        report("refused", !refused && refused.error().kind == ErrorKind::unsupported);
        report("refused caller", read_file(files.a()));
        report("refused nnp", no_new_privs());
        report("enforced",
               outcome(enforce_without_tsync(ruleset, WithoutTsync::thread_only), Reach::thread));
        report_reading(report, "after", crew, files.a());
    });
    CHECK(facts["refused"] == 1);
    CHECK(facts["refused caller"] == 0);
    CHECK(facts["refused nnp"] == 0);
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after siblings"] == 1);
    CHECK(facts["after caller"] == EACCES);
}

TEST_CASE("siblings lose their own domains for the caller's") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset without_a = files.without_a();
    const BuiltRuleset without_b = files.without_b();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(3);
        const auto reading = [&](std::size_t member, const std::string& path) {
            return crew.on(member, [&](std::size_t) { return read_file(path); });
        };
        // One that denies something else, and one that has no layer left.
        report("diverged", crew.on(0, [&](std::size_t) {
            return static_cast<int>(outcome(enforce(without_a, on_thread), Reach::thread));
        }));
        report("full", crew.on(1, [](std::size_t) { return stack_layers(uapi::max_layers); }));
        report("before a", reading(0, files.a()));
        report("before b", reading(0, files.b()));
        report("enforced", outcome(enforce(without_b), Reach::process));
        report("after a", reading(0, files.a()));
        report("after b", reading(0, files.b()));
        report("after b, full", reading(1, files.b()));
        report("after b, plain", reading(2, files.b()));
        report("room", crew.on(1, [](std::size_t) { return stack_layers(uapi::max_layers - 1); }));
    });
    INFO(facts.text());
    CHECK(facts["diverged"] == 0);
    CHECK(facts["full"] == 0);
    CHECK(facts["before a"] == EACCES);
    CHECK(facts["before b"] == 0);
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after a"] == 0); // overridden, not added to
    CHECK(facts["after b"] == EACCES);
    CHECK(facts["after b, full"] == EACCES);
    CHECK(facts["after b, plain"] == EACCES);
    CHECK(facts["room"] == 0);
}

TEST_CASE("no_new_privs reaches the siblings") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    // With the flag of ABI 11, and as ABI 8 to 10 do it.
    const int abi = GENERATE(8, 11);
    if (!kernel_has(abi, "this way to set no_new_privs"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(siblings);
        report_no_new_privs(report, "before", crew);
        KernelSupport support = kernel();
        support.abi = abi;
        const Restriction restriction{.ruleset = &ruleset, .flags = default_flags()};
        report("enforced", outcome(enforce_on_self({&restriction, 1}, support), Reach::process));
        report_no_new_privs(report, "after", crew);
    });
    CAPTURE(abi);
    CHECK(facts["before nnp siblings"] == 0);
    CHECK(facts["before nnp caller"] == 0);
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after nnp siblings"] == all);
    CHECK(facts["after nnp caller"] == 1);
}

TEST_CASE("no_new_privs of the caller reaches the siblings without being asked for") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const bool set = GENERATE(true, false);
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(siblings);
        if (set)
            report.need(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
        report_no_new_privs(report, "before", crew);
        const Restriction restriction{.ruleset = &ruleset, .flags = 0};
        report("enforced", outcome(enforce_on_self({&restriction, 1}, kernel()), Reach::process));
        report_no_new_privs(report, "after", crew);
        report_reading(report, "after", crew, files.a());
    });
    CAPTURE(set);
    CHECK(facts["before nnp siblings"] == 0);
    CHECK(facts["before nnp caller"] == (set ? 1 : 0));
    CHECK(facts["enforced"] == 0);
    CHECK(facts["after nnp siblings"] == (set ? all : 0));
    CHECK(facts["after siblings"] == 0);
}

TEST_CASE("if the caller has no layer left, no thread is restricted") {
    if (!kernel_has(uapi::no_new_privs_abi, "TSYNC that sets no_new_privs"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const int own = GENERATE(uapi::max_layers - 1, uapi::max_layers);
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(siblings);
        report.need(stack_layers(own) == 0, "layers");
        report("enforced", outcome(enforce(ruleset), Reach::process));
        report_reading(report, "after", crew, files.a());
        report_no_new_privs(report, "after", crew);
    });
    CAPTURE(own);
    const bool room = own < uapi::max_layers;
    CHECK(facts["enforced"] == (room ? 0 : E2BIG));
    CHECK(facts["after siblings"] == (room ? 0 : all));
    CHECK(facts["after caller"] == (room ? EACCES : 0));
    CHECK(facts["after nnp siblings"] == (room ? all : 0));
    CHECK(facts["after nnp caller"] == (room ? 1 : 0));
}

TEST_CASE("several rulesets are enforced on all threads, or none of them on any") {
    if (!kernel_has(uapi::no_new_privs_abi, "TSYNC that sets no_new_privs"))
        return;
    const Files files;
    const BuiltRuleset without_a = files.without_a();
    const BuiltRuleset without_b = files.without_b();
    const int own = GENERATE(uapi::max_layers - 2, uapi::max_layers - 1);
    const RestrictOptions options = GENERATE(RestrictOptions{}, on_thread);
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(siblings);
        report.need(stack_layers(own) == 0, "layers");
        const Restriction both[] = {{.ruleset = &without_a, .flags = default_flags()},
                                    {.ruleset = &without_b, .flags = default_flags()}};
        report("enforced", outcome(enforce_on_self(both, kernel(), options), options.reach));
        report_reading(report, "a", crew, files.a());
        report_reading(report, "b", crew, files.b());
        report_no_new_privs(report, "after", crew);
    });
    const bool room = own <= uapi::max_layers - 2;
    const bool reached = room && options.reach == Reach::process;
    CAPTURE(own, reached);
    CHECK(facts["enforced"] == (room ? 0 : E2BIG));
    CHECK(facts["a siblings"] == (reached ? 0 : all));
    CHECK(facts["b siblings"] == (reached ? 0 : all));
    CHECK(facts["a caller"] == (room ? EACCES : 0));
    CHECK(facts["b caller"] == (room ? EACCES : 0));
    CHECK(facts["after nnp siblings"] == (reached ? all : 0));
    CHECK(facts["after nnp caller"] == (room ? 1 : 0));
}

TEST_CASE("threads are reached wherever they are, and go on with it") {
    if (!kernel_has(uapi::tsync_abi, "TSYNC"))
        return;
    const Files files;
    const BuiltRuleset ruleset = files.without_a();
    const Facts facts = in_child([&](const Report& report) {
        Crew crew(3);
        int ends[2];
        report.need(::pipe(ends) == 0, "pipe");
        const int epoll = ::epoll_create1(0);
        std::atomic<int> ready = 0;
        std::atomic<bool> stop = false;
        crew.start(0, [&](std::size_t) { // in a system call that is restarted
            char byte = 0;
            ++ready;
            return ::read(ends[0], &byte, 1) == 1 ? read_file(files.a()) : -errno;
        });
        crew.start(1, [&](std::size_t) { // in one that is not
            epoll_event event{};
            ++ready;
            return ::epoll_wait(epoll, &event, 1, 60'000) < 0 ? errno : -1;
        });
        crew.start(2, [&](std::size_t) { // in no system call
            ++ready;
            while (!stop)
                ;
            return read_file(files.a());
        });
        while (ready < 3 || !is_asleep(crew.tid(0)) || !is_asleep(crew.tid(1)))
            ::usleep(1000);
        report("enforced", outcome(enforce(ruleset), Reach::process));
        stop = true;
        report.need(::write(ends[1], "x", 1) == 1, "write");
        report("reading", crew.finish(0));
        report("waiting", crew.finish(1));
        report("running", crew.finish(2));
    });
    CHECK(facts["enforced"] == 0);
    CHECK(facts["reading"] == EACCES);
    CHECK(facts["waiting"] == EINTR);
    CHECK(facts["running"] == EACCES);
}
