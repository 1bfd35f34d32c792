// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "trace.hpp"

#include "catch.hpp"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <unistd.h>

namespace interface {
namespace {

void write_to(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    file.close();
    INFO("writing to " << path);
    REQUIRE(file.good());
}

/// What follows `key` in `line`, up to a space.
std::string field(const std::string& line, const std::string& key) {
    const std::size_t start = line.find(key);
    if (start == std::string::npos)
        return "";
    const std::size_t value = start + key.size();
    return line.substr(value, line.find_first_of(" \n", value) - value);
}

} // namespace

Trace::Trace() : path_("/sys/kernel/tracing/instances/llexec-" + std::to_string(::getpid())) {
    std::filesystem::create_directory(path_);
    for (const char* const event : {"create_ruleset", "free_ruleset", "create_domain",
                                    "enforce_domain", "free_domain", "deny_access_fs"})
        write_to(path_ + "/events/landlock/landlock_" + event + "/enable", "1");
}

Trace::~Trace() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

std::string Trace::text() const {
    std::ostringstream text;
    text << std::ifstream(path_ + "/trace").rdbuf();
    return text.str();
}

std::string Trace::last(const std::string& event) const {
    std::istringstream lines(text());
    std::string found;
    for (std::string line; std::getline(lines, line);)
        if (line.find(' ' + event + ": ") != std::string::npos)
            found = line;
    return found;
}

std::size_t Trace::count(const std::string& event, int pid) const {
    const std::string task = '-' + std::to_string(pid) + ' ';
    std::istringstream lines(text());
    std::size_t found = 0;
    for (std::string line; std::getline(lines, line);)
        if (line.find(' ' + event + ": ") != std::string::npos &&
            (pid == 0 || line.find(task) != std::string::npos))
            ++found;
    return found;
}

std::uint64_t Trace::last_ruleset() const {
    const std::string id = field(last("landlock_create_ruleset"), "ruleset=");
    REQUIRE(!id.empty());
    return std::stoull(id, nullptr, 16); // up to the dot before the version
}

std::size_t Trace::unfreed() const {
    std::istringstream lines(text());
    std::set<std::string> rulesets;
    for (std::string line; std::getline(lines, line);) {
        const std::string id = field(line, "ruleset=");
        const std::string without_version = id.substr(0, id.find('.'));
        if (line.find(" landlock_create_ruleset: ") != std::string::npos)
            rulesets.insert(without_version);
        else if (line.find(" landlock_free_ruleset: ") != std::string::npos)
            rulesets.erase(without_version); // or it is older than this trace
    }
    return rulesets.size();
}

bool Trace::freed(std::uint64_t ruleset) const {
    std::istringstream lines(text());
    for (std::string line; std::getline(lines, line);) {
        if (line.find(" landlock_free_ruleset: ") != std::string::npos &&
            std::stoull(field(line, "ruleset="), nullptr, 16) == ruleset)
            return true;
    }
    return false;
}

} // namespace interface
