// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What llexecd takes away from itself once policies are enforced.
#pragma once

#include "llexec/policy.hpp"
#include "llexec/result.hpp"

#include <string>
#include <vector>

namespace llexec::daemon {

/// Where llexecd still has something to do.
struct OwnPlaces {
    std::vector<std::string> read;    ///< files and directories, beneath which it reads
    std::vector<std::string> write;   ///< directories, in which it makes and removes files
    std::vector<std::string> sockets; ///< and directories, beneath which it talks to others
    std::string programs;             ///< directory of the self-test's, from which it executes
};

/// Where the journal listens, and the databases of users that nsswitch.conf(5) may name. Not all of
/// /run: by other sockets there, systemd and whatever is on the bus start programs for root.
[[nodiscard]] std::vector<std::string> own_sockets();

/// The Landlock policy that llexecd enforces on itself: handles everything that a kernel of that
/// ABI does, but abstract unix sockets, which the service manager's may be.
[[nodiscard]] Policy own_policy(const OwnPlaces& places, int abi);

/// Enforces it on all threads of this process, for good.
[[nodiscard]] Result<> confine_self(const OwnPlaces& places);

/// Drops every capability but those that a reload needs, also from what it executes.
[[nodiscard]] Result<> drop_capabilities();

} // namespace llexec::daemon
