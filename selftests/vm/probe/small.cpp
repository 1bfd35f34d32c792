// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Tells by its exit code which files it can read, with as little as possible that could fail before
// that, or take time: no C library, no memory but its stack.
//
//   vm_small_probe [--fault] FILE...
//
// Exit code: bit N is set if the Nth file could be opened; bit 6 if one could not for another
// reason than EACCES, or if anything else went wrong. With --fault it first takes back a fault that
// it was executed with (see faults/fault.hpp) and writes what was left of it to standard output.
#include <asm/unistd.h>
#include <cerrno>
#include <fcntl.h>

namespace {

constexpr long strange = 1L << 6;

long call(long number, long first, long second = 0, long third = 0) {
    long result = number;
    asm volatile("syscall"
                 : "+a"(result)
                 : "D"(first), "S"(second), "d"(third)
                 : "rcx", "r11", "memory");
    return result;
}

long open_file(const char* path, int flags) {
    return call(__NR_open, reinterpret_cast<long>(path), flags);
}

/// The fault may hit what is done here, too: once.
bool take_fault_back() {
    char left[16];
    for (int i = 0; i < 2; ++i) {
        const long fd = open_file("/proc/thread-self/fail-nth", O_RDWR);
        if (fd < 0)
            continue;
        const long size = call(__NR_read, fd, reinterpret_cast<long>(left), sizeof(left));
        return size > 0 && call(__NR_write, fd, reinterpret_cast<long>("0"), 1) == 1 &&
               call(__NR_write, 1, reinterpret_cast<long>(left), size) == size &&
               call(__NR_close, fd) == 0;
    }
    return false;
}

bool is_fault_option(const char* word) {
    const char* option = "--fault";
    while (*option != '\0' && *option == *word) {
        ++option;
        ++word;
    }
    return *option == *word;
}

long answer(char** words) {
    if (*words != nullptr && is_fault_option(*words)) {
        if (!take_fault_back())
            return strange;
        ++words;
    }
    long code = 0;
    for (long bit = 1; *words != nullptr; bit <<= 1, ++words) {
        const long fd = open_file(*words, O_RDONLY);
        if (fd >= 0)
            code |= bit;
        else if (fd != -EACCES)
            code |= strange;
    }
    return code;
}

} // namespace

extern "C" [[noreturn, gnu::used]] void small_probe(long* stack);

void small_probe(long* stack) {
    char** const argv = reinterpret_cast<char**>(stack + 1); // behind argc
    for (const long code = answer(argv + 1);;)
        call(__NR_exit_group, code);
}

asm(".globl _start\n"
    "_start:\n"
    "	xor %ebp, %ebp\n"
    "	mov %rsp, %rdi\n"
    "	and $-16, %rsp\n"
    "	call small_probe\n");
