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

	execution = this_execution(0);
	/*
	 * Fail-open: this execution was under way before the programs were attached, as if it had
	 * happened before.
	 */
	if (!execution || execution->bprm != (__u64)bprm)
		return 0;

	if (execution->state != EXEC_DONE) {
		inode_id(bprm->file->f_inode, &final);
		if (!same_inode(&final, &execution->asked_for.inode))
			files |= FINAL;
		if (decide(bprm, execution, files, false)) {
			count_execution(executions_killed);
			/* Delivered on the way back to user space, before the first instruction. */
			bpf_send_signal(SIGKILL);
		}
	}
	if (execution->enforced.n_policies)
		remember_confined(&execution->enforced);
	execution->bprm = 0;
	if (execution->noted || execution->n_cgroups)
		bpf_task_storage_delete(&llexec_places,
					(struct task_struct *)bpf_get_current_task_btf());
	return 0;
}

#endif /* LLEXEC_EXEC_ENFORCE_BPF_H */
