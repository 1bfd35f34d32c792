/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where an execution takes place: the directories above its files, and the cgroups of its caller.
 *
 * They are noted before rules are looked up, for two reasons: a script is gone when its interpreter
 * is decided about, and a rule can be about a place besides what it was looked up by.
 */
#ifndef LLEXEC_PLACES_BPF_H
#define LLEXEC_PLACES_BPF_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "execution.bpf.h"
#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "llexec/name_hash.h"
#include "maps.bpf.h"

/* A place that is noted; LLEXEC_ANY_PLACE, which no place is, beyond the last one. */
static __always_inline __u64 place_noted(__u32 i)
{
	struct llexec_places *places = these_places();

	return places && i < MAX_PLACES ? places->place[i] : LLEXEC_ANY_PLACE;
}

/* Whether there was room. */
static __always_inline bool note_place(__u32 i, __u64 place)
{
	struct llexec_places *places = these_places();

	if (!places || i >= MAX_PLACES)
		return false;
	places->place[i] = place;
	return true;
}

#include "directories.bpf.h"

/*
 * Notes the directories of one file of this execution, ASKED_FOR or FINAL, unless they are. 0 or a
 * negative errno.
 */
static __always_inline int note_directories(struct llexec_execution *execution, struct file *file,
					    __u32 which)
{
	__u32 first = FIRST_DIRECTORY + (which == FINAL ? execution->n_asked_for : 0);
	int end;

	if (execution->noted & which)
		return 0;
	if (!make_places())
		return -ENOMEM;
	end = walk_directories((__u64)BPF_CORE_READ(file, f_path.dentry),
			       (__u64)BPF_CORE_READ(file, f_path.mnt), first);
	if (end < 0)
		return end;
	if (which == FINAL)
		execution->n_final = end - first;
	else
		execution->n_asked_for = end - first;
	execution->noted |= which;
	return 0;
}

struct cgroup_walk {
	struct cgroup *cgroup;
	__u64 hash;
	__u32 last; /* level */
	__s32 result;
};

/* The stack is too small. */
static __always_inline __u64 hash_cgroup_name(__u64 hash, __u64 name)
{
	struct llexec_places *places = these_places();

	if (!places)
		return 0;
	__builtin_memset(places->name, 0, sizeof(places->name));
	return hash_kernel_name(hash, name, (struct name_buffer *)places->name);
}

static long note_cgroup(__u32 i, struct cgroup_walk *walk)
{
	struct cgroup *own = walk->cgroup, *cgroup = NULL;

	if (i) {
		bpf_core_read(&cgroup, sizeof(cgroup), &own->ancestors[i]);
		walk->hash = hash_cgroup_name(walk->hash, (__u64)BPF_CORE_READ(cgroup, kn, name));
		if (!walk->hash)
			return 1;
	}
	if (!note_place(i, walk->hash))
		return 1;
	if (i < walk->last)
		return 0;
	walk->result = 0;
	return 1;
}

/*
 * Notes the cgroup of the caller and those above it, as far down as rules can be about. Names in
 * cgroup v2 never change. 0 or a negative errno.
 */
__global int note_cgroups(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct cgroup_walk walk = { .hash = llexec_hash_cgroup_root(path_hash_seed),
				    .result = -EAGAIN };
	struct llexec_execution *execution = this_execution();
	struct cgroup *cgroup;

	if (!execution || !make_places())
		return -ENOMEM;

	/*
	 * A task that is moved leaves a cgroup that may be removed, which is freed after an RCU
	 * grace period.
	 */
	bpf_rcu_read_lock();
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	walk.cgroup = cgroup;
	walk.last = BPF_CORE_READ(cgroup, level);
	if (walk.last > LLEXEC_MAX_CGROUP_LEVELS)
		walk.last = LLEXEC_MAX_CGROUP_LEVELS;
	bpf_loop(LLEXEC_MAX_CGROUP_LEVELS + 1, note_cgroup, &walk, 0);
	bpf_rcu_read_unlock();
	execution->n_cgroups = walk.last + 1;
	return walk.result;
}

#endif /* LLEXEC_PLACES_BPF_H */
