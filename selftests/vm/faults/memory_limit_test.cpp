// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The note about an execution that cannot be kept. It is in task-local storage, which fault
// injection does not reach; but its memory belongs to the control group that the maps were made in,
// which can be full while everybody else has enough.
#include "catch.hpp"
#include "policies.hpp"

#include <cerrno>
#include <fstream>
#include <memory>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

const fs::path cgroups = "/sys/fs/cgroup";

void write_to(const fs::path& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    CAPTURE(path, text);
    REQUIRE(file.good());
}

/// A control group with a limit of its own. This process is in it while something is loaded.
class FullGroup {
  public:
    FullGroup() : group_(cgroups / "fault_tests") {
        write_to(cgroups / "cgroup.subtree_control", "+memory");
        fs::create_directory(group_);
    }
    FullGroup(const FullGroup&) = delete;
    FullGroup& operator=(const FullGroup&) = delete;
    ~FullGroup() {
        ::rmdir(group_.c_str());
        std::ofstream(cgroups / "cgroup.subtree_control") << "-memory";
    }

    void load_in_it(const PolicySet& policies, const std::string& point) const {
        write_to(group_ / "cgroup.procs", "0");
        load(policies, point);
        write_to(cgroups / "vmtest/cgroup.procs", "0");
    }
    /// Nothing more than what it has.
    void fill() const {
        // Gives back what is only kept in reserve, and does not kill, as a limit would.
        write_to(group_ / "memory.high", "0");
        write_to(group_ / "memory.high", "max");
        std::string current;
        std::ifstream(group_ / "memory.current") >> current;
        write_to(group_ / "memory.max", current);
    }
    void empty() const { write_to(group_ / "memory.max", "max"); }

  private:
    fs::path group_;
};

} // namespace

TEST_CASE("faults: an execution about which no note can be kept is refused") {
    const std::string point = GENERATE(committing, staged);
    CAPTURE(point);
    unload();
    const World world(ext4());
    const FullGroup group;
    group.load_in_it({{"p", world.policy()}}, point);
    CHECK(world.confined(run(world.look(world.program))));
    // Programs that stay, and with them their notes, until there is no memory for one more.
    std::vector<std::unique_ptr<Process>> programs;
    bool full = false;
    for (int i = 0; i < 500 && !full; ++i) {
        group.fill();
        programs.push_back(std::make_unique<Process>(Arguments{world.program, "sleep:1000"}));
        const std::string executed = "/proc/" + std::to_string(programs.back()->pid()) + "/exe";
        full = eventually([&] {
                   std::error_code gone;
                   return !programs.back()->is_running() ||
                          fs::read_symlink(executed, gone) == world.program;
               }) &&
               !programs.back()->is_running();
    }
    REQUIRE(full);
    const Ended last = programs.back()->wait();
    CAPTURE(programs.size(), last.status, last.out);
    CHECK(last.code() == 127);
    CHECK(last.err == "execve\terrno " + std::to_string(ENOMEM) + "\n");
    // Nobody can tell whether that is selected, so neither is this executed.
    CHECK(eventually([&] {
        group.fill();
        return run({launcher(), "read:/proc/version"}).err == last.err;
    }));
    group.empty();
    CHECK(world.confined(run(world.look(world.program))));
    CHECK(status()["executions"]["refused"].get<unsigned>() >= 2);
    programs.clear();
    unload();
    CHECK(world.unconfined(run(world.look(world.program))));
}
