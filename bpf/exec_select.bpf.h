/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Before the point of no return: notes which file was asked for, and stages the policies if they
 * are enforced here.
 *
 * For a script, only bprm_creds_for_exec sees the script itself. What it finds is handed over in
 * task-local storage. Every execution starts by overwriting what an earlier, failed one of the same
 * task may have left there, and the later hooks check that it is about their linux_binprm.
 */
#ifndef LLEXEC_EXEC_SELECT_BPF_H
#define LLEXEC_EXEC_SELECT_BPF_H

#include "decide.bpf.h"

static __always_inline int refuse(int error)
{
	count_execution(executions_refused);
	/* The verifier wants to see an errno. */
	return error < 0 && error >= -MAX_ERRNO ? error : -EAGAIN;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(llexec_select, struct linux_binprm *bprm, int ret)
{
	struct llexec_generation *generation;
	struct llexec_execution *execution;
	int error;

	if (ret)
		return ret; /* Already denied. */
	if (!current_generation())
		return 0; /* Nothing is enforced. */
	if (BPF_CORE_READ_BITFIELD(bprm, is_check))
		return 0; /* AT_EXECVE_CHECK: nothing will run. */
	if (is_global_init())
		return 0; /* Fail-open by design. */

	execution = make_execution();
	/* Fail-closed: whether it matches could not be told any more. */
	if (!execution)
		return refuse(-ENOMEM);

	note_execution(execution, bprm);
	generation = generation_of(current_generation());
	if (!generation)
		return refuse(-EAGAIN); /* Cannot happen: fail-closed. */
	if (generation->directories) {
		/*
		 * Now, because it may turn out to be a script. Fail-closed: what it is beneath
		 * could not be told any more.
		 */
		error = note_directories(execution, bprm->file, ASKED_FOR);
		if (error)
			return refuse(error);
	}
	if (generation->enforce_at != LLEXEC_AT_BPRM_CREDS_FOR_EXEC)
		return 0;
	error = decide(bprm, execution, ASKED_FOR, true);
	if (error)
		return refuse(error);
	execution->state = EXEC_STAGED;
	return 0;
}

/* Stages the policies of the program that finally runs, which is another file for a script. */
SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(llexec_select_final, struct linux_binprm *bprm, const struct file *file, int ret)
{
	struct llexec_execution *execution;
	struct llexec_inode_id final = {};
	int error;

	if (ret)
		return ret; /* Already denied. */

	execution = this_execution();
	/* Without staging, everything is decided at bprm_committing_creds. */
	if (!execution || execution->bprm != (__u64)bprm || execution->state != EXEC_STAGED)
		return 0;

	inode_id(bprm->file->f_inode, &final);
	if (!same_inode(&final, &execution->asked_for.inode)) {
		/* With what was asked for, if the generation changed since that was staged. */
		error = decide(bprm, execution, FINAL, true);
		if (error)
			return refuse(error);
	}
	execution->state = EXEC_DONE;
	return 0;
}

#endif /* LLEXEC_EXEC_SELECT_BPF_H */
