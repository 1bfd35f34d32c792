// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Tries accesses, tells its own state, and starts programs.
//
//   vm_probe WORD... [-- PROGRAM ARGUMENT...]
//
// PROGRAM is executed in the way that the last word names ("via-*"), or by execve(2). Otherwise the
// exit code is that of the last word: 0 allowed, 1 denied as Landlock denies it, 2 could not be
// tried, 3 failed in another way.
#include "probe.hpp"

#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace probe {

Word::Word(std::string_view text) {
    const auto first_colon = text.find(':');
    kind = text.substr(0, first_colon);
    if (first_colon == std::string_view::npos)
        return;
    text.remove_prefix(first_colon + 1);
    const auto second_colon = text.find(':');
    first = text.substr(0, second_colon);
    if (second_colon != std::string_view::npos)
        second = text.substr(second_colon + 1);
}

int number(const std::string& text) {
    return std::atoi(text.c_str());
}

namespace {

// One write(2) for each line: other processes write to the same file.
void say(const std::string& line) {
    if (::write(STDOUT_FILENO, line.data(), line.size()) < 0)
        ::_exit(not_tried);
}

Answer answer(const Word& word) {
    for (const auto attempt : {try_access, try_unix_socket, try_uring, describe_state, try_launch})
        if (auto result = attempt(word))
            return *result;
    return {.exit = not_tried, .text = "unknown word"};
}

} // namespace
} // namespace probe

int main(int argc, char** argv) {
    using namespace probe;
    int exit = allowed;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--") == 0) {
            const std::string before = argv[i - 1];
            const auto result =
                launch(Word(before.starts_with("via-") ? before : "via-execve"), argv + i + 1);
            if (result)
                say(std::string("exec\t") + result->text + "\n");
            return result ? result->exit : not_tried;
        }
        if (std::string_view(argv[i]).starts_with("via-"))
            continue;
        const Answer result = answer(Word(argv[i]));
        exit = result.exit;
        say(std::string(argv[i]) + "\t" + result.text + "\n");
    }
    return exit;
}
