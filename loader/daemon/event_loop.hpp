// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// sd-event(3) with functions of C++.
#pragma once

#include "llexec/result.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>

struct sd_event;
struct sd_event_source;

namespace llexec::daemon {

/// Nothing wakes it up but what was asked for.
class EventLoop {
  public:
    using Handler = std::function<void()>;
    using Clock = std::chrono::steady_clock;

    [[nodiscard]] static Result<EventLoop> create();
    EventLoop(EventLoop&&) noexcept;
    EventLoop& operator=(EventLoop&&) noexcept;
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;
    ~EventLoop();

    /// A timer that runs once each time it is set.
    class Timer {
      public:
        /// Unless it is set for an earlier time already.
        void set(std::chrono::milliseconds delay);

      private:
        friend class EventLoop;
        sd_event_source* source_ = nullptr; // the loop's
        bool pending_ = false;
        Clock::time_point when_;
    };

    /// Blocks the signal, and calls `handler` when it comes.
    [[nodiscard]] Result<> on_signal(int signal, Handler handler);
    /// While poll(2) would report one of `events` for the descriptor, which stays the caller's.
    [[nodiscard]] Result<> on_poll(int fd, std::uint32_t events, Handler handler);
    /// Ends that. Before the descriptor is closed. The handler itself may do so.
    void forget(int fd);
    /// The loop's, for as long as it lives.
    [[nodiscard]] Result<Timer*> add_timer(Handler handler);

    /// Until stop(). An error ends it too.
    [[nodiscard]] Result<> run();
    void stop();

  private:
    struct Impl;
    explicit EventLoop(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace llexec::daemon
