// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/reader.hpp"

#include "llexec/lint.hpp"
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
    bool standard = false; ///< Landlock Config has it
};

constexpr std::array known_keys{
    KnownKey{Place::root, "abi", true},
    KnownKey{Place::root, "variable", true},
    KnownKey{Place::root, "ruleset", true},
    KnownKey{Place::root, "path_beneath", true},
    KnownKey{Place::root, "net_port", true},
    KnownKey{Place::root, "include"},
    KnownKey{Place::root, "match"},
    KnownKey{Place::root, "enforce"},
    KnownKey{Place::root, "lint"},
    KnownKey{Place::variable, "name", true},
    KnownKey{Place::variable, "literal", true},
    KnownKey{Place::ruleset, "handled_access_fs", true},
    KnownKey{Place::ruleset, "handled_access_net", true},
    KnownKey{Place::ruleset, "scoped", true},
    KnownKey{Place::ruleset, "quiet_access_fs"},
    KnownKey{Place::ruleset, "quiet_access_net"},
    KnownKey{Place::ruleset, "quiet_scoped"},
    KnownKey{Place::path_beneath, "allowed_access", true},
    KnownKey{Place::path_beneath, "parent", true},
    KnownKey{Place::path_beneath, "quiet"},
    KnownKey{Place::net_port, "allowed_access", true},
    KnownKey{Place::net_port, "port", true},
    KnownKey{Place::net_port, "quiet"},
    KnownKey{Place::match, "exe"},
    KnownKey{Place::match, "exe_beneath"},
    KnownKey{Place::match, "cgroup"},
    KnownKey{Place::match, "user"},
    KnownKey{Place::match, "group"},
    KnownKey{Place::enforce, "mode"},
    KnownKey{Place::enforce, "no_new_privs"},
    KnownKey{Place::enforce, "on_error"},
    KnownKey{Place::enforce, "compat"},
    KnownKey{Place::enforce, "missing_paths"},
    KnownKey{Place::enforce, "log"},
    KnownKey{Place::lint, "allow"},
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
    case Place::lint:
        return "lint";
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
    return place == Place::enforce || place == Place::lint ? fmt::format("in [{}]", name)
                                                           : fmt::format("in [[{}]]", name);
}

const KnownKey* find_key(std::span<const KnownKey> keys, Place place, std::string_view key) {
    const auto found = std::ranges::find_if(
        keys, [&](const KnownKey& known) { return known.place == place && known.key == key; });
    return found == keys.end() ? nullptr : &*found;
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

void Reader::add(Diagnostic diagnostic) {
    Kind& kind = kinds_[diagnostic.lint];
    const Position position = diagnostic.position;
    if (++kind.count <= max_listed_findings)
        diagnostics_.emplace(position, std::move(diagnostic));
    else if (kind.count == max_listed_findings + 1)
        kind.first_unlisted = position;
}

void Reader::error(Position position, std::string message, std::string advice) {
    failed_ = true;
    add({.severity = Severity::error,
         .file = file_,
         .position = position,
         .message = std::move(message),
         .advice = std::move(advice)});
}

void Reader::lint(std::string_view name, Position position, std::string message,
                  std::string advice) {
    add(make_finding(name, file_, position, std::move(message), std::move(advice)));
}

void Reader::check_keys(const Node& table, Place place) {
    for (const Member& member : table.members) {
        const std::string key = printable(member.spelling);
        const KnownKey* const known = find_key(known_keys, place, member.key);
        if (known == nullptr)
            error(member.position, fmt::format("unknown key '{}'", key),
                  advice_for(syntax_, place, member));
        else if (standard_ && !known->standard)
            error(member.position, fmt::format("'{}' is not a key of Landlock Config", key));
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

bool Reader::full() const {
    const auto errors = kinds_.find("");
    return errors != kinds_.end() && errors->second.count >= max_listed_findings;
}

std::vector<Diagnostic> Reader::take() {
    for (const auto& [lint, kind] : kinds_) {
        if (kind.count <= max_listed_findings)
            continue;
        Diagnostic rest{.severity = Severity::error,
                        .file = file_,
                        .position = kind.first_unlisted,
                        .message = fmt::format("not listed: {} more like this",
                                               kind.count - max_listed_findings),
                        .advice = {},
                        .lint = lint};
        if (!lint.empty())
            rest.severity = find_lint(lint)->severity;
        diagnostics_.emplace(rest.position, std::move(rest));
    }
    std::vector<Diagnostic> result;
    result.reserve(diagnostics_.size());
    for (auto& [position, diagnostic] : diagnostics_)
        result.push_back(std::move(diagnostic));
    diagnostics_.clear();
    kinds_.clear();
    return result;
}

} // namespace llexec
