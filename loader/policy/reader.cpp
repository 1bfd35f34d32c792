// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/reader.hpp"

#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace llexec {
namespace {

struct KnownKey {
    Place place;
    std::string_view key;
};

constexpr std::array known_keys{
    KnownKey{Place::root, "abi"},
    KnownKey{Place::root, "variable"},
    KnownKey{Place::root, "ruleset"},
    KnownKey{Place::root, "path_beneath"},
    KnownKey{Place::root, "net_port"},
    KnownKey{Place::root, "match"},
    KnownKey{Place::root, "enforce"},
    KnownKey{Place::variable, "name"},
    KnownKey{Place::variable, "literal"},
    KnownKey{Place::ruleset, "handled_access_fs"},
    KnownKey{Place::ruleset, "handled_access_net"},
    KnownKey{Place::ruleset, "scoped"},
    KnownKey{Place::path_beneath, "allowed_access"},
    KnownKey{Place::path_beneath, "parent"},
    KnownKey{Place::net_port, "allowed_access"},
    KnownKey{Place::net_port, "port"},
    KnownKey{Place::match, "exe"},
    KnownKey{Place::match, "user"},
    KnownKey{Place::match, "group"},
    KnownKey{Place::enforce, "mode"},
    KnownKey{Place::enforce, "no_new_privs"},
    KnownKey{Place::enforce, "on_error"},
    KnownKey{Place::enforce, "compat"},
    KnownKey{Place::enforce, "missing_paths"},
    KnownKey{Place::enforce, "log"},
};

// Words with a meaning that this version does not have: taking them for a typing mistake would
// mislead.
constexpr std::array unsupported_keys{
    KnownKey{Place::match, "cgroup"},
};

/// The key whose tables the place is in; empty at the top level.
std::string_view name_of(Place place) {
    switch (place) {
    case Place::root:
        return "";
    case Place::variable:
        return "variable";
    case Place::ruleset:
        return "ruleset";
    case Place::path_beneath:
        return "path_beneath";
    case Place::net_port:
        return "net_port";
    case Place::match:
        return "match";
    case Place::enforce:
        return "enforce";
    }
    return "";
}

std::string describe_place(Syntax syntax, Place place) {
    if (syntax == Syntax::json)
        return place == Place::root ? "at the top level"
                                    : fmt::format("in \"{}\"", spell(syntax, name_of(place)));
    if (place == Place::root)
        return "at the top level, before the first table";
    const std::string_view name = name_of(place);
    return place == Place::enforce ? fmt::format("in [{}]", name) : fmt::format("in [[{}]]", name);
}

bool contains(std::span<const KnownKey> keys, Place place, std::string_view key) {
    return std::ranges::any_of(
        keys, [&](const KnownKey& known) { return known.place == place && known.key == key; });
}

std::string advice_for(Syntax syntax, Place place, const Member& member) {
    std::vector<std::string> spellings;
    for (const KnownKey& known : known_keys)
        if (known.place == place)
            spellings.push_back(spell(syntax, known.key));
    const std::vector<std::string_view> here(spellings.begin(), spellings.end());
    if (const auto meant = closest(member.spelling, here))
        return fmt::format("did you mean '{}'?", *meant);
    for (const KnownKey& known : known_keys)
        if (known.key == member.key)
            return fmt::format("'{}' belongs {}", member.spelling,
                               describe_place(syntax, known.place));
    return fmt::format("known here: {}", alternatives(here));
}

} // namespace

void Reader::report(Severity severity, Position position, std::string message, std::string advice) {
    failed_ = failed_ || severity == Severity::error;
    diagnostics_.emplace(position, Diagnostic{.severity = severity,
                                              .file = file_,
                                              .position = position,
                                              .message = std::move(message),
                                              .advice = std::move(advice)});
}

void Reader::error(Position position, std::string message, std::string advice) {
    report(Severity::error, position, std::move(message), std::move(advice));
}

void Reader::warning(Position position, std::string message, std::string advice) {
    report(Severity::warning, position, std::move(message), std::move(advice));
}

void Reader::note(Position position, std::string message, std::string advice) {
    report(Severity::note, position, std::move(message), std::move(advice));
}

void Reader::check_keys(const Node& table, Place place) {
    for (const Member& member : table.members) {
        if (contains(known_keys, place, member.key))
            continue;
        const std::string key = printable(member.spelling);
        if (contains(unsupported_keys, place, member.key))
            error(member.position, fmt::format("'{}' is not supported by this version", key));
        else
            error(member.position, fmt::format("unknown key '{}'", key),
                  advice_for(syntax_, place, member));
    }
}

std::vector<const Node*> Reader::tables(const Member& member) {
    std::vector<const Node*> result;
    const std::string wanted = fmt::format("write {}", table(member.key));
    if (member.value.kind != Node::Kind::array) {
        error(member.position,
              fmt::format("'{}' is {}, not an array of {}", member.spelling, describe(member.value),
                          syntax_ == Syntax::json ? "objects" : "tables"),
              wanted);
        return result;
    }
    if (member.value.items.empty())
        error(member.value.position, fmt::format("'{}' is empty", member.spelling),
              syntax_ == Syntax::json
                  ? "remove it, or add an object"
                  : fmt::format("remove it, or add a {} table", table(member.key)));
    for (const Node& item : member.value.items) {
        if (item.kind == Node::Kind::table)
            result.push_back(&item);
        else
            error(item.position,
                  fmt::format("expected {}, found {}", describe(Node{}), describe(item)), wanted);
    }
    return result;
}

std::span<const Node> Reader::array(const Member& member, std::string_view example) {
    if (member.value.kind != Node::Kind::array) {
        error(member.value.position,
              fmt::format("'{}' is {}, not an array", member.spelling, describe(member.value)),
              fmt::format("write it as an array: {}", entry(member.key, example)));
        return {};
    }
    if (member.value.items.empty())
        error(member.value.position, fmt::format("'{}' is empty", member.spelling),
              fmt::format("at least one element is needed: {}", entry(member.key, example)));
    return member.value.items;
}

const std::string* Reader::string(const Node& node, std::string_view example) {
    if (node.kind == Node::Kind::string)
        return &node.string;
    error(node.position, fmt::format("expected a string, found {}", describe(node)),
          fmt::format("such as {}", example));
    return nullptr;
}

std::string_view Reader::describe(const Node& node) const {
    return llexec::describe(syntax_, node.kind);
}

std::string Reader::key(std::string_view name) const {
    return spell(syntax_, name);
}

std::string Reader::entry(std::string_view name, std::string_view value) const {
    return syntax_ == Syntax::json ? fmt::format("\"{}\": {}", key(name), value)
                                   : fmt::format("{} = {}", name, value);
}

std::string Reader::table(std::string_view name) const {
    return syntax_ == Syntax::json ? fmt::format("\"{}\": [{{...}}]", key(name))
                                   : fmt::format("[[{}]]", name);
}

std::vector<Diagnostic> Reader::take() {
    std::vector<Diagnostic> result;
    result.reserve(diagnostics_.size());
    for (auto& [position, diagnostic] : diagnostics_)
        result.push_back(std::move(diagnostic));
    diagnostics_.clear();
    return result;
}

} // namespace llexec
