// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lost_events.hpp"

#include "files.hpp"
#include "llexec/fd.hpp"
#include "llexec/trusted_files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <string_view>

namespace llexec::daemon {
namespace {

/// What the number in the file is of: counters of one boot.
Result<std::string> name_of(std::uint64_t counters) {
    const std::string path = "/proc/sys/kernel/random/boot_id";
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid())
        return system_error(errno, "cannot open " + path);
    const auto boot = read_file(fd.get(), path);
    if (!boot)
        return std::unexpected(boot.error());
    return fmt::format("{} {} ", boot->substr(0, boot->find('\n')), counters);
}

} // namespace

/// 0, so that all are told rather than none, unless the file certainly is about these counters.
std::uint64_t LostEvents::told_before() const {
    const auto fd = open_trusted_file(file_);
    const auto name = name_of(*counters_);
    if (!fd || !name)
        return 0;
    const auto text = read_file(fd->get(), file_);
    if (!text || !text->starts_with(*name) || !text->ends_with('\n'))
        return 0;
    std::uint64_t told = 0;
    const char* const end = text->data() + text->size() - 1;
    const auto [last, error] = std::from_chars(text->data() + name->size(), end, told);
    return error == std::errc{} && last == end ? told : 0;
}

void LostEvents::say(const Status& status) {
    if (counters_ != status.counters) {
        counters_ = status.counters;
        told_ = told_before();
        // They only grow.
        if (told_ > status.events_lost)
            told_ = 0;
    }
    if (status.events_lost == told_)
        return;
    const std::uint64_t lost = status.events_lost - told_;
    journal_.say(Priority::warning,
                 fmt::format("{} executions could not be reported: the ring buffer was full", lost),
                 {{"LLEXEC_LOST", std::to_string(lost)}});
    told_ = status.events_lost;
    const auto name = name_of(*counters_);
    // Afterwards: what is told twice is better than what is not told.
    const auto kept =
        name ? replace_file(file_, fmt::format("{}{}\n", *name, told_), 0600, Durable::no)
             : Result<>(std::unexpected(name.error()));
    if (!kept)
        journal_.say(kept.error(), "the next llexecd will tell lost executions again",
                     Priority::warning);
}

} // namespace llexec::daemon
