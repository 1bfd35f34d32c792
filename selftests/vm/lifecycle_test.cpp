// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What is attached stays, goes away completely, and is root's only.
#include "catch.hpp"
#include "kernel_objects.hpp"
#include "policies.hpp"

#include <cctype>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;
const fs::path pins = "/sys/fs/bpf/llexec";

class Lifecycle {
  public:
    Lifecycle() : point(GENERATE(committing, staged)), world(ext4()) {}

    [[nodiscard]] bool confined() const { return world.confined(run(world.look(world.program))); }
    [[nodiscard]] bool unconfined() const {
        return world.unconfined(run(world.look(world.program)));
    }

    std::string point;
    World world;
};

/// Whether a process of that name is there.
bool is_running(const std::string& name) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
        std::ifstream comm(entry.path() / "comm");
        std::string found;
        if (std::getline(comm, found) && found == name)
            return true;
    }
    return false;
}

/// All that is in the BPF file system.
std::set<fs::path> pinned() {
    std::set<fs::path> result;
    for (const auto& entry : fs::recursive_directory_iterator("/sys/fs/bpf"))
        result.insert(entry.path());
    return result;
}

/// bpftool's number: in JSON a value is a number or the bytes of one, by what it knows of the map.
std::uint64_t number_of(const Json& value) {
    if (!value.is_array())
        return value.get<std::uint64_t>();
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < value.size(); ++i)
        number |= std::stoull(value[i].get<std::string>(), nullptr, 16) << (8 * i);
    return number;
}

} // namespace

TEST_CASE_METHOD(Lifecycle, "enforcement survives the loader's exit") {
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    CHECK_FALSE(is_running("llexec"));
    CHECK(confined());
    const Json now = status();
    CHECK(now["loaded"] == true);
    CHECK(now["enforce_at"] == point);
    CHECK(now["policies"].size() == 1);
}

TEST_CASE_METHOD(Lifecycle, "unload leaves no link, program, map or pin behind") {
    CAPTURE(point);
    unload();
    const BpfObjects objects = bpf_objects();
    const auto before = pinned();
    load({{"p", world.policy()}}, point);
    CHECK(confined());
    CHECK(bpf_objects().links.size() > objects.links.size());
    CHECK(bpf_objects().programs.size() > objects.programs.size());
    CHECK(bpf_objects().maps.size() > objects.maps.size());
    CHECK(fs::exists(pins));
    const Process inside({world.program, "sleep:100"});
    REQUIRE(eventually([&] { return status_of("p")["applied"] == 2; }));
    unload();
    CHECK(bpf_objects().links == objects.links);
    CHECK(bpf_objects().programs == objects.programs);
    CHECK(bpf_objects().maps == objects.maps);
    CHECK(pinned() == before);
    CHECK_FALSE(fs::exists(pins));
    CHECK(unconfined());
    CHECK(status() == Json{{"loaded", false}});
    // Not an error, and no change.
    unload();
    CHECK(pinned() == before);
}

TEST_CASE_METHOD(Lifecycle, "no policy keeps itself in force by a rule on what enforces it") {
    CAPTURE(point);
    unload();
    const BpfObjects objects = bpf_objects();
    load({{"p", world.policy()}}, point);
    std::string pins_of_own;
    for (const auto& entry : fs::directory_iterator(pins))
        pins_of_own += "\"" + entry.path().string() + "\", ";
    REQUIRE(pins_of_own.find("/link_llexec_enforce") != std::string::npos);
    load({{"p", world.policy() + "[[path_beneath]]\nallowed_access = [\"abi.all\"]\nparent = [" +
                    pins_of_own + "\"" + std::string(pins) + "\"]\n"}},
         point);
    CHECK(confined());
    unload();
    CHECK(bpf_objects().links == objects.links);
    CHECK(bpf_objects().maps == objects.maps);
    CHECK(unconfined());
}

TEST_CASE_METHOD(Lifecycle, "what runs confined stays confined after unload") {
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    const fs::path go = world.open / "go";
    Process inside({world.program, "wait:" + go.string(), world.read_open, world.read_closed});
    REQUIRE(eventually([&] { return status_of("p")["applied"] == 1; }));
    unload();
    write_file(go, "");
    CHECK(world.confined(inside.wait()));
    CHECK(unconfined());
}

TEST_CASE_METHOD(Lifecycle, "an ordinary user can neither read, change nor unload anything") {
    CAPTURE(point);
    load({{"p", world.policy()}}, point);
    const auto before = status();
    const fs::path policies = write_policies({{"q", match_exe("/nonexistent") + only(world.open)}});
    fs::permissions(policies, fs::perms{0755});
    const InChild user = as_user(somebody, somebody);
    // Where that user can read and execute it, so that nothing but the kernel is in the way.
    const fs::path command = world.root / "bin/llexec";
    fs::copy_file(cli(), command);
    fs::permissions(command, fs::perms{0755});
    REQUIRE(run({command, "check", policies}, user).code() == 0);
    for (const Arguments& arguments : {Arguments{command, "status"},
                                       {command, "events"},
                                       {command, "unload"},
                                       {command, "load", policies}}) {
        const Ended ended = run(arguments, user);
        CAPTURE(arguments[1], ended.out, ended.err);
        CHECK(ended.code() == 1);
        CHECK(ended.out.empty());
        CHECK(ended.err.find("ermi") != std::string::npos); // permission, permitted
    }
    CHECK(run({launcher(), "list:" + pins.string()}, user).code() == 1);
    CHECK(run({launcher(), "read:" + (pins / "llexec_info").string()}, user).code() == 1);
    CHECK(run({launcher(), "unlink:" + (pins / "llexec_rulesets").string()}, user).code() == 1);
    CHECK(run({launcher(), "list:" + pins.string()}).code() == 0);
    CHECK((fs::status(pins).permissions() & fs::perms{0777}) == fs::perms{0700});
    CHECK(status() == before);
    CHECK(confined());
    fs::remove_all(policies);
}

TEST_CASE_METHOD(Lifecycle, "the ruleset map shows the rulesets of status") {
    CAPTURE(point);
    load({{"a", world.policy()}, {"b", world.policy()}, {"c", world.policy()}}, point);
    std::map<std::uint64_t, std::uint64_t> expected;
    for (const char* const name : {"a", "b", "c"}) {
        const Json policy = status_of(name);
        expected[policy["slot"]] = policy["ruleset_id"];
        CHECK(ruleset_id(policy["slot"]) == policy["ruleset_id"]);
    }
    REQUIRE(expected.size() == 3);
    const Ended ended = run({"bpftool", "-j", "map", "dump", "pinned", pins / "llexec_rulesets"});
    CAPTURE(ended.out, ended.err);
    REQUIRE(ended.code() == 0);
    std::map<std::uint64_t, std::uint64_t> shown;
    for (const Json& element : Json::parse(ended.out)) {
        // Depending on its version, bpftool shows the empty slots as errors, or not at all.
        const Json& value = element["value"];
        if (!value.is_object())
            shown[number_of(element["key"])] = number_of(value);
    }
    CHECK(shown == expected);
}

// A map with room for some of them at a time.
TEST_CASE("of programs that are missing, nothing is left where their names are handed over") {
    const World world(ext4());
    load({{"p", match_exe(world.root / "missing/one") + only(world.open)}}, committing);
    const Ended ended = run({"bpftool", "-j", "map", "dump", "pinned", pins / "llexec_suffixes"});
    CAPTURE(ended.out, ended.err);
    CHECK(Json::parse(ended.out) == Json::array());
    unload();
}

// Each has a descriptor open until it is stored.
TEST_CASE("policies are loaded that are more than the limit of open files") {
    const World world(ext4());
    PolicySet policies{{"p", world.policy()}};
    for (int i = 0; i < 100; ++i)
        policies.emplace("other" + std::to_string(i),
                         match_exe(world.root / std::to_string(i)) + only(world.open));
    const Ended ended = run({cli(), "load", write_policies(policies)}, [] {
        const rlimit few{.rlim_cur = 64, .rlim_max = 64};
        ::setrlimit(RLIMIT_NOFILE, &few);
    });
    CAPTURE(ended.err);
    CHECK(ended.code() == 0);
    CHECK(world.confined(run(world.look(world.program))));
    unload();
}

TEST_CASE("what others make in /sys/fs/bpf is refused, and where it leads is left alone") {
    const World world(ext4());
    const fs::path bpf = "/sys/fs/bpf";
    const fs::path victim = world.root / "victim";
    fs::create_directory(victim);
    write_file(victim / "file", "");
    unload();
    for (const std::string& script : {std::string("mkdir -p /sys/fs/bpf/llexec_old/x"),
                                      "ln -s " + victim.string() + " /sys/fs/bpf/llexec_old",
                                      "ln -s " + victim.string() + " /sys/fs/bpf/llexec_new"}) {
        CAPTURE(script);
        fs::permissions(bpf, fs::perms{01777});
        REQUIRE(run({"sh", "-c", script}, as_user(somebody, somebody)).code() == 0);
        for (const Arguments& command :
             {Arguments{cli(), "--json", "unload"}, {cli(), "--json", "probe"}}) {
            const Ended ended = run(command);
            CAPTURE(ended.out, ended.err);
            CHECK(ended.code() == 3);
            CHECK(ended.out.find("chmod 700 /sys/fs/bpf") != std::string::npos);
        }
        const Ended open_to_all = try_load({{"p", world.policy()}}, committing);
        CHECK(open_to_all.code() == 3);
        CHECK(open_to_all.out.find("chmod 700 /sys/fs/bpf") != std::string::npos);
        // What was made before stays.
        fs::permissions(bpf, fs::perms{0700});
        const Ended made_before = try_load({{"p", world.policy()}}, committing);
        CAPTURE(made_before.out);
        CHECK(made_before.code() == 1);
        CHECK(fs::exists(victim / "file"));
        for (const char* const name : {"llexec_old", "llexec_new"})
            fs::remove_all(bpf / name);
        load({{"p", world.policy()}}, committing);
        CHECK(world.confined(run(world.look(world.program))));
        unload();
    }
}
