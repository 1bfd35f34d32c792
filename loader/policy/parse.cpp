// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/policy_file.hpp"
#include "policy/body.hpp"
#include "policy/document.hpp"
#include "policy/parts.hpp"
#include "policy/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace llexec {
namespace {

constexpr std::string_view toml_suffix = ".toml";
constexpr std::string_view json_suffix = ".json";

bool valid_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._@+-").find(c) != std::string_view::npos;
}

// Names appear in status output, in events and in the names of pinned objects.
void check_name(std::string_view name, Reader& reader) {
    const bool valid = !name.empty() && name.size() <= max_policy_name_length &&
                       name.front() != '.' && std::ranges::all_of(name, valid_name_character);
    if (!valid)
        reader.error(
            {}, fmt::format("the file's name makes the policy name '{}'", printable(name)),
            fmt::format("a policy name has 1 to {} letters, digits and . _ @ + -, and does not "
                        "start with a dot",
                        max_policy_name_length));
}

/// Where a path that a file includes stands.
std::string included_path(std::string_view includer, const std::string& path) {
    const auto slash = includer.rfind('/');
    if (path.starts_with('/') || slash == std::string_view::npos)
        return path;
    return fmt::format("{}{}", includer.substr(0, slash + 1), path);
}

/// The documents of one policy, by their number in Grant::file.
class Parser {
  public:
    Parser(UserDatabase& users, const ParseOptions& options)
        : users_(users), files_(options.files == nullptr ? system_policy_files() : *options.files),
          standard_(options.standard) {}

    ParsedPolicy parse(std::string_view text, std::string_view file) {
        policy_.name = policy_name(file);
        Document& document = add(std::string(file), std::string(text));
        check_name(policy_.name, document.reader);
        if (const std::optional<Node> root = read_syntax(document)) {
            document.reader.check_keys(*root, Place::root);
            read_match(*root, document.reader, users_, policy_);
            read_enforce(*root, document.reader, policy_);
            read_lint(*root, document.reader, policy_);
            chain_.push_back(normalize_path(file));
            finish(read_tree(*root, document), fmt::format("list the rights to restrict in {}",
                                                           document.reader.table("ruleset")));
        }
        return take();
    }

    ParsedPolicy compose(std::span<const PolicyText> texts, std::string_view name) {
        policy_.name = name;
        std::optional<Body> body;
        for (const PolicyText& source : texts) {
            Document& document = add(source.file, source.text);
            const std::optional<Node> root = read_syntax(document);
            if (!root)
                continue;
            document.reader.check_keys(*root, Place::root);
            const Body other = read_body(*root, document.number, document.reader);
            if (body)
                llexec::compose(*body, other);
            else
                body = other;
        }
        if (!documents_.empty())
            check_name(policy_.name, documents_.front()->reader);
        if (body)
            finish(*body,
                   "a composition handles what all of its documents handle: repeat it in each");
        return take();
    }

  private:
    struct Document {
        std::uint32_t number;
        std::string text;
        Reader reader;
    };

    Document& add(std::string file, std::string text) {
        const auto number = static_cast<std::uint32_t>(documents_.size());
        const Syntax syntax = file.ends_with(json_suffix) ? Syntax::json : Syntax::toml;
        if (number == 0)
            policy_.file = file;
        else
            policy_.included.push_back(file);
        documents_.push_back(std::make_unique<Document>(
            number, std::move(text), Reader(std::move(file), syntax, standard_)));
        return *documents_.back();
    }

    static std::optional<Node> read_syntax(Document& document) {
        std::vector<Diagnostic> unreadable;
        Reader& reader = document.reader;
        std::optional<Node> root = reader.syntax() == Syntax::json
                                       ? parse_json(document.text, reader.file(), unreadable)
                                       : parse_toml(document.text, reader.file(), unreadable);
        for (Diagnostic& diagnostic : unreadable)
            reader.error(diagnostic.position, std::move(diagnostic.message),
                         std::move(diagnostic.advice));
        return root;
    }

    /// The body of a document with those that it includes.
    Body read_tree(const Node& root, Document& document) {
        Body body = read_body(root, document.number, document.reader);
        for (const Include& include : read_include(root, document.reader))
            include_file(include, document.reader, body);
        return body;
    }

    void include_file(const Include& include, Reader& reader, Body& body) {
        const std::string file = included_path(reader.file(), include.path);
        const std::string identity = normalize_path(file);
        const std::string shown = printable(include.path);
        if (std::ranges::find(chain_, identity) != chain_.end()) {
            reader.error(include.position, fmt::format("'{}' includes itself", shown),
                         fmt::format("the chain is {}, {}", fmt::join(chain_, ", "), identity));
            return;
        }
        // What is taken in twice is the same as once.
        if (std::ranges::find(taken_in_, identity) != taken_in_.end())
            return;
        if (chain_.size() == max_include_depth || taken_in_.size() == max_included_files) {
            reader.error(include.position, fmt::format("'{}' is one include too many", shown),
                         fmt::format("at most {} files, in chains of {}", max_included_files,
                                     max_include_depth));
            return;
        }
        taken_in_.push_back(identity);
        Result<std::string> text = files_.read(file);
        if (!text) {
            reader.error(include.position,
                         fmt::format("cannot include '{}': {}", shown, text.error().message()));
            return;
        }
        Document& document = add(file, std::move(*text));
        const std::optional<Node> root = read_syntax(document);
        if (!root)
            return;
        document.reader.check_keys(*root, Place::root);
        for (const std::string_view key : {"match", "enforce", "lint"})
            if (const Member* member = root->find(key))
                document.reader.error(
                    member->position,
                    fmt::format("'{}' in a file that is included", member->spelling),
                    "only rules and variables are taken in: move it into the policy itself");
        chain_.push_back(identity);
        take_in(body, read_tree(*root, document));
        chain_.pop_back();
    }

    void finish(const Body& body, std::string advice) {
        std::vector<Reader*> readers;
        readers.reserve(documents_.size());
        for (const auto& document : documents_)
            readers.push_back(&document->reader);
        resolve_body(body, readers, policy_);
        Reader& first = *readers.front();
        if (policy_.handled.empty() && !failed())
            first.error({}, "no access right is handled, so there is nothing to enforce",
                        std::move(advice));
    }

    [[nodiscard]] bool failed() const {
        return std::ranges::any_of(documents_,
                                   [](const auto& document) { return document->reader.failed(); });
    }

    ParsedPolicy take() {
        ParsedPolicy parsed;
        const bool valid = !failed() && !documents_.empty();
        for (const auto& document : documents_) {
            SourceLines lines(document->text);
            for (Diagnostic& diagnostic : document->reader.take()) {
                if (policy_.silences(diagnostic.lint))
                    continue;
                lines.show(diagnostic);
                parsed.diagnostics.push_back(std::move(diagnostic));
            }
        }
        if (valid)
            parsed.policy = std::move(policy_);
        return parsed;
    }

    UserDatabase& users_;
    PolicyFiles& files_;
    bool standard_;
    Policy policy_;
    std::vector<std::unique_ptr<Document>> documents_; ///< readers stay where they are
    std::vector<std::string> chain_;    ///< from the policy to the document that is being read
    std::vector<std::string> taken_in_; ///< all included files
};

} // namespace

void SourceLines::go_to(Position place) {
    if (place < here_)
        *this = SourceLines(text_);
    while (at_ < text_.size() && here_ < place) {
        if (text_[at_] != '\n')
            ++here_.column;
        else if (here_.line < place.line)
            here_ = {.line = here_.line + 1, .column = 1};
        else
            return;
        at_ = next_character(text_, at_);
    }
}

void SourceLines::show(Diagnostic& diagnostic) {
    // More than anybody prints, and little enough for every finding to have its own.
    constexpr int reach = 128;
    go_to(diagnostic.position);
    if (here_.line != diagnostic.position.line)
        return;
    std::size_t begin = at_;
    std::size_t end = at_;
    diagnostic.source_column = here_.column;
    for (int i = 0; i < reach && begin > 0 && text_[begin - 1] != '\n'; ++i) {
        do
            --begin;
        while (begin > 0 && is_continuation(text_[begin]));
        --diagnostic.source_column;
    }
    for (int i = 0; i < reach && end < text_.size() && text_[end] != '\n'; ++i)
        end = next_character(text_, end);
    diagnostic.source = text_.substr(begin, end - begin);
    if ((end == text_.size() || text_[end] == '\n') && diagnostic.source.ends_with('\r'))
        diagnostic.source.pop_back();
}

bool is_policy_file(std::string_view name) {
    return !name.starts_with('.') && (name.ends_with(toml_suffix) || name.ends_with(json_suffix));
}

std::string_view policy_name(std::string_view file) {
    if (const auto slash = file.rfind('/'); slash != std::string_view::npos)
        file.remove_prefix(slash + 1);
    for (const std::string_view suffix : {toml_suffix, json_suffix})
        if (file.ends_with(suffix))
            return file.substr(0, file.size() - suffix.size());
    return file;
}

ParsedPolicy parse_policy(std::string_view text, std::string_view file, UserDatabase& users,
                          const ParseOptions& options) {
    return Parser(users, options).parse(text, file);
}

ParsedPolicy compose_documents(std::span<const PolicyText> texts, std::string_view name,
                               UserDatabase& users) {
    return Parser(users, {.files = nullptr, .standard = true}).compose(texts, name);
}

} // namespace llexec
