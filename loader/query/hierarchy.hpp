// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What is above a file: what Landlock looks at, and what programs are selected by.
#pragma once

#include "llexec/landlock.hpp"
#include "llexec/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace llexec {

/// A file or directory, and its directories up to the root.
struct Hierarchy {
    struct Place {
        FileObject object;
        std::string path;
        std::uint64_t mount = 0; ///< the ID of the mount that it is on
    };
    std::vector<Place> places; ///< from the object up; never empty
    mode_t mode = 0;           ///< of the object
    bool exists = true;        ///< false: the object is not there, and this is what is above it
};

/// The directory that a path is an entry of; "/" for "/".
[[nodiscard]] std::string directory_of(const std::string& path);

[[nodiscard]] std::string without_trailing_slashes(std::string path);

/// realpath(3); nullopt, with errno, if there is no such thing.
[[nodiscard]] std::optional<std::string> real_path(const std::string& path);

/// Of an absolute path. Symbolic links are followed; what is not there is left out, up to the
/// nearest directory that is. Fails if the path cannot be examined.
[[nodiscard]] Result<Hierarchy> hierarchy_of(std::string path);

/// The last component is not followed, as rename(2) and link(2) do it. Fails if it does not exist.
[[nodiscard]] Result<Hierarchy> hierarchy_of_entry(const std::string& path);

} // namespace llexec
