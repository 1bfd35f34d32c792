// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "catch.hpp"
#include "policy/text.hpp"

#include <array>

using namespace llexec;

TEST_CASE("paths are compared as Landlock Config compares them") {
    const auto [written, normal] = GENERATE(table<std::string_view, std::string_view>({
        {"/", "/"},
        {"//", "/"},
        {"/usr/", "/usr"},
        {"//usr///bin//", "/usr/bin"},
        {"/./usr/.", "/usr"},
        {".", "."},
        {"./", "."},
        {".//", "."},
        {"a/./b", "a/b"},
        {"a/////b", "a/b"},
        {"./a", "./a"},
        {"a", "a"},
        {"c/../c", "c/../c"},
        {"/..", "/.."},
        {"..", ".."},
        {"./.", "."},
        {"", ""},
        {".a", ".a"},
        {"/a/.b/..c", "/a/.b/..c"},
    }));
    CAPTURE(written);
    CHECK(normalize_path(written) == normal);
    CHECK(normalize_path(normal) == normal);
}

TEST_CASE("the closest word is suggested, and nothing far away") {
    constexpr std::array<std::string_view, 3> words{"read_file", "read_dir", "execute"};
    CHECK(closest("read_fil", words) == "read_file");
    CHECK(closest("readfile", words) == "read_file");
    CHECK(closest("excute", words) == "execute");
    CHECK_FALSE(closest("x", words));
    CHECK_FALSE(closest("", words));
    CHECK_FALSE(closest("network", words));
    CHECK_FALSE(closest(std::string(100000, 'a'), words));
}

TEST_CASE("a path component is found whole") {
    CHECK(has_component("/a/../b", ".."));
    CHECK(has_component("..", ".."));
    CHECK(has_component("/a/..", ".."));
    CHECK_FALSE(has_component("/a..b/...", ".."));
    CHECK_FALSE(has_component("", ".."));
}

TEST_CASE("control characters are made visible") {
    CHECK(printable("a\nb\x1b[0m") == "a\\x0ab\\x1b[0m");
    CHECK(printable(std::string_view("a\0\t\x7f", 4)) == "a\\x00\\x09\\x7f");
    CHECK(printable("\u00e9") == "\u00e9");
    CHECK(printable("\u20ac \u00db \u69db \U0001f49b \u00a0") ==
          "\u20ac \u00db \u69db \U0001f49b \u00a0");
    // Of a terminal: U+0085 ends a line, U+009B starts a sequence; as a byte of another encoding
    // too.
    CHECK(printable("a\u0085\u009bb") == "a\\xc2\\x85\\xc2\\x9bb");
    CHECK(printable("a\x9b\x85") == "a\\x9b\\x85");
    CHECK(printable("\u00e9\x9b") == "\u00e9\\x9b");
    CHECK(printable("\xe2\x9b") == "\xe2\\x9b");
    CHECK(printable("\xe2\x9b"
                    "31m") == "\xe2\\x9b"
                              "31m");
    CHECK(printable("\xf0\x9f\x9b\n") == "\xf0\\x9f\\x9b\\x0a");
    CHECK(printable("\xc2") == "\xc2");
    CHECK(printable("\xe9\n") == "\xe9\\x0a");
}
