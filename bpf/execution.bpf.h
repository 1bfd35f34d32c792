/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The execution that a program is called for, as the programs hand it over to each other. */
#ifndef LLEXEC_EXECUTION_BPF_H
#define LLEXEC_EXECUTION_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "errno.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"

/* Which files of the execution something is about. */
enum {
	ASKED_FOR = 1,
	FINAL = 2,
};

static __always_inline struct llexec_execution *this_execution(__u64 flags)
{
	return bpf_task_storage_get(&llexec_execs, (struct task_struct *)bpf_get_current_task_btf(),
				    0, flags);
}

static __always_inline struct llexec_places *these_places(__u64 flags)
{
	return bpf_task_storage_get(&llexec_places,
				    (struct task_struct *)bpf_get_current_task_btf(), 0, flags);
}

#endif /* LLEXEC_EXECUTION_BPF_H */
