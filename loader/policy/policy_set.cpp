// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Files and directories of policies.
#include "llexec/fd.hpp"
#include "llexec/lint.hpp"
#include "llexec/policy_file.hpp"
#include "policy/file_text.hpp"
#include "policy/parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace llexec {
namespace {

std::string error_text(int code) {
    return std::generic_category().message(code);
}

Diagnostic error_in(const std::string& file, std::string message, std::string advice = {}) {
    return {.severity = Severity::error,
            .file = file,
            .position = {},
            .message = std::move(message),
            .advice = std::move(advice)};
}

class SystemPolicyFiles final : public PolicyFiles {
  public:
    Result<std::string> read(const std::string& path) override {
        // Not to wait for the writer of a FIFO to find out that it is one.
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
        if (!fd.valid())
            return system_error(errno, "open failed");
        struct stat status{};
        if (::fstat(fd.get(), &status) < 0)
            return system_error(errno, "stat failed");
        if (!S_ISREG(status.st_mode))
            return failure(ErrorKind::policy, "not a regular file");
        return read_text(fd.get());
    }
};

/// Finds the files of a set, and reads them.
class SetReader {
  public:
    explicit SetReader(std::vector<PolicyText>& texts) : texts_(texts) {}

    void add(const std::string& path) {
        struct stat status{};
        if (::stat(path.c_str(), &status) < 0)
            error(path, fmt::format("cannot open: {}", error_text(errno)));
        else if (S_ISDIR(status.st_mode))
            add_directory(path);
        else
            add_file(path, Origin::argument);
    }

    PolicySet take() { return std::move(set_); }

  private:
    enum class Origin { argument, directory };

    void error(const std::string& file, std::string message, std::string advice = {}) {
        set_.diagnostics.push_back(error_in(file, std::move(message), std::move(advice)));
    }

    void add_directory(const std::string& path) {
        const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
        if (!directory) {
            error(path, fmt::format("cannot open: {}", error_text(errno)));
            return;
        }
        std::vector<std::string> names;
        errno = 0;
        // One thread has this stream, which is all that readdir() asks for.
        while (const dirent* entry = ::readdir(directory.get())) { // NOLINT(concurrency-mt-unsafe)
            const std::string_view name = entry->d_name;
            if (is_policy_file(name))
                names.emplace_back(name);
            errno = 0;
        }
        if (errno != 0) {
            error(path, fmt::format("cannot read the directory: {}", error_text(errno)));
            return;
        }
        std::ranges::sort(names);
        const std::size_t before = set_.files;
        for (const std::string& name : names)
            add_file(fmt::format("{}{}{}", path, path.ends_with('/') ? "" : "/", name),
                     Origin::directory);
        if (set_.files == before)
            error(path, "no policy file in this directory",
                  "a policy file is a regular file named *.toml or *.json, and not hidden");
    }

    void add_file(const std::string& path, Origin origin) {
        // A directory may hold a FIFO or a device: do not wait for a writer to find out.
        const int wait = origin == Origin::directory ? O_NONBLOCK : 0;
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | wait));
        if (!fd.valid()) {
            open_failed(path, origin, errno);
            return;
        }
        struct stat status{};
        if (::fstat(fd.get(), &status) < 0) {
            error(path, fmt::format("cannot stat: {}", error_text(errno)));
            return;
        }
        if (origin == Origin::directory && !S_ISREG(status.st_mode)) {
            set_.diagnostics.push_back(ignored_entry(path));
            return;
        }
        ++set_.files;
        Result<std::string> text = read_text(fd.get());
        if (text)
            texts_.push_back({.file = path, .text = std::move(*text)});
        else
            error(path, text.error().message());
    }

    void open_failed(const std::string& path, Origin origin, int code) {
        struct stat status{};
        const bool to_nothing = origin == Origin::directory && code == ENOENT;
        // Not a link to nothing, but gone since the directory was read.
        if (to_nothing && ::lstat(path.c_str(), &status) != 0)
            return;
        // Fail closed: a policy is meant to be there.
        ++set_.files;
        error(path, fmt::format("cannot open: {}", error_text(code)),
              to_nothing ? "mend or remove this symbolic link" : "");
    }

    std::vector<PolicyText>& texts_;
    PolicySet set_;
};

/// What can be said before anything is parsed.
PolicySet read_texts(std::span<const std::string> paths, std::vector<PolicyText>& texts) {
    SetReader reader(texts);
    for (const std::string& path : paths)
        reader.add(path);
    return reader.take();
}

/// False if there is no thread to be had.
bool start_thread(std::vector<std::jthread>& threads, const std::function<void()>& work) {
    try {
        threads.emplace_back(work);
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

/// On all CPUs: for a large set, nothing takes longer.
std::vector<ParsedPolicy> parse_all(std::span<const PolicyText> texts, UserDatabase& users,
                                    const ParseOptions& options) {
    constexpr std::size_t worth_a_thread = 64;
    std::vector<ParsedPolicy> parsed(texts.size());
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < texts.size(); i = next++)
            parsed[i] = parse_policy(texts[i].text, texts[i].file, users, options);
    };
    std::vector<std::jthread> threads;
    const std::size_t wanted =
        std::min<std::size_t>(std::thread::hardware_concurrency(), texts.size() / worth_a_thread);
    // If there are no more threads to be had, those that there are do it.
    while (threads.size() + 1 < wanted && start_thread(threads, work))
        continue;
    work();
    threads.clear(); // joins them
    return parsed;
}

/// Adds the policies of these texts, and what is to be said about them.
void parse_into(PolicySet& set, std::span<const PolicyText> texts, UserDatabase& users,
                const ParseOptions& options) {
    std::vector<ParsedPolicy> parsed = parse_all(texts, users, options);
    std::map<std::string, std::string, std::less<>> names; // of policies, and where each came from
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::string& file = texts[i].file;
        const auto [first, added] = names.try_emplace(std::string(policy_name(file)), file);
        if (!added)
            set.diagnostics.push_back(
                error_in(file,
                         fmt::format("a second policy named '{}': the first is {}", first->first,
                                     first->second),
                         "a policy is named after its file: rename one of them"));
        std::ranges::move(parsed[i].diagnostics, std::back_inserter(set.diagnostics));
        if (parsed[i].policy && added)
            set.policies.push_back(std::move(*parsed[i].policy));
    }
    std::ranges::sort(set.policies, {}, &Policy::name); // names are unique
}

} // namespace

PolicyFiles& system_policy_files() {
    static SystemPolicyFiles instance;
    return instance;
}

PolicySet load_policies(std::span<const std::string> paths, UserDatabase& users,
                        const ParseOptions& options) {
    std::vector<PolicyText> texts;
    PolicySet set = read_texts(paths, texts);
    parse_into(set, texts, users, options);
    return set;
}

PolicySet parse_policies(std::span<const PolicyText> texts, UserDatabase& users,
                         const ParseOptions& options) {
    PolicySet set;
    set.files = texts.size();
    parse_into(set, texts, users, options);
    return set;
}

PolicySet compose_policies(std::span<const std::string> paths, std::string_view name,
                           UserDatabase& users) {
    std::vector<PolicyText> texts;
    PolicySet set = read_texts(paths, texts);
    ParsedPolicy parsed = compose_documents(texts, name, users);
    std::ranges::move(parsed.diagnostics, std::back_inserter(set.diagnostics));
    if (parsed.policy)
        set.policies.push_back(std::move(*parsed.policy));
    return set;
}

void add_source_lines(std::span<Diagnostic> diagnostics) {
    std::map<std::string, std::string, std::less<>> texts;
    std::map<std::string, SourceLines, std::less<>> lines;
    for (Diagnostic& diagnostic : diagnostics) {
        if (diagnostic.position.line == 0 || !diagnostic.source.empty())
            continue;
        auto found = lines.find(diagnostic.file);
        if (found == lines.end()) {
            const auto text = texts.try_emplace(
                diagnostic.file, system_policy_files().read(diagnostic.file).value_or(""));
            found = lines.try_emplace(diagnostic.file, text.first->second).first;
        }
        found->second.show(diagnostic);
    }
}

} // namespace llexec
