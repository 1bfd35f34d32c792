// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#pragma once

#include "llexec/owner.hpp"

#include <string>

namespace llexec::attach {

/// An error, kind system and EBUSY with `hint`, if there is an owner and the caller is not: `self`
/// is null.
[[nodiscard]] Result<> check_owner(const Owner* self, std::string hint);

} // namespace llexec::attach
