// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/ruleset_cache.hpp"

#include "catch.hpp"
#include "llexec/path_walk.hpp"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace llexec;

namespace {

/// A kernel that takes everything, with the paths of this machine.
class Kernel final : public LandlockSyscalls {
  public:
    int abi_version() override { return 7; }
    int errata() override { return 0; }
    int create_ruleset(const RulesetAttr& /*attr*/) override {
        ++created;
        return ::open("/dev/null", O_PATH | O_CLOEXEC);
    }
    int add_path_rule(int, std::uint64_t, int, std::uint32_t) override { return path_answer; }
    int add_port_rule(int, std::uint64_t, std::uint64_t, std::uint32_t) override { return 0; }
    int restrict_self(int, std::uint32_t) override { return -EPERM; }
    Result<UniqueFd> open_path(const std::string& path) override { return open_named(path); }
    Result<FileKind> kind_of(int fd) override {
        struct stat status{};
        return ::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) ? FileKind::directory
                                                                    : FileKind::other;
    }
    int set_no_new_privs() override { return -EPERM; }
    int thread_count() override { return 1; }

    int created = 0;
    int path_answer = 0;
};

class Cached {
  public:
    Cached() : root_("/dev/shm/ruleset_cache." + std::to_string(::getpid())) {
        fs::remove_all(root_);
        fs::create_directories(root_ / "granted");
        policy.name = policy.file = "p";
        policy.handled.fs = policy_right;
        policy.paths = {{(root_ / "granted").string(), policy_right, false, {}}};
    }
    Cached(const Cached&) = delete;
    Cached& operator=(const Cached&) = delete;
    ~Cached() { fs::remove_all(root_); }

    /// One load of these policies. How many of them got a new ruleset, or -1.
    int made_anew(const std::vector<Policy>& policies) {
        const int before = kernel.created;
        cache.begin();
        for (const Policy& one : policies)
            if (!cache.build(one, support, kernel))
                return -1;
        cache.end();
        return kernel.created - before;
    }

    static constexpr std::uint64_t policy_right = 1U << 2; // read_file
    const KernelSupport support{.abi = 7, .rights = rights_of_abi(7)};
    Kernel kernel;
    RulesetCache cache;
    Policy policy;
    fs::path root_;
};

} // namespace

TEST_CASE_METHOD(Cached, "a policy that says the same about the same objects keeps its ruleset") {
    CHECK(made_anew({policy}) == 1);
    CHECK(made_anew({policy}) == 0);
    Policy other = policy;
    other.name = other.file = "q";
    CHECK(made_anew({other, policy}) == 1);
    CHECK(made_anew({policy, other}) == 0);
    other.paths[0].quiet = true;
    CHECK(made_anew({policy, other}) == 1);
    other.handled.net = 1;
    CHECK(made_anew({policy, other}) == 1);
    other.paths[0].grants = {{.access = policy_right, .file = 0, .position = {3, 4}}};
    CHECK(made_anew({policy, other}) == 1); // what is said about it has other lines
    CHECK(made_anew({policy, other}) == 0);
    // The kernel tells whether a layer that is there already has this.
    other.enforce.no_new_privs = !other.enforce.no_new_privs;
    CHECK(made_anew({policy, other}) == 0);
    // What was left out in between is made anew.
    CHECK(made_anew({policy}) == 0);
    CHECK(made_anew({policy, other}) == 1);
}

TEST_CASE_METHOD(Cached, "another object at a path of a policy makes another ruleset") {
    policy.paths.push_back({(root_ / "later").string(), policy_right, false, {}});
    CHECK(made_anew({policy}) == 1);
    CHECK(made_anew({policy}) == 0);
    std::ofstream(root_ / "later") << "1";
    CHECK(made_anew({policy}) == 1);
    CHECK(made_anew({policy}) == 0);
    std::ofstream(root_ / "later") << "2"; // the same file
    CHECK(made_anew({policy}) == 0);
    std::ofstream(root_ / "fresh") << "3";
    fs::rename(root_ / "fresh", root_ / "later");
    CHECK(made_anew({policy}) == 1);
    fs::create_directory(root_ / "other");
    fs::remove(root_ / "later");
    fs::create_directory_symlink("other", root_ / "later");
    CHECK(made_anew({policy}) == 1);
    fs::create_directory_symlink("granted", root_ / "fresh");
    fs::rename(root_ / "fresh", root_ / "later");
    CHECK(made_anew({policy}) == 1);
    fs::remove(root_ / "later");
    CHECK(made_anew({policy}) == 1);
    CHECK(made_anew({policy}) == 0);
}

TEST_CASE_METHOD(Cached, "what cannot be told from another object makes a ruleset each time") {
    // Whatever file system it is, what is mounted stays.
    for (const char* const mounted : {"/proc", "/dev/pts"})
        policy.paths.push_back({mounted, policy_right, false, {}});
    CHECK(made_anew({policy}) == 1);
    CHECK(made_anew({policy}) == 0);
    policy.paths.push_back({"/proc/self/status", policy_right, false, {}});
    CHECK(made_anew({policy}) == 1);
    CHECK(made_anew({policy}) == 1);
}

TEST_CASE_METHOD(Cached,
                 "a policy of which nothing is missing keeps its ruleset when that need not be") {
    policy.enforce.missing_paths = MissingPaths::error;
    CHECK(made_anew({policy}) == 1);
    Policy lenient = policy;
    lenient.enforce.missing_paths = MissingPaths::warn;
    CHECK(made_anew({lenient}) == 0);
    CHECK(made_anew({policy}) == 0);
    // The other way round it is not known.
    lenient.name = "q";
    CHECK(made_anew({lenient}) == 1);
    lenient.enforce.missing_paths = MissingPaths::error;
    CHECK(made_anew({lenient}) == 1);
}

TEST_CASE_METHOD(Cached, "a load that fails costs no ruleset that there was") {
    Policy other = policy;
    other.name = other.file = "q";
    other.handled.net = 1;
    CHECK(made_anew({policy, other}) == 2);
    Policy bad = policy;
    bad.name = bad.file = "r";
    kernel.path_answer = -EIO;
    CHECK(made_anew({policy, bad, other}) == -1);
    kernel.path_answer = 0;
    CHECK(made_anew({policy, other}) == 0);
}

TEST_CASE_METHOD(Cached, "a load that fails keeps nothing that it made") {
    CHECK(made_anew({policy}) == 1);
    Policy fresh = policy;
    fresh.name = fresh.file = "q";
    Policy short_of = policy;
    short_of.name = short_of.file = "r";
    short_of.handled.net = 1;
    std::erase_if(fresh.paths, [](const PathRule&) { return true; });
    kernel.path_answer = -EIO;
    CHECK(made_anew({fresh, short_of}) == -1);
    kernel.path_answer = 0;
    CHECK(made_anew({policy, fresh}) == 1);
}
