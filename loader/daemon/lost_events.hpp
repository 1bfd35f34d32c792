// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Executions that nobody could report, told once, also those from while no llexecd ran.
#pragma once

#include "journal.hpp"
#include "llexec/attach.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace llexec::daemon {

class LostEvents {
  public:
    /// `file`: where it is kept how many have been told.
    LostEvents(const Journal& journal, std::string file)
        : journal_(journal), file_(std::move(file)) {}

    /// Says how many there are besides those that were told, by this llexecd or by one before it.
    void say(const Status& status);

  private:
    [[nodiscard]] std::uint64_t told_before() const;

    const Journal& journal_;
    std::string file_;
    std::optional<std::uint64_t> counters_; ///< which they are
    std::uint64_t told_ = 0;                ///< of these
};

} // namespace llexec::daemon
