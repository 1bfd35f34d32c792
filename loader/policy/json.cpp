// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Reads JSON. The parser of nlohmann-json says what there is, in order, but not where: the builder
// follows it through the text, which is known to be well-formed as far as the parser has come.
#include "llexec/printable.hpp"
#include "policy/document.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <limits>
#include <set>
#include <utility>

namespace llexec {
namespace {

// Nodes are freed recursively, and a policy needs four levels.
constexpr std::size_t max_depth = 64;

/// "pathBeneath" -> "path_beneath". An underscore is doubled: "path_beneath" is no key in JSON.
std::string canonical(std::string_view key) {
    std::string result;
    for (const char c : key) {
        if (c >= 'A' && c <= 'Z') {
            result += '_';
            result += static_cast<char>(c - 'A' + 'a');
        } else {
            result += c;
            if (c == '_')
                result += c;
        }
    }
    return result;
}

/// A place in a text that only moves forward.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : text_(text) {
        if (text.starts_with("\xef\xbb\xbf"))
            at_ = 3;
    }

    /// To the next token: over white space, commas and colons. Returns where that is.
    Position next() {
        while (at_ < text_.size() && std::string_view(" \t\r\n,:").contains(text_[at_]))
            advance();
        return here_;
    }

    void skip(std::size_t bytes) {
        for (; bytes > 0 && at_ < text_.size(); --bytes)
            advance();
    }

    void skip_string() {
        advance();
        while (at_ < text_.size() && text_[at_] != '"')
            skip(text_[at_] == '\\' ? 2 : 1);
        skip(1);
    }

    void skip_number() {
        while (at_ < text_.size() && std::string_view("+-.eE0123456789").contains(text_[at_]))
            advance();
    }

    /// The place of that byte.
    Position at(std::size_t offset) {
        while (at_ < offset && at_ < text_.size())
            advance();
        return here_;
    }

  private:
    void advance() {
        const char c = text_[at_++];
        if (c == '\n')
            here_ = {.line = here_.line + 1, .column = 1};
        else if (at_ == text_.size() || !is_continuation(text_[at_]))
            ++here_.column; // the next byte begins a character
    }

    std::string_view text_;
    std::size_t at_ = 0;
    Position here_{.line = 1, .column = 1};
};

Node made(Node::Kind kind, Position position = {}) {
    Node node;
    node.kind = kind;
    node.position = position;
    return node;
}

class Builder final : public nlohmann::json_sax<nlohmann::json> {
  public:
    Builder(std::string_view text, std::string_view file, std::vector<Diagnostic>& diagnostics)
        : cursor_(text), file_(file), diagnostics_(diagnostics) {}

    bool null() override { return scalar(made(Node::Kind::null), 4); }
    bool boolean(bool value) override {
        Node node = made(Node::Kind::boolean);
        node.boolean = value;
        return scalar(std::move(node), value ? 4 : 5);
    }
    bool number_integer(number_integer_t value) override {
        Node node = made(Node::Kind::integer, cursor_.next());
        node.integer = value;
        cursor_.skip_number();
        return add(std::move(node));
    }
    bool number_unsigned(number_unsigned_t value) override {
        if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max()))
            return refuse(cursor_.next(), fmt::format("the number {} is too large", value));
        return number_integer(static_cast<number_integer_t>(value));
    }
    bool number_float(number_float_t /*value*/, const string_t& /*text*/) override {
        Node node = made(Node::Kind::floating, cursor_.next());
        cursor_.skip_number();
        return add(std::move(node));
    }
    bool string(string_t& value) override {
        Node node = made(Node::Kind::string, cursor_.next());
        node.string = std::move(value);
        cursor_.skip_string();
        return add(std::move(node));
    }
    bool binary(binary_t&) override { return false; } // not in text

    bool start_object(std::size_t) override { return open(Node::Kind::table); }
    bool start_array(std::size_t) override { return open(Node::Kind::array); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(string_t& value) override {
        const Position position = cursor_.next();
        cursor_.skip_string();
        const std::string name = canonical(value);
        if (!open_.back().keys.insert(name).second)
            return refuse(position, fmt::format("the key '{}' is there twice", value));
        open_.back().key = {.key = name, .spelling = value, .position = position, .value = {}};
        return true;
    }

    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::json::exception& error) override {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: what is wrong", and
        // "[json.exception.out_of_range.406] what is wrong"
        std::string_view what = error.what();
        if (const auto end = what.find("] "); end != std::string_view::npos)
            what.remove_prefix(end + 2);
        if (const auto end = what.find(": ");
            what.starts_with("parse error at ") && end != std::string_view::npos)
            what.remove_prefix(end + 2);
        return refuse(cursor_.at(position == 0 ? 0 : position - 1),
                      fmt::format("JSON syntax: {}", what));
    }

    std::optional<Node> take() { return std::move(root_); }

  private:
    /// An array or object whose end has not come yet.
    struct Open {
        Node node;
        Member key{};                              ///< in an object: what the next value is for
        std::set<std::string, std::less<>> keys{}; ///< so far
    };

    bool refuse(Position position, std::string message) {
        diagnostics_.push_back(Diagnostic{.severity = Severity::error,
                                          .file = std::string(file_),
                                          .position = position,
                                          .message = std::move(message),
                                          .advice = {}});
        return false;
    }

    bool scalar(Node node, std::size_t size) {
        node.position = cursor_.next();
        cursor_.skip(size);
        return add(std::move(node));
    }

    bool open(Node::Kind kind) {
        const Position position = cursor_.next();
        cursor_.skip(1);
        if (open_.size() == max_depth)
            return refuse(position, "nested too deeply");
        open_.push_back({.node = made(kind, position)});
        return true;
    }

    bool close() {
        cursor_.next();
        cursor_.skip(1);
        Node node = std::move(open_.back().node);
        open_.pop_back();
        return add(std::move(node));
    }

    bool add(Node node) {
        if (open_.empty()) {
            root_ = std::move(node);
            return true;
        }
        Open& parent = open_.back();
        if (parent.node.kind == Node::Kind::array) {
            parent.node.items.push_back(std::move(node));
        } else if (node.kind != Node::Kind::null) { // with null, the key counts as absent
            parent.key.value = std::move(node);
            parent.node.members.push_back(std::move(parent.key));
        }
        return true;
    }

    Cursor cursor_;
    std::string_view file_;
    std::vector<Diagnostic>& diagnostics_;
    std::vector<Open> open_;
    std::optional<Node> root_;
};

} // namespace

std::optional<Node> parse_json(std::string_view text, std::string_view file,
                               std::vector<Diagnostic>& diagnostics) {
    Builder builder(text, file, diagnostics);
    if (!nlohmann::json::sax_parse(text, &builder))
        return std::nullopt;
    std::optional<Node> root = builder.take();
    if (root && root->kind != Node::Kind::table) {
        diagnostics.push_back(Diagnostic{.severity = Severity::error,
                                         .file = std::string(file),
                                         .position = root->position,
                                         .message = "the document is not an object",
                                         .advice = "write {\"abi\": 6, ...}"});
        return std::nullopt;
    }
    return root;
}

} // namespace llexec
