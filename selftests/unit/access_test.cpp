// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "catch.hpp"
#include "llexec/access.hpp"

#include <bit>
#include <set>
#include <string>

using namespace llexec;
using enum AccessClass;

TEST_CASE("groups expand per ABI as Landlock Config defines them") {
    struct Row {
        int abi;
        std::uint64_t all, read_execute, read_write, net, scoped;
    };
    const Row row = GENERATE(
        Row{1, 0x1fff, 0x000d, 0x1ffe, 0, 0}, Row{2, 0x3fff, 0x200d, 0x3ffe, 0, 0},
        Row{3, 0x7fff, 0x200d, 0x7ffe, 0, 0}, Row{4, 0x7fff, 0x200d, 0x7ffe, 3, 0},
        Row{5, 0xffff, 0x200d, 0xfffe, 3, 0}, Row{6, 0xffff, 0x200d, 0xfffe, 3, 3},
        Row{7, 0xffff, 0x200d, 0xfffe, 3, 3}, Row{8, 0xffff, 0x200d, 0xfffe, 3, 3},
        Row{9, 0x1ffff, 0x200d, 0x1fffe, 3, 3}, Row{10, 0x1ffff, 0x200d, 0x1fffe, 3, 3},
        Row{11, 0x1ffff, 0x200d, 0x1fffe, 3, 3}, Row{2147483647, 0x1ffff, 0x200d, 0x1fffe, 3, 3});
    CAPTURE(row.abi);
    CHECK(expand_group(fs, "abi.all", row.abi) == row.all);
    CHECK(expand_group(fs, "abi.read_execute", row.abi) == row.read_execute);
    CHECK(expand_group(fs, "abi.read_write", row.abi) == row.read_write);
    CHECK(expand_group(net, "abi.all", row.abi) == row.net);
    CHECK(expand_group(scope, "abi.all", row.abi) == row.scoped);
    CHECK((row.read_execute | row.read_write) == row.all);
}

TEST_CASE("the network and scope classes have no group but abi.all") {
    CHECK_FALSE(expand_group(net, "abi.read_execute", 6));
    CHECK_FALSE(expand_group(net, "abi.read_write", 6));
    CHECK_FALSE(expand_group(scope, "abi.read_execute", 6));
    CHECK_FALSE(expand_group(fs, "abi.ALL", 6));
    CHECK_FALSE(expand_group(fs, "v4.all", 6));
}

TEST_CASE("each ABI can handle what its kernel release can") {
    struct Row {
        int abi;
        AccessMasks masks;
    };
    const Row row = GENERATE(Row{-1, {0, 0, 0}}, Row{0, {0, 0, 0}}, Row{1, {0x1fff, 0, 0}},
                             Row{2, {0x3fff, 0, 0}}, Row{3, {0x7fff, 0, 0}}, Row{4, {0x7fff, 3, 0}},
                             Row{5, {0xffff, 3, 0}}, Row{6, {0xffff, 3, 3}}, Row{7, {0xffff, 3, 3}},
                             Row{8, {0xffff, 3, 3}}, Row{9, {0x1ffff, 3, 3}},
                             Row{10, {0x1ffff, 0xf, 3}}, Row{11, {0x1ffff, 0xf, 3}});
    CAPTURE(row.abi);
    CHECK(rights_of_abi(row.abi) == row.masks);
}

TEST_CASE("each right has one bit and one name in its class") {
    std::set<std::pair<AccessClass, std::uint64_t>> bits;
    std::set<std::pair<AccessClass, std::string_view>> names;
    for (const AccessRight& right : access_rights()) {
        CAPTURE(right.name);
        CHECK(std::has_single_bit(right.bit));
        CHECK(bits.emplace(right.access_class, right.bit).second);
        CHECK(names.emplace(right.access_class, right.name).second);
        CHECK(find_access_right(right.access_class, right.name) == &right);
        CHECK_FALSE(linux_of_abi(right.first_abi).empty());
    }
}

TEST_CASE("rights are found by exact name within their class") {
    CHECK(find_access_right(fs, "execute")->bit == 1);
    CHECK(find_access_right(fs, "bind_tcp") == nullptr);
    CHECK(find_access_right(fs, "Execute") == nullptr);
    CHECK(find_access_right(scope, "signal")->bit == 2);
}

TEST_CASE("the rights that a file can have are the kernel's ACCESS_FILE") {
    // execute, write_file, read_file, truncate, ioctl_dev, resolve_unix
    CHECK(file_rights() == 0x1c007);
}

TEST_CASE("Landlock Config has keywords up to ABI 6") {
    for (const AccessRight& right : access_rights()) {
        CAPTURE(right.name);
        CHECK(right.landlock_config == (right.first_abi <= 6));
    }
}

TEST_CASE("an ABI is named by the Linux release that brought it") {
    CHECK(linux_of_abi(1) == "5.13");
    CHECK(linux_of_abi(7) == "6.15");
    CHECK(linux_of_abi(11) == "7.3");
    CHECK(linux_of_abi(0).empty());
    CHECK(linux_of_abi(12).empty());
}
