// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Which policies an execution would get, and why not the others.
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/selection.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace llexec;
using namespace llexec::testing;
namespace fs = std::filesystem;

namespace {

class Files {
  public:
    Files() {
        std::string name = (fs::temp_directory_path() / "llexec-select-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = fs::canonical(name);
        fs::create_directories(root_ / "bin/deep");
        fs::create_directories(root_ / "bin2");
        for (const char* file : {"bin/deep/a", "bin2/b"})
            std::ofstream(root_ / file) << "text\n";
        std::ofstream(root_ / "bin/script") << fmt::format("#!{}\n", (root_ / "bin2/b").string());
        std::ofstream(root_ / "bin/env-script") << "#!/usr/bin/env sh\n";
        for (const char* file : {"bin/deep/a", "bin2/b", "bin/script", "bin/env-script"})
            fs::permissions(root_ / file, fs::perms(0755));
        fs::create_symlink("bin/deep/a", root_ / "link");
        fs::create_hard_link(root_ / "bin/deep/a", root_ / "bin2/hard");
        fs::create_directory_symlink("bin", root_ / "bin-link");
    }
    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;
    ~Files() {
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    [[nodiscard]] std::string operator/(std::string_view below) const { return root_ / below; }

  private:
    fs::path root_;
};

Selection select(std::string_view match, const std::string& exe, const Execution& execution = {}) {
    const Policy policy = parse_valid(fmt::format("{}[[ruleset]]\nscoped = [\"signal\"]\n", match));
    const auto files = executed_files(exe);
    REQUIRE(files.has_value());
    return select_policy(policy, execution, *files);
}

std::string exe(const std::string& path) {
    return fmt::format("[[match]]\nexe = [\"{}\"]\n", path);
}

std::string beneath(const std::string& path) {
    return fmt::format("[[match]]\nexe_beneath = [\"{}\"]\n", path);
}

} // namespace

TEST_CASE("exe is the file, by any of its names") {
    const Files files;
    CHECK(select(exe(files / "bin/deep/a"), files / "bin/deep/a").selected);
    CHECK(select(exe(files / "bin/deep/a"), files / "link").selected);
    CHECK(select(exe(files / "link"), files / "bin/deep/a").selected);
    CHECK(select(exe(files / "bin/deep/a"), files / "bin2/hard").selected);
    const Selection other = select(exe(files / "bin2/b"), files / "bin/deep/a");
    CHECK_FALSE(other.selected);
    CHECK(other.reasons ==
          std::vector<std::string>{fmt::format("the program is not {}", files / "bin2/b")});
}

TEST_CASE("a link that loading does not follow selects nothing, and it is said why") {
    const Files files;
    if (::geteuid() != 0)
        return; // nobody else gives files away
    const auto reason = [&](const std::string& match) {
        const Selection selection = select(match, files / "bin/deep/a");
        return selection.selected ? std::string() : selection.reasons.front();
    };
    CHECK(reason(exe(files / "link")).empty());
    CHECK(reason(beneath(files / "bin-link")).empty());
    for (const char* const link : {"link", "bin-link"})
        REQUIRE(::lchown((files / link).c_str(), 4711, static_cast<gid_t>(-1)) == 0);
    CHECK(reason(exe(files / "link")) ==
          fmt::format("the program is not {} (a symbolic link of user 4711 leads to {}, which "
                      "belongs to user 0)",
                      files / "link", files / "bin/deep/a"));
    CHECK(reason(beneath(files / "bin-link")).starts_with("the program is not beneath"));
}

TEST_CASE("a script is selected by its own file and by the interpreter that the kernel executes") {
    const Files files;
    CHECK(select(exe(files / "bin/script"), files / "bin/script").selected);
    CHECK(select(exe(files / "bin2/b"), files / "bin/script").selected);
    CHECK(select(exe("/usr/bin/env"), files / "bin/env-script").selected);
    // What env executes is an execution of its own.
    CHECK_FALSE(select(exe("/bin/sh"), files / "bin/env-script").selected);
}

TEST_CASE("scripts that are one another's interpreters are refused as the kernel refuses them") {
    const Files files;
    const auto script = [&](const std::string& name, const std::string& interpreter) {
        std::ofstream(files / name) << fmt::format("#!{}\n", files / interpreter);
        fs::permissions(files / name, fs::perms(0755));
    };
    script("itself", "itself");
    script("there", "back");
    script("back", "there");
    for (const char* const name : {"itself", "there"})
        CHECK(executed_files(files / name).error().code == ELOOP);

    script("s5", "bin2/b");
    for (int i = 4; i >= 0; --i)
        script(fmt::format("s{}", i), fmt::format("s{}", i + 1));
    CHECK(executed_files(files / "s1")->interpreter == files / "bin2/b");
    CHECK(executed_files(files / "s0").error().code == ELOOP);
}

TEST_CASE("exe_beneath is any depth, through links, and no sibling") {
    const Files files;
    CHECK(select(beneath(files / "bin"), files / "bin/deep/a").selected);
    CHECK(select(beneath(files / "bin-link"), files / "bin/deep/a").selected);
    CHECK(select(beneath("/"), files / "bin/deep/a").selected);
    CHECK_FALSE(select(beneath(files / "bin"), files / "bin2/b").selected);
    CHECK_FALSE(select(beneath(files / "bin"), files / "bin2/hard").selected);
    // The script stands there, though its interpreter does not.
    CHECK(select(beneath(files / "bin"), files / "bin/script").selected);
    CHECK(select(beneath(files / "bin2"), files / "bin/script").selected);
}

TEST_CASE("exe and exe_beneath hold for one file together") {
    const Files files;
    const std::string both = fmt::format("[[match]]\nexe = [\"{}\"]\nexe_beneath = [\"{}\"]\n",
                                         files / "bin/script", files / "bin2");
    CHECK_FALSE(select(both, files / "bin/script").selected);
}

TEST_CASE("users, groups and cgroups") {
    const Files files;
    const std::string program = files / "bin2/b";
    const Execution www{.user = 33, .groups = {33, 5}, .cgroup = "/system.slice/a.service"};
    CHECK(select("[[match]]\nuser = [33]\n", program, www).selected);
    CHECK_FALSE(select("[[match]]\nuser = [34]\n", program, www).selected);
    CHECK(select("[[match]]\ngroup = [5]\n", program, www).selected);
    CHECK_FALSE(select("[[match]]\ngroup = [6]\n", program, www).selected);
    CHECK(select("[[match]]\ncgroup = [\"/\"]\n", program, www).selected);
    CHECK(select("[[match]]\ncgroup = [\"system.slice\"]\n", program, www).selected);
    CHECK(select("[[match]]\ncgroup = [\"/system.slice/a.service\"]\n", program, www).selected);
    CHECK_FALSE(select("[[match]]\ncgroup = [\"/system.slice/a.serv\"]\n", program, www).selected);
    const Selection none =
        select("[[match]]\nuser = [0]\ncgroup = [\"/x\"]\n[[match]]\nuser = [1]\n", program, www);
    CHECK(none.reasons == std::vector<std::string>{"the cgroup /system.slice/a.service is not "
                                                   "beneath /x; user 33 is not 0",
                                                   "user 33 is not 1"});
    CHECK(select("[[match]]\nuser = [0]\n[[match]]\nuser = [33]\n", program, www).block.line == 3);
}

TEST_CASE("llexec itself is never selected when root executes it") {
    const Files files;
    const std::string every_cgroup = "[[match]]\ncgroup = [\"/\"]\n";
    const auto script = [&](const std::string& name, const std::string& interpreter) {
        std::ofstream(files / name) << fmt::format("#!{}\n", interpreter);
        fs::permissions(files / name, fs::perms(0755));
        return files / name;
    };
    // This program stands for llexec.
    const std::string self = fs::read_symlink("/proc/self/exe");
    const Execution root{.user = 0, .groups = {}, .cgroup = "/"};
    for (const std::string& program : {self, script("by-llexec", self)}) {
        CHECK(select(every_cgroup, program, root).reasons ==
              std::vector<std::string>{"llexec itself is never selected when root executes it"});
        CHECK(select(every_cgroup, program, {.user = 1, .groups = {}, .cgroup = "/"}).selected);
    }
    CHECK(select(every_cgroup, files / "bin2/b", root).selected);
}

TEST_CASE("an execution has a limit of policies, and one of layers") {
    CHECK(beyond_limits(32, 16).empty());
    CHECK(beyond_limits(32, 17).starts_with("more than 16 policies are to be enforced"));
    CHECK(beyond_limits(33, 0).starts_with("more than 32 policies select this execution"));
}

TEST_CASE("a policy without a block is never selected") {
    const Files files;
    CHECK(select("", files / "bin2/b").reasons ==
          std::vector<std::string>{"it has no [[match]] block"});
}
