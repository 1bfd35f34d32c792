// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_schema.hpp"

#include "llexec/access.hpp"
#include "llexec/lint.hpp"
#include "policy/body.hpp"
#include "policy/choices.hpp"

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <utility>

namespace llexec {
namespace {

using Json = nlohmann::ordered_json;

Json list_of(Json item) {
    return {{"type", "array"}, {"minItems", 1}, {"items", std::move(item)}};
}

/// As the reader has it: a key whose value is null is absent.
Json optional(Json schema) {
    return {{"anyOf", Json::array({std::move(schema), Json{{"type", "null"}}})}};
}

Json integer(std::uint64_t minimum, std::uint64_t maximum) {
    return {{"type", "integer"}, {"minimum", minimum}, {"maximum", maximum}};
}

/// A table with keys as TOML writes them.
Json table(std::initializer_list<std::pair<std::string_view, Json>> properties) {
    Json json{{"type", "object"}, {"additionalProperties", false}};
    for (const auto& [key, schema] : properties)
        json["properties"][spell(Syntax::json, key)] = schema;
    return json;
}

/// At least one of these keys is there, and not null.
Json any_of(std::initializer_list<std::string_view> keys) {
    Json json = Json::array();
    for (const std::string_view key : keys) {
        const std::string name = spell(Syntax::json, key);
        json.push_back(
            {{"required", {name}}, {"properties", {{name, {{"not", {{"type", "null"}}}}}}}});
    }
    return json;
}

Json rights(AccessClass access_class) {
    Json names = Json::array();
    for (const std::string_view group : {"abi.all", "abi.read_execute", "abi.read_write"})
        if (expand_group(access_class, group, 1))
            names.push_back(group);
    for (const AccessRight& right : access_rights())
        if (right.access_class == access_class)
            names.push_back(right.name);
    return list_of({{"anyOf", Json::array({Json{{"enum", std::move(names)}},
                                           Json{{"type", "integer"}, {"minimum", 1}}})}});
}

template<class Choices>
Json words(const Choices& choices) {
    Json json = Json::array();
    for (const auto& [word, value] : choices)
        json.push_back(word);
    return {{"enum", std::move(json)}};
}

Json variable() {
    Json json =
        table({{"name", {{"type", "string"}, {"pattern", "^[A-Za-z][A-Za-z0-9_]*$"}}},
               {"literal", optional(list_of({{"type", "string"}, {"pattern", "^[^\\u0000]*$"}}))}});
    json["required"] = {"name"};
    return json;
}

Json ruleset() {
    Json json = table({{"handled_access_fs", optional(rights(AccessClass::fs))},
                       {"handled_access_net", optional(rights(AccessClass::net))},
                       {"scoped", optional(rights(AccessClass::scope))},
                       {"quiet_access_fs", optional(rights(AccessClass::fs))},
                       {"quiet_access_net", optional(rights(AccessClass::net))},
                       {"quiet_scoped", optional(rights(AccessClass::scope))}});
    json["anyOf"] = any_of({"handled_access_fs", "handled_access_net", "scoped"});
    return json;
}

/// A rule; one that is quiet need not grant anything.
Json rule(AccessClass access_class, std::string_view key, Json objects) {
    Json json = table({{"allowed_access", optional(rights(access_class))},
                       {key, std::move(objects)},
                       {"quiet", optional({{"type", "boolean"}})}});
    json["required"] = {key};
    Json granting = any_of({"allowed_access"});
    granting.push_back({{"required", {"quiet"}}, {"properties", {{"quiet", {{"const", true}}}}}});
    json["anyOf"] = std::move(granting);
    return json;
}

Json match() {
    const Json absolute{{"type", "string"}, {"pattern", "^/(?!(.*/)?\\.\\.(/|$))[^\\u0000]*$"}};
    Json program = absolute;
    program["pattern"] = "^/(?!(.*/)?\\.\\.(/|$))(?!(.*/)?\\.$)[^\\u0000]*[^/\\u0000]$";
    const Json cgroup{{"type", "string"}, {"pattern", "^(?!(.*/)?\\.\\.(/|$))[^\\u0000]+$"}};
    const Json principal{
        {"anyOf", Json::array({Json{{"type", "string"}, {"pattern", "^[^\\u0000]+$"}},
                               integer(0, 4294967294)})}};
    Json json = table({{"exe", optional(list_of(program))},
                       {"exe_beneath", optional(list_of(absolute))},
                       {"cgroup", optional(list_of(cgroup))},
                       {"user", optional(list_of(principal))},
                       {"group", optional(list_of(principal))}});
    json["anyOf"] = any_of({"exe", "exe_beneath", "cgroup", "user", "group"});
    return json;
}

Json enforce() {
    const Json log{{"anyOf", Json::array({words(log_modes),
                                          Json{{"type", "array"}, {"items", words(log_flags)}}})}};
    return table({{"mode", optional(words(modes))},
                  {"no_new_privs", optional({{"type", "boolean"}})},
                  {"on_error", optional(words(error_actions))},
                  {"compat", optional(words(compat_levels))},
                  {"missing_paths", optional(words(missing_paths))},
                  {"log", optional(log)}});
}

Json lint() {
    Json names = Json::array();
    for (const Lint& each : lints())
        names.push_back(each.name);
    return table({{"allow", optional(list_of({{"enum", std::move(names)}}))}});
}

} // namespace

std::string policy_schema() {
    // "$$", "${name}", or a "$" before anything else.
    const Json path{
        {"type", "string"},
        {"pattern", "^([^$\\u0000]|\\$\\$|\\$\\{[A-Za-z][A-Za-z0-9_]*\\}|\\$(?![${]))*$"}};
    Json json =
        table({{"abi", optional(integer(1, 2147483647))},
               {"variable", optional(list_of(variable()))},
               {"ruleset", optional(list_of(ruleset()))},
               {"path_beneath", optional(list_of(rule(AccessClass::fs, "parent", list_of(path))))},
               {"net_port",
                optional(list_of(rule(AccessClass::net, "port", list_of(integer(0, 65535)))))},
               {"include", optional(list_of({{"type", "string"}, {"pattern", "^[^\\u0000]+$"}}))},
               {"match", optional(list_of(match()))},
               {"enforce", optional(enforce())},
               {"lint", optional(lint())}});
    json["anyOf"] = any_of({"variable", "ruleset", "path_beneath", "net_port", "include"});
    Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", "llexec policy"}};
    schema.update(json);
    return schema.dump(2) + "\n";
}

} // namespace llexec
