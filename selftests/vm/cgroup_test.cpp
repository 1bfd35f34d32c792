// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// cgroup: a program is confined because of the cgroup that its caller is in, by name.
#include "catch.hpp"
#include "policies.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;
const fs::path mount_point = "/sys/fs/cgroup";

fs::path procs(const std::string& cgroup) {
    return mount_point / fs::path(cgroup).relative_path() / "cgroup.procs";
}

/// Run in the child: moves it there.
InChild in_cgroup(const std::string& cgroup) {
    return [file = procs(cgroup)] {
        const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
        if (fd < 0 || ::write(fd, "0", 1) != 1)
            ::_exit(126);
        ::close(fd);
    };
}

class Cgroups {
  public:
    /// What was loaded before goes: cgroups of the same names are made again.
    Cgroups() : point(GENERATE(committing, staged)), world(ext4()) {
        load({{"p", match_exe("/nonexistent") + only(world.open)}}, point);
    }
    Cgroups(const Cgroups&) = delete;
    Cgroups& operator=(const Cgroups&) = delete;
    ~Cgroups() {
        for (auto path = made_.rbegin(); path != made_.rend(); ++path)
            ::rmdir(path->c_str());
    }

    /// Makes a cgroup, and those above it that are not there.
    void make(const std::string& cgroup) {
        fs::path path = mount_point;
        for (const fs::path& name : fs::path(cgroup).relative_path()) {
            path /= name;
            if (fs::create_directory(path))
                made_.push_back(path);
        }
        REQUIRE(fs::exists(procs(cgroup)));
    }

    void remove(const std::string& cgroup) const {
        REQUIRE(::rmdir(procs(cgroup).parent_path().c_str()) == 0);
    }

    void load_match(const std::string& keys) const {
        load({{"p", match(keys) + only(world.open)}}, point);
    }

    [[nodiscard]] bool confined(const InChild& in_child, const fs::path& program) const {
        const Ended ended = run(world.look(program), in_child);
        CAPTURE(program, ended.out, ended.err, ended.status);
        REQUIRE(world.confined(ended) != world.unconfined(ended));
        return world.confined(ended);
    }
    [[nodiscard]] bool confined(const InChild& in_child) const {
        return confined(in_child, world.program);
    }
    [[nodiscard]] bool confined_in(const std::string& cgroup) const {
        CAPTURE(cgroup);
        return confined(in_cgroup(cgroup));
    }

    std::string point;
    World world;

  private:
    std::vector<fs::path> made_;
};

} // namespace

TEST_CASE_METHOD(Cgroups, "all programs in a cgroup and beneath it are confined, and no others") {
    CAPTURE(point);
    for (const char* const path :
         {"/web/nginx/worker/1", "/web/nginx2", "/web/ngin", "/nginx", "/web/web/nginx"})
        make(path);
    for (const char* const path : {"/web/nginx", "/web/nginx/worker/1"})
        REQUIRE_FALSE(confined_in(path));
    load_match("cgroup = [\"/web/nginx\"]");
    CHECK(confined_in("/web/nginx"));
    CHECK(confined_in("/web/nginx/worker"));
    CHECK(confined_in("/web/nginx/worker/1"));
    CHECK(confined(in_cgroup("/web/nginx"), launcher()));
    CHECK(status_of("p")["applied"] == 4);
    // Names that begin in the same way, what stands above, and the same name elsewhere.
    for (const char* const path :
         {"/web/nginx2", "/web/ngin", "/web", "/", "/nginx", "/web/web/nginx"})
        CHECK_FALSE(confined_in(path));
    CHECK_FALSE(confined({}));
}

TEST_CASE_METHOD(Cgroups, "a cgroup that is made after the load is the one that is meant") {
    CAPTURE(point);
    load_match("cgroup = [\"late/service\"]");
    make("/late/service");
    CHECK(confined_in("/late/service"));
    for (int i = 0; i < 3; ++i) {
        remove("/late/service");
        make("/late/service");
        CHECK(confined_in("/late/service"));
    }
    remove("/late/service");
    remove("/late");
    make("/late/service/inner");
    CHECK(confined_in("/late/service/inner"));
    CHECK_FALSE(confined_in("/late"));
}

TEST_CASE_METHOD(Cgroups, "where the caller is when it executes the program counts") {
    CAPTURE(point);
    make("/in");
    make("/out");
    const fs::path go = world.open / "go";
    const Arguments wait_and_look{launcher(),    "wait:" + go.string(), "--",
                                  world.program, world.read_open,       world.read_closed};
    Process moved_out(wait_and_look, in_cgroup("/in"));
    Process moved_in(wait_and_look, in_cgroup("/out"));
    Process stays(wait_and_look, in_cgroup("/in"));
    const auto wait_for = [](const Process& process, const std::string& cgroup) {
        REQUIRE(eventually([&] {
            return run({"grep", "-qx", std::to_string(process.pid()), procs(cgroup)}).code() == 0;
        }));
    };
    wait_for(moved_out, "/in");
    wait_for(moved_in, "/out");
    wait_for(stays, "/in");
    // They have not been confined when they were started: that was before.
    load_match("cgroup = [\"/in\"]");
    write_file(procs("/out"), std::to_string(moved_out.pid()));
    write_file(procs("/in"), std::to_string(moved_in.pid()));
    wait_for(moved_out, "/out");
    wait_for(moved_in, "/in");
    write_file(go, "");
    CHECK(world.unconfined(moved_out.wait()));
    CHECK(world.confined(moved_in.wait()));
    CHECK(world.confined(stays.wait()));
    // Moving away does not free what is confined.
    const fs::path go_on = world.open / "go-on";
    Process confined_one(
        {world.program, "wait:" + go_on.string(), world.read_open, world.read_closed},
        in_cgroup("/in"));
    REQUIRE(eventually([&] { return status_of("p")["applied"] == 3; }));
    write_file(procs("/out"), std::to_string(confined_one.pid()));
    wait_for(confined_one, "/out");
    write_file(go_on, "");
    CHECK(world.confined(confined_one.wait()));
}

TEST_CASE_METHOD(Cgroups, "a cgroup namespace does not change the name") {
    CAPTURE(point);
    make("/outer/inner");
    const auto in_namespace = [](const std::string& cgroup) {
        return [cgroup] {
            in_cgroup(cgroup)();
            if (::unshare(CLONE_NEWCGROUP) != 0)
                ::_exit(126);
        };
    };
    REQUIRE_FALSE(confined(in_namespace("/outer/inner")));
    load_match("cgroup = [\"/outer/inner\"]");
    CHECK(confined(in_namespace("/outer/inner")));
    CHECK(confined(in_namespace("/outer/inner")));
    // What the namespace shows as its root is not that of the policy.
    load_match("cgroup = [\"/inner\"]");
    CHECK_FALSE(confined(in_namespace("/outer/inner")));
}

TEST_CASE_METHOD(Cgroups, "the root of the cgroups is every caller") {
    CAPTURE(point);
    make("/any/where");
    load_match("cgroup = [\"/\"]\nuser = [1000]");
    const InChild user = as_user(somebody, somebody);
    for (const char* const path : {"/", "/any", "/any/where"})
        CHECK(confined([&] {
            in_cgroup(path)();
            user();
        }));
    CHECK(confined(user));
    CHECK_FALSE(confined({}));
    CHECK_FALSE(confined_in("/any/where"));
}

TEST_CASE_METHOD(Cgroups, "a cgroup and other keys have to hold both") {
    CAPTURE(point);
    make("/both/in");
    make("/not");
    const InChild user = as_user(somebody, somebody);
    const auto as_user_in = [&](const std::string& cgroup) {
        return [&user, cgroup] {
            in_cgroup(cgroup)();
            user();
        };
    };
    load_match("cgroup = [\"/nowhere\", \"/both\"]\nuser = [1000]");
    CHECK(confined(as_user_in("/both/in")));
    CHECK_FALSE(confined(as_user_in("/not")));
    CHECK_FALSE(confined_in("/both/in"));

    load_match("cgroup = [\"/both\"]\ngroup = [3000]");
    CHECK(confined([&] {
        in_cgroup("/both/in")();
        as_user(somebody, somebody, {3000})();
    }));
    CHECK_FALSE(confined(as_user_in("/both/in")));

    load_match("cgroup = [\"/both\"]\nexe = [\"" + world.program.string() + "\"]");
    CHECK(confined_in("/both/in"));
    CHECK_FALSE(confined_in("/not"));
    CHECK_FALSE(confined(in_cgroup("/both/in"), launcher()));
    // By its script, too.
    load_match("cgroup = [\"/both\"]\nexe = [\"" + world.script.string() + "\"]");
    CHECK(confined(in_cgroup("/both/in"), world.script));
    CHECK_FALSE(confined(in_cgroup("/not"), world.script));

    load_match("cgroup = [\"/both\"]\nexe_beneath = [\"" + world.program.parent_path().string() +
               "\"]");
    CHECK(confined_in("/both/in"));
    CHECK_FALSE(confined_in("/not"));
    CHECK_FALSE(confined(in_cgroup("/both/in"), launcher()));

    load_match("cgroup = [\"/both\"]\nexe = [\"" + world.program.string() +
               "\"]\nexe_beneath = [\"" + world.root.string() + "\"]\nuser = [1000]");
    CHECK(confined(as_user_in("/both/in")));
    CHECK_FALSE(confined(as_user_in("/not")));
    CHECK_FALSE(confined_in("/both/in"));
}

TEST_CASE_METHOD(Cgroups, "cgroups are told apart at the last level that a policy can name") {
    CAPTURE(point);
    std::string above = "/deep";
    for (int i = 0; i < 30; ++i)
        above += "/x";
    const std::string last = above + "/" + std::string(200, 'n');
    make(last + "/y/y/y");
    make(above + "/other/y");
    load_match("cgroup = [\"" + last + "\"]");
    CHECK(confined_in(last));
    CHECK(confined_in(last + "/y/y/y"));
    CHECK_FALSE(confined_in(above));
    CHECK_FALSE(confined_in(above + "/other/y"));
    load_match("cgroup = [\"/deep\"]");
    CHECK(confined_in(last + "/y/y/y"));
}
