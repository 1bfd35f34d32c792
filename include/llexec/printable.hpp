// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Text from elsewhere (file names, policies), as it can be shown.
#pragma once

#include <string>
#include <string_view>

namespace llexec {

/// `text` with control characters made visible: no line of output ends where its author did not
/// mean it to.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace llexec
