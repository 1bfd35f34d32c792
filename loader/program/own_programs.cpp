// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program/own_programs.hpp"

#include "llexec/path_walk.hpp"

#include <algorithm>
#include <sys/stat.h>

namespace llexec {

const std::array<std::string, 2>& installed_programs() {
    static const std::array<std::string, 2> paths{LLEXEC_INSTALLED_CLI, LLEXEC_INSTALLED_DAEMON};
    return paths;
}

bool is_own_program(const std::string& path) {
    const auto file = stat_path(path);
    if (!file)
        return false;
    const auto is_file = [&](const struct stat& other) {
        return other.st_dev == file->st_dev && other.st_ino == file->st_ino;
    };
    struct stat self{};
    return (::stat("/proc/self/exe", &self) == 0 && is_file(self)) ||
           std::ranges::any_of(installed_programs(), [&](const std::string& installed) {
               const auto other = stat_path(installed);
               return other && is_file(*other);
           });
}

} // namespace llexec
