// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Replacing what is enforced: at no time nothing, at no time a mix, whatever happens to the loader.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "policies.hpp"
#include "slow_link.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <memory>
#include <sched.h>
#include <thread>

using namespace llexec::vmtest;

namespace {

class Reload {
  public:
    Reload() : world(ext4()) {}

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }
    [[nodiscard]] bool unconfined() const {
        return world.unconfined(run(world.look(world.program)));
    }
    [[nodiscard]] Arguments load_command(const fs::path& policies, const std::string& point) const {
        return {cli(), "--json", "load", "--enforce-at", point, policies};
    }

    World world;
};

/// This process, and what it starts, on one CPU. Attaching changes instructions that a storm of
/// executions is running into; QEMU 7.2, emulating more than one CPU, can execute them as they were
/// (Oops: int3).
class OneCpu {
  public:
    OneCpu() {
        REQUIRE(::sched_getaffinity(0, sizeof(before_), &before_) == 0);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(0, &one);
        REQUIRE(::sched_setaffinity(0, sizeof(one), &one) == 0);
    }
    OneCpu(const OneCpu&) = delete;
    OneCpu& operator=(const OneCpu&) = delete;
    ~OneCpu() { ::sched_setaffinity(0, sizeof(before_), &before_); }

  private:
    cpu_set_t before_{};
};

void sleep_for(std::chrono::microseconds time) {
    std::this_thread::sleep_for(time);
}

/// Times after which something is killed. They close in on the moment at which it takes effect.
class ClosingIn {
  public:
    enum When { early, late };

    /// Does it once, to know how long it takes.
    explicit ClosingIn(const std::function<void()>& work) {
        const auto start = Clock::now();
        work();
        late_ = (Clock::now() - start) * 3 / 2;
    }

    [[nodiscard]] std::chrono::microseconds next() const {
        return std::chrono::duration_cast<std::chrono::microseconds>((early_ + late_) / 2);
    }
    /// What next() was.
    void was(When when) {
        (when == early ? early_ : late_) = next();
        ++(when == early ? times_early_ : times_late_);
        // It takes longer than it did: it has to clean up, or the machine is busy.
        if (times_late_ == 0)
            late_ *= 2;
    }
    [[nodiscard]] bool saw_both() const { return times_early_ > 0 && times_late_ > 0; }

  private:
    using Clock = std::chrono::steady_clock;

    Clock::duration early_{0};
    Clock::duration late_{0};
    int times_early_ = 0;
    int times_late_ = 0;
};

} // namespace

TEST_CASE_METHOD(Reload, "loading again replaces with no moment without enforcement") {
    const std::vector<std::string> points =
        GENERATE(std::vector<std::string>{committing}, std::vector<std::string>{staged},
                 std::vector<std::string>{committing, staged});
    CAPTURE(points);
    constexpr std::uint64_t loads = 6;
    load({{"p", world.policy()}}, points[0]);
    const auto first = status()["generation"].get<std::uint64_t>();
    const fs::path stop = world.root / "stop";
    Process storm({launcher(), "via-repeat:1000000:" + stop.string(), "--", world.program,
                   world.read_closed});
    for (std::uint64_t i = 1; i <= loads; ++i)
        load({{"p", world.policy()}}, points[i % points.size()]);
    CHECK(status()["generation"].get<std::uint64_t>() == first + loads);
    write_file(stop, "");
    const Ended result = storm.wait();
    const std::string ends = result["exec"];
    CAPTURE(ends, result.err);
    CHECK(all_confined(ends));
    CHECK(std::stoi(ends.substr(ends.find("denied ") + 7)) > 100);
    CHECK(status()["executions"]["refused"] == status()["executions"]["killed"]);
}

TEST_CASE_METHOD(Reload, "another version takes over with no moment without enforcement") {
    const auto point = GENERATE(committing, staged);
    CAPTURE(point);
    const OneCpu one_cpu;
    load({{"p", world.policy()}}, point);
    const auto first = status()["generation"].get<std::uint64_t>();
    const BpfObjects before = bpf_objects();
    const fs::path stop = world.root / "stop";
    Process storm({launcher(), "via-repeat:1000000:" + stop.string(), "--", world.program,
                   world.read_closed});
    REQUIRE(pretend_other_version(false));
    load({{"p", world.policy()}}, point);
    CHECK(run({world.program, "layers"})["layers"] == "1");
    write_file(stop, "");
    const std::string ends = storm.wait()["exec"];
    CAPTURE(ends);
    CHECK(all_confined(ends));
    // Other programs, links and constants, the same maps; the kernel frees what was before in its
    // own time.
    CHECK(eventually([&] {
        const BpfObjects now = bpf_objects();
        std::vector<std::uint32_t> kept;
        std::ranges::set_intersection(now.maps, before.maps, std::back_inserter(kept));
        return kept.size() + 1 == before.maps.size() && now.maps.size() == before.maps.size() &&
               now.links.size() == before.links.size() &&
               now.programs.size() == before.programs.size() && now.links != before.links &&
               now.programs != before.programs;
    }));
    const BpfObjects taken_over = bpf_objects();
    load({{"p", world.policy()}}, point);
    CHECK(eventually([&] { return bpf_objects() == taken_over; }));
    CHECK(status()["generation"] == first + 2);
}

TEST_CASE_METHOD(Reload, "another version that cannot load its policies changes nothing") {
    load({{"p", world.policy()}}, committing);
    REQUIRE(pretend_other_version(false));
    const Json before = status();
    const BpfObjects objects = bpf_objects();
    const Ended ended = try_load({{"p", match_exe(cli()) + only(world.open)}}, committing);
    CAPTURE(ended.out, ended.err);
    CHECK(ended.code() == 4);
    CHECK(status() == before);
    CHECK(eventually([&] { return bpf_objects() == objects; }));
    CHECK(confined());
}

TEST_CASE_METHOD(Reload, "a take-over that is killed leaves the old or the new generation") {
    const std::string point = staged; // where programs of two versions could stage a policy twice
    const fs::path policies = write_policies({{"p", world.policy()}});
    const auto pins = [] {
        return std::distance(fs::directory_iterator("/sys/fs/bpf/llexec"), {});
    };
    unload();
    load({{"p", world.policy()}}, point);
    const auto fresh = pins();
    const std::uint64_t own = programs_digest();
    REQUIRE(pretend_other_version(false));
    ClosingIn moment([&] { load({{"p", world.policy()}}, point); });
    for (int i = 0; i < 6; ++i) {
        CAPTURE(i);
        REQUIRE(pretend_other_version(false));
        const std::uint64_t other = programs_digest();
        {
            const Process loader(load_command(policies, point));
            sleep_for(moment.next());
        }
        moment.was(programs_digest() == own ? ClosingIn::late : ClosingIn::early);
        CHECK(confined());
        CHECK(run({world.program, "layers"})["layers"] == "1");
        // Whichever version comes next cleans up: the other one, which knows its own programs.
        const std::uint64_t left = programs_digest();
        CAPTURE(left, own, other);
        REQUIRE(set_programs_digest(left == own ? other : left == other ? own : left));
        load({{"p", world.policy()}}, point);
        CHECK(pins() == fresh);
        CHECK(confined());
        CHECK(status_of("p")["matched"] == 1);
    }
    CHECK(moment.saw_both());
    fs::remove_all(policies);
}

TEST_CASE_METHOD(Reload, "policies are enforced even if what was before cannot be removed") {
    const bool other_version = GENERATE(false, true);
    CAPTURE(other_version);
    load({{"p", match("group = [3000]") + only(world.open)}}, committing);
    const auto first = status()["generation"].get<std::uint64_t>();
    REQUIRE(unconfined());
    // The next set has nothing to store there, and something to remove.
    REQUIRE(freeze_map("llexec_by_group"));
    if (other_version)
        REQUIRE(pretend_other_version(false));
    const std::uint64_t other = programs_digest();
    load({{"p", world.policy()}}, committing);
    CHECK(status()["generation"] == first + 1);
    CHECK((programs_digest() != other) == other_version);
    CHECK(confined());
    // Now it is in the way.
    const Ended ended = try_load({{"q", world.policy()}}, committing);
    CAPTURE(ended.out);
    CHECK(ended.code() == 1);
    CHECK(status()["generation"] == first + 1);
    CHECK(confined());
    unload();
}

TEST_CASE_METHOD(
    Reload, "what has maps of another layout is replaced, with no moment without enforcement") {
    const auto point = GENERATE(committing, staged);
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    sleep_for(std::chrono::seconds(1)); // what only the load needed is freed a little later
    const BpfObjects before = bpf_objects();
    const fs::path stop = world.root / "stop";
    Process storm({launcher(), "via-repeat:1000000:" + stop.string(), "--", world.program,
                   world.read_closed});
    REQUIRE(pretend_other_version(true));
    // Who does not know it neither misreads it nor changes it.
    CHECK(run({cli(), "--json", "status"}).code() == 1);
    const Ended wrong = try_load({{"p", "nonsense"}}, point);
    CHECK(wrong.code() == 4);
    const Ended missing =
        try_load({{"p", world.policy(enforce("missing_paths = \"error\"") +
                                     "[[path_beneath]]\nallowed_access = [\"abi.all\"]\n"
                                     "parent = [\"/nonexistent/path\"]\n")}},
                 point);
    CHECK(missing.code() == 4);
    CHECK(eventually([&] { return bpf_objects() == before; }));
    load({{"p", world.policy()}}, point);
    write_file(stop, "");
    const std::string ends = storm.wait()["exec"];
    CAPTURE(ends);
    CHECK(all_confined(ends));
    // What was detached goes a little later: more than needed, never less.
    CHECK(eventually([&] { return run({world.program, "layers"})["layers"] == "1"; }));
    CHECK(eventually([&] {
        const BpfObjects now = bpf_objects();
        return now.maps.size() == before.maps.size() && now.links.size() == before.links.size() &&
               now.programs.size() == before.programs.size();
    }));
    CHECK(std::distance(fs::directory_iterator("/sys/fs/bpf"), fs::directory_iterator()) == 1);
    unload();
    CHECK(unconfined());
}

TEST_CASE_METHOD(Reload, "an invalid policy changes nothing") {
    const auto point = GENERATE(committing, staged);
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    const Json before = status();
    const auto bpf_before = bpf_objects();
    for (const std::string& text :
         {std::string("[[match"), world.policy("nonsense = 1\n"), only(world.open),
          match_exe(cli()) + only(world.open),
          world.policy(enforce("missing_paths = \"error\"") +
                       "[[path_beneath]]\nallowed_access = [\"abi.all\"]\n"
                       "parent = [\"/nonexistent/path\"]\n")}) {
        const Ended ended = try_load({{"fine", world.policy()}, {"wrong", text}}, point);
        CAPTURE(text, ended.out, ended.err);
        CHECK(ended.code() == 4);
        CHECK(Json::parse(ended.out).contains("error"));
    }
    CHECK(status() == before);
    CHECK(bpf_objects() == bpf_before);
    CHECK(confined());
}

TEST_CASE_METHOD(Reload, "a load that is killed leaves the old or the new generation") {
    const auto point = GENERATE(committing, staged);
    const bool from_nothing = GENERATE(false, true);
    CAPTURE(point, from_nothing);
    const fs::path policies = write_policies({{"p", world.policy()}});
    const auto command = load_command(policies, point);
    if (from_nothing)
        unload();
    else
        load({{"p", world.policy()}}, point);
    ClosingIn moment([&] { REQUIRE(run(command).code() == 0); });
    if (from_nothing)
        unload();
    auto generation = from_nothing ? 0 : status()["generation"].get<std::uint64_t>();
    for (int i = 0; i < 8; ++i) {
        {
            const Process loader(command);
            sleep_for(moment.next());
        }
        const Json now = status();
        CAPTURE(i, now);
        if (from_nothing && now["loaded"] == false) {
            moment.was(ClosingIn::early);
            CHECK(unconfined());
            continue;
        }
        const auto next = now.value("generation", std::uint64_t{0});
        CHECK((next == generation || next == generation + 1));
        moment.was(next == generation ? ClosingIn::early : ClosingIn::late);
        if (next == 0) { // attached, but killed before it made its generation current
            CHECK(unconfined());
            continue;
        }
        generation = next;
        CHECK(now["policies"].size() == 1);
        CHECK(confined());
        if (from_nothing) {
            unload();
            generation = 0;
        }
    }
    CHECK(moment.saw_both());
    // Whoever comes next is not disturbed by what it left, and cleans it up.
    REQUIRE(run(command).code() == 0);
    CHECK(confined());
    CHECK(std::distance(fs::directory_iterator("/sys/fs/bpf"), fs::directory_iterator()) == 1);
    unload();
    CHECK(fs::is_empty("/sys/fs/bpf"));
    fs::remove_all(policies);
}

TEST_CASE_METHOD(Reload, "loads at the same time take turns") {
    const bool from_nothing = GENERATE(false, true);
    CAPTURE(from_nothing);
    const fs::path one = write_policies({{"one", world.policy()}});
    const fs::path two = write_policies({{"two-a", world.policy()}, {"two-b", world.policy()}});
    if (from_nothing)
        unload();
    else
        load({{"p", world.policy()}}, committing);
    const auto first = from_nothing ? 0 : status()["generation"].get<std::uint64_t>();
    std::vector<std::unique_ptr<Process>> loaders;
    for (int i = 0; i < 4; ++i)
        loaders.push_back(std::make_unique<Process>(
            load_command(i % 2 == 0 ? one : two, i < 2 ? committing : staged)));
    std::map<std::uint64_t, std::size_t> sizes;
    for (const auto& loader : loaders) {
        const Ended ended = loader->wait();
        CAPTURE(ended.out, ended.err);
        REQUIRE(ended.code() == 0);
        const Json json = Json::parse(ended.out);
        sizes[json["generation"]] = json["policies"];
    }
    REQUIRE(sizes.size() == 4);
    const Json now = status();
    CHECK(now["generation"] == sizes.rbegin()->first);
    CHECK(now["generation"] == first + 4);
    CHECK(now["policies"].size() == sizes.rbegin()->second);
    CHECK(confined());
    fs::remove_all(one);
    fs::remove_all(two);
}

// After the first hook, a script is gone; what it is beneath has to be known by then.
TEST_CASE_METHOD(Reload,
                 "a script that a reload overtakes is confined by the new policies, or does "
                 "not run") {
    const std::string point = GENERATE(committing, staged);
    CAPTURE(point);
    SlowLink link(world.root / "slow", launcher());
    const fs::path directory = world.root / "scripts";
    const fs::path script = directory / "script";
    fs::create_directory(directory);
    write_file(script, "#!" + link.path().string() + " nnp\n", fs::perms{0755});
    const auto overtaken = [&](const std::string& before, const std::string& after) {
        load({{"p", before + only(world.open)}}, point);
        Process process(world.look(script));
        REQUIRE(link.is_looked_up());
        load({{"p", after + only(world.open)}}, point);
        REQUIRE(link.answer());
        return process.wait();
    };
    const auto beneath = [](const fs::path& path) {
        return match("exe_beneath = [\"" + path.string() + "\"]");
    };
    const std::string nothing = match_exe("/nonexistent");
    CHECK(world.unconfined(overtaken(nothing, nothing)));
    CHECK(world.confined(overtaken(nothing, match_exe(script))));
    CHECK(world.confined(overtaken(nothing, match("cgroup = [\"/vmtest\"]"))));
    CHECK(world.confined(overtaken(beneath(world.closed), beneath(directory))));
    CHECK(world.unconfined(overtaken(beneath(directory), beneath(world.closed))) ==
          (point == committing));
    // There were no rules about directories when it could be looked at.
    const Ended ended = overtaken(match_exe(script), beneath(directory));
    CAPTURE(ended.out, ended.err, ended.status);
    if (point == staged)
        CHECK(ended.err == "execve\terrno 11\n"); // EAGAIN
    else
        CHECK(ended.signal() == 9);
}

TEST_CASE_METHOD(Reload,
                 "a script that is under way when programs are attached is confined by what "
                 "matches its interpreter and its caller") {
    const std::string point = GENERATE(committing, staged);
    const bool first = GENERATE(true, false);
    CAPTURE(point, first);
    SlowLink link(world.root / "slow", world.program);
    const fs::path script = world.root / "script";
    write_file(script, "#!" + link.path().string() + " nnp\n", fs::perms{0755});
    for (const std::string& block :
         {match_exe(world.program), match("cgroup = [\"/vmtest\"]"),
          match("exe_beneath = [\"" + world.program.parent_path().string() + "\"]")}) {
        CAPTURE(block);
        const PolicySet policies{{"p", block + only(world.open)}};
        if (first)
            unload();
        else
            load(policies, point);
        Process process(world.look(script));
        REQUIRE(link.is_looked_up());
        if (!first)
            REQUIRE(pretend_other_version(true));
        load(policies, point);
        REQUIRE(link.answer());
        CHECK(world.confined(process.wait()));
    }
}

TEST_CASE_METHOD(Reload, "what somebody took apart is not taken for what enforces") {
    const fs::path pin =
        fs::path("/sys/fs/bpf/llexec") / GENERATE("link_llexec_select", "link_llexec_select_final",
                                                  "link_llexec_enforce", "link_llexec_fork",
                                                  "prog_llexec_files", "prog_llexec_procs");
    CAPTURE(pin);
    load({{"p", world.policy()}}, committing);
    REQUIRE(confined());
    CHECK(status()["whole"] == true);
    REQUIRE(fs::remove(pin));
    if (pin.filename() == "link_llexec_enforce")
        CHECK(eventually([&] { return unconfined(); }));
    CHECK(status()["whole"] == false);
    load({{"p", world.policy()}}, committing);
    CHECK(fs::exists(pin));
    CHECK(status()["whole"] == true);
    CHECK(confined());
    CHECK(status_of("p")["applied"] == 1);
}
