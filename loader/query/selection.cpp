// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/selection.hpp"

#include "llexec/abi.h"
#include "llexec/path_walk.hpp"
#include "llexec/program.hpp"
#include "program/own_programs.hpp"
#include "program/script.hpp"
#include "query/hierarchy.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>

namespace llexec {
namespace {

/// What a policy names, as whoever loads it finds it.
Result<FileObject> named_object(const std::string& path) {
    const auto status = stat_named(path);
    if (!status)
        return std::unexpected(status.error());
    return FileObject{.device = status->st_dev, .inode = status->st_ino};
}

bool same_file(const std::string& named, const std::string& file) {
    struct stat status{};
    const auto object = named_object(named);
    return object && ::stat(file.c_str(), &status) == 0 &&
           *object == FileObject{.device = status.st_dev, .inode = status.st_ino};
}

bool is_one_of(const std::vector<ExePath>& exes, const std::string& file) {
    return std::ranges::any_of(
        exes, [&](const ExePath& exe) { return exe.path == file || same_file(exe.path, file); });
}

bool is_beneath(const std::vector<DirectoryPath>& directories, const std::string& file) {
    const auto hierarchy = hierarchy_of(file);
    if (!hierarchy)
        return false;
    return std::ranges::any_of(directories, [&](const DirectoryPath& directory) {
        const auto object = named_object(directory.path);
        return object &&
               std::any_of(hierarchy->places.begin() + 1, hierarchy->places.end(),
                           [&](const Hierarchy::Place& place) { return place.object == *object; });
    });
}

bool is_in(const std::vector<CgroupPath>& cgroups, const std::string& cgroup) {
    return std::ranges::any_of(cgroups, [&](const CgroupPath& above) {
        return above.path == "/" || cgroup == above.path || cgroup.starts_with(above.path + "/");
    });
}

bool has_user(const std::vector<Principal>& users, std::uint32_t user) {
    return std::ranges::find(users, user, &Principal::id) != users.end();
}

bool has_group(const std::vector<Principal>& groups, const std::vector<std::uint32_t>& own) {
    return std::ranges::any_of(groups, [&](const Principal& group) {
        return std::ranges::find(own, group.id) != own.end();
    });
}

template<class Element, class Member>
std::string listed(const std::vector<Element>& elements, Member Element::* member) {
    std::vector<std::string> words;
    words.reserve(elements.size());
    for (const Element& element : elements)
        words.push_back(element.*member);
    return fmt::format("{}", fmt::join(words, " or "));
}

/// The paths, each with why it stands for nothing if whoever loads the policy refuses it.
template<class Named>
std::string listed_paths(const std::vector<Named>& named) {
    std::vector<std::string> words;
    words.reserve(named.size());
    for (const Named& one : named) {
        const auto object = named_object(one.path);
        words.push_back(object || object.error().kind != ErrorKind::policy
                            ? one.path
                            : fmt::format("{} ({})", one.path, object.error().reason()));
    }
    return fmt::format("{}", fmt::join(words, " or "));
}

/// exe and exe_beneath must hold for the same file.
std::string file_mismatch(const MatchBlock& block, const ExecutedFiles& files) {
    if (block.exes.empty() && block.directories.empty())
        return {};
    for (const std::string& file : {files.asked, files.interpreter})
        if (!file.empty() && (block.exes.empty() || is_one_of(block.exes, file)) &&
            (block.directories.empty() || is_beneath(block.directories, file)))
            return {};
    std::vector<std::string> wanted;
    if (!block.exes.empty())
        wanted.push_back("is not " + listed_paths(block.exes));
    if (!block.directories.empty())
        wanted.push_back("is not beneath " + listed_paths(block.directories));
    return fmt::format("the program {}", fmt::join(wanted, ", or "));
}

/// Empty: the block selects the execution.
std::string mismatch(const MatchBlock& block, const Execution& execution,
                     const ExecutedFiles& files) {
    std::vector<std::string> reasons;
    if (std::string reason = file_mismatch(block, files); !reason.empty())
        reasons.push_back(std::move(reason));
    if (!block.cgroups.empty() && !is_in(block.cgroups, execution.cgroup))
        reasons.push_back(fmt::format("the cgroup {} is not beneath {}", execution.cgroup,
                                      listed(block.cgroups, &CgroupPath::path)));
    if (!block.users.empty() && !has_user(block.users, execution.user))
        reasons.push_back(fmt::format("user {} is not {}", execution.user,
                                      listed(block.users, &Principal::spelling)));
    if (!block.groups.empty() && !has_group(block.groups, execution.groups))
        reasons.push_back(
            fmt::format("no group is {}", listed(block.groups, &Principal::spelling)));
    return fmt::format("{}", fmt::join(reasons, "; "));
}

} // namespace

Result<ExecutedFiles> executed_files(const std::string& exe) {
    auto program = inspect_program(exe);
    if (!program)
        return std::unexpected(std::move(program.error()));
    ExecutedFiles files{.asked = program->target};
    // The first interpreter that a file names is the one that the kernel executes; env(1) then
    // executes another one, which is an execution of its own.
    std::string file = program->path;
    const auto names_it = [&](const auto& named) {
        return named.use == FileUse::script_interpreter && named.needed_by == file;
    };
    for (int scripts = 0;; ++scripts) {
        const auto need = std::ranges::find_if(program->needs, names_it);
        const bool found = need != program->needs.end();
        if (scripts == program::max_scripts &&
            (found || std::ranges::any_of(program->missing, names_it)))
            return system_error(ELOOP, "cannot execute " + exe);
        if (!found) {
            files.llexec = is_own_program(file);
            return files;
        }
        file = need->path;
        files.interpreter = real_path(file).value_or(file);
    }
}

Selection select_policy(const Policy& policy, const Execution& execution,
                        const ExecutedFiles& files) {
    Selection selection;
    if (files.llexec && execution.user == 0) {
        selection.reasons.emplace_back("llexec itself is never selected when root executes it");
        return selection;
    }
    for (const MatchBlock& block : policy.match) {
        std::string reason = mismatch(block, execution, files);
        if (reason.empty())
            return {.selected = true, .block = block.position, .reasons = {}};
        selection.reasons.push_back(std::move(reason));
    }
    if (policy.match.empty())
        selection.reasons.emplace_back("it has no [[match]] block");
    return selection;
}

std::string beyond_limits(std::size_t selected, std::size_t enforced) {
    if (selected > LLEXEC_MAX_MATCHES)
        return fmt::format("more than {} policies select this execution: it is refused, or the "
                           "program killed, whatever on_error says",
                           LLEXEC_MAX_MATCHES);
    if (enforced > LLEXEC_MAX_LAYERS)
        return fmt::format("more than {} policies are to be enforced, and Landlock has no more "
                           "layers: on_error says what becomes of those beyond",
                           LLEXEC_MAX_LAYERS);
    return {};
}

} // namespace llexec
