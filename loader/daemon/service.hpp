// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// llexecd: keeps what is enforced in step with the policy directory and with the world.
#pragma once

#include "journal.hpp"
#include "llexec/exit_code.hpp"

#include <memory>
#include <string>

namespace llexec::daemon {

struct Options {
    std::string config;            ///< settings; need not exist
    std::string policies;          ///< directory
    std::string state;             ///< directory of llexecd's own
    std::string self_test_program; ///< what is executed to see whether it is confined
    bool confine = true;           ///< whether llexecd confines itself
};

/// Runs until SIGTERM or SIGINT, or until an error at the start. Enforcement outlives it.
[[nodiscard]] ExitCode run_service(const Options& options, const Journal& journal);

} // namespace llexec::daemon
