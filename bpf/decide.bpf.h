/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From an execution to its policies: which ones match, and enforcing them.
 *
 * One decision uses one generation. The loader only touches the elements of a generation while it is not the current
 * one, so everything that was read is right if the generation is still current afterwards; if not, the decision starts
 * again with the new one. This orders loads as x86-64 does; a weakly ordered machine needs a load-acquire in
 * current_generation().
 */
#ifndef LLEXEC_DECIDE_BPF_H
#define LLEXEC_DECIDE_BPF_H

#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "file_id.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "maps.bpf.h"

#define EAGAIN 11
#define ENOENT 2
#define ENOMEM 12
#define E2BIG 7
#define SIGKILL 9

/* How often a decision starts again because the generation changed. Each time is one more reload. */
#define MAX_ATTEMPTS 8

enum execution_state {
	/* Nothing decided yet. */
	EXEC_SELECTED = 1,
	/* The policies of the file that was asked for are staged. */
	EXEC_STAGED = 2,
	/* All policies are staged or enforced. */
	EXEC_DONE = 3,
};

/* Which files of the execution a decision is about. */
enum {
	ASKED_FOR = 1,
	FINAL = 2,
};

extern int bpf_landlock_restrict_binprm(const struct linux_binprm *bprm, struct bpf_landlock_ruleset *ruleset__nullable,
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

/* PID 1 is never selected: it must be possible to boot and to shut down whatever the policies are. */
static __always_inline bool is_global_init(void)
{
	return bpf_get_current_pid_tgid() >> 32 == 1;
}

/* State of one decision, for callbacks. */
struct decision {
	struct llexec_execution *execution;
	const struct cred *cred; /* of the caller of execve(2), not those of the new program */
	__u64 generation;
	struct llexec_rule_range range;
	bool never;
	bool overflow;
	bool stale;
};

static __noinline bool in_groups(const struct cred *cred, __u32 gid)
{
	struct group_info *groups;
	int low = 0, high;

	if (!cred)
		return false;
	if (cred->egid.val == gid)
		return true;

	groups = cred->group_info;
	high = groups->ngroups - 1;
	/* The kernel keeps them sorted. */
	for (__u32 i = 0; i < 17 && low <= high; i++) {
		int middle = (__u32)(low + high) >> 1;
		__u32 value = 0;

		bpf_core_read(&value, sizeof(value), &groups->gid[middle].val);
		if (value == gid)
			return true;
		if (value < gid)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return false;
}

static __noinline bool rule_holds(struct llexec_rule *rule, const struct cred *cred)
{
	bool holds;
	__u32 uid;

	if (!rule || !cred)
		return false;

	uid = cred->euid.val;
	holds = rule->n_users == 0;
	for (__u32 i = 0; i < LLEXEC_RULE_IDS && !holds; i++)
		holds = i < rule->n_users && rule->users[i] == uid;
	if (!holds)
		return false;

	holds = rule->n_groups == 0;
	for (__u32 i = 0; i < LLEXEC_RULE_IDS && !holds; i++)
		holds = i < rule->n_groups && in_groups(cred, rule->groups[i]);
	return holds;
}

/* Inserts a policy in order, once. Returns false if there is no room. */
static __noinline bool add_match(struct llexec_execution *execution, __u32 policy)
{
	__u32 carry = policy;

	if (!execution)
		return false;

	for (__u32 i = 0; i < LLEXEC_MAX_MATCHES; i++) {
		__u32 other;

		if (i >= execution->n_matches) {
			execution->matches[i] = carry;
			execution->n_matches = i + 1;
			return true;
		}
		other = execution->matches[i];
		if (other == carry)
			return true;
		if (other > carry) {
			execution->matches[i] = carry;
			carry = other;
		}
	}
	return false;
}

static long add_rule(__u32 i, struct decision *decision)
{
	struct llexec_id_key key = { .generation = decision->generation, .id = decision->range.first + i };
	struct llexec_rule *rule = bpf_map_lookup_elem(&llexec_rules, &key);

	if (!rule) {
		/* The loader removed it, so this generation is not current any more. */
		decision->stale = true;
		return 1;
	}
	if (rule_holds(rule, decision->cred) && !add_match(decision->execution, rule->policy)) {
		decision->overflow = true;
		return 1;
	}
	return 0;
}

static __always_inline void add_range(struct decision *decision, const struct llexec_rule_range *range)
{
	if (!range)
		return;
	decision->range = *range;
	bpf_loop(decision->range.count, add_rule, decision, 0);
}

static __noinline int add_file(struct decision *decision, const struct llexec_file_id *id)
{
	struct llexec_rule_range *by_inode, *by_path;
	struct llexec_inode_key inode_key = {};
	struct llexec_path_key path_key = {};

	if (!decision || !id)
		return 0;

	inode_key.generation = decision->generation;
	inode_key.ino = id->ino;
	inode_key.dev = id->dev;
	inode_key.igeneration = id->igeneration;
	path_key.generation = decision->generation;
	path_key.path_hash = id->path_hash;
	path_key.dev = id->dev;

	by_inode = bpf_map_lookup_elem(&llexec_by_inode, &inode_key);
	add_range(decision, by_inode);
	by_path = bpf_map_lookup_elem(&llexec_by_path, &path_key);
	/* Usually both halves of the identity lead to the same rules. */
	if (by_path && !(by_inode && by_inode->first == by_path->first && by_inode->count == by_path->count))
		add_range(decision, by_path);
	return 0;
}

static __always_inline void add_group(struct decision *decision, __u32 gid)
{
	struct llexec_id_key key = { .generation = decision->generation, .id = gid };

	add_range(decision, bpf_map_lookup_elem(&llexec_by_group, &key));
}

static long add_supplementary_group(__u32 i, struct decision *decision)
{
	struct group_info *groups = decision->cred->group_info;
	__u32 gid = 0;

	bpf_core_read(&gid, sizeof(gid), &groups->gid[i].val);
	add_group(decision, gid);
	return decision->overflow || decision->stale;
}

static __always_inline void add_user_and_groups(struct decision *decision, const struct llexec_generation *generation)
{
	if (generation->by_user) {
		struct llexec_id_key key = { .generation = decision->generation, .id = decision->cred->euid.val };

		add_range(decision, bpf_map_lookup_elem(&llexec_by_user, &key));
	}
	if (generation->by_group) {
		add_group(decision, decision->cred->egid.val);
		bpf_loop(decision->cred->group_info->ngroups, add_supplementary_group, decision, 0);
	}
}

static __noinline int report(const struct linux_binprm *bprm, struct llexec_policy *policy, __u64 generation,
			     __u32 outcome, __s32 error)
{
	struct llexec_event *event;
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

	if (!bprm || !policy)
		return 0;

	event = bpf_ringbuf_reserve(&llexec_events, sizeof(*event), 0);
	if (!event) {
		count_execution(events_lost);
		return 0;
	}
	event->time_ns = bpf_ktime_get_boot_ns();
	event->generation = generation;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = task->cred->euid.val;
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
 * Enforces one policy. Returns 0 if the execution may go on, -EAGAIN if the generation is not current any more, and
 * another negative errno if the execution must not go on: fail-closed unless the policy says on_error = "allow".
 */
static __noinline int enforce_policy(const struct linux_binprm *bprm, __u64 generation, __u32 index, bool staging)
{
	struct llexec_policy *policy = policy_of(generation, index);
	__u32 slot, mode, on_error, flags, outcome = LLEXEC_APPLIED;
	struct bpf_landlock_ruleset *ruleset;
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

/*
 * Selects and enforces the policies of an execution. Returns 0 if it may go on and a negative errno if it must not.
 *
 * An attempt that is overtaken by a change of generation may already have enforced some policies of the old
 * generation. The next one enforces all those of the new generation on top: more than needed, never less.
 */
static __always_inline int decide(const struct linux_binprm *bprm, struct llexec_execution *execution, __u32 files,
				  bool staging)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
	struct llexec_file_id final = {};

	if (files & FINAL)
		file_id(bprm->file, &final);

	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		struct decision decision = { .execution = execution, .cred = task->cred };
		struct llexec_generation *generation;
		int error = 0;

		decision.generation = current_generation();
		if (!decision.generation)
			return 0; /* Nothing is enforced. */
		generation = generation_of(decision.generation);
		if (!generation)
			return -ENOENT; /* Cannot happen: fail-closed. */

		execution->n_matches = 0;
		if (files & ASKED_FOR) {
			add_file(&decision, &execution->asked_for);
			decision.never = decision.range.never;
		}
		if (files & FINAL)
			add_file(&decision, &final);
		add_user_and_groups(&decision, generation);
		if (decision.stale || current_generation() != decision.generation)
			continue;

		execution->generation = decision.generation;
		if (decision.never)
			return 0; /* Fail-open by design: llexec itself. */
		if (decision.overflow)
			return -E2BIG; /* Fail-closed: more policies than can be kept. */
		if (!execution->n_matches)
			return 0;

		for (__u32 i = 0; i < LLEXEC_MAX_MATCHES; i++) {
			if (i >= execution->n_matches)
				break;
			error = enforce_policy(bprm, decision.generation, execution->matches[i], staging);
			if (error)
				break;
		}
		if (error == -EAGAIN)
			continue;
		count_execution(executions_matched);
		return error;
	}
	return -EAGAIN; /* Fail-closed: too many reloads during one execution. */
}

#endif /* LLEXEC_DECIDE_BPF_H */
