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

SEC("iter/task_file")
int list_open_files(struct bpf_iter__task_file *ctx)
{
	struct llexec_open_file open_file = {};
	struct file *file = ctx->file;

	if (!file)
		return 0;

	open_file.fd = ctx->fd;
	open_file.mode = file->f_inode->i_mode;
	file_id(file, &open_file.id);
	open_file.place = inode_place(&open_file.id.inode);
	bpf_seq_write(ctx->meta->seq, &open_file, sizeof(open_file));
	return 0;
}
