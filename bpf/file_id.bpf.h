/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a file is identified. The exec programs and the program that answers the loader both use
 * this, so both sides agree by construction.
 */
#ifndef LLEXEC_FILE_ID_BPF_H
#define LLEXEC_FILE_ID_BPF_H

#include <linux/bpf.h>
#include <linux/magic.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "errno.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "llexec/name_hash.h"

#define MAX_DEPTH 256
/* As in the kernel: an overlayfs on an overlayfs, no deeper. */
#define FILESYSTEM_MAX_STACK_DEPTH 2

/*
 * Set by the loader before it loads the programs: makes collisions unpredictable. The same value in
 * every object.
 */
const volatile __u64 path_hash_seed;

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

struct path_walk {
	struct dentry *dentry;
	__u64 hash;
	__u32 done;
};

/* Zeroed, so that the bytes behind a name do not matter. */
struct name_buffer {
	__u64 words[LLEXEC_NAME_SIZE / 8];
};

/* Adds a name of the kernel's to a hash. 0 if it cannot be read. */
__global __u64 hash_kernel_name(__u64 hash, __u64 name, struct name_buffer *zeroed)
{
	long size;

	if (!zeroed)
		return 0;
	size = bpf_probe_read_kernel_str(zeroed->words, sizeof(zeroed->words), (const void *)name);
	return size < 0 ? 0 : llexec_hash_name(hash, zeroed->words, size);
}

static long hash_component(__u32 i, struct path_walk *walk)
{
	struct name_buffer name = {};
	struct dentry *dentry = walk->dentry;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

	if (parent == dentry || !parent) {
		walk->done = true;
		return 1;
	}
	walk->hash = hash_kernel_name(walk->hash, (__u64)BPF_CORE_READ(dentry, d_name.name), &name);
	if (!walk->hash)
		return 1;
	walk->dentry = parent;
	return 0;
}

/*
 * Hash of the path of a dentry below the root of its filesystem, from the last component to the
 * first: independent of mounts, namespaces and chroots. It begins with path_hash_seed, or with the
 * hash of the names that follow. 0 if there are more than MAX_DEPTH components.
 *
 * A concurrent rename can make this a path that never existed. That only loses the path half of the
 * identity for an execution that races with the rename; the inode half holds.
 */
static __noinline __u64 path_hash(struct dentry *dentry, __u64 begin)
{
	struct path_walk walk = { .dentry = dentry, .hash = begin };

	if (!dentry)
		return 0;

	/*
	 * Names are freed after an RCU grace period. The loop is a callback, which is verified
	 * once.
	 */
	bpf_rcu_read_lock();
	bpf_loop(MAX_DEPTH + 1, hash_component, &walk, 0);
	bpf_rcu_read_unlock();

	if (!walk.done)
		return 0;
	return walk.hash ? walk.hash : 1;
}

#define magic_of(inode) BPF_CORE_READ(inode, i_sb, s_magic)

/* The structure of a filesystem that the inode @inode, a member of it, stands in. */
#define inode_container(inode, type)                                                               \
	((struct type *)((void *)(inode) - bpf_core_field_offset(struct type, vfs_inode)))

/*
 * The inode that @inode of an overlayfs shows: the lower one while there is one, so that a copy-up
 * changes nothing. That is also where overlayfs takes its inode numbers from; generations it has
 * none.
 */
static __always_inline struct inode *layer_inode(struct inode *inode)
{
	struct ovl_inode *overlay = inode_container(inode, ovl_inode);
	struct ovl_entry *lower = BPF_CORE_READ(overlay, oe);

	if (lower && BPF_CORE_READ(lower, __numlower))
		return BPF_CORE_READ(lower, __lowerstack[0].dentry, d_inode);
	return BPF_CORE_READ(overlay, __upperdentry, d_inode);
}

/*
 * The programs' digest tells whether these filesystems were known when they were loaded. See
 * exec_object.cpp.
 */
static __always_inline struct inode *real_inode(struct inode *inode)
{
	if (!bpf_core_field_exists(struct ovl_inode, oe))
		return inode;

	for (int i = 0; i < FILESYSTEM_MAX_STACK_DEPTH; i++) {
		struct inode *layer;

		if (magic_of(inode) != OVERLAYFS_SUPER_MAGIC)
			break;
		layer = layer_inode(inode);
		if (!layer)
			break;
		inode = layer;
	}
	return inode;
}

static __always_inline __u64 subvolume_of(struct inode *inode)
{
	if (!bpf_core_field_exists(struct btrfs_inode, root) ||
	    magic_of(inode) != BTRFS_SUPER_MAGIC)
		return 0;
	return BPF_CORE_READ(inode_container(inode, btrfs_inode), root, root_key.objectid);
}

static __always_inline void inode_id(struct inode *used, struct llexec_inode_id *id)
{
	struct inode *inode = real_inode(used);

	id->ino = BPF_CORE_READ(inode, i_ino);
	id->subvolume = subvolume_of(inode);
	id->dev = BPF_CORE_READ(used, i_sb, s_dev);
	id->real_dev = BPF_CORE_READ(inode, i_sb, s_dev);
	id->igeneration = BPF_CORE_READ(inode, i_generation);
	id->reserved = 0;
}

static __always_inline void file_id(struct file *file, struct llexec_file_id *id)
{
	inode_id(file->f_inode, &id->inode);
	id->path_hash = path_hash(file->f_path.dentry, path_hash_seed);
}

static __always_inline bool same_inode(const struct llexec_inode_id *a,
				       const struct llexec_inode_id *b)
{
	return a->ino == b->ino && a->subvolume == b->subvolume && a->dev == b->dev &&
	       a->real_dev == b->real_dev && a->igeneration == b->igeneration;
}

/* The place that a directory is. A hash, so that all directories above a file can be kept. */
static __always_inline __u64 inode_place(const struct llexec_inode_id *id)
{
	struct llexec_sip sip;
	__u64 hash;

	llexec_sip_begin(&sip, path_hash_seed);
	llexec_sip_add(&sip, id->ino);
	llexec_sip_add(&sip, id->subvolume);
	llexec_sip_add(&sip, (__u64)id->dev << 32 | id->real_dev);
	llexec_sip_add(&sip, id->igeneration);
	hash = llexec_sip_end(&sip);
	return hash ? hash : 1;
}

#endif /* LLEXEC_FILE_ID_BPF_H */
