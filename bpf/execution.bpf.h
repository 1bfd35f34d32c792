/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The execution that a program is called for, as the programs hand it over to each other. */
#ifndef LLEXEC_EXECUTION_BPF_H
#define LLEXEC_EXECUTION_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "errno.bpf.h"
#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "maps.bpf.h"
#include "note.bpf.h"

/* Which files of the execution something is about. */
enum {
	ASKED_FOR = 1,
	FINAL = 2,
};

enum execution_state {
	/* Nothing decided yet. */
	EXEC_SELECTED = 1,
	/* The policies of the file that was asked for are staged. */
	EXEC_STAGED = 2,
	/* All policies are staged or enforced. */
	EXEC_DONE = 3,
};

static __always_inline struct llexec_execution *this_execution(void)
{
	return bpf_task_storage_get(&llexec_execs, (struct task_struct *)bpf_get_current_task_btf(),
				    0, 0);
}

static __always_inline struct llexec_execution *make_execution(void)
{
	return make_note(&llexec_execs, (struct task_struct *)bpf_get_current_task_btf());
}

static __always_inline struct llexec_places *these_places(void)
{
	return bpf_task_storage_get(&llexec_places,
				    (struct task_struct *)bpf_get_current_task_btf(), 0, 0);
}

static __always_inline struct llexec_places *make_places(void)
{
	return make_note(&llexec_places, (struct task_struct *)bpf_get_current_task_btf());
}

/* Notes what is known when an execution is seen for the first time. */
static __always_inline void note_execution(struct llexec_execution *execution,
					   const struct linux_binprm *bprm)
{
	execution->bprm = (__u64)bprm;
	execution->generation = 0;
	execution->state = EXEC_SELECTED;
	execution->noted = 0;
	execution->n_cgroups = 0;
	execution->n_asked_for = 0;
	execution->n_final = 0;
	execution->enforced.n_policies = 0;
	file_id(bprm->file, &execution->asked_for);
}

#endif /* LLEXEC_EXECUTION_BPF_H */
