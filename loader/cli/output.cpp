// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "output.hpp"

#include <fmt/format.h>

#include <string>

namespace llexec::cli {
namespace {

std::string visible(std::string_view text) {
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
            result += fmt::format("\\x{:02x}", byte);
        else
            result += c;
    }
    return result;
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
    return json;
}

Json to_json(std::span<const Diagnostic> diagnostics) {
    Json json = Json::array();
    for (const Diagnostic& diagnostic : diagnostics)
        json.push_back(to_json(diagnostic));
    return json;
}

void print_line(std::FILE* stream, std::string_view text) {
    const std::string line = visible(text) + "\n";
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
    line += fmt::format(": {}: {}", to_string(diagnostic.severity), diagnostic.message);
    if (!diagnostic.advice.empty())
        line += "; " + diagnostic.advice;
    print_line(stream, line);
}

void print_json(std::FILE* stream, const Json& json) {
    const std::string line =
        json.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace) + "\n";
    std::fwrite(line.data(), 1, line.size(), stream);
}

ExitCode exit_code(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::system:
        return ExitCode::runtime_error;
    case ErrorKind::unsupported:
        return ExitCode::unsupported_kernel;
    case ErrorKind::policy:
        return ExitCode::policy_invalid;
    }
    return ExitCode::runtime_error;
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

} // namespace llexec::cli
