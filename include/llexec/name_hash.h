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

/*
 * SipHash-1-3 over whole words. Whoever does not know the key cannot make two inputs that collide, as one can with a
 * multiplication, whatever the key is: it only carries upwards. The key is the seed of a load, or the hash so far.
 */
struct llexec_sip {
	__u64 a, b, c, d;
};

static inline __attribute__((always_inline)) __u64 llexec_rotate(__u64 word, int bits)
{
	return word << bits | word >> (64 - bits);
}

static inline __attribute__((always_inline)) void llexec_sip_round(struct llexec_sip *sip)
{
	sip->a += sip->b;
	sip->b = llexec_rotate(sip->b, 13) ^ sip->a;
	sip->a = llexec_rotate(sip->a, 32);
	sip->c += sip->d;
	sip->d = llexec_rotate(sip->d, 16) ^ sip->c;
	sip->a += sip->d;
	sip->d = llexec_rotate(sip->d, 21) ^ sip->a;
	sip->c += sip->b;
	sip->b = llexec_rotate(sip->b, 17) ^ sip->c;
	sip->c = llexec_rotate(sip->c, 32);
}

static inline __attribute__((always_inline)) void llexec_sip_begin(struct llexec_sip *sip, __u64 key)
{
	sip->a = key ^ 0x736f6d6570736575ULL;
	sip->b = key ^ 0x646f72616e646f6dULL;
	sip->c = key ^ 0x6c7967656e657261ULL;
	sip->d = key ^ 0x7465646279746573ULL;
}

static inline __attribute__((always_inline)) void llexec_sip_add(struct llexec_sip *sip, __u64 word)
{
	sip->d ^= word;
	llexec_sip_round(sip);
	sip->a ^= word;
}

static inline __attribute__((always_inline)) __u64 llexec_sip_end(struct llexec_sip *sip)
{
	sip->c ^= 0xff;
	llexec_sip_round(sip);
	llexec_sip_round(sip);
	llexec_sip_round(sip);
	return sip->a ^ sip->b ^ sip->c ^ sip->d;
}

/*
 * Adds a name to a hash: @size bytes including its NUL, at most LLEXEC_NAME_SIZE, with zeros behind it up to the end of
 * a word.
 */
static inline __attribute__((always_inline)) __u64 llexec_hash_name(__u64 hash, const __u64 *name, __u32 size)
{
	struct llexec_sip sip;

	llexec_sip_begin(&sip, hash);
	for (__u32 i = 0; i < LLEXEC_NAME_SIZE / 8; i++) {
		if (i * 8 >= size)
			break;
		llexec_sip_add(&sip, name[i]);
	}
	llexec_sip_add(&sip, size);
	return llexec_sip_end(&sip);
}

/* Hash of the root of the cgroups, which the names below are added to. The seed is that of all hashes of a load. */
static inline __attribute__((always_inline)) __u64 llexec_hash_cgroup_root(__u64 seed)
{
	struct llexec_sip sip;

	llexec_sip_begin(&sip, seed);
	return llexec_sip_end(&sip);
}

#endif /* LLEXEC_NAME_HASH_H */
