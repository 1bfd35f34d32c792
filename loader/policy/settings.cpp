// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/settings.hpp"

#include "policy/choices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

namespace llexec {
namespace {

/// One key: reads its value, or says why not.
struct Setting {
    std::string_view key;
    void (*read)(const Member& member, Reader& reader, Settings& settings);
};

void read_enforce_at(const Member& member, Reader& reader, Settings& settings) {
    constexpr std::array choices{
        std::pair{std::string_view("bprm_committing_creds"), EnforceAt::bprm_committing_creds},
        std::pair{std::string_view("bprm_creds_for_exec"), EnforceAt::bprm_creds_for_exec}};
    read_choice<EnforceAt>(member, reader, choices, settings.enforce_at);
}

void read_report(const Member& member, Reader& reader, Settings& settings) {
    constexpr std::array choices{std::pair{std::string_view("all"), Report::all},
                                 std::pair{std::string_view("failures"), Report::failures}};
    read_choice<Report>(member, reader, choices, settings.report);
}

void read_metrics(const Member& member, Reader& reader, Settings& settings) {
    const std::string* const path = reader.string(member.value, "\"/run/llexec/metrics.prom\"");
    if (path == nullptr)
        return;
    if (!path->empty() && (!path->starts_with('/') || path->find('\0') != std::string::npos))
        reader.error(member.value.position,
                     fmt::format("'{}' is not an absolute path", printable(*path)),
                     "\"\" writes no metrics");
    else
        settings.metrics = *path;
}

void read_protect(const Member& member, Reader& reader, Settings& settings) {
    if (member.value.kind == Node::Kind::boolean)
        settings.protect = member.value.boolean;
    else
        reader.error(member.value.position,
                     fmt::format("'protect' is {}, not a boolean", reader.describe(member.value)),
                     "write true or false");
}

constexpr std::array known_settings{
    Setting{.key = "enforce_at", .read = read_enforce_at},
    Setting{.key = "report", .read = read_report},
    Setting{.key = "metrics", .read = read_metrics},
    Setting{.key = "protect", .read = read_protect},
};

void read_member(const Member& member, Reader& reader, Settings& settings) {
    std::vector<std::string_view> keys;
    for (const Setting& setting : known_settings) {
        if (setting.key == member.key) {
            setting.read(member, reader, settings);
            return;
        }
        keys.push_back(setting.key);
    }
    const auto meant = closest(member.spelling, keys);
    reader.error(member.position, fmt::format("unknown key '{}'", printable(member.spelling)),
                 meant ? fmt::format("did you mean '{}'?", *meant)
                       : fmt::format("known here: {}", alternatives(keys)));
}

} // namespace

ParsedSettings parse_settings(std::string_view text, std::string_view file) {
    ParsedSettings result;
    const std::optional<Node> root = parse_toml(text, file, result.diagnostics);
    if (!root)
        return result;
    Reader reader{std::string(file), Syntax::toml};
    Settings settings;
    for (const Member& member : root->members)
        read_member(member, reader, settings);
    result.diagnostics = reader.take();
    if (!reader.failed())
        result.settings = std::move(settings);
    return result;
}

} // namespace llexec
