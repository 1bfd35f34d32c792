// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What holds for every policy, tried on random ones.
#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/policy_dump.hpp"
#include "policy/document.hpp"
#include "policy/parts.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <random>

using namespace llexec;
using namespace llexec::testing;

namespace {

using Json = nlohmann::ordered_json;

/// Random documents, as JSON with the keys of TOML.
class Generator {
  public:
    explicit Generator(unsigned seed) : random_(seed) {}

    /// With `standard`: what Landlock Config has, and no more.
    Json document(bool standard) {
        Json json = Json::object();
        json["abi"] = number(1, 12);
        for (int i = number(0, 2); i > 0; --i)
            json["variable"].push_back(
                {{"name", pick(names)}, {"literal", list(values, number(1, 3))}});
        for (const std::string& name : names) // so that every reference is declared
            json["variable"].push_back({{"name", name}, {"literal", list(values, 1)}});
        Json ruleset = Json::object();
        for (const auto& [key, access_class] : keys)
            if (number(0, 3) != 0 || ruleset.empty())
                ruleset[key] = rights(access_class, standard);
        json["ruleset"].push_back(std::move(ruleset));
        for (int i = number(0, 4); i > 0; --i)
            json["path_beneath"].push_back({{"allowed_access", rights(AccessClass::fs, standard)},
                                            {"parent", list(paths, number(1, 4))}});
        for (int i = number(0, 2); i > 0; --i)
            json["net_port"].push_back({{"allowed_access", rights(AccessClass::net, standard)},
                                        {"port", {number(0, 65535), number(1, 4)}}});
        if (!standard)
            add_own_tables(json);
        return json;
    }

    int number(int from, int to) { return std::uniform_int_distribution(from, to)(random_); }

    template<class List>
    void shuffle(List& list) {
        std::ranges::shuffle(list, random_);
    }

  private:
    using Words = std::vector<std::string>;

    void add_own_tables(Json& json) {
        for (int i = number(0, 2); i > 0; --i)
            json["match"].push_back({{"exe", {"/usr/bin/a", "/b"}}, {"user", {number(0, 5)}}});
        if (number(0, 1) != 0)
            json["enforce"] = {
                {"mode", pick({"enforce", "observe"})},
                {"log", number(0, 1) != 0 ? Json("none") : Json{"log_subdomains_off"}}};
        if (json["ruleset"][0].contains("scoped") && number(0, 1) != 0)
            json["ruleset"][0]["quiet_scoped"] = json["ruleset"][0]["scoped"];
        if (json["ruleset"][0].contains("handled_access_fs") && number(0, 1) != 0) {
            json["ruleset"][0]["quiet_access_fs"] = json["ruleset"][0]["handled_access_fs"];
            json["path_beneath"].push_back({{"parent", {"/quiet"}}, {"quiet", true}});
        }
    }

    Json rights(AccessClass access_class, bool standard) {
        Words known{"abi.all"};
        if (access_class == AccessClass::fs)
            known.insert(known.end(), {"abi.read_execute", "abi.read_write"});
        for (const AccessRight& right : access_rights())
            if (right.access_class == access_class && (right.landlock_config || !standard))
                known.emplace_back(right.name);
        Json json = list(known, number(1, 5));
        if (!standard && number(0, 9) == 0)
            json.push_back(1 << number(20, 24));
        return json;
    }

    std::string pick(const Words& words) {
        return words[static_cast<std::size_t>(number(0, static_cast<int>(words.size()) - 1))];
    }

    Json list(const Words& words, int size) {
        Json json = Json::array();
        for (; size > 0; --size)
            json.push_back(pick(words));
        return json;
    }

    const Words names{"a", "b", "Long_name1"};
    const Words values{"x", "/y/z", "", "$", "${a}", "\u00e4 \" \\ '"};
    const Words paths{"/",          "/usr",  "/usr//lib/",   "/a/./b",
                      "relative",   "./c",   "/x/${a}/${b}", "/$${literal}",
                      "/${a}/${a}", "/c/..", "/\u00e4\"\\",  "${b}"};
    const std::vector<std::pair<std::string, AccessClass>> keys{
        {"handled_access_fs", AccessClass::fs},
        {"handled_access_net", AccessClass::net},
        {"scoped", AccessClass::scope}};
    std::mt19937 random_;
};

std::string to_json_text(const Json& json) {
    if (json.is_object()) {
        std::string text;
        for (const auto& [key, value] : json.items())
            text += fmt::format("{}{}: {}", text.empty() ? "" : ", ",
                                Json(spell(Syntax::json, key)).dump(), to_json_text(value));
        return "{" + text + "}";
    }
    if (!json.is_array())
        return json.dump();
    std::string text;
    for (const Json& item : json)
        text += (text.empty() ? "" : ", ") + to_json_text(item);
    return "[" + text + "]";
}

std::string to_toml_text(const Json& json) {
    std::string head;
    std::string tables;
    for (const auto& [key, value] : json.items()) {
        if (!value.is_array() && !value.is_object()) {
            head += fmt::format("{} = {}\n", key, value.dump());
            continue;
        }
        for (const Json& table : value.is_object() ? Json::array({value}) : value) {
            tables += value.is_object() ? "[" + key + "]\n" : "[[" + key + "]]\n";
            for (const auto& [name, entry] : table.items())
                tables += fmt::format("{} = {}\n", name, entry.dump());
        }
    }
    return head + tables;
}

constexpr unsigned rounds = 100;

Policy composed(const std::vector<PolicyText>& texts) {
    FakeUsers users;
    ParsedPolicy parsed = compose_documents(texts, "test", users);
    if (parsed.policy)
        return std::move(*parsed.policy);
    // What has nothing left to handle is refused: the empty policy here.
    for (const Diagnostic& diagnostic : parsed.diagnostics)
        if (diagnostic.severity == Severity::error)
            REQUIRE(diagnostic.message.starts_with("no access right is handled"));
    return Policy{};
}

} // namespace

TEST_CASE("TOML and JSON mean the same") {
    for (unsigned seed = 0; seed < rounds; ++seed) {
        const Json document = Generator(seed).document(false);
        INFO(to_toml_text(document));
        CHECK(meaning(parse_valid(to_toml_text(document), "test.toml")) ==
              meaning(parse_valid(to_json_text(document), "test.json")));
    }
}

TEST_CASE("what dump writes means what it was made from") {
    for (unsigned seed = 0; seed < rounds; ++seed) {
        const Policy policy = parse_valid(to_toml_text(Generator(seed).document(false)));
        for (const auto& [format, file] :
             {std::pair{DumpFormat::toml, "test.toml"}, std::pair{DumpFormat::json, "test.json"}}) {
            const std::string text = *dump_policy(policy, format);
            INFO(text);
            CHECK(meaning(parse_valid(text, file)) == meaning(policy));
        }
    }
}

TEST_CASE("what dump writes as Landlock Config is Landlock Config, and means the same") {
    for (unsigned seed = 0; seed < rounds; ++seed) {
        const Policy policy = parse_valid(to_toml_text(Generator(seed).document(true)));
        const auto text = dump_policy(policy, DumpFormat::landlock_config);
        if (!text) { // resolve_unix came out of a group, and no longer stands in one
            CHECK(text.error().message().contains("resolve_unix"));
            continue;
        }
        FakeUsers users;
        const ParsedPolicy again =
            parse_policy(*text, "test.toml", users, {.files = nullptr, .standard = true});
        INFO(*text);
        REQUIRE(again.policy);
        CHECK(meaning(*again.policy) == meaning(policy));
    }
}

TEST_CASE("order never matters") {
    for (unsigned seed = 0; seed < rounds; ++seed) {
        Generator generator(seed);
        Json document = generator.document(false);
        const std::string before = meaning(parse_valid(to_json_text(document), "test.json"));
        for (const char* key : {"variable", "path_beneath", "net_port"})
            if (document.contains(key))
                generator.shuffle(document[key].get_ref<Json::array_t&>());
        std::vector<std::pair<std::string, Json>> members;
        for (const auto& [key, value] : document.items())
            members.emplace_back(key, value);
        generator.shuffle(members);
        Json shuffled = Json::object();
        for (const auto& [key, value] : members)
            shuffled[key] = value;
        CHECK(meaning(parse_valid(to_json_text(shuffled), "test.json")) == before);
    }
}

TEST_CASE("composition does not depend on order, and adds nothing a second time") {
    unsigned valid = 0;
    for (unsigned seed = 0; seed < rounds; ++seed) {
        Generator generator(seed);
        std::vector<PolicyText> texts;
        for (int i = 0; i < 3; ++i)
            texts.push_back({.file = "test.toml", .text = to_toml_text(generator.document(true))});
        const Policy composition = composed(texts);
        valid += composition.handled.empty() ? 0U : 1U;
        const std::string all = meaning(composition);
        CHECK(meaning(composed({texts[2], texts[0], texts[1]})) == all);
        CHECK(meaning(composed({texts[1], texts[2], texts[0], texts[0], texts[1]})) == all);
        CHECK(meaning(composed({texts[0], texts[0]})) == meaning(composed({texts[0]})));
    }
    CHECK(valid > rounds / 4);
}

TEST_CASE("composition can only weaken, and an include cannot") {
    for (unsigned seed = 0; seed < rounds; ++seed) {
        Generator generator(seed);
        const std::string one = to_toml_text(generator.document(true));
        const std::string two = to_toml_text(generator.document(true));
        const Policy alone = parse_valid(one);
        const Policy both =
            composed({{.file = "1.toml", .text = one}, {.file = "2.toml", .text = two}});
        class OneFile final : public PolicyFiles {
          public:
            explicit OneFile(const std::string& text) : text_(text) {}
            Result<std::string> read(const std::string&) override { return text_; }

          private:
            const std::string& text_;
        } files(two);
        FakeUsers users;
        const ParsedPolicy including = parse_policy("include = [\"2.toml\"]\n" + one, "1.toml",
                                                    users, {.files = &files, .standard = false});
        REQUIRE(including.policy);
        for (const AccessClass access_class : access_classes) {
            CHECK((both.handled.of(access_class) & ~alone.handled.of(access_class)) == 0);
            CHECK((alone.handled.of(access_class) & ~including.policy->handled.of(access_class)) ==
                  0);
        }
    }
}
