// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The programs on the exec hooks, and those that answer the loader, in one object because they
 * share maps. They are separate files, put together here rather than by `bpftool gen object`: the
 * linker of libbpf before 1.2 rejects kfuncs declared in several objects.
 */
#include "confined.bpf.h"
#include "exec_enforce.bpf.h"
#include "exec_select.bpf.h"
#include "identity.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
