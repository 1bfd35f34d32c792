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

/// Opens each program and each directory that a policy names, following symbolic links, and asks
/// the kernel how it identifies it. One that cannot be opened is noted, or, with missing_paths =
/// "error", makes an error of kind policy with all of them; a program that is not a regular file,
/// or a directory that is none, is such an error in any case.
[[nodiscard]] Result<NamedFiles> identify_named_files(std::span<const Policy> policies,
                                                      const kernel::FileIdentifier& by);

} // namespace llexec::attach
