// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "catch.hpp"
#include "llexec/user_database.hpp"

using namespace llexec;

TEST_CASE("the system's database knows root, and tells an unknown name from a failure") {
    SystemUserDatabase users;
    const auto root = users.user_id("root");
    REQUIRE(root.has_value());
    CHECK(*root == 0U);
    const auto root_group = users.group_id("root");
    REQUIRE(root_group.has_value());
    CHECK(*root_group == 0U);
    const auto nobody = users.user_id("no-such-user-llexec");
    REQUIRE(nobody.has_value());
    CHECK_FALSE(nobody->has_value());
    const auto no_group = users.group_id("no-such-group-llexec");
    REQUIRE(no_group.has_value());
    CHECK_FALSE(no_group->has_value());
}
