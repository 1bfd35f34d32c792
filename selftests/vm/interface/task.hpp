// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What a process can find out about itself. Used by the tests in a child, and by interface_probe.
#pragma once

#include <cstdint>

namespace interface {

/// Landlock's system calls: a descriptor or 0, or -errno.
int create_ruleset(std::uint64_t handled_access_fs);
int add_path_rule(int ruleset, std::uint64_t access, const char* path);
int restrict_self(int ruleset, std::uint32_t flags = 0);

/// The most layers that a domain can have.
inline constexpr int max_layers = 16;

/// Adds layers to the calling thread: 0 or -errno. They deny nothing but the creation of sockets.
int stack_layers(int count);
/// How many layers the calling thread has. Fills up all the others.
int count_layers();
/// 0 or -errno.
int read_file(const char* path);
int no_new_privs();
/// Does not return if the execution succeeds: -errno.
int execute(const char* path);
/// AT_EXECVE_CHECK: 0 or -errno.
int check_execute(const char* path);

} // namespace interface
