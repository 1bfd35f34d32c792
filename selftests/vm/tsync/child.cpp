// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "child.hpp"

#include "catch.hpp"

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tsync {
namespace {

/// After this a child hangs: nothing here takes longer than seconds, on an emulated machine too.
constexpr unsigned time_limit = 240;

std::string everything_from(int fd) {
    std::string text;
    char buffer[4096];
    for (;;) {
        const ssize_t size = ::read(fd, buffer, sizeof(buffer));
        if (size <= 0)
            return text;
        text.append(buffer, static_cast<std::size_t>(size));
    }
}

void write_line(int fd, const std::string& line) {
    if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        ::_exit(4);
}

} // namespace

Facts::Facts(int status, const std::string& text) : status_(status), text_(text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const auto tab = line.find('\t');
        long value = 0;
        if (tab == std::string::npos)
            continue;
        const char* const end = line.data() + line.size();
        if (std::from_chars(line.data() + tab + 1, end, value).ptr == end)
            values_[line.substr(0, tab)] = value;
    }
}

long Facts::operator[](const std::string& name) const {
    INFO("nothing told about '" << name << "'; status " << status_ << "\n" << text_);
    REQUIRE(values_.contains(name));
    return values_.at(name);
}

void Report::operator()(const std::string& name, long value) const {
    // One write(2) for a line: threads do not mix theirs.
    write_line(fd_, name + '\t' + std::to_string(value) + '\n');
}

void Report::need(bool condition, const std::string& what) const {
    if (condition)
        return;
    write_line(fd_, "needed: " + what + '\n');
    ::_exit(3);
}

Facts in_child(const std::function<void(const Report&)>& body) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(ends[0]);
        ::alarm(time_limit);
        try {
            body(Report(ends[1]));
        } catch (...) { // a failed REQUIRE: the parent's tests are not for the child to go on with
            ::_exit(5);
        }
        // Not exit(): under a ruleset, what runs at exit may be denied what it needs.
        ::_exit(0);
    }
    ::close(ends[1]);
    const std::string text = everything_from(ends[0]);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    Facts facts(status, text);
    INFO("status " << status << "\n" << text);
    REQUIRE(facts.complete());
    return facts;
}

} // namespace tsync
