// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lint/files.hpp"

#include "llexec/path_walk.hpp"

#include <cerrno>
#include <sys/stat.h>
#include <system_error>

namespace llexec::lint {

const Files::Facts& Files::facts(const std::string& path) {
    const auto [entry, added] = facts_.try_emplace(path);
    Facts& facts = entry->second;
    if (!added)
        return facts;
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0)
        facts.symlink = S_ISLNK(status.st_mode);
    if (::stat(path.c_str(), &status) < 0) {
        facts.error = errno;
        return facts;
    }
    facts.exists = true;
    facts.mode = status.st_mode;
    facts.real = real_path(path).value_or(path);
    if (auto hierarchy = hierarchy_of(facts.real))
        facts.hierarchy = std::move(*hierarchy);
    return facts;
}

const std::string& Files::problem(const std::string& path) {
    const auto [entry, added] = problems_.try_emplace(path);
    if (!added)
        return entry->second;
    if (const auto opened = open_named(path); !opened && opened.error().kind == ErrorKind::policy)
        entry->second = opened.error().reason();
    else if (const Facts& seen = facts(path); !seen.exists)
        entry->second = std::generic_category().message(seen.error);
    return entry->second;
}

const Program* Files::program(const std::string& path) {
    const auto [entry, added] = programs_.try_emplace(path);
    if (added)
        if (auto program = inspect_program(path))
            entry->second = std::move(*program);
    return entry->second ? &*entry->second : nullptr;
}

const std::vector<std::string>& Files::other_names(const std::string& path) {
    const auto [entry, added] = names_.try_emplace(path);
    if (added)
        entry->second = other_program_names(path).value_or(std::vector<std::string>{});
    return entry->second;
}

} // namespace llexec::lint
