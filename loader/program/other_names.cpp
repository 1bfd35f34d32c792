// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/program.hpp"
#include "program/file_tree.hpp"
#include "program/search_path.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace llexec {
namespace {

using namespace program;

constexpr int max_links = 40; // as the kernel follows them

/// A name without its version: python3.11 and python are the same.
std::string_view unversioned(std::string_view name) {
    const std::size_t last = name.find_last_not_of("0123456789.-");
    return last == std::string_view::npos ? name : name.substr(0, last + 1);
}

/// Whether `name` is `other` with a prefix for the machine that it compiles for, as in
/// x86_64-linux-gnu-gcc.
bool prefixed(std::string_view name, std::string_view other) {
    return name.size() > other.size() && name.ends_with(other) &&
           name[name.size() - other.size() - 1] == '-';
}

bool same_program(std::string_view one, std::string_view other) {
    one = unversioned(one);
    other = unversioned(other);
    return one == other || prefixed(one, other) || prefixed(other, one);
}

/// The administrator's choice among programs that do the same.
bool is_alternative(const FileTree& tree, std::string path) {
    for (int i = 0; i < max_links; ++i) {
        const std::string target = tree.link(path);
        if (target.empty())
            return false;
        path = target.starts_with('/') ? target : below(directory_of(path), target);
        if (path.starts_with("/etc/alternatives/"))
            return true;
    }
    return false;
}

} // namespace

Result<std::vector<std::string>> other_program_names(const std::string& path,
                                                     const std::string& root) {
    const auto tree = FileTree::open(root);
    if (!tree)
        return std::unexpected(tree.error());
    const auto program = tree->find(path);
    if (!program)
        return system_error(program.error(), "cannot open " + path);
    const auto target = tree->real_path(*program);
    if (!target)
        return std::unexpected(target.error());
    const auto own = [&](const std::string& name) {
        return same_program(name, name_of(path)) || same_program(name, name_of(*target));
    };
    std::set<std::string> names;
    std::set<std::pair<dev_t, ino_t>> visited; // /bin is often /usr/bin
    for (const std::string& directory : split(default_path(), ":")) {
        const auto found = tree->find(directory);
        if (!found || !visited.insert({found->status.st_dev, found->status.st_ino}).second)
            continue;
        for (const std::string& name : tree->names(directory)) {
            const std::string other = below(directory, name);
            const auto file = tree->find(other);
            if (file && file->regular() && file->same_file(*program) && !own(name) &&
                !is_alternative(*tree, other))
                names.insert(name);
        }
    }
    std::erase_if(names, [&](const std::string& name) {
        return std::ranges::any_of(names,
                                   [&](const std::string& other) { return prefixed(name, other); });
    });
    if (names.size() < 2)
        names.clear();
    return std::vector<std::string>(names.begin(), names.end());
}

} // namespace llexec
