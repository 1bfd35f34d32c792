// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/choices.hpp"
#include "policy/parts.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace llexec {
namespace {

template<class Value>
void read_choice(const Node& table, std::string_view key, Reader& reader,
                 std::span<const Choice<Value>> choices, Value& value) {
    if (const Member* member = table.find(key))
        read_choice(*member, reader, choices, value);
}

/// log: a word, or an array of the kernel's flags.
void read_log(const Node& table, Reader& reader, Enforce& enforce) {
    const Member* member = table.find("log");
    if (member == nullptr)
        return;
    enforce.log_position = member->value.position;
    if (member->value.kind != Node::Kind::array) {
        read_choice<std::uint32_t>(*member, reader, log_modes, enforce.log);
        return;
    }
    std::vector<std::string_view> words;
    words.reserve(log_flags.size());
    for (const auto& [word, flag] : log_flags)
        words.push_back(word);
    enforce.log = 0;
    for (const Node& item : member->value.items) {
        const std::string* text = reader.string(item, "\"log_new_exec_on\"");
        if (text == nullptr)
            continue;
        const auto* const found =
            std::ranges::find(log_flags, *text, [](const auto& choice) { return choice.first; });
        if (found != log_flags.end()) {
            enforce.log |= found->second;
            continue;
        }
        const auto meant = closest(*text, words);
        reader.error(item.position, fmt::format("unknown log flag '{}'", printable(*text)),
                     meant ? fmt::format("did you mean '{}'?", *meant)
                           : fmt::format("known here: {}", alternatives(words)));
    }
}

void read_flag(const Node& table, std::string_view key, Reader& reader, bool& value) {
    const Member* member = table.find(key);
    if (member == nullptr)
        return;
    if (member->value.kind == Node::Kind::boolean)
        value = member->value.boolean;
    else
        reader.error(
            member->value.position,
            fmt::format("'{}' is {}, not a boolean", member->spelling,
                        reader.describe(member->value)),
            fmt::format("write {} or {}", reader.entry(key, "true"), reader.entry(key, "false")));
}

} // namespace

void read_enforce(const Node& root, Reader& reader, Policy& policy) {
    const Member* member = root.find("enforce");
    if (member == nullptr)
        return;
    if (member->value.kind != Node::Kind::table) {
        reader.error(member->position,
                     fmt::format("'enforce' is {}, not {}", reader.describe(member->value),
                                 reader.describe(Node{})),
                     "there is one, with the keys in it");
        return;
    }
    const Node& table = member->value;
    Enforce& enforce = policy.enforce;
    reader.check_keys(table, Place::enforce);
    read_choice<Mode>(table, "mode", reader, modes, enforce.mode);
    read_flag(table, "no_new_privs", reader, enforce.no_new_privs);
    read_choice<OnError>(table, "on_error", reader, error_actions, enforce.on_error);
    read_choice<Compat>(table, "compat", reader, compat_levels, enforce.compat);
    read_choice<MissingPaths>(table, "missing_paths", reader, missing_paths, enforce.missing_paths);
    read_log(table, reader, enforce);
}

} // namespace llexec
