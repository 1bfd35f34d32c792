// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tells the loader how the kernel identifies the files that the loader has open, and the programs that processes run.
 *
 * st_dev is not what the kernel compares: btrfs and overlayfs report one device to user space and use another one
 * internally. So the loader opens the files that policies name and reads an iterator over its own descriptors. And it
 * may be confined itself, which keeps it from /proc/PID/exe. Iterators attach to nothing and change nothing.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"

/* Too large for the stack; one reader at a time has these programs. */
static struct llexec_process process;

static __always_inline bool note_place(__u32 i, __u64 place)
{
	if (i >= LLEXEC_PROCESS_DIRECTORIES)
		return false;
	process.directories[i] = place;
	return true;
}

#include "directories.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What the loader wants path_hash to begin with, by descriptor: the names below the directory. Written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} suffixes SEC(".maps");

SEC("iter/task_file")
int list_open_files(struct bpf_iter__task_file *ctx)
{
	struct llexec_open_file open_file = {};
	struct file *file = ctx->file;
	__u64 *suffix;

	if (!file)
		return 0;

	open_file.fd = ctx->fd;
	open_file.mode = file->f_inode->i_mode;
	suffix = bpf_map_lookup_elem(&suffixes, &open_file.fd);
	inode_id(file->f_inode, &open_file.id.inode);
	open_file.id.path_hash = path_hash(file->f_path.dentry, suffix ? *suffix : path_hash_seed);
	open_file.place = inode_place(&open_file.id.inode);
	bpf_seq_write(ctx->meta->seq, &open_file, sizeof(open_file));
	return 0;
}

/*
 * All is read in a way that may fail: unlike the task, its memory and its program can go away meanwhile. Then this is
 * the identity of something else, or of nothing.
 */
SEC("iter/task")
int list_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file;
	int end;

	if (!task || task->pid != task->tgid)
		return 0;
	file = BPF_CORE_READ(task, mm, exe_file);
	if (!file)
		return 0;

	process.pid = task->pid;
	inode_id(BPF_CORE_READ(file, f_inode), &process.program.inode);
	process.program.path_hash = path_hash(BPF_CORE_READ(file, f_path.dentry), path_hash_seed);
	end = walk_directories((__u64)BPF_CORE_READ(file, f_path.dentry), (__u64)BPF_CORE_READ(file, f_path.mnt), 0);
	process.n_directories = end < 0 ? LLEXEC_PROCESS_DIRECTORIES : end;
	bpf_seq_write(ctx->meta->seq, &process, sizeof(process));
	return 0;
}
