// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Who alone changes what is loaded, and reads its events.
#pragma once

#include "llexec/fd.hpp"
#include "llexec/result.hpp"

#include <utility>

namespace llexec {

/// Held by a process that keeps policies enforced: llexecd. Whatever changes or reads what only one
/// can (load(), unload(), protect(), EventReader) fails without it meanwhile, so that a command
/// beside the service does not make what the service says untrue. Root can go around it: it is
/// advice, not a guard. Ends with the object or its process, however that ends.
class Owner {
  public:
    /// Waits up to a second for another owner to go. Kind system, EBUSY: there still is one.
    [[nodiscard]] static Result<Owner> become();

  private:
    explicit Owner(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

} // namespace llexec
