/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tells the loader how the kernel identifies the files that the loader has open, and the programs
 * that processes run.
 *
 * st_dev is not what the kernel compares: btrfs and overlayfs report one device to user space and
 * use another one internally. So the loader opens the files that policies name and reads an
 * iterator over its own descriptors. And it may be confined itself, which keeps it from
 * /proc/PID/exe. Iterators attach to nothing and change nothing.
 */
#ifndef LLEXEC_IDENTITY_BPF_H
#define LLEXEC_IDENTITY_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "maps.bpf.h"
#include "places.bpf.h"

SEC("iter/task_file")
int llexec_files(struct bpf_iter__task_file *ctx)
{
	struct llexec_open_file open_file = {};
	struct file *file = ctx->file;
	__u64 *suffix;

	if (!file)
		return 0;

	open_file.fd = ctx->fd;
	open_file.mode = file->f_inode->i_mode;
	suffix = bpf_map_lookup_elem(&llexec_suffixes, &open_file.fd);
	inode_id(file->f_inode, &open_file.id.inode);
	open_file.id.path_hash = path_hash(file->f_path.dentry, suffix ? *suffix : path_hash_seed);
	open_file.place = inode_place(&open_file.id.inode);
	bpf_seq_write(ctx->meta->seq, &open_file, sizeof(open_file));
	return 0;
}

/*
 * All is read in a way that may fail: unlike the task, its memory and its program can go away
 * meanwhile. Then this is the identity of something else, or of nothing.
 */
SEC("iter/task")
int llexec_procs(struct bpf_iter__task *ctx)
{
	struct llexec_process_head process = {};
	struct task_struct *task = ctx->task;
	struct llexec_places *places;
	struct file *file;
	int end;

	if (!task || task->pid != task->tgid)
		return 0;
	file = BPF_CORE_READ(task, mm, exe_file);
	if (!file)
		return 0;
	/*
	 * Of the reader. Without it, this process is tried again by the next read(2): none is left
	 * out in silence.
	 */
	places = make_places();
	if (!places)
		return 1;

	process.pid = task->pid;
	inode_id(BPF_CORE_READ(file, f_inode), &process.program.inode);
	process.program.path_hash = path_hash(BPF_CORE_READ(file, f_path.dentry), path_hash_seed);
	/*
	 * After the program: one that is there already, in an execution that is over here, has its
	 * domain by now. A kernel without the field is read as if none executed anything, and a
	 * process may be reported that is confined a moment later.
	 */
	if (bpf_core_field_exists(task->in_execve))
		process.executing = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
	end = walk_directories((__u64)BPF_CORE_READ(file, f_path.dentry),
			       (__u64)BPF_CORE_READ(file, f_path.mnt), 0);
	process.n_directories =
		end < 0 || end > LLEXEC_PROCESS_DIRECTORIES ? LLEXEC_PROCESS_DIRECTORIES : end;
	/*
	 * Both are one record: a reader's buffer that is too small for all of it gets none of it.
	 */
	bpf_seq_write(ctx->meta->seq, &process, sizeof(process));
	bpf_seq_write(ctx->meta->seq, places->place,
		      LLEXEC_PROCESS_DIRECTORIES * sizeof(places->place[0]));
	return 0;
}

#endif /* LLEXEC_IDENTITY_BPF_H */
