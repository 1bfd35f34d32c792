// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The keyed hash of names, of which nobody must be able to make two that collide.
#include "catch.hpp"
#include "kernel/path_hash.hpp"

#include <array>
#include <set>
#include <string>

using namespace llexec::kernel;

namespace {

const std::array<std::uint64_t, 5> keys{0, 1, 0x8000000000000000, 0x0123456789abcdef,
                                        0xfeedfacecafebeef};

} // namespace

TEST_CASE("a name and its key decide about its hash") {
    std::set<std::uint64_t> seen;
    for (const std::uint64_t key : keys)
        for (const std::string name : {"", "a", "b", "ab", "a\x01", "12345678", "123456789"}) {
            CAPTURE(key, name);
            CHECK(seen.insert(hash_name(key, name)).second);
        }
}

TEST_CASE("names that differ in a few bits of several words do not collide under any key") {
    const std::string name = "containerd-shim-runc-v2.......x";
    // The differences that a multiplication carries out of a word, and the next word would cancel.
    for (int bit = 0; bit < 64; ++bit)
        for (const int other : {0, 16, 29, 32, 34, 63}) {
            std::string like = name;
            like[static_cast<std::size_t>(bit / 8)] ^= static_cast<char>(1 << bit % 8);
            for (const int next : {other, 63})
                like[static_cast<std::size_t>(8 + next / 8)] ^= static_cast<char>(1 << next % 8);
            for (const std::uint64_t key : keys) {
                CAPTURE(bit, other, key);
                REQUIRE(hash_name(key, like) != hash_name(key, name));
            }
        }
}
