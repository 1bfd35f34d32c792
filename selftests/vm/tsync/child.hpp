// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Processes of their own for what cannot be undone.
#pragma once

#include <functional>
#include <map>
#include <string>

namespace tsync {

/// What a child found out.
class Facts {
  public:
    Facts(int status, const std::string& text);

    /// The last value told under that name. The test fails if there is none.
    [[nodiscard]] long operator[](const std::string& name) const;
    /// Whether it came to its end; if not, what it needed and did not have.
    [[nodiscard]] bool complete() const { return status_ == 0; }
    /// All that it told, for a test that fails.
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    int status_;
    std::string text_;
    std::map<std::string, long> values_;
};

/// What a child tells its facts with. Any thread may.
class Report {
  public:
    explicit Report(int fd) : fd_(fd) {}

    void operator()(const std::string& name, long value) const;
    /// Ends the child, and the test with it, unless `condition` holds.
    void need(bool condition, const std::string& what) const;
    /// What `facts` read; programs that the child executes can write to it.
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

/// Runs `body` in a child with one thread. The test fails if it does not come to its end, or not in
/// time.
Facts in_child(const std::function<void(const Report&)>& body);

} // namespace tsync
