// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The files that policies select by.
#pragma once

#include "attach/compile.hpp"

namespace llexec::attach {

struct ExeFiles {
    ExeIds ids;                    ///< of the files that exist
    llexec_file_id self{};         ///< of this program
    std::vector<Diagnostic> notes; ///< files that do not exist
};

/// Opens each file that a policy names, following symbolic links, and asks the kernel how it
/// identifies it. A file that cannot be opened is noted, or, with missing_paths = "error", makes an
/// error of kind policy with all of them; what is not a regular file is such an error in any case.
[[nodiscard]] Result<ExeFiles> identify_exes(std::span<const Policy> policies,
                                             std::uint64_t path_hash_seed);

} // namespace llexec::attach
