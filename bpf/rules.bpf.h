/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which policies an execution matches: the rules that are found by its files, its places and its
 * caller, and that hold for all the rest of it.
 */
#ifndef LLEXEC_RULES_BPF_H
#define LLEXEC_RULES_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "errno.bpf.h"
#include "execution.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "maps.bpf.h"
#include "places.bpf.h"

/* Credentials of the caller of execve(2), not those of the new program. */
static __always_inline const struct cred *caller_cred(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	return task->cred;
}

struct group_search {
	__u32 gid;
	__u32 found;
};

static long compare_group(__u32 i, struct group_search *search)
{
	struct group_info *groups = caller_cred()->group_info;
	__u32 gid = 0;

	bpf_core_read(&gid, sizeof(gid), &groups->gid[i].val);
	if (gid != search->gid)
		return 0;
	search->found = 1;
	return 1;
}

__global int caller_in_group(__u32 gid)
{
	struct group_search search = { .gid = gid };
	const struct cred *cred = caller_cred();

	if (cred->egid.val == gid)
		return 1;
	bpf_loop(cred->group_info->ngroups, compare_group, &search, 0);
	return search.found;
}

struct place_search {
	__u64 place;
	__u32 first;
	__u32 found;
};

static long compare_place(__u32 i, struct place_search *search)
{
	if (place_noted(search->first + i) != search->place)
		return 0;
	search->found = 1;
	return 1;
}

__global int is_noted(__u64 place, __u32 first, __u32 count)
{
	struct place_search search = { .place = place, .first = first };

	bpf_loop(count, compare_place, &search, 0);
	return search.found;
}

static __always_inline bool caller_in_cgroup(__u64 cgroup)
{
	struct llexec_execution *execution = this_execution();

	return execution && is_noted(cgroup, 0, execution->n_cgroups);
}

/* The file that rules are looked up by now. */
static __always_inline bool file_beneath(__u64 directory)
{
	struct llexec_execution *execution = this_execution();

	return execution &&
	       is_noted(directory, execution->first_directory, execution->n_directories);
}

static __always_inline bool rule_holds(const struct llexec_rule *rule)
{
	return (rule->user == LLEXEC_ANY_ID || rule->user == caller_cred()->euid.val) &&
	       (rule->group == LLEXEC_ANY_ID || caller_in_group(rule->group)) &&
	       (rule->cgroup == LLEXEC_ANY_PLACE || caller_in_cgroup(rule->cgroup)) &&
	       (rule->directory == LLEXEC_ANY_PLACE || file_beneath(rule->directory));
}

/*
 * Inserts a policy into the matches of this execution, in order, once. -E2BIG if there is no room.
 */
__global int add_match(__u32 policy)
{
	struct llexec_execution *execution = this_execution();
	__u32 carry = policy;

	if (!execution)
		return -ENOENT;

	for (__u32 i = 0; i < LLEXEC_MAX_MATCHES; i++) {
		__u32 other;

		if (i >= execution->n_matches) {
			execution->matches[i] = carry;
			execution->n_matches = i + 1;
			return 0;
		}
		other = execution->matches[i];
		if (other == carry)
			return 0;
		if (other > carry) {
			execution->matches[i] = carry;
			carry = other;
		}
	}
	return -E2BIG;
}

struct rule_walk {
	__u64 generation;
	__u32 first;
	__s32 result;
};

static long add_rule(__u32 i, struct rule_walk *walk)
{
	struct llexec_id_key key = { .generation = walk->generation, .id = walk->first + i };
	struct llexec_rule *rule = bpf_map_lookup_elem(&llexec_rules, &key);

	if (!rule) {
		/* The loader removed it, so this generation is not current any more. */
		walk->result = -EAGAIN;
		return 1;
	}
	if (rule_holds(rule))
		walk->result = add_match(rule->policy);
	return walk->result ? 1 : 0;
}

/*
 * Adds the policies of the rules that hold. 0, -EAGAIN (the generation is gone) or -E2BIG (too
 * many).
 */
__global int add_rules(__u64 generation, __u32 first, __u32 count)
{
	struct rule_walk walk = { .generation = generation, .first = first };

	bpf_loop(count, add_rule, &walk, 0);
	return walk.result;
}

static __always_inline int add_range(__u64 generation, const struct llexec_rule_range *range)
{
	return range ? add_rules(generation, range->first, range->count) : 0;
}

/*
 * 1: executions of this file are never selected, by root: it has to find a way out. Whoever else
 * executes it may have chosen what runs in it (LD_PRELOAD, binfmt_misc's L), and needs none: for him
 * it is a file without rules of its own. Otherwise as add_rules().
 */
static __always_inline int add_file_range(__u64 generation, const struct llexec_rule_range *range)
{
	if (range && range->never)
		return caller_cred()->euid.val == 0 ? 1 : 0;
	return add_range(generation, range);
}

/* As add_file_range(). */
__global int add_inode(const struct llexec_inode_key *key)
{
	if (!key)
		return -EAGAIN; /* Cannot happen: fail-closed. */
	return add_file_range(key->generation, bpf_map_lookup_elem(&llexec_by_inode, key));
}

/* As add_file_range(). */
__global int add_path(__u64 generation, __u64 path_hash, __u32 dev)
{
	struct llexec_path_key key = { .generation = generation,
				       .path_hash = path_hash,
				       .dev = dev };

	return add_file_range(generation, bpf_map_lookup_elem(&llexec_by_path, &key));
}

static long add_place(__u32 i, struct rule_walk *walk)
{
	struct llexec_place_key key = { .generation = walk->generation,
					.place = place_noted(walk->first + i) };

	walk->result = add_range(walk->generation, bpf_map_lookup_elem(&llexec_by_place, &key));
	return walk->result ? 1 : 0;
}

/* Adds what is looked up by the places that are noted. */
__global int add_places(__u64 generation, __u32 first, __u32 count)
{
	struct rule_walk walk = { .generation = generation, .first = first };

	bpf_loop(count, add_place, &walk, 0);
	return walk.result;
}

/* As add_file_range(). The directories that are noted are those of this file. */
static __always_inline int add_file(__u64 generation, const struct llexec_file_id *id,
				    __u32 first_directory, __u32 n_directories)
{
	struct llexec_inode_key key = { .generation = generation, .inode = id->inode };
	struct llexec_execution *execution = this_execution();
	int result;

	if (!execution)
		return -EAGAIN; /* Cannot happen: fail-closed. */
	execution->first_directory = first_directory;
	execution->n_directories = n_directories;
	result = add_inode(&key);
	if (!result)
		result = add_path(generation, id->path_hash, id->inode.dev);
	if (!result && n_directories)
		result = add_places(generation, first_directory, n_directories);
	return result;
}

__global int add_user(__u64 generation)
{
	struct llexec_id_key key = { .generation = generation, .id = caller_cred()->euid.val };

	return add_range(generation, bpf_map_lookup_elem(&llexec_by_user, &key));
}

static __always_inline int add_group(__u64 generation, __u32 gid)
{
	struct llexec_id_key key = { .generation = generation, .id = gid };

	return add_range(generation, bpf_map_lookup_elem(&llexec_by_group, &key));
}

static long add_supplementary_group(__u32 i, struct rule_walk *walk)
{
	struct group_info *groups = caller_cred()->group_info;
	__u32 gid = 0;

	bpf_core_read(&gid, sizeof(gid), &groups->gid[i].val);
	walk->result = add_group(walk->generation, gid);
	return walk->result ? 1 : 0;
}

__global int add_groups(__u64 generation)
{
	struct rule_walk walk = { .generation = generation };
	const struct cred *cred = caller_cred();

	walk.result = add_group(generation, cred->egid.val);
	if (!walk.result)
		bpf_loop(cred->group_info->ngroups, add_supplementary_group, &walk, 0);
	return walk.result;
}

#endif /* LLEXEC_RULES_BPF_H */
