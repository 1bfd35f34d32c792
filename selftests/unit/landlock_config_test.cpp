// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Landlock Config as its reference implementation behaves: documents and what they mean, as data.
#include "catch.hpp"
#include "fakes.hpp"
#include "policy/parts.hpp"

#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Json = nlohmann::json;

Json vectors() {
    std::ifstream file(LLEXEC_TEST_DATA "/landlock_config/vectors.json");
    return Json::parse(file);
}

/// A policy in the words of the data file.
Json describe(const Policy& policy) {
    Json json{{"fs", fmt::format("{:#x}", policy.handled.fs)},
              {"net", fmt::format("{:#x}", policy.handled.net)},
              {"scoped", fmt::format("{:#x}", policy.handled.scoped)},
              {"paths", Json::object()},
              {"ports", Json::object()}};
    for (const PathRule& rule : policy.paths)
        json["paths"][rule.path] = fmt::format("{:#x}", rule.access);
    for (const PortRule& rule : policy.ports)
        json["ports"][std::to_string(rule.port)] = fmt::format("{:#x}", rule.access);
    return json;
}

void check(const Json& vector, const ParsedPolicy& parsed) {
    std::string findings;
    for (const Diagnostic& diagnostic : parsed.diagnostics)
        findings += diagnostic.message + "\n";
    INFO(findings);
    if (vector.contains("error")) {
        CHECK_FALSE(parsed.policy.has_value());
        CHECK(findings.contains(vector["error"].get<std::string>()));
        return;
    }
    REQUIRE(parsed.policy.has_value());
    CHECK(describe(*parsed.policy) == vector["policy"]);
}

} // namespace

TEST_CASE("Landlock Config documents mean what they mean to its reference implementation") {
    const Json all = vectors();
    CHECK(all.size() >= 90);
    FakeUsers users;
    for (const Json& vector : all) {
        INFO(vector["name"].get<std::string>());
        for (const std::string syntax : {"toml", "json"})
            if (vector.contains(syntax)) {
                INFO(vector[syntax].get<std::string>());
                check(vector, parse_policy(vector[syntax].get<std::string>(), "test." + syntax,
                                           users, {.files = nullptr, .standard = true}));
            }
        if (!vector.contains("compose"))
            continue;
        std::vector<PolicyText> texts;
        for (const Json& document : vector["compose"])
            texts.push_back({.file = "test.toml", .text = document.get<std::string>()});
        check(vector, compose_documents(texts, "test", users));
        std::ranges::reverse(texts);
        check(vector, compose_documents(texts, "test", users));
    }
}
