// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Policies that others than root could have written are not used.
#include "catch.hpp"
#include "llexecd.hpp"

#include <sys/stat.h>
#include <unistd.h>

using namespace llexec::vmtest;

namespace {

constexpr unsigned somebody = 1000;

class Files {
  public:
    Files() : world(ext4()) { place.put("p", world.policy()); }

    /// Whether llexecd, started now, refuses to use the policies, and says why.
    bool refuses(const std::string& why) {
        unload();
        Llexecd daemon(place);
        const bool ready = daemon.is_ready();
        const auto ended = daemon.stop();
        const auto said = daemon.said(why);
        CAPTURE(why, ready, ended.status, Json(daemon.said()).dump(1));
        CHECK(status()["loaded"] == false);
        return !ready && ended.code() == 4 && !said.empty();
    }
    bool accepts() {
        unload();
        Llexecd daemon(place);
        const bool ready = daemon.is_ready();
        static_cast<void>(daemon.stop());
        // The next one has no last good policies to fall back to.
        fs::remove(place.state / "last-good.json");
        return ready && world.confined(run(world.look(world.program)));
    }

    Place place;
    World world;
    fs::path policy = place.policies / "p.toml";
};

} // namespace

TEST_CASE_METHOD(Files, "a policy that others can write to is refused") {
    REQUIRE(accepts());
    for (const unsigned mode : {0664U, 0646U, 0666U}) {
        fs::permissions(policy, fs::perms{mode});
        CHECK(refuses(policy.string() + " can be written to by others than root"));
    }
    fs::permissions(policy, fs::perms{0600});
    CHECK(accepts());
    REQUIRE(::chown(policy.c_str(), somebody, 0) == 0);
    CHECK(refuses(policy.string() + " belongs to user 1000, not to root"));
}

TEST_CASE_METHOD(Files, "a directory above that others can write to is refused") {
    for (const fs::path& directory : {place.policies, place.root}) {
        fs::permissions(directory, fs::perms{0777});
        CHECK(refuses(directory.string() + " can be written to by others than root"));
        // Nor does it help that nobody can remove what is there.
        ::chmod(directory.c_str(), 01777);
        CHECK(refuses(directory.string() + " can be written to by others than root"));
        fs::permissions(directory, fs::perms{0755});
        REQUIRE(::chown(directory.c_str(), somebody, 0) == 0);
        CHECK(refuses(directory.string() + " belongs to user 1000"));
        REQUIRE(::chown(directory.c_str(), 0, 0) == 0);
    }
    CHECK(accepts());
}

TEST_CASE_METHOD(Files, "a link is followed to where root alone can write, and nowhere else") {
    const fs::path elsewhere = place.root / "elsewhere";
    fs::create_directory(elsewhere);
    fs::rename(policy, elsewhere / "policy");
    fs::create_symlink("../elsewhere/policy", policy);
    CHECK(accepts());
    fs::permissions(elsewhere, fs::perms{0777});
    CHECK(refuses(elsewhere.string() + " can be written to by others than root"));
}

TEST_CASE_METHOD(Files, "what a policy includes has to be trusted, too") {
    const fs::path common = place.root / "common.toml";
    write_file(common, "abi = 9\n" + only(world.open));
    place.put("p", "include = [\"../common.toml\"]\n" + match_exe(world.program));
    CHECK(accepts());
    fs::permissions(common, fs::perms{0666});
    CHECK(refuses(common.string() + " can be written to by others than root"));
}

TEST_CASE_METHOD(Files, "settings that others can write to are not used") {
    write_file(place.config, "enforce_at = \"bprm_creds_for_exec\"\n");
    fs::permissions(place.config, fs::perms{0666});
    Llexecd daemon(place);
    REQUIRE(daemon.is_ready());
    CHECK(daemon.said("llexecd.toml can be written to by others than root").size() == 1);
    CHECK(status()["enforce_at"] == committing);
}

TEST_CASE_METHOD(Files, "last good policies that others can write to are not used") {
    {
        Llexecd daemon(place);
        REQUIRE(daemon.is_ready());
    }
    unload();
    place.put("p", "nonsense");
    fs::permissions(place.state / "last-good.json", fs::perms{0666});
    Llexecd daemon(place);
    CHECK_FALSE(daemon.is_ready());
    CHECK(daemon.said("last-good.json can be written to by others than root").size() == 1);
}
