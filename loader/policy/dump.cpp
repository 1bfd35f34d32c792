// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_dump.hpp"
#include "policy/choices.hpp"
#include "policy/document.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <array>
#include <map>

namespace llexec {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array classes{AccessClass::fs, AccessClass::net, AccessClass::scope};

std::vector<std::string> names_of(AccessClass access_class, std::uint64_t mask) {
    std::vector<std::string> names;
    for (const AccessRight& right : access_rights())
        if (right.access_class == access_class && (mask & right.bit) != 0)
            names.emplace_back(right.name);
    return names;
}

/// A path as a template that stands for it.
std::string escape_template(std::string_view path) {
    std::string result;
    for (const char c : path)
        result.append(c == '$' ? 2 : 1, c);
    return result;
}

/// Objects that have the same rights, in order, by the first of them.
template<class Rule, class Object>
std::vector<std::pair<std::uint64_t, Json>> grouped(const std::vector<Rule>& rules, Object object) {
    std::vector<std::pair<std::uint64_t, Json>> groups;
    std::map<std::uint64_t, std::size_t> index;
    for (const Rule& rule : rules) {
        const auto [found, added] = index.try_emplace(rule.access, groups.size());
        if (added)
            groups.emplace_back(rule.access, Json::array());
        groups[found->second].second.push_back(object(rule));
    }
    return groups;
}

/// The document with TOML's keys, the same for both syntaxes.
class Document {
  public:
    explicit Document(const Policy& policy) : policy_(policy) {
        if (policy.abi)
            json_["abi"] = *policy.abi;
    }

    Json body() {
        Json handled = Json::object();
        constexpr std::array keys{"handled_access_fs", "handled_access_net", "scoped"};
        for (std::size_t i = 0; i < keys.size(); ++i)
            if (const std::uint64_t mask = policy_.handled.of(classes.at(i)); mask != 0)
                handled[keys.at(i)] = names_of(classes.at(i), mask);
        json_["ruleset"].push_back(std::move(handled));
        for (auto& [access, parents] : grouped(
                 policy_.paths, [](const PathRule& rule) { return escape_template(rule.path); }))
            json_["path_beneath"].push_back({{"allowed_access", names_of(AccessClass::fs, access)},
                                             {"parent", std::move(parents)}});
        for (auto& [access, ports] :
             grouped(policy_.ports, [](const PortRule& rule) { return rule.port; }))
            json_["net_port"].push_back({{"allowed_access", names_of(AccessClass::net, access)},
                                         {"port", std::move(ports)}});
        return std::move(json_);
    }

    Json whole() {
        for (const MatchBlock& block : policy_.match)
            json_["match"].push_back(match(block));
        json_["enforce"] = enforce();
        return body();
    }

  private:
    static Json match(const MatchBlock& block) {
        Json json = Json::object();
        for (const ExePath& exe : block.exes)
            json["exe"].push_back(exe.path);
        for (const Principal& user : block.users)
            json["user"].push_back(user.id);
        for (const Principal& group : block.groups)
            json["group"].push_back(group.id);
        return json;
    }

    [[nodiscard]] Json enforce() const {
        const Enforce& enforce = policy_.enforce;
        Json json{{"mode", word_for(modes, enforce.mode)},
                  {"no_new_privs", enforce.no_new_privs},
                  {"on_error", word_for(error_actions, enforce.on_error)},
                  {"compat", word_for(compat_levels, enforce.compat)},
                  {"missing_paths", word_for(missing_paths, enforce.missing_paths)}};
        // Not the same as its default: with compat = "strict" it asks for a kernel that logs.
        if (enforce.log_position.line != 0)
            json["log"] = word_for(log_modes, enforce.log);
        return json;
    }

    const Policy& policy_;
    Json json_ = Json::object();
};

/// TOML takes JSON's strings, integers and arrays, but for a DEL that is not escaped.
std::string value_text(const Json& value) {
    std::string text;
    for (const char c : value.dump())
        text += c == '\x7f' ? "\\u007f" : std::string(1, c);
    return text;
}

std::string to_toml(const Json& document) {
    std::string head;
    std::string tables;
    const auto add_entries = [](std::string& text, const Json& table) {
        for (const auto& [key, value] : table.items())
            text += fmt::format("{} = {}\n", key, value_text(value));
    };
    for (const auto& [key, value] : document.items()) {
        if (value.is_object()) {
            tables += fmt::format("\n[{}]\n", key);
            add_entries(tables, value);
        } else if (value.is_array()) {
            for (const Json& table : value) {
                tables += fmt::format("\n[[{}]]\n", key);
                add_entries(tables, table);
            }
        } else {
            head += fmt::format("{} = {}\n", key, value_text(value));
        }
    }
    if (head.empty() && tables.starts_with('\n'))
        tables.erase(0, 1);
    return head + tables;
}

Json with_json_keys(const Json& document) {
    if (document.is_array()) {
        Json result = Json::array();
        for (const Json& item : document)
            result.push_back(with_json_keys(item));
        return result;
    }
    if (!document.is_object())
        return document;
    Json result = Json::object();
    for (const auto& [key, value] : document.items())
        result[spell(Syntax::json, key)] = with_json_keys(value);
    return result;
}

std::string rights_text(AccessClass access_class, std::uint64_t mask) {
    return fmt::format("{:#x}: {}", mask, fmt::join(names_of(access_class, mask), ", "));
}

std::string principals_text(const std::vector<Principal>& principals) {
    std::vector<std::string> words;
    for (const Principal& principal : principals) {
        const std::string number = std::to_string(principal.id);
        words.push_back(principal.spelling == number
                            ? number
                            : fmt::format("{} ({})", printable(principal.spelling), number));
    }
    return fmt::format("{}", fmt::join(words, " or "));
}

std::string match_text(const MatchBlock& block) {
    std::vector<std::string> parts;
    std::vector<std::string> exes;
    for (const ExePath& exe : block.exes)
        exes.push_back(printable(exe.path));
    if (!exes.empty())
        parts.push_back(fmt::format("exe {}", fmt::join(exes, " or ")));
    if (!block.users.empty())
        parts.push_back("user " + principals_text(block.users));
    if (!block.groups.empty())
        parts.push_back("group " + principals_text(block.groups));
    return fmt::format("{}", fmt::join(parts, ", and "));
}

std::string to_text(const Policy& policy) {
    std::string text = fmt::format("policy {} ({})\n", policy.name, printable(policy.file));
    const auto line = [&text](std::string_view what, std::string_view value) {
        text += fmt::format("  {:<12} {}\n", what, value);
    };
    if (policy.abi)
        line("abi", std::to_string(*policy.abi));
    for (const MatchBlock& block : policy.match)
        line("match", match_text(block));
    const Enforce& enforce = policy.enforce;
    line("enforce",
         fmt::format(
             "mode {}, no_new_privs {}, on_error {}, compat {}, missing_paths {}, log {}",
             word_for(modes, enforce.mode), enforce.no_new_privs,
             word_for(error_actions, enforce.on_error), word_for(compat_levels, enforce.compat),
             word_for(missing_paths, enforce.missing_paths), word_for(log_modes, enforce.log)));
    for (const AccessClass access_class : classes)
        if (const std::uint64_t mask = policy.handled.of(access_class); mask != 0)
            line("handled",
                 fmt::format("{} {}", to_string(access_class), rights_text(access_class, mask)));
    for (const PathRule& rule : policy.paths)
        line("path",
             fmt::format("{} {}", printable(rule.path), rights_text(AccessClass::fs, rule.access)));
    for (const PortRule& rule : policy.ports)
        line("port", fmt::format("{} {}", rule.port, rights_text(AccessClass::net, rule.access)));
    return text;
}

std::vector<std::string> extensions_of(const Policy& policy) {
    std::vector<std::string> names;
    for (const AccessRight& right : access_rights())
        if (!right.landlock_config && (policy.handled.of(right.access_class) & right.bit) != 0)
            names.emplace_back(right.name);
    return names;
}

} // namespace

Result<std::string> dump_policy(const Policy& policy, DumpFormat format) {
    switch (format) {
    case DumpFormat::text:
        return to_text(policy);
    case DumpFormat::toml:
        return to_toml(Document(policy).whole());
    case DumpFormat::json:
        return with_json_keys(Document(policy).whole()).dump(2) + "\n";
    case DumpFormat::landlock_config:
        break;
    }
    if (const std::vector<std::string> extensions = extensions_of(policy); !extensions.empty())
        return failure(ErrorKind::policy,
                       fmt::format("Landlock Config has no word for {}, which policy '{}' handles",
                                   fmt::join(extensions, ", "), policy.name),
                       "it cannot be written as Landlock Config without losing something");
    return to_toml(Document(policy).body());
}

} // namespace llexec
