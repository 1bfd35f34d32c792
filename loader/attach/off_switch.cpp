// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "llexec/off_switch.hpp"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <sys/stat.h>

namespace llexec {

bool has_off_word(std::string_view command_line) {
    constexpr std::string_view spaces = " \t\n";
    while (!command_line.empty()) {
        const std::size_t end = command_line.find_first_of(spaces);
        const std::string_view word = command_line.substr(0, end);
        // What follows is for init, or for what init starts.
        if (word == "--")
            return false;
        if (word == off_word || word == "llexec.off=1")
            return true;
        if (end == std::string_view::npos)
            break;
        command_line.remove_prefix(end + 1);
    }
    return false;
}

std::optional<std::string> switched_off() {
    std::ifstream stream("/proc/cmdline");
    const std::string line{std::istreambuf_iterator<char>(stream), {}};
    if (has_off_word(line))
        return fmt::format("{} on the kernel's command line", off_word);
    struct stat status{};
    if (::lstat(std::string(off_file).c_str(), &status) == 0)
        return fmt::format("the file {}", off_file);
    return std::nullopt;
}

} // namespace llexec
