// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Allocations that fail on demand: the kernel's fault injection (fault-injection.rst, "fail-nth").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace llexec::vmtest {

/// Whether this kernel can do it; says why not.
bool faults_are_possible();

/// Lets each slab and page allocation fail, whatever its flags and its size, and quietly. What was
/// set before is set again at the end.
class FaultSettings {
  public:
    FaultSettings();
    FaultSettings(const FaultSettings&) = delete;
    FaultSettings& operator=(const FaultSettings&) = delete;
    ~FaultSettings();

    /// From now on, only allocations that are made below this kernel function count and fail.
    void only_below(const std::string& function);

  private:
    void set(const std::string& file, const std::string& value);

    struct Setting {
        std::string file;
        std::string before;
    };
    std::vector<Setting> settings_;
};

/// The fault of the calling thread. A program that it executes inherits it; to close this does not
/// change it.
class Fault {
  public:
    Fault();
    Fault(const Fault&) = delete;
    Fault& operator=(const Fault&) = delete;
    ~Fault();

    /// The nth allocation of this thread from now on fails. Ends the process if it cannot.
    void arm(unsigned nth) const;
    /// No allocation fails any more. Returns whether one did.
    [[nodiscard]] bool take_back() const;

  private:
    int file_;
};

/// What came of operations of which one allocation each failed.
struct Totals {
    unsigned failed = 0; ///< allocations that failed, one in each operation
    unsigned refused = 0;
    unsigned killed = 0;
    unsigned done = 0;         ///< in spite of it; of executions, those that were confined
    unsigned unrestricted = 0; ///< executions that were not
    unsigned strange = 0;      ///< anything else
};

/// Prints them.
void report(const std::string& operation, const Totals& totals);

/// Calls `attempt` with 1, 2, 3 ... It returns whether an allocation failed; when none has failed
/// three times in a row, there are no more.
template<class Attempt>
void for_each_allocation(const Attempt& attempt) {
    int in_a_row = 0;
    for (unsigned nth = 1; in_a_row < 3; ++nth)
        in_a_row = attempt(nth) ? 0 : in_a_row + 1;
}

} // namespace llexec::vmtest
