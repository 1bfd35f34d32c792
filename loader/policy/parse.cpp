// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_file.hpp"
#include "policy/document.hpp"
#include "policy/parts.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace llexec {
namespace {

constexpr std::string_view toml_suffix = ".toml";
constexpr std::string_view json_suffix = ".json";

bool valid_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._@+-").find(c) != std::string_view::npos;
}

// Names appear in status output, in events and in the names of pinned objects.
void check_name(std::string_view name, Reader& reader) {
    const bool valid = !name.empty() && name.size() <= max_policy_name_length &&
                       name.front() != '.' && std::ranges::all_of(name, valid_name_character);
    if (!valid)
        reader.error(
            {}, fmt::format("the file's name makes the policy name '{}'", printable(name)),
            fmt::format("a policy name has 1 to {} letters, digits and . _ @ + -, and does not "
                        "start with a dot",
                        max_policy_name_length));
}

std::string_view line_of(std::string_view text, std::uint32_t number) {
    for (; number > 1; --number) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos)
            return {};
        text.remove_prefix(end + 1);
    }
    text = text.substr(0, text.find('\n'));
    if (text.ends_with('\r'))
        text.remove_suffix(1);
    return text;
}

} // namespace

bool is_policy_file(std::string_view name) {
    return !name.starts_with('.') && (name.ends_with(toml_suffix) || name.ends_with(json_suffix));
}

std::string_view policy_name(std::string_view file) {
    if (const auto slash = file.rfind('/'); slash != std::string_view::npos)
        file.remove_prefix(slash + 1);
    for (const std::string_view suffix : {toml_suffix, json_suffix})
        if (file.ends_with(suffix))
            return file.substr(0, file.size() - suffix.size());
    return file;
}

ParsedPolicy parse_policy(std::string_view text, std::string_view file, UserDatabase& users) {
    ParsedPolicy parsed;
    const Syntax syntax = file.ends_with(json_suffix) ? Syntax::json : Syntax::toml;
    Reader reader(std::string(file), syntax);
    Policy policy;
    policy.file = file;
    policy.name = policy_name(file);
    check_name(policy.name, reader);

    std::vector<Diagnostic> unreadable;
    if (const std::optional<Node> root = syntax == Syntax::json
                                             ? parse_json(text, file, unreadable)
                                             : parse_toml(text, file, unreadable)) {
        reader.check_keys(*root, Place::root);
        read_match(*root, reader, users, policy);
        read_enforce(*root, reader, policy);
        read_body(*root, reader, policy);
    }
    const bool failed = reader.failed() || !unreadable.empty();
    parsed.diagnostics = reader.take();
    parsed.diagnostics.insert(parsed.diagnostics.end(), unreadable.begin(), unreadable.end());
    for (Diagnostic& diagnostic : parsed.diagnostics)
        if (diagnostic.position.line != 0)
            diagnostic.source = line_of(text, diagnostic.position.line);
    if (!failed)
        parsed.policy = std::move(policy);
    return parsed;
}

} // namespace llexec
