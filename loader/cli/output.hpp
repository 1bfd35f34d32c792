// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How results, findings and errors leave the process.
#pragma once

#include "commands.hpp"
#include "llexec/diagnostic.hpp"
#include "llexec/result.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <span>
#include <string_view>

namespace llexec::cli {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json to_json(const Diagnostic& diagnostic);
[[nodiscard]] Json to_json(std::span<const Diagnostic> diagnostics);

/// "file:line:column: severity: message; advice", and the line that it is about with a mark below
/// the column. Coloured on a terminal, unless NO_COLOR is set. Control characters are made visible.
void print_text(std::FILE* stream, const Diagnostic& diagnostic);

/// One line of text with control characters made visible.
void print_line(std::FILE* stream, std::string_view text);

/// Several such lines.
void print_lines(std::FILE* stream, std::string_view text);

/// One JSON document on a line. Invalid UTF-8 (from file names) becomes U+FFFD.
void print_json(std::FILE* stream, const Json& json);

/// Whether all that was printed to standard output has been written. What is not is lost, and so is
/// what follows.
[[nodiscard]] bool flush_output();

/// Prints an error with its findings and sets `context.exit` from its kind. Text goes to stderr;
/// JSON to stdout, or to `json_stream`, as {"error": {"kind", "message", ...}, "diagnostics":
/// [...]}.
void fail(Context& context, const Error& error, std::FILE* json_stream = stdout);

/// The same for a wrong command line.
void fail_usage(Context& context, std::string_view message, std::FILE* json_stream = stdout);

/// For a command that takes no arguments after "--": fails if there are any, and then returns true.
[[nodiscard]] bool refuse_rest(Context& context, std::string_view command);

} // namespace llexec::cli
