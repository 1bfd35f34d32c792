// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program/own_programs.hpp"

namespace llexec {

const std::array<std::string, 2>& installed_programs() {
    static const std::array<std::string, 2> paths{LLEXEC_INSTALLED_CLI, LLEXEC_INSTALLED_DAEMON};
    return paths;
}

} // namespace llexec
