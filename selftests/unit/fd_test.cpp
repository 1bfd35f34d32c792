// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/fd.hpp"
#include "llexec/result.hpp"

#include <cerrno>
#include <fcntl.h>
#include <utility>

using namespace llexec;
using llexec::testing::open_descriptors;

namespace {

int open_null() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

} // namespace

TEST_CASE("a descriptor is closed exactly once, by its last owner") {
    const std::size_t before = open_descriptors();
    {
        UniqueFd first(open_null());
        REQUIRE(first.valid());
        UniqueFd second(std::move(first));
        CHECK(second.valid());
        UniqueFd third(open_null());
        CHECK(open_descriptors() == before + 2);
        third = std::move(second);
        CHECK(open_descriptors() == before + 1);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("a released descriptor stays open") {
    UniqueFd owner(open_null());
    const int fd = owner.release();
    CHECK_FALSE(owner.valid());
    owner.reset();
    CHECK(::fcntl(fd, F_GETFD) == FD_CLOEXEC);
    UniqueFd closer(fd);
}

TEST_CASE("closing leaves errno alone") {
    UniqueFd owner(open_null());
    errno = ENOTTY;
    owner.reset();
    CHECK(errno == ENOTTY);
}

TEST_CASE("a negative descriptor is none") {
    const UniqueFd none(-ENOENT);
    CHECK(none.get() == -1);
    CHECK_FALSE(none.valid());
}

TEST_CASE("descriptors that run out have a limit that can be raised") {
    CHECK(system_error(EMFILE, "cannot open").error().hint.find("ulimit -n") != std::string::npos);
    CHECK(system_error(EMFILE, "cannot open", "another").error().hint == "another");
    CHECK(system_error(ENFILE, "cannot open").error().hint.empty());
}
