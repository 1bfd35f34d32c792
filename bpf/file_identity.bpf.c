// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tells the loader how the kernel identifies the files that the loader has open.
 *
 * st_dev is not what the kernel compares: btrfs and overlayfs report one device to user space and use another one
 * internally. So the loader opens the files that policies name and reads this iterator over its own descriptors. It
 * attaches to nothing and changes nothing.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"

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
