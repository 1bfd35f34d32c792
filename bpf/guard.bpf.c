// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Keeps other processes, root's included, from what llexecd has loaded: its programs, maps and
 * links by their IDs, its maps to write to, its pins, and llexecd itself as a debugger. Reading
 * pinned maps stays possible: status needs it.
 *
 * A program is trusted if it was executed from llexecd's file: not from where it is called, not what
 * it inherits, and not if somebody else has it in hand from then on. Everything that cannot be
 * decided is refused for what is guarded, and allowed for what is not.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "note.bpf.h"

#define CLONE_THREAD 0x00010000
#define EPERM 1
#define FMODE_WRITE 2
#define LSM_UNSAFE_SHARE 1
#define LSM_UNSAFE_PTRACE 2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_map {
	__u32 id;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};
#pragma clang attribute pop

/* What is guarded. Written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct llexec_guarded_object);
	__type(value, __u32);
} llexec_guarded SEC(".maps");

/* llexecd's files, and the directory of pins: the one element, written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct llexec_guard);
} llexec_guard SEC(".maps");

enum {
	/* It executes llexecd. */
	TRUSTED = 1,
	/*
	 * Forked from such a process, and executes nothing else yet: what it does is not trusted,
	 * but it has the same descriptors, and after vfork(2) the same memory.
	 */
	TRUSTED_CHILD = 2,
};

/*
 * Written by the loader, for its own process, and for those that come to execute llexecd, and their
 * children.
 */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} llexec_trusted SEC(".maps");

static __always_inline bool is_trusted(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	__u32 *trusted = bpf_task_storage_get(&llexec_trusted, task->group_leader, 0, 0);

	return trusted && *trusted == TRUSTED;
}

static __always_inline bool is_guarded(__u32 kind, __u32 id)
{
	struct llexec_guarded_object object = { .kind = kind, .id = id };

	return bpf_map_lookup_elem(&llexec_guarded, &object);
}

static __always_inline struct llexec_guard *guard(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&llexec_guard, &zero);
}

static __always_inline bool is_pin_directory(struct inode *inode)
{
	struct llexec_guard *own = guard();

	return own && BPF_CORE_READ(inode, i_ino) == own->directory_ino &&
	       BPF_CORE_READ(inode, i_sb, s_dev) == own->directory_dev;
}

static __always_inline bool is_guarded_entry(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return is_pin_directory(dir) || (inode && is_pin_directory(inode));
}

SEC("lsm/bpf")
int BPF_PROG(llexec_guard_id, int cmd, union bpf_attr *attr, unsigned int size, bool kernel,
	     int ret)
{
	__u32 kind;

	if (ret)
		return ret;
	switch (cmd) {
	case BPF_MAP_GET_FD_BY_ID:
		kind = LLEXEC_GUARDED_MAP;
		break;
	case BPF_PROG_GET_FD_BY_ID:
		kind = LLEXEC_GUARDED_PROGRAM;
		break;
	case BPF_LINK_GET_FD_BY_ID:
		kind = LLEXEC_GUARDED_LINK;
		break;
	default:
		return 0;
	}
	/* The ID is at the same place for all of them; this is the kernel's copy. */
	return is_guarded(kind, attr->map_id) && !is_trusted() ? -EPERM : 0;
}

/* A new descriptor of a map, from a pin too: to read is allowed. */
SEC("lsm/bpf_map")
int BPF_PROG(llexec_guard_map, struct bpf_map *map, unsigned int fmode, int ret)
{
	if (ret)
		return ret;
	if (!(fmode & FMODE_WRITE) || !is_guarded(LLEXEC_GUARDED_MAP, map->id))
		return 0;
	return is_trusted() ? 0 : -EPERM;
}

SEC("lsm/bpf_prog")
int BPF_PROG(llexec_guard_prog, struct bpf_prog *prog, int ret)
{
	if (ret)
		return ret;
	return is_guarded(LLEXEC_GUARDED_PROGRAM, prog->aux->id) && !is_trusted() ? -EPERM : 0;
}

SEC("lsm/inode_unlink")
int BPF_PROG(llexec_guard_pin, struct inode *dir, struct dentry *dentry, int ret)
{
	if (ret)
		return ret;
	return is_pin_directory(dir) && !is_trusted() ? -EPERM : 0;
}

SEC("lsm/inode_rmdir")
int BPF_PROG(llexec_guard_dir, struct inode *dir, struct dentry *dentry, int ret)
{
	if (ret)
		return ret;
	return is_guarded_entry(dir, dentry) && !is_trusted() ? -EPERM : 0;
}

SEC("lsm/inode_rename")
int BPF_PROG(llexec_guard_move, struct inode *old_dir, struct dentry *old_dentry,
	     struct inode *new_dir, struct dentry *new_dentry, int ret)
{
	if (ret)
		return ret;
	if (!is_guarded_entry(old_dir, old_dentry) && !is_guarded_entry(new_dir, new_dentry))
		return 0;
	return is_trusted() ? 0 : -EPERM;
}

/* The last mount of the BPF file system that goes takes the pins along. */
SEC("lsm/sb_umount")
int BPF_PROG(llexec_guard_mnt, struct vfsmount *mnt, int flags, int ret)
{
	struct llexec_guard *own = guard();

	if (ret)
		return ret;
	if (!own || BPF_CORE_READ(mnt, mnt_root, d_inode, i_sb, s_dev) != own->directory_dev)
		return 0;
	return is_trusted() ? 0 : -EPERM;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(llexec_guard_trace, struct task_struct *child, unsigned int mode, int ret)
{
	__u32 *trusted;

	if (ret)
		return ret;
	trusted = bpf_task_storage_get(&llexec_trusted, child->group_leader, 0, 0);
	/* PTRACE_MODE_ATTACH: to read /proc stays possible. */
	return trusted && *trusted && mode & 2 && !is_trusted() ? -EPERM : 0;
}

/* Fail-open: without memory for it, and for an instant before it, a child can be traced. */
SEC("tp_btf/task_newtask")
int BPF_PROG(llexec_guard_fork, struct task_struct *child, __u64 clone_flags)
{
	struct task_struct *parent = (struct task_struct *)bpf_get_current_task_btf();
	__u32 *trusted;

	if (clone_flags & CLONE_THREAD)
		return 0;
	trusted = bpf_task_storage_get(&llexec_trusted, parent->group_leader, 0, 0);
	if (!trusted || !*trusted)
		return 0;
	trusted = make_note(&llexec_trusted, child);
	if (trusted)
		*trusted = TRUSTED_CHILD;
	return 0;
}

static __always_inline bool is_llexecd(struct file *file, struct llexec_guard *own)
{
	struct llexec_file_id id = {};

	file_id(file, &id);
	for (__u32 i = 0; i < LLEXEC_GUARD_PROGRAMS; i++) {
		struct llexec_file_id *program = &own->programs[i];

		if (program->inode.ino && same_inode(&id.inode, &program->inode))
			return true;
		if (program->path_hash && program->path_hash == id.path_hash &&
		    program->inode.dev == id.inode.dev)
			return true;
	}
	return false;
}

/*
 * Who traces it could make it do anything, and who shares its root and working directory (CLONE_FS)
 * could lead it to other files after it was executed. llexec_guard_trace refuses only tracers that
 * come later; from where the kernel notes these until after this hook, cred_guard_mutex lets none
 * come. Fail closed: such an llexecd cannot change what is guarded, whoever executed it.
 */
static __always_inline bool is_in_other_hands(const struct linux_binprm *bprm)
{
	return bprm->unsafe & (LSM_UNSAFE_SHARE | LSM_UNSAFE_PTRACE);
}

/*
 * What alone makes a process trusted. The loader pins its link before those of the others, and
 * removes it after them (attach/pins.cpp).
 */
SEC("lsm/bprm_committed_creds")
int BPF_PROG(llexec_guard_exec, const struct linux_binprm *bprm)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct llexec_guard *own = guard();
	__u32 *trusted;

	if (own && !is_in_other_hands(bprm) && is_llexecd(bprm->file, own)) {
		trusted = make_note(&llexec_trusted, task);
		if (trusted)
			*trusted = TRUSTED;
	} else {
		bpf_task_storage_delete(&llexec_trusted, task);
	}
	return 0;
}
