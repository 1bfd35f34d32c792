// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sarif.hpp"

#include "llexec/lint.hpp"

#include <fmt/format.h>

namespace llexec::cli {
namespace {

// What is wrong in itself has no lint.
constexpr std::string_view error_rule = "invalid-policy";

/// RFC 3986; a relative path stays relative.
std::string uri_of(std::string_view path) {
    constexpr std::string_view unreserved =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    std::string uri = path.starts_with('/') ? "file://" : "";
    for (const char c : path) {
        if (unreserved.contains(c))
            uri += c;
        else
            uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return uri;
}

Json rule_json(std::string_view id, Severity level, std::string_view summary) {
    return {{"id", id},
            {"shortDescription", {{"text", summary}}},
            {"defaultConfiguration", {{"level", to_string(level)}}}};
}

Json location_of(const Diagnostic& diagnostic) {
    Json physical{{"artifactLocation", {{"uri", uri_of(diagnostic.file)}}}};
    if (diagnostic.position.line != 0) {
        physical["region"]["startLine"] = diagnostic.position.line;
        if (diagnostic.position.column != 0)
            physical["region"]["startColumn"] = diagnostic.position.column;
    }
    return {{"physicalLocation", std::move(physical)}};
}

} // namespace

Json to_sarif(std::span<const Diagnostic> diagnostics) {
    Json rules =
        Json::array({rule_json(error_rule, Severity::error, "a policy that is not valid")});
    for (const Lint& lint : lints())
        rules.push_back(rule_json(lint.name, lint.severity, lint.summary));
    Json results = Json::array();
    for (const Diagnostic& diagnostic : diagnostics) {
        std::string text = diagnostic.message;
        if (!diagnostic.advice.empty())
            text += "; " + diagnostic.advice;
        results.push_back(
            {{"ruleId", diagnostic.lint.empty() ? std::string(error_rule) : diagnostic.lint},
             {"level", to_string(diagnostic.severity)},
             {"message", {{"text", std::move(text)}}},
             {"locations", Json::array({location_of(diagnostic)})}});
    }
    Json driver{{"name", "llexec"}, {"version", LLEXEC_VERSION}, {"rules", std::move(rules)}};
    Json run{{"tool", {{"driver", std::move(driver)}}},
             {"columnKind", "unicodeCodePoints"},
             {"results", std::move(results)}};
    return {{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
            {"version", "2.1.0"},
            {"runs", Json::array({std::move(run)})}};
}

} // namespace llexec::cli
