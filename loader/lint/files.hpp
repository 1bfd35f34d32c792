// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What lints know of files: each is looked at once.
#pragma once

#include "llexec/program.hpp"
#include "query/hierarchy.hpp"

#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace llexec::lint {

class Files {
  public:
    struct Facts {
        bool exists = false;                ///< after following symbolic links
        int error = 0;                      ///< if it does not: why
        bool symlink = false;               ///< the last component
        mode_t mode = 0;                    ///< of what it leads to
        std::string real;                   ///< where it leads to
        std::optional<Hierarchy> hierarchy; ///< of that, if it can be examined
    };

    /// Of an absolute path.
    const Facts& facts(const std::string& path);
    /// Why a policy that names this path gets nothing by it: nothing is there, or it is refused as
    /// walk_named() does. Empty if it gets what is there.
    const std::string& problem(const std::string& path);
    /// nullptr if the program cannot be read.
    const Program* program(const std::string& path);
    /// Other programs that are the same file.
    const std::vector<std::string>& other_names(const std::string& path);

  private:
    std::map<std::string, Facts> facts_;
    std::map<std::string, std::string> problems_;
    std::map<std::string, std::optional<Program>> programs_;
    std::map<std::string, std::vector<std::string>> names_;
};

} // namespace llexec::lint
