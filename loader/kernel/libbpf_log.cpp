// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/libbpf_log.hpp"

#include <bpf/libbpf.h>

#include <cstdarg>
#include <cstdio>

namespace llexec::kernel {
namespace {

// libbpf has one callback for the whole process, which is called on the thread that does the work.
thread_local std::string* destination = nullptr;

/// Without memory for a line, this ends the process: no exception may leave libbpf, which is C.
__attribute__((format(printf, 2, 0))) int collect(libbpf_print_level level, const char* format,
                                                  va_list arguments) noexcept {
    if (destination == nullptr || level == LIBBPF_DEBUG || level == LIBBPF_INFO)
        return 0;
    va_list again;
    va_copy(again, arguments);
    const int size = std::vsnprintf(nullptr, 0, format, arguments);
    if (size > 0) {
        const std::size_t old_size = destination->size();
        // One more byte for the NUL that vsnprintf() insists on.
        destination->resize(old_size + static_cast<std::size_t>(size) + 1);
        std::vsnprintf(destination->data() + old_size, static_cast<std::size_t>(size) + 1, format,
                       again);
        destination->pop_back();
    }
    va_end(again);
    return size;
}

} // namespace

LibbpfLog::LibbpfLog() {
    libbpf_set_print(collect);
    destination = &text_;
}

LibbpfLog::~LibbpfLog() {
    destination = nullptr;
}

} // namespace llexec::kernel
