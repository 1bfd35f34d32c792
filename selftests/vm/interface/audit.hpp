// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the kernel writes to its audit log, as a daemon that reads along sees it.
#pragma once

#include "llexec/fd.hpp"

#include <string>
#include <vector>

namespace interface {

/// Auditing is on as long as the object lives. The test fails if it cannot be.
class Audit {
  public:
    Audit();
    Audit(const Audit&) = delete;
    Audit& operator=(const Audit&) = delete;
    ~Audit();

    /// Landlock's records since the object was made, as text: of denials ("blockers=") and of
    /// domains ("status=").
    const std::vector<std::string>& landlock_records();
    /// The last record of that domain that has `text`; empty if there is none.
    std::string find(const std::string& domain, const std::string& text);

  private:
    llexec::UniqueFd log_;
    std::vector<std::string> records_;
};

} // namespace interface
