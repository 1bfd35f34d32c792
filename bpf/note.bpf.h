/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory in which the programs note something about a task. */
#ifndef LLEXEC_NOTE_BPF_H
#define LLEXEC_NOTE_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/*
 * How often it is asked for. Memory is taken without waiting there, so also because another CPU is
 * just about to take some there may seem to be none: that has passed a moment later.
 */
#define NOTE_ATTEMPTS 16

/* The note in a map of task storage, made unless it is there. NULL if there is no memory for it. */
#define make_note(map, task)                                                                       \
	({                                                                                         \
		void *note = NULL;                                                                 \
                                                                                                   \
		for (__u32 attempt = 0; !note && attempt < NOTE_ATTEMPTS; attempt++)               \
			note = bpf_task_storage_get(map, task, 0,                                  \
						    BPF_LOCAL_STORAGE_GET_F_CREATE);               \
		note;                                                                              \
	})

#endif /* LLEXEC_NOTE_BPF_H */
