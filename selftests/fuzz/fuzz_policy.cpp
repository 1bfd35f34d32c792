// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Whole policies. The first byte chooses syntax and standard; the rest is the document, which can
// include itself and two others.
#include "check.hpp"
#include "llexec/policy_dump.hpp"
#include "llexec/policy_file.hpp"
#include "policy/parts.hpp"

namespace {

using namespace llexec;

class NoUsers final : public UserDatabase {
  public:
    Result<std::optional<std::uint32_t>> user_id(const std::string& name) override {
        return name.size() < 8 ? std::optional<std::uint32_t>(name.size()) : std::nullopt;
    }
    Result<std::optional<std::uint32_t>> group_id(const std::string& name) override {
        return user_id(name);
    }
};

class Files final : public PolicyFiles {
  public:
    explicit Files(std::string_view own) : own_(own) {}
    Result<std::string> read(const std::string& path) override {
        if (path == "a.toml")
            return std::string("include = [\"b.json\"]\n[[variable]]\nname = \"a\"\nliteral = "
                               "[\"/a\"]\n");
        if (path == "b.json")
            return std::string(R"({"netPort": [{"allowedAccess": ["bind_tcp"], "port": [1]}]})");
        return own_;
    }

  private:
    std::string own_;
};

/// What dump writes means what it was made from.
void check_dump(const Policy& policy, DumpFormat format, std::string_view file,
                UserDatabase& users) {
    const auto text = dump_policy(policy, format);
    fuzz::check(text.has_value());
    const ParsedPolicy again = parse_policy(*text, file, users);
    fuzz::check(again.policy.has_value());
    fuzz::check(*dump_policy(*again.policy, DumpFormat::json) ==
                *dump_policy(policy, DumpFormat::json));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    const bool json = (data[0] & 1U) != 0;
    const bool standard = (data[0] & 2U) != 0;
    NoUsers users;
    Files files(text);
    const std::string file = json ? "fuzz.json" : "fuzz.toml";
    const ParsedPolicy parsed =
        parse_policy(text, file, users, {.files = &files, .standard = standard});
    fuzz::check(parsed.policy.has_value() != has_errors(parsed.diagnostics));
    if (!parsed.policy)
        return 0;
    for (const PathRule& rule : parsed.policy->paths)
        fuzz::check((rule.access & ~parsed.policy->handled.fs) == 0 &&
                    (rule.access != 0 || rule.quiet) && !rule.grants.empty());
    check_dump(*parsed.policy, DumpFormat::toml, "fuzz.toml", users);
    check_dump(*parsed.policy, DumpFormat::json, "fuzz.json", users);
    if (standard && !json) {
        const std::vector<PolicyText> twice(2, {.file = file, .text = std::string(text)});
        const ParsedPolicy composed = compose_documents(twice, "fuzz", users);
        fuzz::check(composed.policy.has_value() &&
                    composed.policy->handled == parsed.policy->handled);
    }
    return 0;
}
