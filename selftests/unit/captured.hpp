// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What is written to standard error.
#pragma once

#include "llexec/fd.hpp"

#include "catch.hpp"

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace llexec::testing {

/// From its construction on, until take() or its end.
class CapturedStderr {
  public:
    CapturedStderr()
        : before_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)),
          file_(::memfd_create("stderr", MFD_CLOEXEC)) {
        std::fflush(stderr);
        REQUIRE(before_.valid());
        REQUIRE(file_.valid());
        REQUIRE(::dup2(file_.get(), STDERR_FILENO) == STDERR_FILENO);
    }
    CapturedStderr(const CapturedStderr&) = delete;
    CapturedStderr& operator=(const CapturedStderr&) = delete;
    ~CapturedStderr() { restore(); }

    [[nodiscard]] std::string take() {
        restore();
        std::string text;
        std::array<char, 4096> chunk{};
        for (ssize_t got = 0; (got = ::pread(file_.get(), chunk.data(), chunk.size(),
                                             static_cast<off_t>(text.size()))) > 0;)
            text.append(chunk.data(), static_cast<std::size_t>(got));
        return text;
    }

    /// Of lines that are JSON.
    [[nodiscard]] std::vector<nlohmann::json> take_json() {
        std::istringstream text(take());
        std::vector<nlohmann::json> records;
        for (std::string line; std::getline(text, line);)
            records.push_back(nlohmann::json::parse(line));
        return records;
    }

  private:
    void restore() {
        std::fflush(stderr);
        ::dup2(before_.get(), STDERR_FILENO);
    }

    UniqueFd before_;
    UniqueFd file_;
};

} // namespace llexec::testing
