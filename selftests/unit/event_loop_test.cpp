// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "event_loop.hpp"

#include "catch.hpp"
#include "llexec/fd.hpp"

#include <array>
#include <memory>
#include <sys/epoll.h>
#include <unistd.h>

using namespace llexec;
using llexec::daemon::EventLoop;

TEST_CASE("a handler that ends its own waiting is there until it returns, and no longer") {
    auto loop = EventLoop::create();
    REQUIRE(loop.has_value());
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const UniqueFd reader(ends[0]);
    const UniqueFd writer(ends[1]);
    REQUIRE(::write(writer.get(), "x", 1) == 1);
    auto held = std::make_shared<int>(0);
    const std::weak_ptr<int> seen = held;
    bool there = false;
    int calls = 0;
    REQUIRE(loop->on_poll(reader.get(), EPOLLIN,
                          [&loop, &there, &calls, fd = reader.get(), held = std::move(held)] {
                              // Not what this function holds: it may be gone.
                              auto& still_there = there;
                              auto& events = *loop;
                              const std::weak_ptr<int> own = held;
                              ++calls;
                              events.forget(fd);
                              still_there = !own.expired();
                              events.stop();
                          }));
    REQUIRE(loop->run().has_value());
    CHECK(calls == 1);
    CHECK(there);
    CHECK(seen.expired());
}
