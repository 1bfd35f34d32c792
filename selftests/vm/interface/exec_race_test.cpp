// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Slots that change while executions look them up.
#include "catch.hpp"
#include "exec_steps.hpp"
#include "task.hpp"
#include "trace.hpp"

#include <atomic>
#include <csignal>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace interface;

constexpr int executions = 15;
constexpr std::uint64_t fs_read_file = 1U << 2;

/// A process that puts one new ruleset after the other into slot 0.
class Writer {
  public:
    Writer(int map, bool with_delete)
        : updates_(static_cast<std::atomic<unsigned>*>(::mmap(nullptr, sizeof(*updates_),
                                                              PROT_READ | PROT_WRITE,
                                                              MAP_SHARED | MAP_ANONYMOUS, -1, 0))),
          pid_(::fork()) {
        REQUIRE(pid_ >= 0);
        if (pid_ == 0)
            write(map, with_delete);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        ::munmap(updates_, sizeof(*updates_));
    }
    [[nodiscard]] unsigned updates() const { return *updates_; }

  private:
    [[noreturn]] void write(int map, bool with_delete) const {
        const std::uint32_t slot = 0;
        for (;;) {
            const int ruleset = create_ruleset(fs_read_file);
            const auto value = static_cast<std::uint64_t>(ruleset);
            if (ruleset < 0 || bpf_map_update_elem(map, &slot, &value, BPF_ANY) != 0)
                ::_exit(1);
            ++*updates_;
            ::close(ruleset);
            ::usleep(100);
            if (with_delete)
                bpf_map_delete_elem(map, &slot);
        }
    }

    std::atomic<unsigned>* updates_;
    pid_t pid_;
};

/// At least one while each execution is under way, on average.
bool was_busy(const Writer& writer, int ended) {
    return writer.updates() > static_cast<unsigned>(ended);
}

TEST_CASE("race: a slot that is replaced is never seen empty") {
    const Directory directory;
    ExecSteps steps;
    steps.put(0, make_ruleset());
    const Writer writer(steps.rulesets(), false);
    for (const interface_hook hook : all_hooks) {
        steps.set(hook, {restrict_with(0), restrict_with(0)});
        for (int i = 0; i < executions; ++i) {
            CHECK(steps.run(directory.probe(), {"layers"}).results == std::vector<int>{2});
            CHECK(steps.results(hook) == std::vector<int>{0, 0});
        }
        steps.set(hook, {});
    }
    CHECK(was_busy(writer, executions * INTERFACE_HOOKS));
}

TEST_CASE("race: a slot that is emptied has a ruleset or none, and none is lost") {
    const Directory directory;
    ExecSteps steps;
    const Trace trace;
    steps.set(AT_COMMITTING_CREDS, {restrict_with(0), restrict_with(0), restrict_with(0)});
    {
        const Writer writer(steps.rulesets(), true);
        for (int i = 0; i < executions; ++i) {
            const Outcome child = steps.run(directory.probe(), {"layers"});
            int applied = 0;
            for (const int result : steps.results(AT_COMMITTING_CREDS)) {
                CHECK((result == 0 || result == INTERFACE_EMPTY));
                applied += result == 0 ? 1 : 0;
            }
            CHECK(child.results == std::vector<int>{applied});
        }
        CHECK(was_busy(writer, executions));
    }
    const std::uint32_t slot = 0;
    bpf_map_delete_elem(steps.rulesets(), &slot); // whatever the writer left
    CHECK(soon([&] { return trace.unfreed() == 0; }));
}

} // namespace
