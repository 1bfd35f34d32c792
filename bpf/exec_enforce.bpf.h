/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * After the point of no return: enforces the policies of the execution, unless they were staged
 * before.
 *
 * The process has a single thread, its new memory and its final credentials. An error cannot be
 * returned any more, so a program that cannot be restricted is killed before its first instruction.
 */
#ifndef LLEXEC_EXEC_ENFORCE_BPF_H
#define LLEXEC_EXEC_ENFORCE_BPF_H

#include "confined.bpf.h"
#include "decide.bpf.h"

static __always_inline void kill_process(void)
{
	count_execution(executions_killed);
	/* Delivered on the way back to user space, before the first instruction. */
	bpf_send_signal(SIGKILL);
}

SEC("lsm.s/bprm_committing_creds")
int BPF_PROG(llexec_enforce, const struct linux_binprm *bprm)
{
	struct llexec_execution *execution;
	struct llexec_inode_id final = {};
	__u32 files = ASKED_FOR;

	if (!current_generation())
		return 0; /* Nothing is enforced. */
	if (is_global_init())
		return 0; /* Fail-open by design. */

	execution = make_execution();
	if (!execution) {
		/* Fail-closed: there is no room to find out whether it matches. */
		kill_process();
		return 0;
	}
	/*
	 * It was under way before there was anything to enforce here. Fail-open for a script: it is
	 * gone, and what runs is all that is known.
	 */
	if (execution->bprm != (__u64)bprm)
		note_execution(execution, bprm);

	if (execution->state != EXEC_DONE) {
		inode_id(bprm->file->f_inode, &final);
		if (!same_inode(&final, &execution->asked_for.inode))
			files |= FINAL;
		if (decide(bprm, execution, files, false))
			kill_process();
	}
	if (execution->enforced.n_policies)
		remember_confined(&execution->enforced);
	/* Not to be decided about again by another version on the same maps. */
	execution->state = EXEC_DONE;
	if (execution->noted || execution->n_cgroups)
		bpf_task_storage_delete(&llexec_places,
					(struct task_struct *)bpf_get_current_task_btf());
	return 0;
}

#endif /* LLEXEC_EXEC_ENFORCE_BPF_H */
