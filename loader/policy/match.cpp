// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/abi.h"
#include "llexec/name_hash.h"
#include "policy/parts.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <limits>
#include <set>

namespace llexec {
namespace {

// The last value means "no ID" to the kernel.
constexpr std::int64_t max_id = std::numeric_limits<std::uint32_t>::max() - 1LL;

// Where cgroup v2 is mounted, everywhere.
constexpr std::string_view mount_point = "/sys/fs/cgroup";

enum class PrincipalKind { user, group };

std::string_view name_of(PrincipalKind kind) {
    return kind == PrincipalKind::user ? "user" : "group";
}

/// Of a normalised path.
bool can_be_cgroup(std::string_view path) {
    int levels = 0;
    for (std::size_t begin = 1; begin < path.size(); ++levels) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (end - begin >= LLEXEC_NAME_SIZE)
            return false;
        begin = end + 1;
    }
    return levels <= LLEXEC_MAX_CGROUP_LEVELS &&
           path.find_first_of(std::string_view("\0\n", 2)) == std::string_view::npos;
}

class MatchReader {
  public:
    MatchReader(Reader& reader, UserDatabase& users) : reader_(reader), users_(users) {}

    void read(const Node& table, MatchBlock& block) {
        reader_.check_keys(table, Place::match);
        block.position = table.position;
        const Member* exe = table.find("exe");
        const Member* beneath = table.find("exe_beneath");
        const Member* cgroup = table.find("cgroup");
        const Member* user = table.find("user");
        const Member* group = table.find("group");
        if (exe == nullptr && beneath == nullptr && cgroup == nullptr && user == nullptr &&
            group == nullptr)
            reader_.error(table.position, "this entry of 'match' selects nothing",
                          fmt::format("at least one of exe, {}, cgroup, user and group is needed",
                                      reader_.key("exe_beneath")));
        if (exe != nullptr)
            for (const Node& item : reader_.array(*exe, R"(["/usr/sbin/nginx"])"))
                read_exe(item, block.exes);
        if (beneath != nullptr)
            for (const Node& item : reader_.array(*beneath, R"(["/opt"])"))
                read_directory(item, block.directories);
        if (cgroup != nullptr)
            for (const Node& item : reader_.array(*cgroup, R"(["/user.slice"])"))
                read_cgroup(item, block.cgroups);
        if (user != nullptr)
            for (const Node& item : reader_.array(*user, R"(["www-data"])"))
                read_principal(item, PrincipalKind::user, block.users);
        if (group != nullptr)
            for (const Node& item : reader_.array(*group, R"(["www-data"])"))
                read_principal(item, PrincipalKind::group, block.groups);
        keep_first(block.exes, &ExePath::path);
        keep_first(block.directories, &DirectoryPath::path);
        keep_first(block.cgroups, &CgroupPath::path);
        keep_first(block.users, &Principal::id);
        keep_first(block.groups, &Principal::id);
    }

  private:
    void read_exe(const Node& item, std::vector<ExePath>& exes) {
        const std::string* text = reader_.string(item, "\"/usr/sbin/nginx\"");
        if (text == nullptr)
            return;
        if (text->starts_with('/') && (text->ends_with('/') || text->ends_with("/."))) {
            reader_.error(
                item.position, fmt::format("'{}' names a directory", printable(*text)),
                fmt::format("write the path of a program, or use {}", reader_.key("exe_beneath")));
            return;
        }
        if (is_file_path(item.position, *text, "program"))
            exes.push_back({.path = normalize_path(*text), .position = item.position});
    }

    void read_directory(const Node& item, std::vector<DirectoryPath>& directories) {
        const std::string* text = reader_.string(item, "\"/opt\"");
        if (text != nullptr && is_file_path(item.position, *text, "directory"))
            directories.push_back({.path = normalize_path(*text), .position = item.position});
    }

    void read_cgroup(const Node& item, std::vector<CgroupPath>& cgroups) {
        const std::string* text = reader_.string(item, "\"/user.slice\"");
        if (text == nullptr)
            return;
        auto path = cgroup_path(*text);
        if (path)
            cgroups.push_back({.path = std::move(*path), .position = item.position});
        else
            reader_.error(item.position, std::move(path.error().what),
                          std::move(path.error().hint));
    }

    bool is_file_path(Position position, const std::string& text, std::string_view what) {
        const std::string shown = printable(text);
        if (!text.starts_with('/')) {
            reader_.error(position, fmt::format("'{}' is not an absolute path", shown),
                          fmt::format("write the whole path of the {}, from /", what));
            return false;
        }
        if (has_component(text, "..")) {
            reader_.error(position, fmt::format("'..' in '{}'", shown),
                          "write the path without it");
            return false;
        }
        if (text.find('\0') != std::string::npos || text.size() >= PATH_MAX) {
            reader_.error(position, "no file can have this path",
                          fmt::format("a path has no NUL byte and less than {} bytes", PATH_MAX));
            return false;
        }
        return true;
    }

    /// Of those that are the same.
    template<class Element, class Value>
    static void keep_first(std::vector<Element>& elements, Value Element::* what) {
        std::set<Value> seen;
        std::erase_if(elements,
                      [&](const Element& element) { return !seen.insert(element.*what).second; });
    }

    void read_principal(const Node& item, PrincipalKind kind, std::vector<Principal>& principals) {
        if (std::optional<Principal> principal = resolve(item, kind))
            principals.push_back(std::move(*principal));
    }

    std::optional<Principal> resolve(const Node& item, PrincipalKind kind) {
        if (item.kind == Node::Kind::integer)
            return from_number(item, kind, item.integer, std::to_string(item.integer));
        if (item.kind != Node::Kind::string) {
            reader_.error(item.position,
                          fmt::format("expected a {} name or number, found {}", name_of(kind),
                                      reader_.describe(item)),
                          "such as \"www-data\" or 33");
            return std::nullopt;
        }
        const std::string& text = item.string;
        const bool digits =
            !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        if (digits) // more than ten digits are out of range whatever they are
            return from_number(item, kind, text.size() > 10 ? max_id + 1 : std::stoll(text), text);
        return from_name(item, kind);
    }

    std::optional<Principal> from_number(const Node& item, PrincipalKind kind, std::int64_t number,
                                         std::string spelling) {
        if (number < 0 || number > max_id) {
            reader_.error(item.position,
                          fmt::format("{} number {} is out of range", name_of(kind), spelling),
                          fmt::format("0 to {}", max_id));
            return std::nullopt;
        }
        return Principal{.id = static_cast<std::uint32_t>(number),
                         .spelling = std::move(spelling),
                         .position = item.position};
    }

    std::optional<Principal> from_name(const Node& item, PrincipalKind kind) {
        const std::string& name = item.string;
        if (name.empty() || name.find('\0') != std::string::npos) {
            reader_.error(item.position,
                          fmt::format("'{}' is not a {} name", printable(name), name_of(kind)));
            return std::nullopt;
        }
        const auto found =
            kind == PrincipalKind::user ? users_.user_id(name) : users_.group_id(name);
        if (!found) {
            reader_.error(item.position, fmt::format("cannot look up {} '{}': {}", name_of(kind),
                                                     printable(name), found.error().message()));
            return std::nullopt;
        }
        if (!*found) {
            reader_.error(item.position,
                          fmt::format("there is no {} '{}'", name_of(kind), printable(name)),
                          fmt::format("create it first, or write its number: {}",
                                      reader_.entry(name_of(kind), "[33]")));
            return std::nullopt;
        }
        return Principal{.id = **found, .spelling = name, .position = item.position};
    }

    Reader& reader_;
    UserDatabase& users_;
};

} // namespace

Result<std::string> cgroup_path(std::string_view text) {
    const std::string shown = printable(text);
    if (text.empty())
        return failure(ErrorKind::policy, "'' is not a cgroup", "write \"/\" for the root");
    if (has_component(text, ".."))
        return failure(ErrorKind::policy, fmt::format("'..' in '{}'", shown),
                       "write the path without it");
    std::string path = normalize_path(fmt::format("/{}", text));
    // It would be accepted, and select nothing.
    if (path == mount_point || path.starts_with(std::string(mount_point) + "/"))
        return failure(ErrorKind::policy, fmt::format("'{}' is a path of the file system", shown),
                       fmt::format("write it as /proc/PID/cgroup does, without {}", mount_point));
    if (!can_be_cgroup(path))
        return failure(ErrorKind::policy, fmt::format("no cgroup can be named '{}'", shown),
                       fmt::format("a path has at most {} names of at most {} bytes, without "
                                   "NUL and newline",
                                   LLEXEC_MAX_CGROUP_LEVELS, LLEXEC_NAME_SIZE - 1));
    return path;
}

void read_match(const Node& root, Reader& reader, UserDatabase& users, Policy& policy) {
    const Member* member = root.find("match");
    if (member == nullptr)
        return;
    MatchReader match(reader, users);
    for (const Node* table : reader.tables(*member))
        match.read(*table, policy.match.emplace_back());
}

} // namespace llexec
