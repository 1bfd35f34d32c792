/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From an execution to its policies: the matching ones are enforced, all of one generation. */
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
#include "generation.bpf.h"
#include "kernel_types.bpf.h"
#include "llexec/abi.h"
#include "maps.bpf.h"
#include "places.bpf.h"
#include "rules.bpf.h"

#define MAX_ERRNO 4095
#define SIGKILL 9

/*
 * How often a decision starts again because the generation changed. Each time is one more reload.
 */
#define MAX_ATTEMPTS 8

extern int bpf_landlock_restrict_binprm(const struct linux_binprm *bprm,
					struct bpf_landlock_ruleset *ruleset__nullable,
					__u32 flags) __ksym;
extern bool bpf_landlock_binprm_has_ruleset(const struct linux_binprm *bprm,
					    struct bpf_landlock_ruleset *ruleset,
					    __u32 flags) __ksym;
extern void bpf_landlock_put_ruleset(struct bpf_landlock_ruleset *ruleset) __ksym;
extern int bpf_path_d_path(const struct path *path, char *buf, size_t buf__sz) __ksym;

/*
 * PID 1 is never selected: it must be possible to boot and to shut down whatever the policies are.
 */
static __always_inline bool is_global_init(void)
{
	return bpf_get_current_pid_tgid() >> 32 == 1;
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
	} else if (bpf_landlock_binprm_has_ruleset(bprm, ruleset, flags)) {
		outcome = LLEXEC_NESTED;
		count_up(policy->nested);
	} else {
		error = bpf_landlock_restrict_binprm(bprm, ruleset, flags);
		if (!error)
			count_up(policy->applied);
	}
	if (ruleset)
		bpf_landlock_put_ruleset(ruleset);
	execution = this_execution();
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
 * As add_file(). Only the file that runs is never selected, as far as it is known: whoever asks for
 * llexec may have chosen another program to interpret it (binfmt_misc).
 */
static __always_inline int add_files(struct decision *decision)
{
	struct llexec_execution *execution = decision->execution;
	__u64 generation = decision->generation;
	int result = 0;

	if (decision->files & FINAL)
		result = add_file(generation, &decision->final,
				  FIRST_DIRECTORY + execution->n_asked_for, execution->n_final);
	if (result || !(decision->files & ASKED_FOR))
		return result;
	result = add_file(generation, &execution->asked_for, FIRST_DIRECTORY,
			  execution->n_asked_for);
	return result == 1 && decision->files & FINAL ? 0 : result;
}

static __always_inline int still_current(__u64 generation)
{
	return current_generation() == generation ? 0 : -EAGAIN;
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
	if (!result)
		result = add_files(decision);
	if (result == 1) {
		/* Fail-open by design: llexec itself. */
		execution->n_matches = 0;
		return still_current(generation);
	}
	if (!result && description->cgroups)
		result = add_places(generation, 0, execution->n_cgroups);
	if (!result && description->by_user)
		result = add_user(generation);
	if (!result && description->by_group)
		result = add_groups(generation);
	return result ? result : still_current(generation);
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
	/* Nothing of this generation is staged yet: what was asked for counts again. */
	if (decision->execution->generation != decision->generation)
		decision->files |= ASKED_FOR;

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
