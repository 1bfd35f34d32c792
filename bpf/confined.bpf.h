/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which processes run in a domain of ours, so that those that do not can be told: see struct
 * llexec_confined.
 *
 * Only reports depend on it. Memory that is not to be had makes a confined process look as if it
 * were not.
 */
#ifndef LLEXEC_CONFINED_BPF_H
#define LLEXEC_CONFINED_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "errno.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "maps.bpf.h"
#include "note.bpf.h"

/* Adds to what is known of a domain. There are no more policies than the domain has layers. */
__global int note_enforced(struct llexec_confined *confined, __u64 policy)
{
	if (!confined)
		return 0;
	for (__u32 i = 0; i < LLEXEC_MAX_LAYERS; i++) {
		if (i >= confined->n_policies) {
			confined->policies[i] = policy;
			confined->n_policies = i + 1;
			return 0;
		}
		if (confined->policies[i] == policy)
			return 0;
	}
	return 0;
}

/*
 * The calling process executes a program in a domain that, besides what it had before, enforces
 * these policies.
 */
__global int remember_confined(const struct llexec_confined *enforced)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct llexec_confined *confined;

	if (!enforced)
		return 0;
	confined = make_note(&llexec_confined, task);
	if (!confined)
		return 0;
	for (__u32 i = 0; i < LLEXEC_MAX_LAYERS && i < enforced->n_policies; i++)
		note_enforced(confined, enforced->policies[i]);
	return 0;
}

/*
 * A process inherits its parent's domain. So does a thread, and when it executes a program the
 * process is it from then on.
 */
SEC("tp_btf/task_newtask")
int BPF_PROG(llexec_fork, struct task_struct *child, __u64 clone_flags)
{
	struct task_struct *parent = (struct task_struct *)bpf_get_current_task_btf();
	struct llexec_confined *own, *inherited;

	own = bpf_task_storage_get(&llexec_confined, parent->group_leader, 0, 0);
	if (!own)
		return 0;
	inherited = make_note(&llexec_confined, child);
	if (inherited)
		*inherited = *own;
	return 0;
}

#endif /* LLEXEC_CONFINED_BPF_H */
