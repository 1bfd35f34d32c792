/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The members of kernel structures that the programs read. CO-RE relocates them against the running
 * kernel's BTF, so no vmlinux.h is needed. Order and missing members do not matter; names and types
 * do.
 */
#ifndef LLEXEC_KERNEL_TYPES_BPF_H
#define LLEXEC_KERNEL_TYPES_BPF_H

#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

struct group_info {
	int ngroups;
	kgid_t gid[0];
};

struct cred {
	kuid_t euid;
	kgid_t egid;
	struct group_info *group_info;
};

struct kernfs_node {
	const char *name;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[0]; /* the root, then each level, this one included */
};

struct css_set {
	struct cgroup *dfl_cgrp; /* of cgroup v2 */
};

struct mm_struct {
	struct file *exe_file;
};

struct task_struct {
	const struct cred *cred;
	struct css_set *cgroups;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	int pid;
	int tgid;
	unsigned int in_execve : 1;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	__u32 i_generation;
	__u64 i_ino;
	struct super_block *i_sb;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

/* Of overlayfs and btrfs, which may be modules, and not there. */
struct ovl_path {
	struct dentry *dentry;
};

struct ovl_entry {
	unsigned int __numlower;
	struct ovl_path __lowerstack[0];
};

struct ovl_inode {
	struct inode vfs_inode;
	struct dentry *__upperdentry;
	struct ovl_entry *oe;
};

struct btrfs_key {
	__u64 objectid;
};

struct btrfs_root {
	struct btrfs_key root_key;
};

struct btrfs_inode {
	struct inode vfs_inode;
	struct btrfs_root *root;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent; /* itself, if it is mounted nowhere */
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
};

struct linux_binprm {
	unsigned int is_check : 1;
	struct file *file;
	int unsafe;
	const char *filename;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/*
 * Opaque in the kernel too. It has to be defined, not just declared: libbpf compares prototypes of
 * kfuncs.
 */
struct bpf_landlock_ruleset {};

#endif /* LLEXEC_KERNEL_TYPES_BPF_H */
