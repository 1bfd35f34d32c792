// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The words of vm_probe's command line. Each word is tried in turn and answered by one line,
// "WORD<TAB>RESULT".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace probe {

enum Exit { allowed = 0, denied = 1, not_tried = 2, failed = 3 };

/// Text of a word: "KIND:FIRST:SECOND".
struct Word {
    std::string kind;
    std::string first;
    std::string second;

    explicit Word(std::string_view text);
};

struct Answer {
    Exit exit = allowed;
    std::string text;
};

/// "allowed", "denied" (the errno value with which Landlock refuses this), "errno N".
Answer judge(long result, int denial);

/// Each answers the words that it knows.
std::optional<Answer> try_access(const Word& word);
std::optional<Answer> try_unix_socket(const Word& word);
std::optional<Answer> try_uring(const Word& word);
std::optional<Answer> describe_state(const Word& word);
std::optional<Answer> try_launch(const Word& word);

/// Executes `argv` in the way that `word` names; returns only if that failed or was not the last.
std::optional<Answer> launch(const Word& word, char** argv);

int number(const std::string& text);

} // namespace probe
