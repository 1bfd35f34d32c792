// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_dump.hpp"
#include "policy/body.hpp"
#include "policy/choices.hpp"
#include "policy/document.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace llexec {
namespace {

using Json = nlohmann::ordered_json;

/// Rights as a policy lists them: names, and a number for those without one.
Json rights_json(AccessClass access_class, std::uint64_t mask) {
    Json json = Json::array();
    for (std::string& name : names_of_rights(access_class, mask)) {
        if (name.starts_with("0x"))
            json.push_back(std::stoull(name, nullptr, 16));
        else
            json.push_back(std::move(name));
    }
    return json;
}

/// The same with a group of the policy's ABI for what has no word in Landlock Config, where there
/// is one that stands for it.
Json standard_rights(AccessClass access_class, std::uint64_t mask, std::optional<int> abi) {
    std::uint64_t extensions = mask;
    for (const AccessRight& right : access_rights())
        if (right.access_class == access_class && right.landlock_config)
            extensions &= ~right.bit;
    if (extensions != 0 && abi)
        for (const std::string_view group : {"abi.all", "abi.read_write"})
            if (const auto rights = expand_group(access_class, group, *abi);
                rights && (*rights & ~mask) == 0 && (extensions & ~*rights) == 0) {
                Json json = rights_json(access_class, mask & ~*rights);
                json.insert(json.begin(), group);
                return json;
            }
    return rights_json(access_class, mask);
}

/// A path as a template that stands for it.
std::string escape_template(std::string_view path) {
    std::string result;
    for (const char c : path)
        result.append(c == '$' ? 2 : 1, c);
    return result;
}

/// Objects that have the same rights, in order, by the first of them.
struct Group {
    std::uint64_t access;
    bool quiet;
    Json objects = Json::array();
};

template<class Rule, class Object>
std::vector<Group> grouped(const std::vector<Rule>& rules, Object object) {
    std::vector<Group> groups;
    std::map<std::pair<std::uint64_t, bool>, std::size_t> index;
    for (const Rule& rule : rules) {
        const auto [found, added] =
            index.try_emplace(std::pair(rule.access, rule.quiet), groups.size());
        if (added)
            groups.push_back({.access = rule.access, .quiet = rule.quiet});
        groups[found->second].objects.push_back(object(rule));
    }
    return groups;
}

/// The document with TOML's keys, the same for both syntaxes.
class Document {
  public:
    explicit Document(const Policy& policy, bool standard = false)
        : policy_(policy), standard_(standard) {
        if (policy.abi)
            json_["abi"] = *policy.abi;
    }

    Json body() {
        Json ruleset = Json::object();
        for (const auto& [access_class, handled, quiet] : ruleset_keys) {
            if (const std::uint64_t mask = policy_.handled.of(access_class); mask != 0)
                ruleset[handled] = rights(access_class, mask);
            if (const std::uint64_t mask = policy_.quiet.of(access_class); mask != 0)
                ruleset[quiet] = rights(access_class, mask);
        }
        json_["ruleset"].push_back(std::move(ruleset));
        for (Group& group : grouped(
                 policy_.paths, [](const PathRule& rule) { return escape_template(rule.path); }))
            json_["path_beneath"].push_back(rule(AccessClass::fs, group, "parent"));
        for (Group& group : grouped(policy_.ports, [](const PortRule& rule) { return rule.port; }))
            json_["net_port"].push_back(rule(AccessClass::net, group, "port"));
        return std::move(json_);
    }

    Json whole() {
        for (const MatchBlock& block : policy_.match)
            json_["match"].push_back(match(block));
        json_["enforce"] = enforce();
        if (!policy_.allowed_lints.empty())
            json_["lint"]["allow"] = policy_.allowed_lints;
        return body();
    }

  private:
    [[nodiscard]] Json rights(AccessClass access_class, std::uint64_t mask) const {
        return standard_ ? standard_rights(access_class, mask, policy_.abi)
                         : rights_json(access_class, mask);
    }

    [[nodiscard]] Json rule(AccessClass access_class, Group& group,
                            std::string_view objects) const {
        Json json = Json::object();
        if (group.access != 0)
            json["allowed_access"] = rights(access_class, group.access);
        json[objects] = std::move(group.objects);
        if (group.quiet)
            json["quiet"] = true;
        return json;
    }

    static Json match(const MatchBlock& block) {
        Json json = Json::object();
        for (const ExePath& exe : block.exes)
            json["exe"].push_back(exe.path);
        for (const DirectoryPath& directory : block.directories)
            json["exe_beneath"].push_back(directory.path);
        for (const CgroupPath& cgroup : block.cgroups)
            json["cgroup"].push_back(cgroup.path);
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
            json["log"] = log_json(enforce.log);
        return json;
    }

    static Json log_json(std::uint32_t flags) {
        if (const std::string_view word = word_for(log_modes, flags); !word.empty())
            return word;
        Json json = Json::array();
        for (const auto& [word, flag] : log_flags)
            if ((flags & flag) != 0)
                json.push_back(word);
        return json;
    }

    const Policy& policy_;
    bool standard_;
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
    return fmt::format("{:#x}: {}", mask, fmt::join(names_of_rights(access_class, mask), ", "));
}

std::string rule_text(AccessClass access_class, std::uint64_t mask, bool quiet) {
    return rights_text(access_class, mask) + (quiet ? "; quiet" : "");
}

std::string log_text(std::uint32_t flags) {
    if (const std::string_view word = word_for(log_modes, flags); !word.empty())
        return std::string(word);
    std::vector<std::string_view> words;
    for (const auto& [word, flag] : log_flags)
        if ((flags & flag) != 0)
            words.push_back(word);
    return fmt::format("[{}]", fmt::join(words, ", "));
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

template<class Path>
void add_paths(std::vector<std::string>& parts, std::string_view key,
               const std::vector<Path>& paths) {
    std::vector<std::string> words;
    words.reserve(paths.size());
    for (const Path& path : paths)
        words.push_back(printable(path.path));
    if (!words.empty())
        parts.push_back(fmt::format("{} {}", key, fmt::join(words, " or ")));
}

std::string match_text(const MatchBlock& block) {
    std::vector<std::string> parts;
    add_paths(parts, "exe", block.exes);
    add_paths(parts, "exe_beneath", block.directories);
    add_paths(parts, "cgroup", block.cgroups);
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
         fmt::format("mode {}, no_new_privs {}, on_error {}, compat {}, missing_paths {}, log {}",
                     word_for(modes, enforce.mode), enforce.no_new_privs,
                     word_for(error_actions, enforce.on_error),
                     word_for(compat_levels, enforce.compat),
                     word_for(missing_paths, enforce.missing_paths), log_text(enforce.log)));
    for (const AccessClass access_class : access_classes) {
        if (const std::uint64_t mask = policy.handled.of(access_class); mask != 0)
            line("handled",
                 fmt::format("{} {}", to_string(access_class), rights_text(access_class, mask)));
        if (const std::uint64_t mask = policy.quiet.of(access_class); mask != 0)
            line("quiet",
                 fmt::format("{} {}", to_string(access_class), rights_text(access_class, mask)));
    }
    for (const PathRule& rule : policy.paths)
        line("path", fmt::format("{} {}", printable(rule.path),
                                 rule_text(AccessClass::fs, rule.access, rule.quiet)));
    for (const PortRule& rule : policy.ports)
        line("port",
             fmt::format("{} {}", rule.port, rule_text(AccessClass::net, rule.access, rule.quiet)));
    return text;
}

bool is_extension(std::string_view word) {
    return std::ranges::any_of(access_rights(), [&](const AccessRight& right) {
        return right.name == word && !right.landlock_config;
    });
}

/// Adds what of a table Landlock Config has no word for: keys, and rights of its lists.
void add_extensions(const Json& table, std::set<std::string>& found) {
    for (const auto& [key, value] : table.items()) {
        if (key.starts_with("quiet")) {
            found.insert(key);
            continue;
        }
        if (key == "parent" || key == "port")
            continue;
        for (const Json& word : value)
            if (word.is_number())
                found.insert(fmt::format("{:#x}", word.get<std::uint64_t>()));
            else if (is_extension(word.get<std::string>()))
                found.insert(word.get<std::string>());
    }
}

std::vector<std::string> extensions_of(const Json& document) {
    std::set<std::string> found;
    for (const auto& [key, tables] : document.items())
        if (tables.is_array())
            for (const Json& table : tables)
                add_extensions(table, found);
    return {found.begin(), found.end()};
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
    const Json document = Document(policy, true).body();
    if (const std::vector<std::string> extensions = extensions_of(document); !extensions.empty())
        return failure(ErrorKind::policy,
                       fmt::format("Landlock Config has no word for {}, which policy '{}' has",
                                   fmt::join(extensions, ", "), policy.name),
                       "it cannot be written as Landlock Config without losing something");
    return to_toml(document);
}

} // namespace llexec
