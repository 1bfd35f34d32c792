// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "event_loop.hpp"

#include <systemd/sd-event.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <ctime>

namespace llexec::daemon {
namespace {

struct Unref {
    void operator()(sd_event* event) const { sd_event_unref(event); }
    void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};

/// What a source calls. Handlers report on their own: an error would only disable the source.
struct Source {
    EventLoop::Handler handler;
    std::unique_ptr<sd_event_source, Unref> source{};
    EventLoop::Timer timer{};
    int fd = -1;
};

} // namespace

struct EventLoop::Impl {
    std::unique_ptr<sd_event, Unref> event;
    std::list<Source> sources;   // before the event: they go first
    std::list<Source> forgotten; ///< one of them may be what is running

    static int on_signal(sd_event_source*, const signalfd_siginfo*, void* source) {
        static_cast<Source*>(source)->handler();
        return 0;
    }
    static int on_poll(sd_event_source*, int, std::uint32_t, void* source) {
        static_cast<Source*>(source)->handler();
        return 0;
    }
    static int on_timer(sd_event_source*, std::uint64_t, void* source) {
        auto* const self = static_cast<Source*>(source);
        self->timer.pending_ = false;
        self->handler();
        return 0;
    }
};

EventLoop::EventLoop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventLoop::EventLoop(EventLoop&&) noexcept = default;
EventLoop& EventLoop::operator=(EventLoop&&) noexcept = default;
EventLoop::~EventLoop() = default;

Result<EventLoop> EventLoop::create() {
    auto impl = std::make_unique<Impl>();
    sd_event* event = nullptr;
    if (const int error = sd_event_new(&event); error < 0)
        return system_error(-error, "cannot make an event loop");
    impl->event.reset(event);
    return EventLoop(std::move(impl));
}

Result<> EventLoop::on_signal(int signal, Handler handler) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
        return system_error(errno, "cannot block a signal");
    Source& source = impl_->sources.emplace_back(std::move(handler));
    sd_event_source* added = nullptr;
    if (const int error =
            sd_event_add_signal(impl_->event.get(), &added, signal, Impl::on_signal, &source);
        error < 0)
        return system_error(-error, "cannot wait for a signal");
    source.source.reset(added);
    return {};
}

Result<> EventLoop::on_poll(int fd, std::uint32_t events, Handler handler) {
    Source& source = impl_->sources.emplace_back(std::move(handler));
    sd_event_source* added = nullptr;
    if (const int error =
            sd_event_add_io(impl_->event.get(), &added, fd, events, Impl::on_poll, &source);
        error < 0)
        return system_error(-error, "cannot wait for a descriptor");
    source.source.reset(added);
    source.fd = fd;
    return {};
}

void EventLoop::forget(int fd) {
    // Signals and timers have none.
    if (fd < 0)
        return;
    for (auto at = impl_->sources.begin(); at != impl_->sources.end();) {
        const auto source = at++;
        if (source->fd != fd)
            continue;
        source->source.reset();
        impl_->forgotten.splice(impl_->forgotten.end(), impl_->sources, source);
    }
}

Result<EventLoop::Timer*> EventLoop::add_timer(Handler handler) {
    Source& source = impl_->sources.emplace_back(std::move(handler));
    sd_event_source* added = nullptr;
    if (const int error = sd_event_add_time(impl_->event.get(), &added, CLOCK_MONOTONIC, 0, 1,
                                            Impl::on_timer, &source);
        error < 0)
        return system_error(-error, "cannot make a timer");
    source.source.reset(added);
    sd_event_source_set_enabled(added, SD_EVENT_OFF);
    source.timer.source_ = added;
    return &source.timer;
}

void EventLoop::Timer::set(std::chrono::milliseconds delay) {
    const Clock::time_point when = Clock::now() + delay;
    if (pending_ && when_ <= when)
        return;
    pending_ = true;
    when_ = when;
    // steady_clock is CLOCK_MONOTONIC.
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch());
    sd_event_source_set_time(source_, static_cast<std::uint64_t>(us.count()));
    sd_event_source_set_enabled(source_, SD_EVENT_ONESHOT);
}

Result<> EventLoop::run() {
    while (sd_event_get_state(impl_->event.get()) != SD_EVENT_FINISHED) {
        if (const int error = sd_event_run(impl_->event.get(), UINT64_MAX); error < 0)
            return system_error(-error, "the event loop failed");
        // No handler is running.
        impl_->forgotten.clear();
    }
    return {};
}

void EventLoop::stop() {
    sd_event_exit(impl_->event.get(), 0);
}

} // namespace llexec::daemon
