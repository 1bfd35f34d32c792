// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What llexecd says: structured records, to the journal where there is one.
#pragma once

#include "llexec/diagnostic.hpp"
#include "llexec/result.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace llexec::daemon {

/// As syslog(3) numbers them.
enum class Priority { critical = 2, error = 3, warning = 4, notice = 5, info = 6 };

/// A field of systemd.journal-fields(7): upper-case letters, digits and underscores.
struct Field {
    std::string_view name;
    std::string value;
};

enum class LogTo {
    journal, ///< systemd-journald
    text,    ///< a line each on standard error, with the priority as sd-daemon(3) reads it
    json,    ///< an object with all fields, a line each, on standard error
};

[[nodiscard]] std::optional<LogTo> log_to_from_string(std::string_view name);

class Journal {
  public:
    /// Without a choice: the journal if it is there, otherwise text.
    explicit Journal(std::optional<LogTo> to);

    /// What cannot be written is lost, and nothing fails because of it. A journal that does not
    /// read is waited for: what is enforced does not depend on that.
    void say(Priority priority, const std::string& message,
             const std::vector<Field>& fields = {}) const;

    /// A finding, with LLEXEC_FILE, LLEXEC_LINE and LLEXEC_COLUMN.
    void say(const Diagnostic& diagnostic) const;
    void say(const std::vector<Diagnostic>& diagnostics) const;

    /// What `consequence` says, why, and each finding behind it.
    void say(const Error& error, std::string_view consequence,
             Priority priority = Priority::error) const;

    /// What the findings and errors of its lifetime are about: something that is looked at as a
    /// whole. What was said of it the time before is not written again; what is not said this time
    /// is not the case any more, and would be. Other records, and errors about nothing in
    /// particular, are always written. One may begin within another, which goes on afterwards.
    class Topic {
      public:
        Topic(const Journal& journal, std::string name);
        Topic(const Topic&) = delete;
        Topic& operator=(const Topic&) = delete;
        ~Topic();

      private:
        friend class Journal;
        const Journal& journal_;
        std::string name_;
        Topic* outer_;
        std::set<std::string> said_;
    };

    /// While it lives, what was said before is written as well.
    class Everything {
      public:
        explicit Everything(const Journal& journal) : journal_(journal) {
            journal_.everything_ = true;
        }
        Everything(const Everything&) = delete;
        Everything& operator=(const Everything&) = delete;
        ~Everything() { journal_.everything_ = false; }

      private:
        const Journal& journal_;
    };

  private:
    /// Whether a finding or error is to be written.
    bool is_wanted(const std::string& message) const;

    LogTo to_;
    // Memory of what was written, which to write does not change anything for its callers.
    mutable bool everything_ = false;
    mutable Topic* topic_ = nullptr;
    mutable std::map<std::string, std::set<std::string>> said_; ///< the time before, by topic
};

} // namespace llexec::daemon
