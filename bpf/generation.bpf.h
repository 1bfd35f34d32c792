/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What belongs to a generation, and the counters.
 *
 * One decision uses one generation. The loader only touches the elements of a generation while it
 * is not the current one, so everything that was read is right if the generation is still current
 * afterwards; if not, the decision starts again with the new one. This orders loads as x86-64 does;
 * a weakly ordered machine needs a load-acquire in current_generation().
 */
#ifndef LLEXEC_GENERATION_BPF_H
#define LLEXEC_GENERATION_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "llexec/abi.h"
#include "maps.bpf.h"

static const __u32 zero;

static __always_inline __u64 current_generation(void)
{
	struct llexec_current *current = bpf_map_lookup_elem(&llexec_current, &zero);

	return current ? *(volatile __u64 *)&current->generation : 0;
}

static __always_inline struct llexec_generation *generation_of(__u64 number)
{
	__u32 index = number & 1;

	return bpf_map_lookup_elem(&llexec_gens, &index);
}

static __always_inline struct llexec_policy *policy_of(__u64 generation, __u32 index)
{
	struct llexec_id_key key = { .generation = generation, .id = index };

	return bpf_map_lookup_elem(&llexec_policies, &key);
}

#define count_up(counter) __sync_fetch_and_add(&(counter), 1)

#define count_execution(member)                                                    \
	({                                                                             \
		struct llexec_stats *stats = bpf_map_lookup_elem(&llexec_stats, &zero);    \
                                                                                   \
		if (stats)                                                                 \
			count_up(stats->member);                                               \
	})

#endif /* LLEXEC_GENERATION_BPF_H */
