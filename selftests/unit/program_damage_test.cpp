// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Files that are damaged, or made to be. Under AddressSanitizer, reading beyond anything ends the
// test.
#include "catch.hpp"
#include "program_tree.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iterator>

using namespace llexec;
using namespace llexec::testing;
using Lines = std::vector<std::string>;

namespace {

/// Whether it can be inspected. What it finds must lie in the tree; errors must be ENOEXEC.
bool readable(const ProgramTree& tree, const std::string& path) {
    const auto program = inspect_program(path, tree.root());
    if (!program) {
        CHECK(program.error().code == ENOEXEC);
        return false;
    }
    for (const NeededFile& file : program->needs)
        CHECK(file.path.starts_with('/'));
    return true;
}

std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

ElfSpec linked() {
    return {.interpreter = glibc_loader, .needed = {"lib1.so", "lib2.so"}, .runpath = "/opt"};
}

struct LinkedTree : ProgramTree {
    LinkedTree() {
        elf(glibc_loader);
        elf("/opt/lib1.so", {.needed = {"lib2.so"}, .soname = "lib1.so"});
        elf("/lib/lib2.so");
    }
};

} // namespace

TEST_CASE("a program cut short anywhere is an error, or has less needs") {
    LinkedTree tree;
    for (const bool is_64bit : {true, false}) {
        ElfSpec spec = linked();
        spec.is_64bit = is_64bit;
        const std::string whole = elf_bytes(spec);
        tree.file("/a", whole);
        REQUIRE(readable(tree, "/a"));
        for (std::size_t size = 4; size < whole.size(); ++size) {
            INFO(size);
            tree.file("/a", whole.substr(0, size));
            CHECK_FALSE(readable(tree, "/a"));
        }
    }
}

TEST_CASE("a real program cut short at many lengths") {
    ProgramTree tree;
    const std::string whole = content("/bin/ls");
    REQUIRE(whole.size() > 10000);
    int readable_count = 0;
    for (std::size_t size = 4; size < whole.size(); size += size < 1500 ? 1 : 997) {
        tree.file("/a", whole.substr(0, size));
        readable_count += readable(tree, "/a") ? 1 : 0;
    }
    tree.file("/a", whole);
    CHECK(readable(tree, "/a"));
    // What comes after the dynamic section is not looked at.
    CHECK(readable_count < 100);
}

TEST_CASE("any byte of a program can have any value") {
    LinkedTree tree;
    for (const bool is_64bit : {true, false}) {
        ElfSpec spec = linked();
        spec.is_64bit = is_64bit;
        const std::string whole = elf_bytes(spec);
        for (std::size_t at = 4; at < whole.size(); ++at)
            for (const char value : {'\x00', '\x01', '\x7f', '\x80', '\xff'}) {
                std::string damaged = whole;
                damaged[at] = value;
                tree.file("/a", damaged);
                static_cast<void>(readable(tree, "/a"));
            }
    }
}

TEST_CASE("any byte of a library can have any value") {
    LinkedTree tree;
    tree.elf("/a", linked());
    REQUIRE(tree.libraries("/a") == Lines{"/opt/lib1.so", "/lib/lib2.so"});
    const std::string whole = content(tree.outside("/opt/lib1.so"));
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const char value : {'\x00', '\x7f', '\xff'}) {
            std::string damaged = whole;
            damaged[at] = value;
            tree.file("/opt/lib1.so", damaged);
            CHECK(readable(tree, "/a"));
        }
}

TEST_CASE("a library cut short is passed over, or missing") {
    LinkedTree tree;
    tree.elf("/a", linked());
    const std::string whole = content(tree.outside("/opt/lib1.so"));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        INFO(size);
        tree.file("/opt/lib1.so", whole.substr(0, size));
        const Lines missing = tree.missing("/a");
        REQUIRE(missing.size() == 1);
        CHECK(missing.front().starts_with(size < 64 ? "library lib1.so < /a: not found"
                                                    : "library /opt/lib1.so < /a: its "));
    }
}

TEST_CASE("numbers beyond what a sound program has are errors") {
    ProgramTree tree;
    const std::string whole = elf_bytes(linked());
    const auto with = [&](std::size_t at, std::string_view bytes) {
        std::string damaged = whole;
        damaged.replace(at, bytes.size(), bytes);
        tree.file("/a", damaged);
        const auto program = inspect_program("/a", tree.root());
        return program ? "no error" : program.error().what;
    };
    using namespace std::string_view_literals;
    CHECK(with(0, "\177ELF") == "no error");
    CHECK(with(16, "\1\0"sv) == "cannot read /a: it is not an ELF executable or library"); // ET_REL
    CHECK(with(32, "\xff\xff\xff\xff\xff\xff\xff\xff") ==
          "cannot read /a: its program headers are beyond its end");
    CHECK(with(54, "\1\0"sv) == "cannot read /a: its program headers are not sound");
    CHECK(with(56, "\xff\xff") == "cannot read /a: its program headers are not sound");
    CHECK(with(56, "\0\0"sv) == "cannot read /a: its program headers are not sound");
    // The second program header, PT_INTERP: offset and size.
    CHECK(with(64 + 56 + 8, "\xff\xff\xff") == "cannot read /a: the name of its interpreter has no "
                                               "end");
    CHECK(with(64 + 56 + 32, "\xff\xff\xff") ==
          "cannot read /a: the name of its interpreter is not sound");
    CHECK(with(64 + 56 + 32, "\5") == "cannot read /a: the name of its interpreter has no end");
    // The third one, PT_DYNAMIC.
    CHECK(with(64 + 112 + 8, "\xff\xff\xff") == "cannot read /a: its dynamic section is beyond its "
                                                "end");
    CHECK(with(64 + 112 + 32, "\xff\xff\xff") ==
          "cannot read /a: its dynamic section is not sound");
}

TEST_CASE("a program made to keep us busy is an error") {
    LinkedTree tree;
    ElfSpec spec{.interpreter = glibc_loader, .needed = {}, .rpath = "/x"};
    for (int i = 0; i < 1000; ++i)
        spec.needed.push_back(fmt::format("absent{}.so", i));
    tree.elf("/a", spec);
    REQUIRE(tree.missing("/a").size() == 1000);
    for (int i = 0; i < 200; ++i)
        spec.rpath += ":/x";
    tree.elf("/a", spec);
    const auto program = inspect_program("/a", tree.root());
    REQUIRE_FALSE(program.has_value());
    CHECK(program.error().message() == "/a needs more files than can be looked for");
    // Text is work too, and so are elements that stand for no directory.
    std::string origins;
    for (int i = 0; i < 9000; ++i)
        origins += "$ORIGIN";
    std::string nothing;
    for (int i = 0; i < 200; ++i)
        nothing += "$LIB$LIB:";
    for (const std::string& search_path : {origins, nothing}) {
        spec.rpath = search_path;
        tree.elf("/a", spec);
        CHECK_FALSE(inspect_program("/a", tree.root()).has_value());
    }
    // What an object inherits is looked at for each of its libraries.
    spec.needed.resize(1);
    spec.needed.front() = "lib0.so";
    spec.rpath = "/lib:" + nothing;
    tree.elf("/a", spec);
    REQUIRE(inspect_program("/a", tree.root()).has_value());
    for (int i = 0; i < 30; ++i)
        tree.elf(fmt::format("/lib/lib{}.so", i),
                 {.needed = {fmt::format("lib{}.so", i + 1), fmt::format("absent{}.so", i)},
                  .rpath = nothing});
    CHECK_FALSE(inspect_program("/a", tree.root()).has_value());
    spec.needed.resize(2000, "lib.so");
    tree.elf("/a", spec);
    CHECK(inspect_program("/a", tree.root()).error().what ==
          "cannot read /a: it names too many libraries");
}

TEST_CASE("of several search paths the last counts, and the others are not looked at") {
    const LinkedTree tree;
    std::string bytes = elf_bytes({.interpreter = glibc_loader,
                                   .needed = {"lib1.so"},
                                   .rpath = "/opt",
                                   .soname = "/nowhere"});
    const std::string soname{DT_SONAME, 0, 0, 0, 0, 0, 0, 0};
    const std::size_t at = bytes.find(soname, bytes.size() - 7 * 16);
    REQUIRE(at != std::string::npos);
    const std::string beyond(8, '\x7f');
    bytes.replace(at, 16, std::string{DT_RPATH, 0, 0, 0, 0, 0, 0, 0} + beyond);
    tree.file("/a", bytes);
    CHECK(tree.libraries("/a") == Lines{"/opt/lib1.so", "/lib/lib2.so"});
}

TEST_CASE("names of libraries are as long as a path can be") {
    ProgramTree tree;
    ElfSpec spec{.interpreter = glibc_loader, .needed = {std::string(4095, 'x')}};
    tree.elf("/a", spec);
    CHECK(inspect_program("/a", tree.root()).has_value());
    spec.needed.front() += 'x';
    tree.elf("/a", spec);
    CHECK(inspect_program("/a", tree.root()).error().what == "cannot read /a: a name has no end");
}

TEST_CASE("search paths may be long, and have an end") {
    LinkedTree tree;
    ElfSpec spec{.interpreter = glibc_loader, .needed = {"lib1.so"}};
    for (int i = 0; i < 500; ++i)
        spec.runpath += "/nowhere:";
    spec.runpath += "/opt";
    tree.elf("/a", spec);
    CHECK(tree.libraries("/a") == Lines{"/opt/lib1.so", "/lib/lib2.so"});
    spec.runpath = std::string(70000, '/');
    tree.elf("/a", spec);
    CHECK(inspect_program("/a", tree.root()).error().what == "cannot read /a: a name has no end");
}
