// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A running llexecd, with directories of its own, and what it says.
#pragma once

#include "policies.hpp"

#include <memory>
#include <string>
#include <vector>

namespace llexec::vmtest {

/// Where one llexecd after the other finds its files. Starts with nothing loaded.
class Place {
  public:
    Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

    /// Writes a policy as an administrator should: beside it, and then into its place.
    void put(const std::string& name, const std::string& text) const;
    void remove(const std::string& name) const;

    fs::path root;
    fs::path policies;
    fs::path config;
    fs::path state;
    fs::path metrics;
    fs::path self_test; ///< the program of the self-test
};

class Llexecd {
  public:
    /// `before` it: a program that starts it, with its arguments.
    explicit Llexecd(const Place& place, const Arguments& before = {},
                     const InChild& in_child = {});
    Llexecd(const Llexecd&) = delete;
    Llexecd& operator=(const Llexecd&) = delete;
    ~Llexecd();

    /// Waits until it is ready, or has ended. Whether it is ready.
    [[nodiscard]] bool is_ready();
    /// Whether it has said that since it was started, or the last call of the same: "READY=1".
    [[nodiscard]] bool has_notified(const std::string& line);
    /// What it has told last about itself: the rest of "STATUS=".
    [[nodiscard]] std::string status_line();
    /// Makes it read everything again. Whether it is ready then.
    [[nodiscard]] bool reload();
    void kill() const { process_->kill(); }
    void signal(int signal) const;
    [[nodiscard]] bool is_running() const { return process_->is_running(); }
    [[nodiscard]] pid_t pid() const;
    /// Ends it with SIGTERM, if it has not ended.
    Ended stop();

    /// Its records so far, of those whose message has this in it.
    [[nodiscard]] std::vector<Json> said(const std::string& part = {}) const;

  private:
    void receive();

    Place const& place_;
    fs::path log_;
    int socket_ = -1;
    std::string notified_;
    std::string status_line_;
    std::unique_ptr<Process> process_;
};

} // namespace llexec::vmtest
