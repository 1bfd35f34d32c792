// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Landlock's trace events, seen through a tracing instance of our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace interface {

class Trace {
  public:
    Trace();
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;
    ~Trace();

    /// The ruleset that was created last. The test fails if there is none.
    [[nodiscard]] std::uint64_t last_ruleset() const;
    /// Whether the ruleset was freed.
    [[nodiscard]] bool freed(std::uint64_t ruleset) const;
    /// How many rulesets were created since and are still there.
    [[nodiscard]] std::size_t unfreed() const;
    /// Events of that name ("landlock_enforce_domain") from that process; 0: from any.
    [[nodiscard]] std::size_t count(const std::string& event, int pid = 0) const;
    /// The last event of that name, with its fields; empty if there is none.
    [[nodiscard]] std::string last(const std::string& event) const;

  private:
    [[nodiscard]] std::string text() const;
    std::string path_;
};

} // namespace interface
