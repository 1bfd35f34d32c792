/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From an execution to its policies: which ones match, and enforcing them.
 *
 * One decision uses one generation. The loader only touches the elements of a generation while it
 * is not the current one, so everything that was read is right if the generation is still current
 * afterwards; if not, the decision starts again with the new one. This orders loads as x86-64 does;
 * a weakly ordered machine needs a load-acquire in current_generation().
 */
#ifndef LLEXEC_DECIDE_BPF_H
#define LLEXEC_DECIDE_BPF_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "confined.bpf.h"
#include "execution.bpf.h"
#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "maps.bpf.h"
#include "places.bpf.h"

#define MAX_ERRNO 4095
#define SIGKILL 9

/*
 * How often a decision starts again because the generation changed. Each time is one more reload.
 */
#define MAX_ATTEMPTS 8

enum execution_state {
	/* Nothing decided yet. */
	EXEC_SELECTED = 1,
	/* The policies of the file that was asked for are staged. */
	EXEC_STAGED = 2,
	/* All policies are staged or enforced. */
	EXEC_DONE = 3,
};

extern int bpf_landlock_restrict_binprm(const struct linux_binprm *bprm,
					struct bpf_landlock_ruleset *ruleset__nullable,
					__u32 flags) __ksym;
extern bool bpf_landlock_binprm_has_ruleset(const struct linux_binprm *bprm,
					    struct bpf_landlock_ruleset *ruleset) __ksym;
extern void bpf_landlock_put_ruleset(struct bpf_landlock_ruleset *ruleset) __ksym;
extern int bpf_path_d_path(const struct path *path, char *buf, size_t buf__sz) __ksym;

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

/*
 * PID 1 is never selected: it must be possible to boot and to shut down whatever the policies are.
 */
static __always_inline bool is_global_init(void)
{
	return bpf_get_current_pid_tgid() >> 32 == 1;
}

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
	struct llexec_execution *execution = this_execution(0);

	return execution && is_noted(cgroup, 0, execution->n_cgroups);
}

/* The file that rules are looked up by now. */
static __always_inline bool file_beneath(__u64 directory)
{
	struct llexec_execution *execution = this_execution(0);

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
	struct llexec_execution *execution = this_execution(0);
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

/* 1: executions of this file are never selected. Otherwise as add_rules(). */
static __always_inline int add_file_range(__u64 generation, const struct llexec_rule_range *range)
{
	if (range && range->never)
		return 1;
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
	struct llexec_execution *execution = this_execution(0);
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

__global int report(const struct linux_binprm *bprm __arg_trusted, struct llexec_policy *policy,
		    __u64 generation, __u32 outcome, __s32 error)
{
	struct llexec_event *event;

	if (!policy)
		return 0;

	event = bpf_ringbuf_reserve(&llexec_events, sizeof(*event), 0);
	if (!event) {
		count_execution(events_lost);
		return 0;
	}
	event->time_ns = bpf_ktime_get_boot_ns();
	event->generation = generation;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = caller_cred()->euid.val;
	event->cgroup = bpf_get_current_cgroup_id();
	event->ruleset_id = policy->ruleset_id;
	event->outcome = outcome;
	event->error = error;
	__builtin_memcpy(event->policy, policy->name, sizeof(event->policy));
	if (bpf_probe_read_kernel_str(event->filename, sizeof(event->filename), bprm->filename) < 0)
		event->filename[0] = 0;
	if (bpf_path_d_path(&bprm->file->f_path, event->exe, sizeof(event->exe)) < 0)
		event->exe[0] = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/*
 * Enforces one policy. Returns 0 if the execution may go on, -EAGAIN if the generation is not
 * current any more, and another negative errno if the execution must not go on: fail-closed unless
 * the policy says on_error = "allow".
 */
__global int enforce_policy(const struct linux_binprm *bprm __arg_trusted, __u64 generation,
			    __u32 index, bool staging)
{
	struct llexec_policy *policy = policy_of(generation, index);
	__u32 slot, mode, on_error, flags, outcome = LLEXEC_APPLIED;
	struct bpf_landlock_ruleset *ruleset;
	struct llexec_execution *execution;
	int error = 0;

	if (!policy)
		return -EAGAIN;
	slot = policy->slot;
	mode = policy->mode;
	on_error = policy->on_error;
	flags = policy->restrict_flags;

	ruleset = bpf_map_lookup_elem(&llexec_rulesets, &slot);
	if (current_generation() != generation) {
		if (ruleset)
			bpf_landlock_put_ruleset(ruleset);
		return -EAGAIN;
	}

	count_up(policy->matched);
	if (mode == LLEXEC_MODE_OBSERVE) {
		outcome = LLEXEC_OBSERVED;
	} else if (!ruleset) {
		/* The slot was emptied by somebody else than the loader. */
		error = -ENOENT;
	} else if (bpf_landlock_binprm_has_ruleset(bprm, ruleset)) {
		outcome = LLEXEC_NESTED;
		count_up(policy->nested);
	} else {
		error = bpf_landlock_restrict_binprm(bprm, ruleset, flags);
		if (!error)
			count_up(policy->applied);
	}
	if (ruleset)
		bpf_landlock_put_ruleset(ruleset);
	execution = this_execution(0);
	if (execution && !error && mode != LLEXEC_MODE_OBSERVE)
		note_enforced(&execution->enforced, policy->name_hash);

	if (error) {
		count_up(policy->failed);
		if (on_error == LLEXEC_ON_ERROR_ALLOW) {
			/* Fail-open, because the policy says so. */
			count_execution(executions_allowed);
			report(bprm, policy, generation, LLEXEC_ALLOWED, error);
			return 0;
		}
		outcome = staging ? LLEXEC_REFUSED : LLEXEC_KILLED;
	}
	report(bprm, policy, generation, outcome, error);
	return error;
}

/* Finding and enforcing the policies of one execution. */
struct decision {
	const struct linux_binprm *bprm;
	struct llexec_execution *execution;
	struct llexec_file_id final;
	__u64 generation;
	__u32 files; /* ASKED_FOR, FINAL */
	__u32 staging;
	__s32 result;
};

/*
 * Notes what the rules of a generation are about besides files and callers. Errors are fail-closed:
 * nobody could tell what matches.
 */
static __always_inline int note_what_matters(struct decision *decision,
					     const struct llexec_generation *description)
{
	struct llexec_execution *execution = decision->execution;
	/* The file that the execution has now. */
	__u32 which = decision->files & FINAL ? FINAL : ASKED_FOR;
	int result = 0;

	if (description->cgroups)
		result = note_cgroups();
	if (!result && description->directories)
		result = note_directories(execution, decision->bprm->file, which);
	if (!result && description->directories && decision->files & ~execution->noted)
		/*
		 * A script from before there were rules about directories; it is gone. Trying again
		 * does not help.
		 */
		result = -EAGAIN;
	return result;
}

/*
 * Finds the policies of this execution in one generation. 0, -EAGAIN if the generation is not
 * current any more, -E2BIG if there are more than can be kept, and as note_what_matters().
 */
static __always_inline int select_policies(struct decision *decision)
{
	struct llexec_generation *description = generation_of(decision->generation);
	struct llexec_execution *execution = decision->execution;
	__u64 generation = decision->generation;
	int result;

	if (!description)
		return -EAGAIN; /* Cannot happen: fail-closed. */

	execution->n_matches = 0;
	result = note_what_matters(decision, description);
	if (!result && decision->files & ASKED_FOR)
		result = add_file(generation, &execution->asked_for, FIRST_DIRECTORY,
				  execution->n_asked_for);
	if (result == 1) {
		execution->n_matches = 0;
		return 0; /* Fail-open by design: llexec itself. */
	}
	if (!result && decision->files & FINAL)
		result = add_file(generation, &decision->final,
				  FIRST_DIRECTORY + execution->n_asked_for, execution->n_final);
	if (result >= 0 && description->cgroups)
		result = add_places(generation, 0, execution->n_cgroups);
	if (result >= 0 && description->by_user)
		result = add_user(generation);
	if (result >= 0 && description->by_group)
		result = add_groups(generation);
	if (result < 0)
		return result;
	return current_generation() == generation ? 0 : -EAGAIN;
}

static long enforce_match(__u32 i, struct decision *decision)
{
	struct llexec_execution *execution = decision->execution;

	if (i >= LLEXEC_MAX_MATCHES || i >= execution->n_matches)
		return 1;
	decision->result = enforce_policy(decision->bprm, decision->generation,
					  execution->matches[i], decision->staging);
	return decision->result ? 1 : 0;
}

/*
 * One attempt, in the generation that is current now. 0 if there has to be another one: the result
 * is -EAGAIN then.
 */
static long attempt(__u32 i, struct decision *decision)
{
	decision->generation = current_generation();
	decision->result = 0;
	if (!decision->generation)
		return 1; /* Nothing is enforced. */

	decision->result = select_policies(decision);
	if (decision->result)
		/* Fail-closed if not -EAGAIN. */
		return decision->result != -EAGAIN;

	decision->execution->generation = decision->generation;
	if (!decision->execution->n_matches)
		return 1;
	bpf_loop(LLEXEC_MAX_MATCHES, enforce_match, decision, 0);
	if (decision->result == -EAGAIN)
		return 0;
	count_execution(executions_matched);
	return 1;
}

/*
 * Selects and enforces the policies of an execution. Returns 0 if it may go on and a negative errno
 * if it must not; -EAGAIN after too many reloads during one execution.
 *
 * An attempt that is overtaken by a change of generation may already have enforced some policies of
 * the old generation. The next one enforces all those of the new generation on top: more than
 * needed, never less.
 */
static __always_inline int decide(const struct linux_binprm *bprm,
				  struct llexec_execution *execution, __u32 files, bool staging)
{
	struct decision decision = {
		.bprm = bprm,
		.execution = execution,
		.files = files,
		.staging = staging,
		.result = -EAGAIN,
	};

	if (files & FINAL)
		file_id(bprm->file, &decision.final);
	bpf_loop(MAX_ATTEMPTS, attempt, &decision, 0);
	return decision.result;
}

#endif /* LLEXEC_DECIDE_BPF_H */
