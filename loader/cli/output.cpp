// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "output.hpp"

#include "llexec/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <vector>

namespace llexec::cli {
namespace {

/// Each character of a line as it is shown: one column wide, as far as that can be known.
std::vector<std::string> characters_of(std::string_view line) {
    std::vector<std::string> result;
    for (const char c : line) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_continuation(c) && !result.empty() && result.back().size() < 4)
            result.back() += c;
        else if (c == '\t')
            result.emplace_back(" ");
        else
            result.emplace_back(byte < 0x20 || byte == 0x7f ? std::string("?") : std::string(1, c));
    }
    // Not UTF-8, or a control character of the terminal's.
    for (std::string& character : result)
        if (character.size() == 1 ? static_cast<unsigned char>(character[0]) >= 0x80
                                  : character[0] == '\xc2' && character[1] < '\xa0')
            character = "?";
    return result;
}

/// Prints the line with a mark below the column. Of a long line, what is around it.
void print_source(std::FILE* stream, const Diagnostic& diagnostic, std::string_view colour,
                  std::string_view plain) {
    constexpr std::size_t before = 60;
    constexpr std::size_t width = 100;
    const std::vector<std::string> characters = characters_of(diagnostic.source);
    const std::size_t column = diagnostic.position.column - diagnostic.source_column;
    if (column > characters.size())
        return;
    const std::size_t begin = characters.size() > width && column > before ? column - before : 0;
    const std::size_t end = std::min(characters.size(), begin + width);
    std::string line;
    for (std::size_t i = begin; i < end; ++i)
        line += characters[i];
    const std::string text =
        fmt::format("{:>5} | {}{}{}\n{:>5} | {:>{}}{}^{}\n", diagnostic.position.line,
                    begin > 0 ? "..." : "", line, end < characters.size() ? "..." : "", "", "",
                    column - begin + (begin > 0 ? 3 : 0), colour, plain);
    std::fwrite(text.data(), 1, text.size(), stream);
}

bool has_colours(std::FILE* stream) {
    const char* const no_color = std::getenv("NO_COLOR"); // NOLINT(concurrency-mt-unsafe)
    const char* const term = std::getenv("TERM");         // NOLINT(concurrency-mt-unsafe)
    return ::isatty(::fileno(stream)) == 1 && (no_color == nullptr || *no_color == '\0') &&
           term != nullptr && std::string_view(term) != "dumb";
}

std::string_view colour_of(Severity severity) {
    switch (severity) {
    case Severity::error:
        return "\x1b[1;31m";
    case Severity::warning:
        return "\x1b[1;35m";
    case Severity::note:
        return "\x1b[1;36m";
    }
    return "";
}

} // namespace

Json to_json(const Diagnostic& diagnostic) {
    Json json{{"severity", to_string(diagnostic.severity)}, {"file", diagnostic.file}};
    if (diagnostic.position.line != 0)
        json["line"] = diagnostic.position.line;
    if (diagnostic.position.column != 0)
        json["column"] = diagnostic.position.column;
    json["message"] = diagnostic.message;
    if (!diagnostic.advice.empty())
        json["advice"] = diagnostic.advice;
    if (!diagnostic.lint.empty())
        json["lint"] = diagnostic.lint;
    return json;
}

Json to_json(std::span<const Diagnostic> diagnostics) {
    Json json = Json::array();
    for (const Diagnostic& diagnostic : diagnostics)
        json.push_back(to_json(diagnostic));
    return json;
}

void print_line(std::FILE* stream, std::string_view text) {
    const std::string line = printable(text) + "\n";
    std::fwrite(line.data(), 1, line.size(), stream);
}

void print_lines(std::FILE* stream, std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        print_line(stream, text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

void print_text(std::FILE* stream, const Diagnostic& diagnostic) {
    std::string line = diagnostic.file;
    if (diagnostic.position.line != 0)
        line += fmt::format(":{}", diagnostic.position.line);
    if (diagnostic.position.column != 0)
        line += fmt::format(":{}", diagnostic.position.column);
    const bool colours = has_colours(stream);
    const std::string_view colour = colours ? colour_of(diagnostic.severity) : "";
    const std::string_view plain = colours ? "\x1b[0m" : "";
    std::string text = diagnostic.message;
    if (!diagnostic.advice.empty())
        text += "; " + diagnostic.advice;
    if (!diagnostic.lint.empty())
        text += " [" + diagnostic.lint + "]";
    const std::string whole = fmt::format("{}: {}{}{}: {}\n", printable(line), colour,
                                          to_string(diagnostic.severity), plain, printable(text));
    std::fwrite(whole.data(), 1, whole.size(), stream);
    if (diagnostic.position.column != 0 && !diagnostic.source.empty())
        print_source(stream, diagnostic, colour, plain);
}

void print_json(std::FILE* stream, const Json& json) {
    const std::string line =
        json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace) + "\n";
    std::fwrite(line.data(), 1, line.size(), stream);
}

bool flush_output() {
    // A failed write of much text empties the buffer, and then there is nothing to flush.
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

void fail(Context& context, const Error& error, std::FILE* json_stream) {
    context.exit = exit_code(error.kind);
    if (context.json) {
        Json body{{"kind", to_string(error.kind)}, {"message", error.message()}};
        if (error.code != 0)
            body["errno"] = error.code;
        if (!error.hint.empty())
            body["hint"] = error.hint;
        if (!error.log.empty())
            body["log"] = error.log;
        Json json{{"error", std::move(body)}};
        json["diagnostics"] = to_json(error.diagnostics);
        print_json(json_stream, json);
        return;
    }
    for (const Diagnostic& diagnostic : error.diagnostics)
        print_text(stderr, diagnostic);
    print_line(stderr,
               "llexec: " + error.message() + (error.hint.empty() ? "" : "; " + error.hint));
    print_lines(stderr, error.log);
}

void fail_usage(Context& context, std::string_view message, std::FILE* json_stream) {
    context.exit = ExitCode::usage;
    if (context.json) {
        print_json(json_stream, Json{{"error", {{"kind", "usage"}, {"message", message}}}});
        return;
    }
    print_line(stderr, fmt::format("llexec: {}; see llexec --help", message));
}

bool refuse_rest(Context& context, std::string_view command) {
    if (context.rest.empty())
        return false;
    fail_usage(context,
               fmt::format("{}: '{}' is one argument too many", command, context.rest.front()));
    return true;
}

} // namespace llexec::cli
