// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Files and directories of policies, on a real file system.
#include "catch.hpp"
#include "fakes.hpp"

#include <filesystem>
#include <fstream>
#include <stdlib.h>
#include <sys/stat.h>

using namespace llexec;
using namespace llexec::testing;

namespace {

constexpr std::string_view valid = "[[ruleset]]\nscoped = [\"signal\"]\n";

/// A directory of its own, removed with everything in it.
class Scratch {
  public:
    Scratch() {
        std::string name = (std::filesystem::temp_directory_path() / "llexec-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = name;
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(root_, ignored);
    }

    [[nodiscard]] std::string path(std::string_view name = {}) const {
        return name.empty() ? root_.string() : (root_ / name).string();
    }

    void write(std::string_view name, std::string_view text) const {
        std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
        std::ofstream(path(name)) << text;
    }

  private:
    std::filesystem::path root_;
};

PolicySet load(const std::vector<std::string>& paths) {
    FakeUsers users;
    return load_policies(paths, users);
}

std::vector<std::string> names(const PolicySet& set) {
    std::vector<std::string> result;
    for (const Policy& policy : set.policies)
        result.push_back(policy.name);
    return result;
}

using Names = std::vector<std::string>;

} // namespace

TEST_CASE("a directory stands for its regular, visible policy files, in name order") {
    const Scratch scratch;
    scratch.write("b.toml", valid);
    scratch.write("a.toml", valid);
    scratch.write("10-z.toml", valid);
    scratch.write(".hidden.toml", "broken");
    scratch.write("c.toml.bak", "broken");
    scratch.write("c.TOML", "broken");
    scratch.write("c.jsonc", "broken");
    scratch.write("J.json",
                  R"({"pathBeneath": [{"allowedAccess": ["execute"], "parent": ["/"]}]})");
    scratch.write("sub/d.toml", "broken");
    std::filesystem::create_symlink("sub/../a.toml", scratch.path("link.toml"));
    const PolicySet set = load({scratch.path()});
    CHECK(set.ok());
    CHECK(set.diagnostics.empty());
    CHECK(set.files == 5);
    CHECK(names(set) == Names{"10-z", "J", "a", "b", "link"});
    CHECK(set.policies[2].file == scratch.path("a.toml"));
}

TEST_CASE("what is named *.toml in a directory and is not a file is ignored, and said so") {
    const Scratch scratch;
    scratch.write("a.toml", valid);
    std::filesystem::create_directory(scratch.path("dir.toml"));
    REQUIRE(::mkfifo(scratch.path("fifo.toml").c_str(), 0600) == 0);
    std::filesystem::create_symlink("/dev/null", scratch.path("null.toml"));
    const PolicySet set = load({scratch.path()});
    CHECK(set.ok());
    CHECK(names(set) == Names{"a"});
    REQUIRE(set.diagnostics.size() == 3);
    for (const Diagnostic& diagnostic : set.diagnostics)
        CHECK(diagnostic.severity == Severity::warning);
    CHECK(set.diagnostics[0].file == scratch.path("dir.toml"));
    CHECK(set.diagnostics[1].file == scratch.path("fifo.toml"));
    CHECK(set.diagnostics[2].file == scratch.path("null.toml"));
}

TEST_CASE("a symbolic link to nothing that is named *.toml in a directory is an error") {
    const Scratch scratch;
    scratch.write("a.toml", valid);
    std::filesystem::create_symlink("nowhere", scratch.path("gone.toml"));
    const PolicySet set = load({scratch.path()});
    CHECK_FALSE(set.ok());
    REQUIRE(set.diagnostics.size() == 1);
    CHECK(set.diagnostics[0].file == scratch.path("gone.toml"));
    CHECK(set.diagnostics[0].message == "cannot open: No such file or directory");
    CHECK(set.diagnostics[0].advice == "mend or remove this symbolic link");
}

TEST_CASE("a directory without a policy is an error") {
    const Scratch scratch;
    scratch.write("readme.txt", "x");
    std::filesystem::create_directory(scratch.path("dir.toml"));
    const PolicySet set = load({scratch.path()});
    CHECK_FALSE(set.ok());
    REQUIRE(set.diagnostics.size() == 2);
    CHECK(set.diagnostics[1].message == "no policy file in this directory");
}

TEST_CASE("a file named as an argument may have any name") {
    const Scratch scratch;
    scratch.write("policy.conf", valid);
    CHECK(names(load({scratch.path("policy.conf")})) == Names{"policy.conf"});
}

TEST_CASE("what cannot be read is an error") {
    const Scratch scratch;
    const PolicySet set = load({scratch.path("missing.toml")});
    CHECK_FALSE(set.ok());
    REQUIRE(set.diagnostics.size() == 1);
    CHECK(set.diagnostics[0].message == "cannot open: No such file or directory");
}

TEST_CASE("a file of the greatest size is read, and a greater one is refused") {
    const Scratch scratch;
    std::string text(valid);
    text.resize(max_policy_file_size, '\n');
    scratch.write("fits.toml", text);
    CHECK(load({scratch.path("fits.toml")}).ok());
    scratch.write("large.toml", text + "\n");
    const PolicySet set = load({scratch.path("large.toml")});
    CHECK_FALSE(set.ok());
    REQUIRE(set.diagnostics.size() == 1);
    CHECK(set.diagnostics[0].message == "larger than 1048576 bytes");
}

TEST_CASE("two policies of one name are an error, whichever of them is valid") {
    const Scratch scratch;
    scratch.write("a/web.toml", valid);
    scratch.write("b/web.toml", valid);
    scratch.write("c/web.toml", "broken");
    const PolicySet set = load({scratch.path("a"), scratch.path("b")});
    CHECK_FALSE(set.ok());
    REQUIRE(set.diagnostics.size() == 1);
    CHECK(set.diagnostics[0].file == scratch.path("b/web.toml"));
    CHECK(set.diagnostics[0].message ==
          "a second policy named 'web': the first is " + scratch.path("a/web.toml"));
    CHECK(load({scratch.path("c"), scratch.path("a")}).diagnostics.size() == 2);
}

TEST_CASE("the findings of all files come out together, and the valid ones are kept apart") {
    const Scratch scratch;
    scratch.write("a.toml", "[[ruleset]]\nscoped = [\"x\"]\n");
    scratch.write("b.toml", valid);
    scratch.write("c.toml", "[[ruleset]]\nscoped = [\"y\"]\n");
    const PolicySet set = load({scratch.path()});
    CHECK_FALSE(set.ok());
    CHECK(set.files == 3);
    CHECK(names(set) == Names{"b"});
    REQUIRE(set.diagnostics.size() == 2);
    CHECK(set.diagnostics[0].file == scratch.path("a.toml"));
    CHECK(set.diagnostics[1].file == scratch.path("c.toml"));
}

TEST_CASE("reading leaves no descriptor behind") {
    const Scratch scratch;
    scratch.write("a.toml", valid);
    scratch.write("b.toml", "broken");
    std::filesystem::create_directory(scratch.path("c.toml"));
    const std::size_t before = open_descriptors();
    CHECK(load({scratch.path(), scratch.path("missing"), scratch.path("a.toml")}).files == 3);
    CHECK(open_descriptors() == before);
}
