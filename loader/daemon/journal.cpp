// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "journal.hpp"

#include "llexec/printable.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <systemd/sd-journal.h>

#include <cstdio>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace llexec::daemon {
namespace {

constexpr const char* journal_socket = "/run/systemd/journal/socket";

void to_journal(Priority priority, const std::string& message, const std::vector<Field>& fields) {
    std::vector<std::string> lines{fmt::format("MESSAGE={}", message),
                                   fmt::format("PRIORITY={}", static_cast<int>(priority)),
                                   "SYSLOG_IDENTIFIER=llexecd"};
    for (const Field& field : fields)
        lines.push_back(fmt::format("{}={}", field.name, field.value));
    std::vector<iovec> vectors;
    vectors.reserve(lines.size());
    for (std::string& line : lines)
        vectors.push_back({.iov_base = line.data(), .iov_len = line.size()});
    sd_journal_sendv(vectors.data(), static_cast<int>(vectors.size()));
}

void to_text(Priority priority, const std::string& message) {
    const std::string line =
        fmt::format("<{}>llexecd: {}\n", static_cast<int>(priority), printable(message));
    std::fwrite(line.data(), 1, line.size(), stderr);
}

void to_json(Priority priority, const std::string& message, const std::vector<Field>& fields) {
    nlohmann::ordered_json json{{"MESSAGE", message}, {"PRIORITY", static_cast<int>(priority)}};
    for (const Field& field : fields)
        json[std::string(field.name)] = field.value;
    // File names are bytes, and need not be UTF-8.
    const std::string line =
        json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
}

Priority priority_of(Severity severity) {
    switch (severity) {
    case Severity::error:
        return Priority::error;
    case Severity::warning:
        return Priority::warning;
    case Severity::note:
        return Priority::info;
    }
    return Priority::error;
}

} // namespace

std::optional<LogTo> log_to_from_string(std::string_view name) {
    if (name == "journal")
        return LogTo::journal;
    if (name == "text")
        return LogTo::text;
    if (name == "json")
        return LogTo::json;
    return std::nullopt;
}

Journal::Journal(std::optional<LogTo> to)
    : to_(to.value_or(::access(journal_socket, F_OK) == 0 ? LogTo::journal : LogTo::text)) {}

void Journal::say(Priority priority, const std::string& message,
                  const std::vector<Field>& fields) const {
    switch (to_) {
    case LogTo::journal:
        to_journal(priority, message, fields);
        break;
    case LogTo::text:
        to_text(priority, message);
        break;
    case LogTo::json:
        to_json(priority, message, fields);
        break;
    }
}

void Journal::say(const Diagnostic& diagnostic) const {
    std::string place = diagnostic.file;
    if (diagnostic.position.line != 0)
        place += fmt::format(":{}", diagnostic.position.line);
    if (diagnostic.position.column != 0)
        place += fmt::format(":{}", diagnostic.position.column);
    std::string message =
        fmt::format("{}: {}: {}", place, to_string(diagnostic.severity), diagnostic.message);
    if (!diagnostic.advice.empty())
        message += "; " + diagnostic.advice;
    if (!diagnostic.lint.empty())
        message += " [" + diagnostic.lint + "]";
    if (!is_wanted(message))
        return;
    say(priority_of(diagnostic.severity), message,
        {{"LLEXEC_FILE", diagnostic.file},
         {"LLEXEC_LINE", std::to_string(diagnostic.position.line)},
         {"LLEXEC_COLUMN", std::to_string(diagnostic.position.column)}});
}

void Journal::say(const std::vector<Diagnostic>& diagnostics) const {
    for (const Diagnostic& diagnostic : diagnostics)
        say(diagnostic);
}

void Journal::say(const Error& error, std::string_view consequence, Priority priority) const {
    std::string message = fmt::format("{}: {}", consequence, error.message());
    if (!error.hint.empty())
        message += "; " + error.hint;
    if (is_wanted(message)) {
        say(priority, message, {{"ERRNO", std::to_string(error.code)}});
        if (!error.log.empty())
            say(priority, error.log);
    }
    say(error.diagnostics);
}

bool Journal::is_wanted(const std::string& message) const {
    if (topic_ == nullptr)
        return true;
    topic_->said_.insert(message);
    return everything_ || !said_[topic_->name_].contains(message);
}

Journal::Topic::Topic(const Journal& journal, std::string name)
    : journal_(journal), name_(std::move(name)), outer_(std::exchange(journal.topic_, this)) {}

Journal::Topic::~Topic() {
    journal_.said_[name_] = std::move(said_);
    journal_.topic_ = outer_;
}

} // namespace llexec::daemon
