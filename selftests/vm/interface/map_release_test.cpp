// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Each slot owns one reference to its ruleset, and gives it back.
#include "catch.hpp"
#include "support.hpp"
#include "trace.hpp"

namespace {

using namespace interface;

/// Puts a new ruleset into a slot and closes its descriptor: the slot has the only reference.
std::uint64_t fill(const Trace& trace, const UniqueFd& map, std::uint32_t index) {
    REQUIRE(update(map, index, make_ruleset()) == 0);
    return trace.last_ruleset();
}

TEST_CASE("release: a slot keeps its ruleset after the descriptor is closed") {
    const Trace trace;
    const UniqueFd map = make_map();
    const std::uint64_t ruleset = fill(trace, map, 0);
    const std::uint64_t later = fill(trace, map, 1);
    CHECK(erase(map, 1) == 0);
    CHECK(soon([&] { return trace.freed(later); })); // so the first would have been, too
    CHECK_FALSE(trace.freed(ruleset));
    std::uint64_t id = 0;
    CHECK(lookup(map, 0, id) == 0);
    CHECK(id == ruleset);
}

TEST_CASE("release: replacing a ruleset releases the old one") {
    const Trace trace;
    const UniqueFd map = make_map();
    const std::uint64_t old = fill(trace, map, 0);
    const std::uint64_t current = fill(trace, map, 0);
    CHECK(soon([&] { return trace.freed(old); }));
    CHECK_FALSE(trace.freed(current));
}

TEST_CASE("release: deleting a slot releases its ruleset") {
    const Trace trace;
    const UniqueFd map = make_map();
    const std::uint64_t ruleset = fill(trace, map, 2);
    REQUIRE(erase(map, 2) == 0);
    CHECK(soon([&] { return trace.freed(ruleset); }));
}

TEST_CASE("release: an update that fails takes no reference") {
    const Trace trace;
    const UniqueFd map = make_map();
    UniqueFd ruleset = make_ruleset();
    const std::uint64_t id = trace.last_ruleset();
    CHECK(update(map, 99, ruleset) < 0);
    CHECK(update(map, 0, static_cast<std::uint64_t>(ruleset.get()), BPF_NOEXIST) < 0);
    ruleset.reset();
    CHECK(soon([&] { return trace.freed(id); }));
}

TEST_CASE("release: the same ruleset in two slots needs both to go") {
    const Trace trace;
    const UniqueFd map = make_map();
    UniqueFd ruleset = make_ruleset();
    const std::uint64_t id = trace.last_ruleset();
    REQUIRE(update(map, 0, ruleset) == 0);
    REQUIRE(update(map, 1, ruleset) == 0);
    REQUIRE(update(map, 1, ruleset) == 0);
    ruleset.reset();
    REQUIRE(erase(map, 0) == 0);
    const std::uint64_t later = fill(trace, map, 0);
    REQUIRE(erase(map, 0) == 0);
    CHECK(soon([&] { return trace.freed(later); }));
    CHECK_FALSE(trace.freed(id));
    REQUIRE(erase(map, 1) == 0);
    CHECK(soon([&] { return trace.freed(id); }));
}

TEST_CASE("release: closing the map releases all rulesets") {
    for (const std::uint32_t size : {4U, 8U}) {
        const Trace trace;
        UniqueFd map = make_map({.value_size = size});
        const std::uint64_t first = fill(trace, map, 0);
        const std::uint64_t last = fill(trace, map, 3);
        CHECK_FALSE(trace.freed(first));
        map.reset();
        CHECK(soon([&] { return trace.freed(first) && trace.freed(last); }));
    }
}

} // namespace
