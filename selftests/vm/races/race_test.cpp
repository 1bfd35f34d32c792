// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Whatever changes meanwhile, each execution is confined by some complete generation; and in the
// end all that was made is freed. RACE_EXECUTIONS says how many executions each test makes at
// least.
#include "catch.hpp"
#include "interface/task.hpp"
#include "kernel_objects.hpp"
#include "object_counts.hpp"
#include "policies.hpp"
#include "storm.hpp"

#include <bpf/bpf.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t fs_read_file = 1U << 2;
constexpr const char* pinned_rulesets = "/sys/fs/bpf/llexec/llexec_rulesets";

/// At each enforcement point, half of them.
std::uint64_t executions() {
    const char* const value = std::getenv("RACE_EXECUTIONS");
    return (value != nullptr ? std::stoull(value) : 100000) / 2;
}

/// A program, and files in directories of their own.
class RaceWorld {
  public:
    RaceWorld()
        : root(ext4().mount / "race_tests"), program(root / "bin/program"),
          script(root / "bin/script") {
        fs::remove_all(root);
        place_small_probe(program);
        write_file(script, "#!" + program.string() + "\n", fs::perms{0755});
        for (const std::string& name : names()) {
            fs::create_directories(root / name);
            write_file(root / name / "file", "content\n");
        }
    }
    RaceWorld(const RaceWorld&) = delete;
    RaceWorld& operator=(const RaceWorld&) = delete;
    ~RaceWorld() {
        std::error_code ignored;
        fs::remove_all(root, ignored);
    }

    /// The order of vm_small_probe's bits.
    enum File : unsigned { open = 1, a1 = 2, a2 = 4, b1 = 8, b2 = 16, closed = 32, all = 63 };
    static const std::vector<std::string>& names() {
        static const std::vector<std::string> names{"open", "a1", "a2", "b1", "b2", "closed"};
        return names;
    }

    [[nodiscard]] std::vector<std::string> files() const {
        std::vector<std::string> files;
        for (const std::string& name : names())
            files.push_back(root / name / "file");
        return files;
    }
    /// The directories of these files.
    [[nodiscard]] std::vector<fs::path> directories(unsigned files) const {
        std::vector<fs::path> result;
        for (std::size_t i = 0; i < names().size(); ++i)
            if ((files & 1U << i) != 0)
                result.push_back(root / names()[i]);
        return result;
    }
    /// A policy for the program, which can read these files and no others.
    [[nodiscard]] std::string policy(unsigned files) const { return policy(program, files); }
    [[nodiscard]] std::string policy(const fs::path& exe, unsigned files) const {
        std::string parents;
        for (const fs::path& directory : directories(files))
            parents += (parents.empty() ? "\"" : ", \"") + directory.string() + "\"";
        return match_exe(exe) +
               "[[ruleset]]\nhandled_access_fs = [\"read_file\"]\n[[path_beneath]]\n"
               "allowed_access = [\"read_file\"]\nparent = [" +
               parents + "]\n";
    }
    [[nodiscard]] int read_by_one() const { return Launcher(program, files()).run().files; }

    fs::path root;
    fs::path program;
    fs::path script; ///< its interpreter is `program`
};

void say(const std::string& what, const std::string& point, const Storm& storm,
         const std::string& more) {
    std::printf("races  %s, %s: %s%s\n", what.c_str(), point.c_str(), storm.text().c_str(),
                more.c_str());
    std::fflush(stdout);
}

/// Nothing is loaded, before and after, and nothing that was made in between is left.
class Clean {
  public:
    Clean() : objects_((unload(), bpf_objects())) {}

    void check() const {
        unload();
        const Balance rulesets = counts_.rulesets();
        CHECK(counts_.are_balanced());
        CHECK(eventually([&] { return bpf_objects() == objects_; }));
        CHECK_FALSE(fs::exists("/sys/fs/bpf/llexec"));
        CHECK(rulesets.made > 0);
        std::printf("races  %llu rulesets and %llu domains made, %llu and %llu freed\n",
                    static_cast<unsigned long long>(counts_.rulesets().made),
                    static_cast<unsigned long long>(counts_.domains().made),
                    static_cast<unsigned long long>(counts_.rulesets().freed),
                    static_cast<unsigned long long>(counts_.domains().freed));
    }
    [[nodiscard]] std::uint64_t domains() const { return counts_.domains().made; }

  private:
    BpfObjects objects_;
    ObjectCounts counts_;
};

/// The only slot that is filled.
std::uint32_t only_slot(int map) {
    std::uint32_t slot = 0;
    std::uint32_t next = 0;
    REQUIRE(bpf_map_get_next_key(map, nullptr, &slot) == 0);
    REQUIRE(bpf_map_get_next_key(map, &slot, &next) != 0);
    return slot;
}

/// Makes a ruleset that lets these files be read, and puts it into the slot, which then has the
/// only reference to it.
bool fill(int map, std::uint32_t slot, const std::vector<fs::path>& readable) {
    const int ruleset = interface::create_ruleset(fs_read_file);
    bool done = ruleset >= 0;
    for (const fs::path& path : readable)
        done = done && interface::add_path_rule(ruleset, fs_read_file, path.c_str()) == 0;
    const auto value = static_cast<std::uint64_t>(ruleset);
    done = done && bpf_map_update_elem(map, &slot, &value, BPF_ANY) == 0;
    ::close(ruleset);
    return done;
}

} // namespace

TEST_CASE("races: rulesets that are updated and deleted in the map") {
    const std::string point = GENERATE(committing, staged);
    const bool deletes = GENERATE(true, false);
    CAPTURE(point, deletes);
    const RaceWorld world;
    const Clean clean;
    constexpr unsigned in_a = RaceWorld::open | RaceWorld::b1 | RaceWorld::b2;
    constexpr unsigned in_b = RaceWorld::open | RaceWorld::a1 | RaceWorld::a2;
    CHECK(world.read_by_one() == RaceWorld::all);
    load({{"p", world.policy(in_a)}}, point);
    CHECK(world.read_by_one() == in_a);
    const int map = bpf_obj_get(pinned_rulesets);
    REQUIRE(map >= 0);
    const std::uint32_t slot = only_slot(map);
    enum { updates, deletions, failures };
    const auto a = world.directories(in_a);
    const auto b = world.directories(in_b);
    Storm storm(world.program, world.files(), executions());
    storm.disturb_by([&](Counts& counts) {
        for (const auto* const readable : {&a, &b}) {
            counts.disturbances[fill(map, slot, *readable) ? updates : failures]++;
            ::usleep(300);
        }
        if (deletes && bpf_map_delete_elem(map, &slot) == 0)
            counts.disturbances[deletions]++;
        ::usleep(100);
    });
    const auto& disturbances = storm.counts().disturbances;
    storm.run([&] {
        std::this_thread::sleep_for(100ms);
        return disturbances[updates] > 100 && (disturbances[deletions] > 50 || !deletes);
    });
    ::close(map);
    say(deletes ? "the map changes" : "a slot is replaced", point, storm,
        "; " + std::to_string(disturbances[updates]) + " updates, " +
            std::to_string(disturbances[deletions]) + " deletions");
    CHECK(disturbances[failures] == 0);
    // An empty slot: the execution fails or its process is killed. One that is only replaced is
    // never seen empty.
    CHECK(storm.could_read(in_a) > 0);
    CHECK(storm.could_read(in_b) > 0);
    const auto& counts = storm.counts();
    const std::uint64_t not_run = point == committing ? counts.killed : counts.refused;
    CHECK((not_run > 0) == deletes);
    CHECK(storm.could_read(in_a) + storm.could_read(in_b) + not_run == storm.ended());
    CHECK(storm.complete());
    const Json now = status()["executions"];
    CHECK(now[point == committing ? "killed" : "refused"] == not_run);
    clean.check();
}

TEST_CASE("races: policies that are loaded again") {
    const std::string point = GENERATE(committing, staged);
    CAPTURE(point);
    const RaceWorld world;
    const Clean clean;
    constexpr unsigned anything = RaceWorld::all & ~RaceWorld::closed;
    constexpr unsigned in_a = anything & ~(RaceWorld::a1 | RaceWorld::a2);
    constexpr unsigned in_b = anything & ~(RaceWorld::b1 | RaceWorld::b2);
    // Two layers each, so that half a generation can be told from a whole one.
    const PolicySet a{{"first", world.policy(anything & ~RaceWorld::a1)},
                      {"second", world.policy(anything & ~RaceWorld::a2)}};
    const PolicySet b{{"first", world.policy(anything & ~RaceWorld::b1)},
                      {"second", world.policy(anything & ~RaceWorld::b2)}};
    CHECK(world.read_by_one() == RaceWorld::all);
    load(a, point);
    CHECK(world.read_by_one() == in_a);
    load(b, point);
    CHECK(world.read_by_one() == in_b);
    std::uint64_t loads = 0;
    Storm storm(world.program, world.files(), executions());
    storm.run([&] {
        load(++loads % 2 == 0 ? b : a, point);
        return loads >= 6;
    });
    std::uint64_t overtaken = 0;
    for (unsigned files = 0; files <= RaceWorld::all; ++files) {
        const bool more_than_a = (files & ~in_a) == 0 && (files & RaceWorld::open) != 0;
        const bool more_than_b = (files & ~in_b) == 0 && (files & RaceWorld::open) != 0;
        if (files != in_a && files != in_b && (more_than_a || more_than_b))
            overtaken += storm.could_read(files);
    }
    say("policies are loaded again", point, storm,
        "; " + std::to_string(loads) + " loads; in a: " + std::to_string(storm.could_read(in_a)) +
            ", in b: " + std::to_string(storm.could_read(in_b)) +
            ", in one and some of the other: " + std::to_string(overtaken));
    CHECK(storm.could_read(in_a) > 0);
    CHECK(storm.could_read(in_b) > 0);
    CHECK(storm.could_read(in_a) + storm.could_read(in_b) + overtaken == storm.ended());
    CHECK(storm.complete());
    clean.check();
}

TEST_CASE("races: a script's policy that becomes one of its interpreter, and back") {
    const RaceWorld world;
    const Clean clean;
    const PolicySet of_script{{"p", world.policy(world.script, RaceWorld::open)}};
    PolicySet of_interpreter{{"p", world.policy(world.program, RaceWorld::open)}};
    // Before it, in the order of layers: so that the interpreter's decision takes some time.
    for (int i = 10; i < 40; ++i)
        of_interpreter["a" + std::to_string(i)] =
            world.policy(RaceWorld::open) + enforce("mode = \"observe\"");
    // The interpreter's first argument is the script.
    enum Answer : unsigned { script = 1, open = 2, closed = 4 };
    const std::vector<std::string> files{world.root / "open/file", world.root / "closed/file"};
    CHECK(Launcher(world.script, files).run().files == (script | open | closed));
    std::uint64_t loads = 0;
    load(of_script, staged);
    Storm storm(world.script, files, 1000);
    storm.run([&] {
        load(++loads % 2 == 0 ? of_script : of_interpreter, staged);
        return loads >= 20;
    });
    say("policies move between a script and its interpreter", staged, storm, "");
    CHECK(storm.could_read(open) == storm.ended());
    CHECK(storm.complete());
    clean.check();
}

TEST_CASE("races: all CPUs attach the same ruleset at once") {
    const std::string point = GENERATE(committing, staged);
    CAPTURE(point);
    const RaceWorld world;
    const Clean clean;
    constexpr unsigned readable = RaceWorld::open | RaceWorld::b1;
    CHECK(world.read_by_one() == RaceWorld::all);
    load({{"p", world.policy(readable)}}, point);
    Storm storm(world.program, world.files(), executions());
    const std::uint64_t domains = clean.domains();
    storm.run([] {
        std::this_thread::sleep_for(100ms);
        return true;
    });
    say("all attach the same ruleset", point, storm, "");
    CHECK(storm.could_read(readable) == storm.ended());
    CHECK(storm.complete());
    CHECK(status_of("p")["applied"] == storm.ended());
    CHECK(clean.domains() - domains == storm.ended());
    clean.check();
}
