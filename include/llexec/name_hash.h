/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The keyed hash of paths. Included by bpf/ and by C++: what the programs compute from the kernel's names, the loader
 * computes from those of a policy.
 */
#ifndef LLEXEC_NAME_HASH_H
#define LLEXEC_NAME_HASH_H

#ifdef __cplusplus
#include <linux/types.h>
#endif

/* Longest name of a file or cgroup, final NUL included. */
#define LLEXEC_NAME_SIZE 256

static inline __attribute__((always_inline)) __u64 llexec_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/*
 * Adds a name to a hash: @size bytes including its NUL, at most LLEXEC_NAME_SIZE, with zeros behind it up to the end of
 * a word.
 */
static inline __attribute__((always_inline)) __u64 llexec_hash_name(__u64 hash, const __u64 *name, __u32 size)
{
	for (__u32 i = 0; i < LLEXEC_NAME_SIZE / 8; i++) {
		if (i * 8 >= size)
			break;
		hash = llexec_mix(hash, name[i]);
	}
	return llexec_mix(hash, size);
}

/* Hash of the root of the cgroups, which the names below are added to. The seed is that of all hashes of a load. */
static inline __attribute__((always_inline)) __u64 llexec_hash_cgroup_root(__u64 seed)
{
	return llexec_mix(seed, 1);
}

#endif /* LLEXEC_NAME_HASH_H */
