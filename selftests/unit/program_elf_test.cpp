// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The files that ld.so opens for a program.
#include "catch.hpp"
#include "program_tree.hpp"

#include <fmt/format.h>

#include <cerrno>

using namespace llexec;
using namespace llexec::testing;
using Lines = std::vector<std::string>;

namespace {

/// A tree with glibc's ld.so.
struct GlibcTree : ProgramTree {
    GlibcTree() { elf(glibc_loader, {.soname = "ld-linux-x86-64.so.2"}); }

    /// A program that is linked with `spec`.
    void program(std::string_view path, ElfSpec spec) const {
        spec.interpreter = glibc_loader;
        elf(path, spec);
    }
};

constexpr const char* musl_loader = "/lib/ld-musl-x86_64.so.1";

} // namespace

TEST_CASE("what is linked statically needs nothing") {
    ProgramTree tree;
    tree.elf("/a");
    tree.elf("/pie", {.needed = {"libc.so.6"}});
    for (const char* const path : {"/a", "/pie"}) {
        const Program program = tree.inspect(path);
        CHECK(program.kind == ProgramKind::elf);
        CHECK(program.needs.empty());
        CHECK(program.missing.empty());
    }
}

TEST_CASE("libraries are found breadth first, each once, also in a circle") {
    GlibcTree tree;
    tree.program("/bin/a", {.needed = {"lib1.so", "lib2.so"}});
    tree.elf("/lib/lib1.so", {.needed = {"lib3.so", "lib2.so", "ld-linux-x86-64.so.2"}});
    tree.elf("/lib/lib2.so", {.needed = {"lib4.so", "lib1.so"}});
    tree.elf("/usr/lib/lib3.so", {.needed = {"lib3.so"}});
    tree.elf("/usr/lib64/lib4.so", {.needed = {"lib1.so"}});
    CHECK(tree.needs("/bin/a") == Lines{"elf-interpreter /lib64/ld-linux-x86-64.so.2 < /bin/a",
                                        "library /lib/lib1.so < /bin/a",
                                        "library /lib/lib2.so < /bin/a",
                                        "library /usr/lib/lib3.so < /lib/lib1.so",
                                        "library /usr/lib64/lib4.so < /lib/lib2.so"});
    CHECK(tree.missing("/bin/a").empty());
}

TEST_CASE("an interpreter that the kernel does not take is missing") {
    ProgramTree tree;
    tree.elf("/a", {.interpreter = glibc_loader});
    CHECK(tree.missing("/a") == Lines{"elf-interpreter /lib64/ld-linux-x86-64.so.2 < /a: No such "
                                      "file or directory"});
    const auto with = [&](const ElfSpec& spec) {
        tree.elf(glibc_loader, spec);
        return tree.missing("/a").size();
    };
    CHECK(with({}) == 0);
    CHECK(with({.is_64bit = false}) == 1);
    CHECK(with({.little_endian = false}) == 1);
    CHECK(with({.machine = EM_AARCH64}) == 1);
    tree.file(glibc_loader, "#!/bin/sh\n");
    CHECK(tree.missing("/a").size() == 1);
    tree.file(glibc_loader, elf_bytes({}), 0644);
    CHECK(tree.missing("/a") ==
          Lines{"elf-interpreter /lib64/ld-linux-x86-64.so.2 < /a: not executable"});
}

TEST_CASE("a library that no directory has is missing") {
    GlibcTree tree;
    tree.program("/a", {.needed = {"lib1.so", "absent.so"}});
    tree.elf("/lib/lib1.so", {.needed = {"absent.so", "gone.so"}});
    CHECK(tree.missing("/a") ==
          Lines{"library absent.so < /a: not found", "library gone.so < /lib/lib1.so: not found"});
}

TEST_CASE("a library for another machine is passed over, and so is what is none") {
    GlibcTree tree;
    tree.program("/a", {.needed = {"lib.so"}});
    tree.elf("/usr/lib/lib.so");
    REQUIRE(tree.libraries("/a") == Lines{"/usr/lib/lib.so"});
    const auto before = [&](const ElfSpec& spec) {
        tree.elf("/lib/lib.so", spec);
        return tree.libraries("/a").front();
    };
    CHECK(before({}) == "/lib/lib.so");
    CHECK(before({.is_64bit = false}) == "/usr/lib/lib.so");
    CHECK(before({.little_endian = false}) == "/usr/lib/lib.so");
    CHECK(before({.machine = EM_RISCV}) == "/usr/lib/lib.so");
    tree.file("/lib/lib.so", "INPUT(elsewhere.so)");
    CHECK(tree.libraries("/a") == Lines{"/usr/lib/lib.so"});
    tree.file("/lib/x86_64-linux-gnu/lib.so/directory", "");
    CHECK(tree.libraries("/a") == Lines{"/usr/lib/lib.so"});
}

TEST_CASE("DT_RPATH is inherited, DT_RUNPATH is not, and hides what is inherited") {
    GlibcTree tree;
    tree.elf("/opt/lib1.so", {.needed = {"lib2.so"}});
    tree.elf("/opt/lib2.so");
    tree.program("/rpath", {.needed = {"lib1.so"}, .rpath = "/nowhere:/opt"});
    CHECK(tree.libraries("/rpath") == Lines{"/opt/lib1.so", "/opt/lib2.so"});
    tree.program("/runpath", {.needed = {"lib1.so"}, .runpath = "/opt"});
    CHECK(tree.libraries("/runpath") == Lines{"/opt/lib1.so", "missing: lib2.so: not found"});
    tree.program("/both", {.needed = {"lib1.so"}, .rpath = "/opt", .runpath = "/nowhere"});
    CHECK(tree.libraries("/both") == Lines{"missing: lib1.so: not found"});
    tree.elf("/opt/lib1.so", {.needed = {"lib2.so"}, .runpath = "/nowhere"});
    CHECK(tree.libraries("/rpath") == Lines{"/opt/lib1.so", "missing: lib2.so: not found"});
}

TEST_CASE("DT_RPATH comes before the system's directories, the nearest first") {
    GlibcTree tree;
    for (const char* const path : {"/lib/lib2.so", "/opt/lib2.so", "/own/lib2.so"})
        tree.elf(path);
    tree.program("/a", {.needed = {"lib1.so"}, .rpath = "/opt"});
    tree.elf("/lib/lib1.so", {.needed = {"lib2.so"}});
    CHECK(tree.libraries("/a") == Lines{"/lib/lib1.so", "/opt/lib2.so"});
    tree.elf("/lib/lib1.so", {.needed = {"lib2.so"}, .rpath = "/own"});
    CHECK(tree.libraries("/a") == Lines{"/lib/lib1.so", "/own/lib2.so"});
    tree.program("/plain", {.needed = {"lib2.so"}});
    CHECK(tree.libraries("/plain") == Lines{"/lib/lib2.so"});
}

TEST_CASE("$ORIGIN is where a program really is, and where a library was found") {
    GlibcTree tree;
    tree.program("/opt/app/bin/a", {.needed = {"lib1.so"}, .runpath = "$ORIGIN/../lib"});
    tree.link("/usr/bin/a", "/opt/app/bin/a");
    tree.elf("/opt/app/lib/lib1.so", {.needed = {"lib2.so"}, .runpath = "${ORIGIN}/more"});
    tree.elf("/opt/app/lib/more/lib2.so");
    const Lines expected{"/opt/app/bin/../lib/lib1.so", "/opt/app/bin/../lib/more/lib2.so"};
    CHECK(tree.libraries("/opt/app/bin/a") == expected);
    CHECK(tree.libraries("/usr/bin/a") == expected);
}

TEST_CASE("$LIB and $PLATFORM have the values of the program's machine") {
    GlibcTree tree;
    tree.elf("/opt/lib/x86_64-linux-gnu/lib1.so");
    tree.elf("/opt/lib64/lib2.so");
    tree.elf("/opt/x86_64/lib3.so");
    tree.elf("/opt/$ORIGINAL/lib4.so");
    tree.program("/a", {.needed = {"lib1.so", "lib2.so", "lib3.so", "lib4.so"},
                        .runpath = "/opt/$LIB:/opt/${PLATFORM}:/opt/$ORIGINAL"});
    CHECK(tree.libraries("/a") == Lines{"/opt/lib/x86_64-linux-gnu/lib1.so", "/opt/lib64/lib2.so",
                                        "/opt/x86_64/lib3.so", "/opt/$ORIGINAL/lib4.so"});
    tree.program("/b", {.needed = {"lib1.so"}, .runpath = "/opt/$LIB$LIB"});
    CHECK(tree.missing("/b").size() == 1);
}

TEST_CASE("each machine has directories of its own") {
    struct Case {
        bool is_64bit;
        bool little_endian;
        std::uint16_t machine;
        const char* directory;
    };
    const Case cases[] = {
        {true, true, EM_X86_64, "/lib/x86_64-linux-gnu"},
        {false, true, EM_X86_64, "/usr/libx32"},
        {false, true, EM_386, "/usr/lib/i386-linux-gnu"},
        {true, true, EM_AARCH64, "/lib/aarch64-linux-gnu"},
        {false, true, EM_ARM, "/lib/arm-linux-gnueabihf"},
        {true, true, EM_RISCV, "/usr/lib64/lp64d"},
        {true, true, EM_PPC64, "/lib/powerpc64le-linux-gnu"},
        {true, false, EM_S390, "/lib/s390x-linux-gnu"},
        {true, false, EM_SPARCV9, "/usr/lib64"},
        {false, false, EM_PPC, "/usr/lib"},
    };
    ProgramTree tree;
    for (const Case& one : cases) {
        ElfSpec spec{
            .is_64bit = one.is_64bit, .little_endian = one.little_endian, .machine = one.machine};
        const std::string library = fmt::format("lib-{}-{}.so", one.machine, one.is_64bit);
        const std::string path = fmt::format("{}/{}", one.directory, library);
        tree.elf(path, spec);
        tree.elf("/ld.so", spec);
        spec.interpreter = "/ld.so";
        spec.needed = {library};
        tree.elf("/a", spec);
        CHECK(tree.libraries("/a") == Lines{path});
    }
}

TEST_CASE("/etc/ld.so.conf is read with what it includes") {
    GlibcTree tree;
    tree.file("/etc/ld.so.cache", "");
    tree.file("/etc/ld.so.conf", "# comment\n  /one  # more\ninclude ld.so.conf.d/*.conf\n"
                                 "include /etc/loop.conf /etc/absent.conf\nhwcap 1 x\n/last/=x");
    tree.file("/etc/ld.so.conf.d/b.conf", "/two\n");
    tree.file("/etc/ld.so.conf.d/ignored.txt", "/three\n");
    tree.file("/etc/ld.so.conf.d/.hidden.conf", "/three\n");
    tree.file("/etc/loop.conf", "include /etc/ld.so.conf\n/four\n");
    const auto found_in = [&](const std::string& directory) {
        tree.elf(directory + "/lib" + directory.substr(1) + ".so");
        tree.program("/a", {.needed = {"lib" + directory.substr(1) + ".so"}});
        return tree.missing("/a").empty();
    };
    CHECK(found_in("/one"));
    CHECK(found_in("/two"));
    CHECK_FALSE(found_in("/three"));
    CHECK(found_in("/four"));
    CHECK(found_in("/last"));
}

TEST_CASE("a library that ld.so knows from its cache alone needs the cache") {
    GlibcTree tree;
    tree.file("/etc/ld.so.conf", "/opt\n/usr/lib\n");
    tree.elf("/opt/lib1.so");
    tree.elf("/usr/lib/lib2.so");
    tree.program("/a", {.needed = {"lib1.so"}});
    CHECK(tree.missing("/a") ==
          Lines{"library-cache /etc/ld.so.cache < /a: No such file or directory"});
    tree.file("/etc/ld.so.cache", "");
    CHECK(tree.missing("/a").empty());
    CHECK(tree.needs("/a") == Lines{"elf-interpreter /lib64/ld-linux-x86-64.so.2 < /a",
                                    "library-cache /etc/ld.so.cache < /a",
                                    "library /opt/lib1.so < /a"});
    tree.program("/b", {.needed = {"lib2.so"}});
    CHECK(tree.needs("/b").size() == 2);
    // Without the cache, ld.so takes the other one.
    tree.elf("/lib/lib1.so");
    CHECK(tree.needs("/a").back() == "library /opt/lib1.so < /a");
    CHECK(tree.needs("/a").size() == 2);
}

TEST_CASE("DF_1_NODEFLIB leaves the default directories out") {
    GlibcTree tree;
    tree.file("/etc/ld.so.conf", "/opt\n/usr/lib\n");
    tree.file("/etc/ld.so.cache", "");
    tree.elf("/opt/lib1.so");
    tree.elf("/lib/lib2.so");
    tree.elf("/usr/lib/lib3.so");
    ElfSpec spec{.needed = {"lib1.so", "lib2.so", "lib3.so"}};
    tree.program("/a", spec);
    CHECK(tree.missing("/a").empty());
    spec.no_default_directories = true;
    tree.program("/a", spec);
    CHECK(tree.missing("/a") ==
          Lines{"library lib2.so < /a: not found", "library lib3.so < /a: not found"});
}

TEST_CASE("a library can be named by a path") {
    GlibcTree tree;
    tree.elf("/opt/lib1.so");
    tree.elf("/app/lib2.so");
    tree.program("/app/a", {.needed = {"/opt/lib1.so", "$ORIGIN/lib2.so", "/lib/absent.so"},
                            .rpath = "/opt"});
    CHECK(tree.libraries("/app/a") ==
          Lines{"/opt/lib1.so", "/app/lib2.so", "missing: /lib/absent.so: not found"});
}

TEST_CASE("a library that is loaded is known by its DT_SONAME, and by its file") {
    GlibcTree tree;
    tree.elf("/opt/libreal.so", {.needed = {"lib1.so"}, .soname = "libname.so"});
    tree.elf("/lib/lib1.so");
    tree.elf("/lib/libname.so");
    tree.hard_link("/lib/libhard.so", "/opt/libreal.so");
    tree.program("/a", {.needed = {"/opt/libreal.so", "libname.so", "libhard.so"}});
    CHECK(tree.libraries("/a") == Lines{"/opt/libreal.so", "/lib/libhard.so", "/lib/lib1.so"});
}

TEST_CASE("what /etc/ld.so.preload names is loaded first, and may be absent") {
    GlibcTree tree;
    tree.file("/etc/ld.so.preload", "# all programs\n/opt/pre.so:absent.so\tpre2.so # more\n");
    tree.elf("/opt/pre.so", {.needed = {"lib1.so"}});
    tree.file("/lib/pre2.so", elf_bytes({}).substr(0, 100)); // damaged
    tree.elf("/lib/lib1.so");
    tree.program("/a", {});
    CHECK(tree.needs("/a") == Lines{"elf-interpreter /lib64/ld-linux-x86-64.so.2 < /a",
                                    "preload /opt/pre.so < /etc/ld.so.preload",
                                    "preload /lib/pre2.so < /etc/ld.so.preload",
                                    "library /lib/lib1.so < /opt/pre.so"});
    CHECK(tree.missing("/a").empty());
}

TEST_CASE("musl has its own directories, and is its own libc") {
    ProgramTree tree;
    tree.elf(musl_loader);
    tree.file("/etc/ld.so.conf", "/opt\n");
    tree.file("/etc/ld.so.preload", "/opt/lib3.so\n");
    tree.elf("/usr/local/lib/lib1.so", {.needed = {"lib2.so"}});
    tree.elf("/usr/lib/lib2.so", {.needed = {"libm.so.6", "libpthread.so.0"}});
    tree.elf("/opt/lib3.so");
    tree.elf("/lib64/lib4.so");
    const Lines needed{"libc.musl-x86_64.so.1", "lib1.so"};
    tree.elf("/a", {.interpreter = musl_loader, .needed = needed});
    CHECK(tree.libraries("/a") == Lines{"/usr/local/lib/lib1.so", "/usr/lib/lib2.so"});
    CHECK(tree.needs("/a").size() == 3);
    tree.elf("/b", {.interpreter = musl_loader, .needed = {"lib4.so"}});
    CHECK(tree.missing("/b") == Lines{"library lib4.so < /b: not found"});
    tree.file("/etc/ld-musl-x86_64.path", "/opt:/lib64\n/usr/lib\n");
    CHECK(tree.missing("/b").empty());
    CHECK(tree.missing("/a") == Lines{"library lib1.so < /a: not found"});
}

TEST_CASE("with musl, DT_RUNPATH is inherited") {
    ProgramTree tree;
    tree.elf(musl_loader);
    tree.elf("/opt/lib1.so", {.needed = {"lib2.so"}});
    tree.elf("/opt/lib2.so");
    tree.elf("/a", {.interpreter = musl_loader, .needed = {"lib1.so"}, .runpath = "/opt"});
    CHECK(tree.libraries("/a") == Lines{"/opt/lib1.so", "/opt/lib2.so"});
}
