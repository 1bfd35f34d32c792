// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/path_walk.hpp"

#include "catch.hpp"
#include "kernel/path_hash.hpp"
#include "llexec/name_hash.h"
#include "llexec/off_switch.hpp"
#include "llexec/trusted_files.hpp"
#include "shortage.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fs = std::filesystem;
using namespace llexec;

namespace {

class Tree {
  public:
    Tree() : root_(fs::temp_directory_path() / ("path_walk." + std::to_string(::getpid()))) {
        fs::remove_all(root_);
        fs::create_directories(root_ / "a/b");
        root_ = fs::canonical(root_);
        std::ofstream(root_ / "a/file") << "text";
        fs::create_symlink("a/b", root_ / "relative");
        fs::create_symlink(root_ / "a", root_ / "absolute");
        fs::create_symlink("gone/away", root_ / "dangling");
        fs::create_symlink("loop", root_ / "loop");
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() { fs::remove_all(root_); }

    [[nodiscard]] std::string operator()(const std::string& name) const {
        return (root_ / name).string();
    }

    /// Path and missing rest, in one word.
    [[nodiscard]] std::string end_of(const std::string& name) const {
        const auto end = walk_path((*this)(name));
        if (!end)
            return "error " + std::to_string(end.error().code);
        std::string path = end->path == root_ ? "." : fs::relative(end->path, root_).string();
        return path + (end->below.empty() ? "" : " missing " + end->below) +
               (end->ends ? "" : " and out");
    }

  private:
    fs::path root_;
};

} // namespace

TEST_CASE("a walk ends where the kernel would") {
    const Tree tree;
    CHECK(tree.end_of("a/file") == "a/file");
    CHECK(tree.end_of("a//./b/") == "a/b");
    CHECK(tree.end_of("a/b/../file") == "a/file");
    CHECK(tree.end_of("relative") == "a/b");
    CHECK(tree.end_of("absolute/b/../../relative") == "a/b");
    CHECK(walk_path("/")->path == "/");
    CHECK(walk_path("/..")->path == "/");
    CHECK(tree.end_of("loop") == "error " + std::to_string(ELOOP));
    CHECK(walk_path("relative").error().code == EINVAL);
    CHECK(stat_path("/")->st_ino == stat_path("/proc/..")->st_ino);
    CHECK(stat_path("/nothing/at/all").error().code == ENOENT);
    CHECK(stat_path("relative").error().code == EINVAL);
}

TEST_CASE("what is missing is told from the last directory that there is") {
    const Tree tree;
    CHECK(tree.end_of("a/x") == "a missing x");
    CHECK(tree.end_of("a/x/y/z") == "a missing x/y/z");
    CHECK(tree.end_of("dangling") == ". missing gone/away");
    CHECK(tree.end_of("dangling/x") == ". missing gone/away/x");
    CHECK(tree.end_of("a/file/x") == "a missing file/x");
    CHECK(tree.end_of("a/x/../y") == "a missing x/../y and out");
}

TEST_CASE("a visitor sees each name in its directory, and those of links") {
    const Tree tree;
    std::vector<std::string> names;
    const auto end = walk_path(tree("absolute/b/new"), [&](const PathStep& step) -> Result<> {
        names.push_back(step.name + (step.entry == nullptr ? "?" : ""));
        return {};
    });
    REQUIRE(end.has_value());
    REQUIRE(names.size() >= 4);
    CHECK(names.front().empty());
    const std::vector<std::string> last(names.end() - 3, names.end());
    CHECK(last == std::vector<std::string>{"a", "b", "new?"});
    CHECK(std::find(names.begin(), names.end(), "absolute") != names.end());
    CHECK_FALSE(walk_path(tree("a"), [](const PathStep&) -> Result<> {
                    return system_error(EPERM, "no");
                }).has_value());
}

TEST_CASE("links cannot lead through any number of directories") {
    const Tree tree;
    const auto make_link = [&](const std::string& name, int names) {
        std::string target = ".";
        for (int i = 0; i < names / 2; ++i)
            target += "/a/..";
        fs::create_symlink(target + "/a", tree(name));
    };
    make_link("long", 400);
    make_link("longer", 600);
    CHECK(tree.end_of("long") == "a");
    CHECK(tree.end_of("longer") == "error " + std::to_string(ELOOP));
}

TEST_CASE("a link of another user is followed to what is that user's, and to nothing else") {
    const Tree tree;
    const auto give = [&](const std::string& name, uid_t owner) {
        return ::lchown(tree(name).c_str(), owner, static_cast<gid_t>(-1)) == 0;
    };
    const auto same = [&](const std::string& one, const std::string& other) {
        const auto fd = open_named(tree(one));
        struct stat status{};
        struct stat wanted{};
        return fd && ::fstat(fd->get(), &status) == 0 &&
               ::stat(tree(other).c_str(), &wanted) == 0 && status.st_ino == wanted.st_ino &&
               walk_named(tree(one)).has_value();
    };
    CHECK(same("a/file", "a/file"));
    CHECK(same("relative", "a/b"));
    CHECK(same("absolute/file", "a/file"));
    CHECK(open_named(tree("dangling")).error().code == ENOENT);
    CHECK(open_named(tree("a/x")).error().code == ENOENT);
    CHECK(open_named(tree("loop")).error().code == ELOOP);
    CHECK(walk_named(tree("dangling"))->below == "gone/away");
    if (::geteuid() != 0)
        return; // nobody else gives files away
    constexpr uid_t user = 4711;
    for (const char* const link : {"relative", "absolute", "dangling"})
        REQUIRE(give(link, user));
    for (const char* const path : {"relative", "absolute/file", "dangling"}) {
        CAPTURE(path);
        CHECK(open_named(tree(path)).error().kind == ErrorKind::policy);
        CHECK(walk_named(tree(path)).error().kind == ErrorKind::policy);
    }
    CHECK(open_named(tree("relative")).error().message() ==
          "a symbolic link of user 4711 leads to " + tree("a/b") + ", which belongs to user 0");
    REQUIRE(give("a/b", user));
    REQUIRE(give("a/file", user));
    CHECK(same("relative", "a/b"));
    CHECK(same("absolute/file", "a/file"));
    REQUIRE(give("a/file", user + 1));
    CHECK_FALSE(open_named(tree("absolute/file")).has_value());
    CHECK(same("a/file", "a/file"));
}

TEST_CASE("a shortage on the way to what a policy names is doubted, and elsewhere it is one") {
    const Tree tree;
    const auto walked = [&](const auto& walk) {
        std::optional<Error> error;
        testing::without_memory_for_names([&] {
            if (auto end = walk(tree("a/file")); !end)
                error = std::move(end.error());
        });
        REQUIRE(error.has_value());
        return *error;
    };
    for (const Error& error : {walked([](const std::string& path) { return walk_path(path); }),
                               walked([](const std::string& path) { return stat_path(path); }),
                               walked(open_trusted_file)}) {
        CHECK(error.kind == ErrorKind::system);
        CHECK(error.code == ENOMEM);
        CHECK(is_shortage(error));
    }
    for (const Error& error : {walked(walk_named), walked(open_named)}) {
        CHECK(error.kind == ErrorKind::policy);
        CHECK_FALSE(is_shortage(error));
        CHECK(error.message().find("Cannot allocate memory") != std::string::npos);
    }
}

TEST_CASE("links of procfs are followed to what has no path") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK(open_named("/proc/self/fd/" + std::to_string(ends[0])).has_value());
    CHECK(open_named("/dev/fd/" + std::to_string(ends[0])).has_value());
    ::close(ends[0]);
    ::close(ends[1]);
    CHECK_FALSE(open_named("/dev/fd/" + std::to_string(ends[0])).has_value());
}

TEST_CASE("links behind a link of procfs are looked at as all others") {
    const Tree tree;
    const auto behind_root = [&](const std::string& name) {
        return open_named("/proc/self/root" + tree(name));
    };
    CHECK(behind_root("a/file").has_value());
    CHECK(behind_root("absolute/file").has_value());
    CHECK(behind_root("a/x").error().code == ENOENT);
    if (::geteuid() != 0)
        return; // nobody else gives files away
    REQUIRE(::lchown(tree("absolute").c_str(), 4711, static_cast<gid_t>(-1)) == 0);
    CHECK(behind_root("absolute/file").error().kind == ErrorKind::policy);
    CHECK(behind_root("a/file").has_value());
}

TEST_CASE("a relative path is named from the working directory") {
    const Tree tree;
    const auto before = fs::current_path();
    fs::current_path(tree("a"));
    CHECK(open_named("file").has_value());
    CHECK(open_named("../relative").has_value());
    CHECK_FALSE(open_named("relative").has_value());
    fs::current_path(before);
}

TEST_CASE("the hash of missing names is what the programs go on with") {
    const std::uint64_t seed = 4711;
    CHECK(kernel::suffix_hash("", seed) == seed);
    CHECK(kernel::suffix_hash("a/b", seed) == kernel::hash_name(kernel::hash_name(seed, "b"), "a"));
    CHECK(kernel::suffix_hash("a//b/", seed) == kernel::suffix_hash("a/b", seed));
    CHECK(kernel::suffix_hash("a/b", seed) != kernel::suffix_hash("b/a", seed));
}

TEST_CASE("a word of the kernel's command line switches llexec off, and nothing like it does") {
    CHECK(has_off_word("quiet llexec.off ro\n"));
    CHECK(has_off_word("llexec.off=1"));
    CHECK_FALSE(has_off_word(""));
    CHECK_FALSE(has_off_word("llexec.off=0 quiet"));
    CHECK_FALSE(has_off_word("xllexec.off llexec.offx"));
    CHECK_FALSE(has_off_word("quiet -- llexec.off"));
}
