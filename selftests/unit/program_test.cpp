// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a program file is, and its #! lines.
#include "catch.hpp"
#include "fakes.hpp"
#include "program/script.hpp"
#include "program_tree.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

using namespace llexec;
using namespace llexec::testing;
using program::parse_env;
using program::parse_shebang;
using Lines = std::vector<std::string>;

namespace {

/// "interpreter|argument", or "none".
std::string shebang(std::string_view head) {
    const auto parsed = parse_shebang(head);
    return parsed ? parsed->interpreter + "|" + parsed->argument : "none";
}

/// "name|PATH", or "none".
std::string env(std::string_view argument) {
    const auto parsed = parse_env(argument);
    return parsed ? parsed->name + "|" + parsed->path.value_or("default") : "none";
}

/// A tree with /bin/sh, which needs nothing.
struct ScriptTree : ProgramTree {
    ScriptTree() { elf("/bin/sh"); }
};

} // namespace

TEST_CASE("a #! line is read as the kernel reads it") {
    CHECK(shebang("#!/bin/sh\necho") == "/bin/sh|");
    CHECK(shebang("#!/bin/sh") == "/bin/sh|");
    CHECK(shebang("#! \t/bin/sh \t\n") == "/bin/sh|");
    CHECK(shebang("#!/bin/sh  -e  -u \n") == "/bin/sh|-e  -u");
    CHECK(shebang("#!/bin/sh\r\n") == "/bin/sh\r|");
    CHECK(shebang("#!sh\n") == "sh|");
    CHECK(shebang("#!\n") == "none");
    CHECK(shebang("#! \t \n") == "none");
    CHECK(shebang("#!") == "|");
    CHECK(shebang("#") == "none");
    CHECK(shebang("") == "none");
    CHECK(shebang(" #!/bin/sh\n") == "none");
    CHECK(shebang(std::string_view("#!/bin/sh\0x\n", 12)) == "/bin/sh|");
    CHECK(shebang(std::string_view("#!/bin/sh -e\0x\n", 15)) == "/bin/sh|-e");
}

TEST_CASE("the kernel sees 256 bytes of a #! line") {
    const std::string name = "/" + std::string(252, 'x');
    // 255 bytes and the newline; one more, and the name might go on.
    CHECK(shebang("#!" + name + "\n") == name + "|");
    CHECK(shebang("#!" + name + "x\n") == "none");
    CHECK(shebang("#!" + name + "xx\n") == "none");
    CHECK(shebang("#!" + name) == name + "|");
    CHECK(shebang("#!" + std::string(300, ' ') + "/bin/sh\n") == "none");
    // An argument is cut short.
    CHECK(shebang("#!/bin/sh " + std::string(300, 'a')) == "/bin/sh|" + std::string(245, 'a'));
}

TEST_CASE("env takes the rest of the line for one argument") {
    CHECK(env("python3") == "python3|default");
    CHECK(env("python3 -u") == "python3 -u|default");
    CHECK(env("/opt/bin/prog") == "/opt/bin/prog|default");
    CHECK(env("") == "none");
    CHECK(env("-i") == "none");
    CHECK(env("A=1") == "none");
    CHECK(env("--no-such-option") == "none");
    CHECK(env("-x") == "none");
}

TEST_CASE("env -S splits it") {
    CHECK(env("-S python3 -u") == "python3|default");
    CHECK(env("-Spython3 -u") == "python3|default");
    CHECK(env("-vS python3 -u") == "python3|default");
    CHECK(env("--split-string=python3 -u") == "python3|default");
    CHECK(env("-S  A=1 B='x y' python3") == "python3|default");
    CHECK(env("-S -u A -C /tmp -- python3") == "python3|default");
    CHECK(env("-S --unset=A --chdir=/ --debug python3") == "python3|default");
    CHECK(env("-S 'my prog'") == "my prog|default");
    CHECK(env(R"(-S my\_prog)") == "my|default");
    CHECK(env(R"(-S "my\_prog")") == "my prog|default");
    CHECK(env(R"(-S my\ prog)") == "none");
    CHECK(env(R"(-S \#prog)") == "#prog|default");
    CHECK(env(R"(-S 'it\'s')") == "it's|default");
    CHECK(env(R"(-S 'a\tb')") == R"(a\tb|default)");
    CHECK(env(R"(-S a\tb)") == "a\tb|default");
    CHECK(env(R"(-S prog\c x)") == "prog|default");
    CHECK(env("-S A=1 # python3") == "none");
    CHECK(env("-S 'open") == "none");
    CHECK(env(R"(-S prog\)") == "none");
    CHECK(env("-S ''") == "none");
    CHECK(env("-S") == "none");
    CHECK(env("-S ${PROG}") == "none");
}

TEST_CASE("env can set the path for its own look-up") {
    CHECK(env("-S PATH=/opt/bin prog") == "prog|/opt/bin");
    CHECK(env("-S -i prog") == "prog|/bin:/usr/bin");
    CHECK(env("-S - prog") == "prog|/bin:/usr/bin");
    CHECK(env("-iS prog") == "prog|/bin:/usr/bin");
    CHECK(env("-S -u PATH prog") == "prog|/bin:/usr/bin");
    CHECK(env("-S --ignore-environment PATH=/x prog") == "prog|/x");
}

TEST_CASE("a script needs its interpreter and what that needs") {
    ProgramTree tree;
    tree.elf("/bin/tool", {.interpreter = glibc_loader, .needed = {"libc.so.6"}});
    tree.elf(glibc_loader);
    tree.elf("/lib/libc.so.6");
    tree.file("/usr/bin/script", "#!/bin/tool -x\n");
    CHECK(tree.inspect("/usr/bin/script").kind == ProgramKind::script);
    CHECK(tree.needs("/usr/bin/script") ==
          Lines{"script-interpreter /bin/tool < /usr/bin/script",
                "elf-interpreter /lib64/ld-linux-x86-64.so.2 < /bin/tool",
                "library /lib/libc.so.6 < /bin/tool"});
    CHECK(tree.missing("/usr/bin/script").empty());
}

TEST_CASE("an interpreter that the kernel cannot execute is missing") {
    ScriptTree tree;
    tree.file("/a", "#!/bin/sh\r\n");
    CHECK(tree.missing("/a") ==
          Lines{"script-interpreter /bin/sh\r < /a: No such file or directory"});
    tree.file("/b", "#!/etc/text\n");
    tree.file("/etc/text", "text", 0644);
    CHECK(tree.missing("/b") == Lines{"script-interpreter /etc/text < /b: not executable"});
    tree.file("/c", "#!/etc\n");
    CHECK(tree.missing("/c") == Lines{"script-interpreter /etc < /c: not executable"});
    tree.file("/d", "#!");
    CHECK(tree.missing("/d") == Lines{"script-interpreter  < /d: No such file or directory"});
    tree.file("/e", "#!/bin/broken\n");
    tree.file("/bin/broken", "\177ELF and no more");
    CHECK(tree.missing("/e") ==
          Lines{"script-interpreter /bin/broken < /e: it is not an ELF executable or library"});
}

TEST_CASE("scripts can be interpreters, five deep") {
    ScriptTree tree;
    tree.file("/1", "#!/bin/sh\n");
    for (int i = 2; i <= 6; ++i)
        tree.file(fmt::format("/{}", i), fmt::format("#!/{}\n", i - 1));
    CHECK(tree.missing("/5").empty());
    CHECK(tree.needs("/5").back() == "script-interpreter /bin/sh < /1");
    CHECK(tree.needs("/5").size() == 5);
    CHECK(tree.missing("/6") == Lines{"script-interpreter /bin/sh < /1: the kernel follows 5 "
                                      "scripts, and no more"});
    tree.file("/loop", "#!/loop\n");
    CHECK(tree.needs("/loop") == Lines{"script-interpreter /loop < /loop"});
    CHECK(tree.missing("/loop").size() == 1);
}

TEST_CASE("what env executes is needed too") {
    ScriptTree tree;
    tree.elf("/usr/bin/env");
    tree.elf("/usr/bin/prog");
    tree.file("/usr/local/bin/prog", "not executable", 0644);
    tree.file("/script", "#!/usr/bin/env -S prog -x\n");
    CHECK(tree.needs("/script") == Lines{"script-interpreter /usr/bin/env < /script",
                                         "script-interpreter /usr/bin/prog < /script"});
    tree.elf("/opt/prog");
    tree.file("/other", "#!/usr/bin/env -S PATH=/nowhere:/opt prog\n");
    CHECK(tree.needs("/other").back() == "script-interpreter /opt/prog < /other");
    tree.file("/absent", "#!/usr/bin/env no-such\n");
    CHECK(tree.missing("/absent") ==
          Lines{"script-interpreter no-such < /absent: not found in "
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
    tree.file("/words", "#!/usr/bin/env prog -x\n");
    CHECK(tree.missing("/words").size() == 1);
    tree.file("/unknown", "#!/usr/bin/env -S ${PROG}\n");
    CHECK(tree.needs("/unknown") == Lines{"script-interpreter /usr/bin/env < /unknown"});
    CHECK(tree.missing("/unknown").empty());
}

TEST_CASE("scripts that env executes begin a chain of their own, and may go round in circles") {
    ScriptTree tree;
    tree.elf("/usr/bin/env");
    tree.file("/usr/bin/one", "#!/usr/bin/env two\n");
    tree.file("/usr/bin/two", "#!/usr/bin/env one\n");
    CHECK(tree.needs("/usr/bin/one") == Lines{"script-interpreter /usr/bin/env < /usr/bin/one",
                                              "script-interpreter /usr/bin/two < /usr/bin/one",
                                              "script-interpreter /usr/bin/one < /usr/bin/two"});
    for (int i = 0; i < 100; ++i)
        tree.file(fmt::format("/bin/s{}", i), fmt::format("#!/usr/bin/env s{}\n", i + 1));
    const Lines missing = tree.missing("/bin/s0");
    REQUIRE(missing.size() == 1);
    CHECK(missing.front().ends_with("too many programs that execute one another"));
    tree.file("/bin/chain", "#!/usr/bin/env s96\n");
    tree.file("/bin/s100", "#!/bin/sh\n");
    CHECK(tree.missing("/bin/chain").empty());
    CHECK(tree.needs("/bin/chain").back() == "script-interpreter /bin/sh < /bin/s100");
}

TEST_CASE("a relative path starts at the current directory, or at the root that was given") {
    ScriptTree tree;
    tree.file("/script", "#!bin/sh\n");
    CHECK(tree.needs("script") == Lines{"script-interpreter /bin/sh < script"});
    const auto here = std::filesystem::current_path();
    std::filesystem::current_path(tree.root());
    const auto program = inspect_program("script");
    std::filesystem::current_path(here);
    REQUIRE(program.has_value());
    CHECK(program->target == tree.outside("/script"));
    REQUIRE(program->needs.size() == 1);
    CHECK(program->needs.front().path == tree.outside("/bin/sh"));
}

TEST_CASE("what is neither ELF nor script is something else") {
    ProgramTree tree;
    tree.file("/empty", "");
    tree.file("/text", "echo\n", 0644);
    tree.file("/nothing", "#! \n");
    for (const char* const path : {"/empty", "/text", "/nothing"}) {
        const Program program = tree.inspect(path);
        CHECK(program.kind == ProgramKind::other);
        CHECK(program.regular_file);
        CHECK(program.needs.empty());
        CHECK(program.missing.empty());
    }
    CHECK(tree.inspect("/empty").executable);
    CHECK_FALSE(tree.inspect("/text").executable);
}

TEST_CASE("what is not a file is looked at and not opened") {
    ProgramTree tree;
    REQUIRE(::mkfifo(tree.outside("/fifo").c_str(), 0755) == 0);
    // Opening this one would wait for a writer.
    for (const char* const path : {"/fifo", "/"}) {
        const Program program = tree.inspect(path);
        CHECK(program.kind == ProgramKind::other);
        CHECK_FALSE(program.regular_file);
        CHECK_FALSE(program.executable);
        CHECK_FALSE(program.set_user_id);
    }
}

TEST_CASE("a program that cannot be read is an error") {
    ProgramTree tree;
    const auto absent = inspect_program("/absent", tree.root());
    REQUIRE_FALSE(absent.has_value());
    CHECK(absent.error().code == ENOENT);
    CHECK(absent.error().message() == "cannot open /absent: No such file or directory");
    tree.file("/a", "");
    CHECK_FALSE(inspect_program(std::string("/a\0b", 4), tree.root()).has_value());
    CHECK_FALSE(inspect_program("", tree.root()).has_value());
    tree.link("/loop", "/loop");
    CHECK(inspect_program("/loop", tree.root()).error().code == ELOOP);
    const auto no_root = inspect_program("/a", tree.outside("/no-root"));
    REQUIRE_FALSE(no_root.has_value());
    CHECK(no_root.error().code == ENOENT);
    tree.file("/secret", "", 0111);
    if (::geteuid() != 0)
        CHECK(inspect_program("/secret", tree.root()).error().code == EACCES);
}

TEST_CASE("paths do not lead out of the root") {
    ScriptTree tree;
    tree.link("/usr/bin/sh", "/bin/sh");
    tree.link("/up", "../../../../../../../../bin/sh");
    for (const char* const path : {"/usr/bin/sh", "/up", "/../../../../../bin/sh"}) {
        const Program program = tree.inspect(path);
        CHECK(program.path == path);
        CHECK(program.target == "/bin/sh");
        CHECK(program.kind == ProgramKind::elf);
    }
}

TEST_CASE("descriptors are closed again") {
    ScriptTree tree;
    tree.elf("/usr/bin/env");
    tree.file("/script", "#!/usr/bin/env sh\n");
    const std::size_t before = open_descriptors();
    static_cast<void>(tree.inspect("/script"));
    static_cast<void>(other_program_names("/script", tree.root()));
    CHECK(open_descriptors() == before);
}

TEST_CASE("set-user-ID, set-group-ID and capabilities count where the mount honours them") {
    ProgramTree tree;
    struct statvfs mount{};
    REQUIRE(::statvfs(tree.root().c_str(), &mount) == 0);
    const bool honoured = (mount.f_flag & ST_NOSUID) == 0;
    tree.file("/user", "", 04755);
    tree.file("/group", "", 02755);
    tree.file("/locking", "", 02745);
    tree.file("/plain", "", 0755);
    CHECK(tree.inspect("/user").set_user_id == honoured);
    CHECK_FALSE(tree.inspect("/user").set_group_id);
    CHECK(tree.inspect("/group").set_group_id == honoured);
    CHECK_FALSE(tree.inspect("/group").set_user_id);
    CHECK_FALSE(tree.inspect("/locking").set_group_id);
    CHECK_FALSE(tree.inspect("/plain").set_user_id);
    CHECK_FALSE(tree.inspect("/plain").file_capabilities);
    vfs_cap_data capabilities{};
    capabilities.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
    capabilities.data[0].permitted = 1U << CAP_NET_RAW;
    if (::setxattr(tree.outside("/plain").c_str(), "security.capability", &capabilities,
                   sizeof(capabilities), 0) == 0)
        CHECK(tree.inspect("/plain").file_capabilities == honoured);
    else
        WARN("no privilege to give a file capabilities: " << errno);
}

TEST_CASE("the names of a multi-call program") {
    ProgramTree tree;
    tree.elf("/usr/bin/box");
    tree.link("/bin", "usr/bin");
    tree.link("/usr/bin/ls", "box");
    tree.link("/usr/sbin/ifup", "/bin/box");
    tree.hard_link("/usr/local/bin/cat", "/usr/bin/box");
    tree.link("/etc/alternatives/vi", "/usr/bin/box");
    tree.link("/usr/bin/vi", "/etc/alternatives/vi");
    tree.link("/usr/bin/view", "vi");
    tree.link("/usr/bin/box-1.2", "box");
    tree.link("/opt/elsewhere", "/bin/box");
    tree.link("/usr/bin/broken", "nowhere");
    tree.elf("/usr/bin/unrelated");
    const auto names = [&](const std::string& path) {
        const auto result = other_program_names(path, tree.root());
        REQUIRE(result.has_value());
        return *result;
    };
    CHECK(names("/usr/bin/box") == Lines{"cat", "ifup", "ls"});
    CHECK(names("/usr/bin/box-1.2") == Lines{"cat", "ifup", "ls"});
    CHECK(names("/usr/bin/ls") == Lines{"cat", "ifup"});
    CHECK(names("/usr/bin/unrelated").empty());
    CHECK(other_program_names("/absent", tree.root()).error().code == ENOENT);
}

TEST_CASE("versions of a name, and one alias, are the same program") {
    ProgramTree tree;
    tree.elf("/usr/bin/python3.11");
    tree.link("/usr/bin/python3", "python3.11");
    tree.link("/usr/bin/python", "python3");
    tree.elf("/usr/bin/x86_64-linux-gnu-gcc-12");
    tree.link("/usr/bin/gcc-12", "x86_64-linux-gnu-gcc-12");
    tree.link("/usr/bin/gcc", "gcc-12");
    tree.link("/usr/bin/x86_64-linux-gnu-gnatgcc", "gcc-12");
    tree.link("/usr/bin/gnatgcc", "gcc-12");
    tree.elf("/usr/bin/bash");
    tree.link("/usr/bin/rbash", "bash");
    for (const char* const path :
         {"/usr/bin/python3", "/usr/bin/python3.11", "/usr/bin/gcc",
          "/usr/bin/x86_64-linux-gnu-gcc-12", "/usr/bin/bash", "/usr/bin/rbash"})
        CHECK(other_program_names(path, tree.root()).value().empty());
}
