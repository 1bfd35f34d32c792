// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The files and directories that policies select by.
#pragma once

#include "attach/compile.hpp"
#include "kernel/file_identity.hpp"

namespace llexec::attach {

struct NamedFiles {
    Identities ids;
    std::vector<Diagnostic> notes; ///< programs and directories that do not exist
};

/// Opens each program and each directory that a policy names, symbolic links followed as
/// walk_named() does, and asks the kernel how it identifies it. What is missing, is of another type
/// or cannot be looked at is noted, or, with missing_paths = "error", makes an error of kind policy
/// with all of them. The state of the file system is no error of the policies otherwise: whoever
/// owns one of these paths could have them all refused.
[[nodiscard]] Result<NamedFiles> identify_named_files(std::span<const Policy> policies,
                                                      const kernel::FileIdentifier& by);

} // namespace llexec::attach
