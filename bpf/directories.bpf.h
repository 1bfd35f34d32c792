/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The directories that a file stands beneath. Whoever includes this has defined before where they
 * are kept:
 *   bool note_place(__u32 i, __u64 place), false if there is no room.
 */
#ifndef LLEXEC_DIRECTORIES_BPF_H
#define LLEXEC_DIRECTORIES_BPF_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "errno.bpf.h"
#include "file_id.bpf.h"
#include "kernel_types.bpf.h"

/* Directories, and mounts that are mounted on each other without one in between. */
#define MAX_STEPS 4096

struct directory_walk {
	struct dentry *dentry;
	struct mount *mount;
	__u32 end; /* behind the last directory that is noted */
	__s32 result;
};

/*
 * 1: a step up to another directory. 0: to a mount point, which the mount hides. -1: this is the
 * top.
 */
static __always_inline int step_up(struct directory_walk *walk)
{
	struct dentry *dentry = walk->dentry, *parent;
	struct mount *mount = walk->mount, *below;
	struct dentry *root = BPF_CORE_READ(mount, mnt.mnt_root);

	if (dentry == root) {
		below = BPF_CORE_READ(mount, mnt_parent);
		if (below == mount || !below)
			return -1;
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = below;
		return 0;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	/*
	 * Moved out of what the mount shows. As in Landlock, it counts as beneath the mount
	 * nevertheless.
	 */
	walk->dentry = parent == dentry || !parent ? root : parent;
	return 1;
}

__global __u64 directory_place(__u64 directory)
{
	struct dentry *dentry = (struct dentry *)directory;
	struct llexec_inode_id id = {};

	inode_id(BPF_CORE_READ(dentry, d_inode), &id);
	return inode_place(&id);
}

static long note_directory(__u32 i, struct directory_walk *walk)
{
	int step = step_up(walk);

	if (step < 0) {
		walk->result = 0;
		return 1;
	}
	if (!step)
		return 0;
	if (!note_place(walk->end, directory_place((__u64)walk->dentry)))
		return 1;
	walk->end++;
	return 0;
}

/*
 * Notes the directories that a file stands beneath, as Landlock walks from a path up to the root of
 * its mount namespace, whatever the caller's own root is. Returns the index behind the last one, or
 * -ENAMETOOLONG if there is no room for all of them: then nobody could tell what the file is
 * beneath.
 *
 * Other than Landlock's, the walk holds no references. What is renamed or moved meanwhile can be
 * taken to be in its old place or in its new one.
 */
__global int walk_directories(__u64 dentry, __u64 mnt, __u32 first)
{
	struct directory_walk walk = {
		.dentry = (struct dentry *)dentry,
		.mount = (struct mount *)(mnt - bpf_core_field_offset(struct mount, mnt)),
		.end = first,
		.result = -ENAMETOOLONG,
	};

	/* Dentries, inodes and mounts are freed after an RCU grace period. */
	bpf_rcu_read_lock();
	bpf_loop(MAX_STEPS, note_directory, &walk, 0);
	bpf_rcu_read_unlock();
	return walk.result ? walk.result : (int)walk.end;
}

#endif /* LLEXEC_DIRECTORIES_BPF_H */
