// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How many rulesets and domains were made and freed: Landlock's trace events, counted by the
// kernel, so that none is lost however many there are.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace llexec::vmtest {

struct Balance {
    std::uint64_t made = 0;
    std::uint64_t freed = 0;

    bool operator==(const Balance&) const = default;
};

/// From now on, of all processes. Nothing that was made before may be freed later: nothing is
/// loaded and no confined process runs.
class ObjectCounts {
  public:
    ObjectCounts();
    ObjectCounts(const ObjectCounts&) = delete;
    ObjectCounts& operator=(const ObjectCounts&) = delete;
    ~ObjectCounts();

    [[nodiscard]] Balance rulesets() const;
    [[nodiscard]] Balance domains() const;
    /// Waits until as many are freed as were made. False if that does not happen.
    [[nodiscard]] bool are_balanced() const;

  private:
    enum Event { create_ruleset, free_ruleset, create_domain, free_domain };
    [[nodiscard]] std::uint64_t count(Event event) const;

    std::array<std::vector<int>, 4> counters_; ///< of each event, one for each CPU
};

} // namespace llexec::vmtest
