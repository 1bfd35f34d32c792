// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What libbpf would print, the verifier's log among it, as data.
#pragma once

#include <string>

namespace llexec::kernel {

/// Collects libbpf's warnings of this thread while it lives; nothing reaches stderr. Not nestable.
class LibbpfLog {
  public:
    LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;
    ~LibbpfLog();

    /// What came so far.
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    std::string text_;
};

} // namespace llexec::kernel
