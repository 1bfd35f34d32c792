// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy_store.hpp"

#include "files.hpp"
#include "llexec/trusted_files.hpp"
#include "llexec/user_database.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sha256.h>

#include <array>
#include <cerrno>
#include <limits>
#include <mutex>

namespace llexec::daemon {
namespace {

using Json = nlohmann::json;

constexpr int format_version = 2;

/// Keeps an error that may pass by itself, when what is short now is there again.
void note_hindered(StoredSet& stored, const Error& error) {
    for (const int code : {EMFILE, ENFILE, ENOMEM})
        if (error.code == code)
            stored.hindered = error;
}

/// Trusted files, and what was read of them.
class RecordingFiles final : public PolicyFiles {
  public:
    explicit RecordingFiles(StoredSet& stored) : stored_(stored) {}

    Result<std::string> read(const std::string& path) override {
        auto text = trusted_.read(path);
        // Policies are parsed by several threads.
        const std::lock_guard lock(mutex_);
        if (text) {
            stored_.texts[path] = *text;
        } else {
            stored_.unread.push_back(path);
            note_hindered(stored_, text.error());
        }
        return text;
    }

  private:
    TrustedPolicyFiles trusted_;
    std::mutex mutex_;
    StoredSet& stored_;
};

/// Files as they were.
class KeptFiles final : public PolicyFiles {
  public:
    explicit KeptFiles(const std::map<std::string, std::string>& texts) : texts_(texts) {}

    Result<std::string> read(const std::string& path) override {
        const auto found = texts_.find(path);
        if (found == texts_.end())
            return system_error(ENOENT, "was not part of the policies");
        return found->second;
    }

  private:
    const std::map<std::string, std::string>& texts_;
};

/// The system's users and groups, and the numbers that they had when policies were kept: for names
/// that are gone, or cannot be looked up yet, as early at boot in a directory service. Whoever has
/// such a number is still confined. Fail-open would be to enforce nothing for want of a name.
class KeptUsers final : public UserDatabase {
  public:
    explicit KeptUsers(UserNumbers& numbers) : numbers_(numbers) {}

    Result<std::optional<std::uint32_t>> user_id(const std::string& name) override {
        return known(system_.user_id(name), numbers_.users, name);
    }
    Result<std::optional<std::uint32_t>> group_id(const std::string& name) override {
        return known(system_.group_id(name), numbers_.groups, name);
    }

  private:
    Result<std::optional<std::uint32_t>> known(Result<std::optional<std::uint32_t>> id,
                                               std::map<std::string, std::uint32_t>& kept,
                                               const std::string& name) {
        // Policies are parsed by several threads.
        const std::lock_guard lock(mutex_);
        if (id && *id)
            kept[name] = **id;
        else if (const auto found = kept.find(name); found != kept.end())
            return found->second;
        return id;
    }

    SystemUserDatabase system_;
    std::mutex mutex_;
    UserNumbers& numbers_;
};

std::string sha256(const std::string& text) {
    std::array<char, SHA256_DIGEST_STRING_LENGTH> digest{};
    // libmd takes bytes.
    ::SHA256Data(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), digest.data());
    return digest.data();
}

Diagnostic error_about(const std::string& file, const Error& error) {
    return {.severity = Severity::error,
            .file = file,
            .position = {},
            .message = error.message(),
            .advice = error.hint};
}

std::unexpected<Error> damaged(const std::string& path, std::string_view what) {
    return failure(ErrorKind::policy, fmt::format("{} is damaged: {}", path, what));
}

bool decode_numbers(const Json& json, const char* what,
                    std::map<std::string, std::uint32_t>& numbers) {
    const auto found = json.find(what);
    if (found == json.end() || !found->is_object())
        return false;
    for (const auto& [name, number] : found->items()) {
        if (!number.is_number_unsigned() ||
            number.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max())
            return false;
        numbers.emplace(name, number.get<std::uint32_t>());
    }
    return true;
}

/// Fills in what the file says; false if it says something else.
bool decode(const std::string& text, StoredSet& stored) {
    const Json json = Json::parse(text, nullptr, false);
    if (!json.is_object() || !json.contains("format") || json["format"] != format_version)
        return false;
    const auto policies = json.find("policies");
    const auto files = json.find("files");
    if (policies == json.end() || !policies->is_array() || files == json.end() ||
        !files->is_object())
        return false;
    if (!decode_numbers(json, "users", stored.numbers.users) ||
        !decode_numbers(json, "groups", stored.numbers.groups))
        return false;
    for (const Json& path : *policies) {
        if (!path.is_string())
            return false;
        stored.policies.push_back(path.get<std::string>());
    }
    for (const auto& [path, content] : files->items()) {
        if (!content.is_string())
            return false;
        stored.texts.emplace(path, content.get<std::string>());
    }
    return true;
}

/// Of users and groups, in the order of the texts.
std::vector<std::uint32_t> numbers_of(const PolicySet& set) {
    std::vector<std::uint32_t> numbers;
    for (const Policy& policy : set.policies)
        for (const MatchBlock& block : policy.match)
            for (const auto* principals : {&block.users, &block.groups})
                for (const Principal& principal : *principals)
                    numbers.push_back(principal.id);
    return numbers;
}

} // namespace

bool mean_the_same(const StoredSet& one, const StoredSet& other) {
    return one.texts == other.texts && numbers_of(one.set) == numbers_of(other.set);
}

PolicyStore::PolicyStore(std::string directory, std::string state)
    : directory_(std::move(directory)), state_(std::move(state)) {}

std::string PolicyStore::kept_file() const {
    return state_ + "/last-good.json";
}

StoredSet PolicyStore::read() const {
    StoredSet stored;
    auto listing = list_trusted_policies(directory_);
    if (!listing) {
        // Fail closed: without its policies, what is enforced stays.
        stored.set.diagnostics.push_back(error_about(directory_, listing.error()));
        note_hindered(stored, listing.error());
        return stored;
    }
    stored.policies = std::move(listing->paths);
    RecordingFiles files(stored);
    std::vector<PolicyText> texts;
    std::vector<Diagnostic> before = std::move(listing->notes);
    for (const std::string& path : stored.policies) {
        auto text = files.read(path);
        if (text)
            texts.push_back({.file = path, .text = std::move(*text)});
        else
            before.push_back(error_about(path, text.error()));
    }
    KeptUsers users(stored.numbers);
    stored.set = parse_policies(texts, users, {.files = &files});
    stored.set.diagnostics.insert(stored.set.diagnostics.begin(), before.begin(), before.end());
    return stored;
}

Result<> PolicyStore::keep(const StoredSet& stored) const {
    const Json set{{"format", format_version},
                   {"policies", stored.policies},
                   {"files", stored.texts},
                   {"users", stored.numbers.users},
                   {"groups", stored.numbers.groups}};
    // Texts that are not UTF-8 are no policies.
    const std::string text = set.dump(-1, ' ', false, Json::error_handler_t::replace);
    return replace_file(kept_file(), fmt::format("{}\n{}\n", sha256(text), text), 0600,
                        Durable::yes);
}

Result<StoredSet> PolicyStore::last_good() const {
    const std::string path = kept_file();
    const auto fd = open_trusted_file(path);
    if (!fd)
        return std::unexpected(fd.error());
    const auto content = read_file(fd->get(), path);
    if (!content)
        return std::unexpected(content.error());
    const std::size_t line = content->find('\n');
    if (line == std::string::npos || !content->ends_with('\n'))
        return damaged(path, "it is cut off");
    const std::string text = content->substr(line + 1, content->size() - line - 2);
    if (sha256(text) != content->substr(0, line))
        return damaged(path, "its digest is another one");
    StoredSet stored;
    if (!decode(text, stored))
        return damaged(path, "it was written by another version");
    KeptFiles files(stored.texts);
    std::vector<PolicyText> texts;
    texts.reserve(stored.policies.size());
    for (const std::string& policy : stored.policies)
        texts.push_back({.file = policy, .text = stored.texts[policy]});
    KeptUsers users(stored.numbers);
    stored.set = parse_policies(texts, users, {.files = &files});
    if (!stored.set.ok())
        return std::unexpected(Error{.kind = ErrorKind::policy,
                                     .code = 0,
                                     .what = "the last good policies are not valid any more",
                                     .hint = {},
                                     .diagnostics = stored.set.diagnostics});
    return stored;
}

} // namespace llexec::daemon
