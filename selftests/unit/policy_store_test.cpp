// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The last good policies: kept, found again, and not believed when they are damaged. Files that are
// trusted belong to root, in directories where nobody else can write: tests that need such a place
// are skipped where there is none.
#include "policy_store.hpp"

#include "catch.hpp"
#include "fakes.hpp"
#include "llexec/trusted_files.hpp"

#include <fmt/format.h>
#include <sha256.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llexec;
using namespace llexec::daemon;
using llexec::testing::meaning;
namespace fs = std::filesystem;

namespace {

/// A directory of its own, for policies and what is kept.
class Place {
  public:
    explicit Place(const fs::path& parent) {
        std::string name = (parent / "llexec-store-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        root_ = fs::canonical(name);
        fs::create_directory(root_ / "policies");
        fs::create_directory(root_ / "state");
        for (const char* directory : {"policies", "state"})
            fs::permissions(root_ / directory, fs::perms(0755));
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
        std::error_code ignored;
        fs::remove_all(root_, ignored);
    }

    [[nodiscard]] std::string operator/(const std::string& below) const { return root_ / below; }

    void write(const std::string& file, const std::string& text) const {
        std::ofstream(root_ / file) << text;
        fs::permissions(root_ / file, fs::perms(0644));
    }

    [[nodiscard]] std::string kept() const {
        std::ostringstream text;
        text << std::ifstream(root_ / "state/last-good.json").rdbuf();
        return text.str();
    }

    /// As keep() would write this document.
    void write_kept(const std::string& document) const {
        std::array<char, SHA256_DIGEST_STRING_LENGTH> digest{};
        ::SHA256Data(reinterpret_cast<const std::uint8_t*>(document.data()), document.size(),
                     digest.data());
        write("state/last-good.json", fmt::format("{}\n{}\n", digest.data(), document));
    }

    [[nodiscard]] PolicyStore store() const {
        return {(root_ / "policies").string(), (root_ / "state").string()};
    }

  private:
    fs::path root_;
};

/// Where files are trusted; says why there is none.
std::optional<fs::path> trusted_parent() {
    if (::geteuid() != 0) {
        WARN("skipped: only files of root are trusted, and this is user " << ::geteuid());
        return std::nullopt;
    }
    std::string why;
    for (const fs::path& parent : {fs::temp_directory_path(), fs::path("/run")}) {
        if (::access(parent.c_str(), W_OK) != 0)
            continue;
        const Place place(parent);
        place.write("state/file", "");
        const auto opened = open_trusted_file(place / "state/file");
        if (opened)
            return parent;
        why += "; " + opened.error().message();
    }
    WARN("skipped: no directory for temporary files is trusted" << why);
    return std::nullopt;
}

constexpr const char* web = "include = [\"shared.inc\"]\n[[match]]\nuser = [\"root\"]\n"
                            "[[ruleset]]\nscoped = [\"signal\"]\n";
constexpr const char* shared = "[[ruleset]]\nscoped = [\"abstract_unix_socket\"]\n";
constexpr const char* mail = R"({"match": [{"user": [0]}], "ruleset": [{"scoped": ["signal"]}]})";

void write_policies(const Place& place) {
    place.write("policies/web.toml", web);
    place.write("policies/shared.inc", shared);
    place.write("policies/mail.json", mail);
}

/// Of a set without errors, all that its policies mean.
std::vector<std::string> meanings(const PolicySet& set) {
    for (const Diagnostic& diagnostic : set.diagnostics)
        UNSCOPED_INFO(diagnostic.file << ": " << diagnostic.message);
    CHECK(set.ok());
    std::vector<std::string> result;
    for (const Policy& policy : set.policies)
        result.push_back(policy.name + " " + meaning(policy));
    return result;
}

} // namespace

TEST_CASE("policies that cannot be read for want of descriptors may be read another time") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    write_policies(place);
    CHECK_FALSE(place.store().read().hindered.has_value());
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const StoredSet hindered = place.store().read();
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    REQUIRE(hindered.hindered.has_value());
    CHECK(hindered.hindered->kind == ErrorKind::system);
    CHECK(hindered.hindered->code == EMFILE);
    CHECK_FALSE(hindered.set.ok());
    CHECK(place.store().read().set.ok());
    // A policy that is wrong stays so.
    place.write("policies/web.toml", "wrong");
    const StoredSet wrong = place.store().read();
    CHECK_FALSE(wrong.set.ok());
    CHECK_FALSE(wrong.hindered.has_value());
}

TEST_CASE("what is kept is a file of its owner's, with its digest, and replaces the one before") {
    const Place place(fs::temp_directory_path());
    StoredSet stored;
    stored.policies = {"/p/a.toml"};
    stored.texts = {{"/p/a.toml", "text \"1\"\n"}};
    stored.numbers.groups = {{"staff", 50}};
    REQUIRE(place.store().keep(stored).has_value());
    struct stat status{};
    REQUIRE(::stat((place / "state/last-good.json").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    const std::string first = place.kept();
    place.write_kept(
        R"({"files":{"/p/a.toml":"text \"1\"\n"},"format":2,"groups":{"staff":50},"policies":["/p/a.toml"],"users":{}})");
    CHECK(place.kept() == first);
    stored.texts["/p/a.toml"] = "text 2\n";
    REQUIRE(place.store().keep(stored).has_value());
    CHECK(place.kept() != first);
    // Nothing is left beside it.
    CHECK(std::distance(fs::directory_iterator(place / "state"), fs::directory_iterator()) == 1);
    fs::remove_all(place / "state");
    CHECK_FALSE(place.store().keep(stored).has_value());
}

TEST_CASE("a directory of policies that is missing, or not root's alone, is an error of the set") {
    const PolicyStore none("/nonexistent-llexec/policies.d", "/nonexistent-llexec");
    CHECK(none.directory() == "/nonexistent-llexec/policies.d");
    const StoredSet missing = none.read();
    CHECK_FALSE(missing.set.ok());
    CHECK(missing.set.policies.empty());
    const auto last = none.last_good();
    REQUIRE_FALSE(last.has_value());
    CHECK(last.error().kind == ErrorKind::system);
    CHECK(last.error().code == ENOENT);

    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    write_policies(place);
    CHECK(place.store().read().set.ok());
    fs::permissions(place / "policies", fs::perms(0777));
    const StoredSet untrusted = place.store().read();
    CHECK_FALSE(untrusted.set.ok());
    CHECK(untrusted.set.policies.empty());
    CHECK(untrusted.texts.empty());
}

TEST_CASE("what others can write to was not kept by llexecd") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    REQUIRE(place.store().keep({}).has_value());
    CHECK(place.store().last_good().has_value());
    fs::permissions(place / "state", fs::perms(0777));
    const auto last = place.store().last_good();
    REQUIRE_FALSE(last.has_value());
    CHECK(last.error().kind == ErrorKind::policy);
}

TEST_CASE("policies that are kept are found again, whatever became of their files") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    write_policies(place);
    const PolicyStore store = place.store();
    const StoredSet read = store.read();
    const auto meant = meanings(read.set);
    REQUIRE(meant.size() == 2);
    CHECK(read.policies == std::vector{place / "policies/mail.json", place / "policies/web.toml"});
    CHECK(read.texts == std::map<std::string, std::string>{{place / "policies/mail.json", mail},
                                                           {place / "policies/shared.inc", shared},
                                                           {place / "policies/web.toml", web}});
    REQUIRE(store.keep(read).has_value());
    fs::remove_all(place / "policies");
    const auto last = store.last_good();
    REQUIRE(last.has_value());
    CHECK(meanings(last->set) == meant);
    CHECK(last->policies == read.policies);
    CHECK(last->texts == read.texts);
}

TEST_CASE("what is named like a policy and is none is told, and a link to nothing is an error") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    write_policies(place);
    fs::create_directory(place / "policies/dir.toml");
    const StoredSet told = place.store().read();
    CHECK(told.set.ok());
    CHECK(told.policies.size() == 2);
    CHECK(std::ranges::count(told.set.diagnostics, "ignored-entry", &Diagnostic::lint) == 1);
    fs::create_symlink("nowhere", place / "policies/gone.toml");
    CHECK_FALSE(place.store().read().set.ok());
}

TEST_CASE("a directory without policies is a set without policies, and is kept as that") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    place.write("policies/README", "no policy");
    const PolicyStore store = place.store();
    const auto none = store.last_good();
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().kind == ErrorKind::system);
    CHECK(none.error().code == ENOENT);
    const StoredSet read = store.read();
    CHECK(meanings(read.set).empty());
    REQUIRE(store.keep(read).has_value());
    const auto last = store.last_good();
    REQUIRE(last.has_value());
    CHECK(meanings(last->set).empty());
}

TEST_CASE("a policy that root alone cannot have written is an error of the set") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    write_policies(place);
    CHECK(place.store().read().set.ok());
    for (const char* file : {"policies/web.toml", "policies/shared.inc"}) {
        CAPTURE(file);
        fs::permissions(place / file, fs::perms(0666));
        const StoredSet read = place.store().read();
        CHECK(has_errors(read.set.diagnostics));
        CHECK_FALSE(read.texts.contains(place / file));
        fs::permissions(place / file, fs::perms(0644));
    }
    CHECK(place.store().read().set.ok());
}

TEST_CASE("what is kept and was changed since is not used") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    write_policies(place);
    const PolicyStore store = place.store();
    REQUIRE(store.keep(store.read()).has_value());
    const std::string kept = place.kept();
    const auto message_with = [&](const std::string& content) {
        place.write("state/last-good.json", content);
        const auto last = store.last_good();
        if (last)
            return std::string();
        CHECK(last.error().kind == ErrorKind::policy);
        return last.error().message();
    };
    CHECK(message_with(kept).empty());
    std::string changed = kept;
    changed.replace(changed.find("signal"), 6, "sign@l");
    CHECK(message_with(changed).ends_with("is damaged: its digest is another one"));
    changed = kept;
    changed[0] = changed[0] == '0' ? '1' : '0';
    CHECK(message_with(changed).ends_with("is damaged: its digest is another one"));
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{10}, kept.size() / 2, kept.size() - 1}) {
        CAPTURE(size);
        CHECK(message_with(kept.substr(0, size)).ends_with("is damaged: it is cut off"));
    }
    CHECK(message_with(kept).empty());
    // Whoever else can write to it could have made a digest.
    fs::permissions(place / "state/last-good.json", fs::perms(0646));
    const auto last = store.last_good();
    REQUIRE_FALSE(last.has_value());
    CHECK(last.error().kind == ErrorKind::policy);
}

TEST_CASE("what another version kept is not used") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    const std::string whole =
        R"({"files":{},"format":2,"groups":{},"policies":[],"users":{"www":33}})";
    place.write_kept(whole);
    CHECK(place.store().last_good().has_value());
    const auto with = [&](const std::string& part, const std::string& other) {
        return std::string(whole).replace(whole.find(part), part.size(), other);
    };
    for (const std::string& document : {with(":2", ":1"),
                                        with(":2", ":3"),
                                        with(":2", R"(:"2")"),
                                        with(":2", ":null"),
                                        with(R"("format":2,)", ""),
                                        with(R"("files":{})", R"("files":[])"),
                                        with(R"("files":{})", R"("files":{"a":1})"),
                                        with(R"("files":{},)", ""),
                                        with(R"("policies":[])", R"("policies":{})"),
                                        with(R"("policies":[])", R"("policies":[1])"),
                                        with(R"("policies":[],)", ""),
                                        with(R"("groups":{},)", ""),
                                        with(R"("groups":{})", R"("groups":[])"),
                                        with("33", "-1"),
                                        with("33", R"("33")"),
                                        with("33", "4294967296"),
                                        std::string("[]"),
                                        std::string("1"),
                                        std::string(),
                                        std::string("{")}) {
        CAPTURE(document);
        place.write_kept(document);
        const auto last = place.store().last_good();
        REQUIRE_FALSE(last.has_value());
        CHECK(last.error().kind == ErrorKind::policy);
        CHECK(last.error().message().ends_with("is damaged: it was written by another version"));
    }
}

TEST_CASE("a user or group that is gone has the number that it had when policies were kept") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    StoredSet stored;
    stored.policies = {"/p/a.toml"};
    stored.texts = {{"/p/a.toml", "abi = 9\n[[match]]\nuser = [\"llexec-gone\", \"root\"]\n"
                                  "group = [\"llexec-gone\"]\n[[ruleset]]\n"
                                  "scoped = [\"signal\"]\n"}};
    REQUIRE(place.store().keep(stored).has_value());
    CHECK_FALSE(place.store().last_good().has_value());
    stored.numbers = {.users = {{"llexec-gone", 4711}, {"root", 4712}},
                      .groups = {{"llexec-gone", 4713}}};
    REQUIRE(place.store().keep(stored).has_value());
    const auto last = place.store().last_good();
    REQUIRE(last.has_value());
    const MatchBlock& match = last->set.policies.at(0).match.at(0);
    CHECK(match.users.at(0).id == 4711);
    CHECK(match.users.at(1).id == 0); // what is there counts
    CHECK(match.groups.at(0).id == 4713);
    // And it is kept for the time after the next start.
    REQUIRE(place.store().keep(*last).has_value());
    CHECK(place.store().last_good()->numbers.users.at("llexec-gone") == 4711);
    CHECK(place.store().last_good()->numbers.users.at("root") == 0);
}

TEST_CASE("policies that were kept and are not valid any more are told with what is wrong") {
    const auto parent = trusted_parent();
    if (!parent)
        return;
    const Place place(*parent);
    StoredSet stored;
    stored.policies = {"/p/a.toml"};
    stored.texts = {{"/p/a.toml", "[[ruleset]]\nscoped = [\"signal\"]\n"}};
    REQUIRE(place.store().keep(stored).has_value());
    CHECK(place.store().last_good().has_value());
    // A right that this version does not know; a file that it includes, or itself, is not there.
    for (const char* text : {"[[ruleset]]\nscoped = [\"telepathy\"]\n",
                             "include = [\"b.toml\"]\n[[ruleset]]\nscoped = [\"signal\"]\n", ""}) {
        CAPTURE(text);
        stored.texts = {{"/p/a.toml", text}};
        if (*text == '\0')
            stored.texts.clear();
        REQUIRE(place.store().keep(stored).has_value());
        const auto last = place.store().last_good();
        REQUIRE_FALSE(last.has_value());
        CHECK(last.error().kind == ErrorKind::policy);
        CHECK(has_errors(last.error().diagnostics));
    }
}
