/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a file is identified. The exec programs and the program that answers the loader both use this, so both sides
 * agree by construction.
 */
#ifndef LLEXEC_FILE_ID_BPF_H
#define LLEXEC_FILE_ID_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.bpf.h"
#include "llexec/abi.h"

#define NAME_SIZE 256
#define MAX_DEPTH 32

/* Set by the loader before it loads the programs: makes collisions unpredictable. The same value in every object. */
const volatile __u64 path_hash_seed;

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

static __always_inline __u64 mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/* Hashes @name, of @size bytes including its NUL. */
static __always_inline __u64 hash_name(__u64 hash, const __u64 *name, __u32 size)
{
	for (__u32 i = 0; i < NAME_SIZE / 8; i++) {
		if (i * 8 >= size)
			break;
		hash = mix(hash, name[i]);
	}
	return mix(hash, size);
}

/*
 * Hash of the path of a dentry below the root of its filesystem, from the last component to the first: independent of
 * mounts, namespaces and chroots. 0 if there are more than MAX_DEPTH components.
 *
 * A concurrent rename can make this a path that never existed. That only loses the path half of the identity for an
 * execution that races with the rename; the inode half holds.
 */
static __noinline __u64 path_hash(struct dentry *dentry)
{
	__u64 hash = path_hash_seed;
	bool done = false;

	if (!dentry)
		return 0;

	/* Names are freed after an RCU grace period. */
	bpf_rcu_read_lock();
	for (__u32 i = 0; i < MAX_DEPTH; i++) {
		struct dentry *parent = dentry->d_parent;
		/* Zeroed, so that the bytes behind the name do not matter. */
		__u64 name[NAME_SIZE / 8] = {};
		long size;

		if (parent == dentry || !parent) {
			done = true;
			break;
		}
		size = bpf_probe_read_kernel_str(name, sizeof(name), dentry->d_name.name);
		if (size < 0)
			break;
		hash = hash_name(hash, name, size);
		dentry = parent;
	}
	bpf_rcu_read_unlock();

	if (!done)
		return 0;
	return hash ? hash : 1;
}

static __always_inline void inode_id(struct file *file, struct llexec_file_id *id)
{
	struct inode *inode = file->f_inode;

	id->ino = inode->i_ino;
	id->dev = inode->i_sb->s_dev;
	id->igeneration = inode->i_generation;
}

static __always_inline void file_id(struct file *file, struct llexec_file_id *id)
{
	inode_id(file, id);
	id->path_hash = path_hash(file->f_path.dentry);
}

static __always_inline bool same_inode(const struct llexec_file_id *a, const struct llexec_file_id *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->igeneration == b->igeneration;
}

#endif /* LLEXEC_FILE_ID_BPF_H */
