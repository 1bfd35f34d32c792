// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "program/script.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <deque>
#include <utility>
#include <vector>

namespace llexec::program {
namespace {

bool blank(char c) {
    return c == ' ' || c == '\t';
}

/// What env -S splits at.
bool space(char c) {
    return std::string_view(" \t\n\v\f\r").contains(c);
}

using Words = std::deque<std::string>;

/// Splits the argument of env -S. Fails on what env refuses, and on ${NAME}, which is known only
/// when it runs.
class Splitter {
  public:
    explicit Splitter(std::string_view text) : text_(text) {}

    std::optional<Words> split() {
        while (at_ < text_.size() && !stopped_) {
            const char c = text_[at_++];
            if (c == '\\' && escapes()) {
                if (!escape())
                    return std::nullopt;
            } else if (quote_ != '\'' && c == '$') {
                return std::nullopt;
            } else if (c == quote_) {
                quote_ = 0;
            } else if (quote_ == 0 && (c == '\'' || c == '"')) {
                quote_ = c;
                in_word_ = true;
            } else if (quote_ == 0 && space(c)) {
                end_word();
            } else if (quote_ == 0 && c == '#' && !in_word_) {
                break;
            } else {
                add(c);
            }
        }
        if (quote_ != 0)
            return std::nullopt;
        end_word();
        return std::move(words_);
    }

  private:
    /// Whether a backslash just read is more than itself: in single quotes only before two others.
    bool escapes() const {
        return quote_ != '\'' || (at_ < text_.size() && (text_[at_] == '\\' || text_[at_] == '\''));
    }

    bool escape() {
        if (at_ == text_.size())
            return false;
        const char c = text_[at_++];
        static constexpr std::array<std::pair<char, char>, 5> controls{
            {{'f', '\f'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'v', '\v'}}};
        const auto* const control = std::ranges::find(controls, c, &std::pair<char, char>::first);
        if (control != controls.end())
            add(control->second);
        else if (std::string_view("#$\"'\\").contains(c))
            add(c);
        else if (c == '_' && quote_ != 0)
            add(' ');
        else if (c == '_')
            end_word();
        else if (c == 'c' && quote_ == 0)
            stopped_ = true;
        else
            return false;
        return true;
    }

    void add(char c) {
        word_ += c;
        in_word_ = true;
    }

    void end_word() {
        if (in_word_)
            words_.push_back(std::exchange(word_, {}));
        in_word_ = false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    Words words_;
    std::string word_;
    char quote_ = 0;
    bool in_word_ = false;
    bool stopped_ = false;
};

/// Replaces -S TEXT by what TEXT is split into.
bool split_into(Words& words, std::string_view text) {
    auto more = Splitter(text).split();
    if (!more)
        return false;
    words.insert(words.begin(), more->begin(), more->end());
    return true;
}

/// The options of GNU env. `path` follows what they do to PATH.
class Options {
  public:
    explicit Options(Words& words) : words_(words) {}

    /// Removes the options in front; false if env refuses them or it is not known what they do.
    bool read() {
        while (!words_.empty()) {
            const std::string word = words_.front();
            if (word == "-") { // as -i
                words_.pop_front();
                path_unset = true;
                continue;
            }
            if (word.size() < 2 || word.front() != '-')
                return true;
            words_.pop_front();
            if (word == "--")
                return true;
            if (word.starts_with("--") ? !long_option(word.substr(2)) : !short_options(word))
                return false;
        }
        return true;
    }

    bool path_unset = false;

  private:
    bool short_options(std::string_view word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const char option = word[i];
            if (option == 'i')
                path_unset = true;
            else if (option == 'u' || option == 'C' || option == 'S')
                return with_value(option, std::string(word.substr(i + 1)), i + 1 < word.size());
            else if (option != '0' && option != 'v')
                return false;
        }
        return true;
    }

    bool long_option(std::string_view option) {
        const std::size_t end = option.find('=');
        const std::string_view name = option.substr(0, end);
        const std::string value(end == std::string_view::npos ? "" : option.substr(end + 1));
        const bool has_value = end != std::string_view::npos;
        if (name == "ignore-environment")
            path_unset = true;
        else if (name == "unset")
            return with_value('u', value, has_value);
        else if (name == "chdir")
            return with_value('C', value, has_value);
        else if (name == "split-string")
            return with_value('S', value, has_value);
        else
            return name == "null" || name == "debug" || name == "list-signal-handling" ||
                   name.ends_with("-signal");
        return true;
    }

    bool with_value(char option, std::string value, bool has_value) {
        if (!has_value) {
            if (words_.empty())
                return false;
            value = words_.front();
            words_.pop_front();
        }
        if (option == 'S')
            return split_into(words_, value);
        path_unset |= option == 'u' && value == "PATH";
        return true;
    }

    Words& words_;
};

} // namespace

std::optional<Shebang> parse_shebang(std::string_view head) {
    if (!head.starts_with("#!"))
        return std::nullopt;
    // As load_script(): a buffer that is filled up with NUL bytes, whose last byte is overwritten.
    std::string buffer(head.substr(0, exec_buffer_size));
    buffer.resize(exec_buffer_size);
    std::size_t end = std::min(buffer.find('\n'), buffer.find('\0'));
    if (end == std::string::npos || buffer[end] != '\n') {
        end = exec_buffer_size - 1;
        const auto name = std::find_if_not(buffer.begin() + 2, buffer.end(), blank);
        // A name that reaches the end may go on beyond it.
        if (name == buffer.end() ||
            std::none_of(name, buffer.end(), [](char c) { return blank(c) || c == '\0'; }))
            return std::nullopt;
    }
    while (blank(buffer[end - 1]))
        --end;
    const std::string_view line = std::string_view(buffer).substr(0, end);
    const std::size_t name = line.find_first_not_of(" \t", 2);
    if (name == std::string_view::npos)
        return std::nullopt;
    const std::size_t name_end =
        std::min(line.find_first_of(std::string_view(" \t\0", 3), name), end);
    Shebang result{.interpreter = std::string(line.substr(name, name_end - name)), .argument = {}};
    if (name_end < end && line[name_end] != '\0') {
        const std::string_view argument = line.substr(line.find_first_not_of(" \t", name_end));
        result.argument = argument.substr(0, argument.find('\0'));
    }
    return result;
}

std::optional<EnvProgram> parse_env(std::string_view argument) {
    Words words{std::string(argument)};
    Options options(words);
    if (!options.read())
        return std::nullopt;
    EnvProgram program;
    // Without PATH, execvp(3) takes what confstr(3) says.
    if (options.path_unset)
        program.path = "/bin:/usr/bin";
    for (; !words.empty() && words.front().contains('='); words.pop_front())
        if (words.front().starts_with("PATH="))
            program.path = words.front().substr(5);
    if (words.empty() || words.front().empty())
        return std::nullopt;
    program.name = words.front();
    return program;
}

} // namespace llexec::program
