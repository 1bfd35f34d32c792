// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/events.hpp"

#include "attach/maps.hpp"
#include "attach/owner.hpp"
#include "attach/pins.hpp"

#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <exception>

namespace llexec {
namespace {

constexpr std::array<std::string_view, 6> outcome_names{"applied", "nested", "observed",
                                                        "refused", "killed", "allowed"};

Event to_event(const llexec_event& record) {
    Event event;
    event.time = std::chrono::nanoseconds(record.time_ns);
    event.generation = record.generation;
    event.pid = record.pid;
    event.uid = record.uid;
    event.outcome = static_cast<Outcome>(record.outcome);
    event.error = -record.error;
    event.cgroup = record.cgroup;
    event.ruleset_id = record.ruleset_id;
    event.policy.assign(record.policy, strnlen(record.policy, sizeof(record.policy)));
    event.filename.assign(record.filename, strnlen(record.filename, sizeof(record.filename)));
    event.exe.assign(record.exe, strnlen(record.exe, sizeof(record.exe)));
    return event;
}

/// Events can come as fast as they are read. Whoever reads them has something else to do, too.
constexpr std::size_t max_events = 1024;

struct FreeRing {
    void operator()(ring_buffer* ring) const { ring_buffer__free(ring); }
};

} // namespace

struct EventReader::Impl {
    UniqueFd map;
    std::unique_ptr<ring_buffer, FreeRing> ring;
    const std::function<void(const Event&)>* handle = nullptr; // while poll() runs
    std::size_t count = 0;
    std::exception_ptr thrown; ///< by `handle`; libbpf, which is C, is not to be left by it

    static int on_record(void* context, void* data, std::size_t size) noexcept {
        auto* const self = static_cast<Impl*>(context);
        if (size < sizeof(llexec_event))
            return 0; // not ours; nothing else writes to this ring
        llexec_event record{};
        std::memcpy(&record, data, sizeof(record));
        if (record.outcome >= outcome_names.size())
            return 0;
        try {
            (*self->handle)(to_event(record));
        } catch (...) {
            self->thrown = std::current_exception();
            return -ECANCELED;
        }
        // The record counts as read; what is left keeps fd() readable.
        return ++self->count < max_events ? 0 : -ECANCELED;
    }
};

std::string_view to_string(Outcome outcome) {
    return outcome_names.at(static_cast<std::size_t>(outcome));
}

EventReader::EventReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;
EventReader::~EventReader() = default;

Result<EventReader> EventReader::open(const Owner* owner) {
    auto impl = std::make_unique<Impl>();
    auto map = attach::open_pin(attach::name_of(attach::MapId::events));
    if (!map)
        return std::unexpected(std::move(map.error()));
    if (auto allowed = attach::check_owner(owner, "it reads the events: `journalctl -u llexecd`");
        !allowed)
        return std::unexpected(std::move(allowed.error()));
    impl->map = std::move(*map);
    impl->ring.reset(ring_buffer__new(impl->map.get(), Impl::on_record, impl.get(), nullptr));
    if (!impl->ring)
        return system_error(errno, "cannot map the ring buffer of events");
    return EventReader(std::move(impl));
}

int EventReader::fd() const {
    return ring_buffer__epoll_fd(impl_->ring.get());
}

Result<std::size_t> EventReader::poll(std::chrono::milliseconds timeout,
                                      const std::function<void(const Event&)>& handle) {
    impl_->handle = &handle;
    impl_->count = 0;
    const int result = ring_buffer__poll(impl_->ring.get(), static_cast<int>(timeout.count()));
    impl_->handle = nullptr;
    if (impl_->thrown)
        std::rethrow_exception(std::exchange(impl_->thrown, nullptr));
    if (result < 0 && result != -EINTR && impl_->count < max_events)
        return system_error(-result, "cannot read events");
    return impl_->count;
}

} // namespace llexec
