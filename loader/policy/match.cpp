// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/parts.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <limits>

namespace llexec {
namespace {

// The last value means "no ID" to the kernel.
constexpr std::int64_t max_id = std::numeric_limits<std::uint32_t>::max() - 1LL;

enum class PrincipalKind { user, group };

std::string_view name_of(PrincipalKind kind) {
    return kind == PrincipalKind::user ? "user" : "group";
}

class MatchReader {
  public:
    MatchReader(Reader& reader, UserDatabase& users) : reader_(reader), users_(users) {}

    void read(const Node& table, MatchBlock& block) {
        reader_.check_keys(table, Place::match);
        block.position = table.position;
        const Member* exe = table.find("exe");
        const Member* user = table.find("user");
        const Member* group = table.find("group");
        if (exe == nullptr && user == nullptr && group == nullptr)
            reader_.error(table.position, "this entry of 'match' selects nothing",
                          "at least one of exe, user and group is needed");
        if (exe != nullptr)
            for (const Node& item : reader_.array(*exe, R"(["/usr/sbin/nginx"])"))
                read_exe(item, block.exes);
        if (user != nullptr)
            for (const Node& item : reader_.array(*user, R"(["www-data"])"))
                read_principal(item, PrincipalKind::user, block.users);
        if (group != nullptr)
            for (const Node& item : reader_.array(*group, R"(["www-data"])"))
                read_principal(item, PrincipalKind::group, block.groups);
    }

  private:
    void read_exe(const Node& item, std::vector<ExePath>& exes) {
        const std::string* text = reader_.string(item, "\"/usr/sbin/nginx\"");
        if (text == nullptr)
            return;
        const std::string shown = printable(*text);
        if (!text->starts_with('/')) {
            reader_.error(item.position, fmt::format("'{}' is not an absolute path", shown),
                          "write the whole path of the program, from /");
            return;
        }
        if (text->ends_with('/')) {
            reader_.error(item.position, fmt::format("'{}' names a directory", shown),
                          "write the path of a program");
            return;
        }
        if (has_component(*text, "..")) {
            reader_.error(item.position, fmt::format("'..' in '{}'", shown),
                          "write the path without it");
            return;
        }
        if (text->find('\0') != std::string::npos || text->size() >= PATH_MAX) {
            reader_.error(item.position, "no file can have this path",
                          fmt::format("a path has no NUL byte and less than {} bytes", PATH_MAX));
            return;
        }
        std::string path = normalize_path(*text);
        if (std::ranges::find(exes, path, &ExePath::path) == exes.end())
            exes.push_back({.path = std::move(path), .position = item.position});
    }

    void read_principal(const Node& item, PrincipalKind kind, std::vector<Principal>& principals) {
        const std::optional<Principal> principal = resolve(item, kind);
        if (principal &&
            std::ranges::find(principals, principal->id, &Principal::id) == principals.end())
            principals.push_back(*principal);
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

void read_match(const Node& root, Reader& reader, UserDatabase& users, Policy& policy) {
    const Member* member = root.find("match");
    if (member == nullptr)
        return;
    MatchReader match(reader, users);
    for (const Node* table : reader.tables(*member))
        match.read(*table, policy.match.emplace_back());
}

} // namespace llexec
