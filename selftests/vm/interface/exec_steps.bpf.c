// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Does what the test has written into a map, in each of the three hooks that may restrict an execution. Only
 * executions of one process are affected.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.bpf.h"
#include "steps.h"

#define EPERM 1

extern int bpf_landlock_restrict_binprm(const struct linux_binprm *bprm, struct bpf_landlock_ruleset *ruleset__nullable,
					__u32 flags) __ksym;
extern bool bpf_landlock_binprm_has_ruleset(const struct linux_binprm *bprm, struct bpf_landlock_ruleset *ruleset,
					    __u32 flags) __ksym;
extern void bpf_landlock_put_ruleset(struct bpf_landlock_ruleset *ruleset) __ksym;

/* The test makes it a Landlock ruleset map, whose number is not the same on all kernels. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACE_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} rulesets SEC(".maps");

/* Index: hook * INTERFACE_STEPS + step. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACE_HOOKS * INTERFACE_STEPS);
	__type(key, __u32);
	__type(value, struct interface_step);
} steps SEC(".maps");

/* The process that is affected; written by the test. */
__u32 target_tgid;
/* How often each hook was called for it. */
__u32 calls[INTERFACE_HOOKS];

/* The domains that were enforced on it, in that order. */
struct interface_enforced enforced[INTERFACE_ENFORCED];
__u32 enforced_count;

struct landlock_details {
	char comm[16];
	char exe_path[];
} __attribute__((preserve_access_index));

struct landlock_hierarchy {
	struct landlock_hierarchy *parent;
	__u64 id;
	__u64 ruleset_id;
	const struct landlock_details *details;
} __attribute__((preserve_access_index));

struct landlock_domain {
	struct landlock_hierarchy *hierarchy;
} __attribute__((preserve_access_index));

/* Returns whether the hook is to refuse the execution. */
static __noinline int run_step(const struct linux_binprm *bprm, __u32 index)
{
	struct interface_step *step = bpf_map_lookup_elem(&steps, &index);
	struct bpf_landlock_ruleset *ruleset;
	__u32 slot;

	if (!step)
		return 0;

	switch (step->action) {
	case STEP_RESTRICT_NULL:
		step->result = bpf_landlock_restrict_binprm(bprm, NULL, step->flags);
		return 0;
	case STEP_RESTRICT:
	case STEP_RESTRICT_ONCE:
	case STEP_HAS_RULESET:
		slot = step->slot;
		ruleset = bpf_map_lookup_elem(&rulesets, &slot);
		if (!ruleset) {
			step->result = INTERFACE_EMPTY;
			return 0;
		}
		step->result = 0;
		if (step->action != STEP_RESTRICT)
			step->result = bpf_landlock_binprm_has_ruleset(bprm, ruleset, step->flags);
		if (step->action != STEP_HAS_RULESET && !step->result)
			step->result = bpf_landlock_restrict_binprm(bprm, ruleset, step->flags);
		bpf_landlock_put_ruleset(ruleset);
		return 0;
	case STEP_DENY_ONCE:
		step->action = STEP_NONE;
		step->result = 0;
		return 1;
	case STEP_DENY:
		step->result = 0;
		return 1;
	}
	return 0;
}

static __always_inline int run_steps(const struct linux_binprm *bprm, __u32 hook)
{
	int deny = 0;

	if (bpf_get_current_pid_tgid() >> 32 != target_tgid)
		return 0;
	calls[hook]++;
	for (__u32 i = 0; i < INTERFACE_STEPS; i++)
		if (run_step(bprm, hook * INTERFACE_STEPS + i))
			deny = 1;
	return deny ? -EPERM : 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(at_creds_for_exec, struct linux_binprm *bprm)
{
	return run_steps(bprm, AT_CREDS_FOR_EXEC);
}

SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(at_creds_from_file, struct linux_binprm *bprm, const struct file *file)
{
	return run_steps(bprm, AT_CREDS_FROM_FILE);
}

SEC("lsm.s/bprm_committing_creds")
int BPF_PROG(at_committing_creds, const struct linux_binprm *bprm)
{
	run_steps(bprm, AT_COMMITTING_CREDS);
	return 0;
}

SEC("tp_btf/landlock_enforce_domain")
int BPF_PROG(on_enforce_domain, const struct landlock_domain *domain)
{
	const struct landlock_hierarchy *hierarchy = domain->hierarchy;
	struct interface_enforced *entry;
	__u32 index = enforced_count;

	if (bpf_get_current_pid_tgid() >> 32 != target_tgid || index >= INTERFACE_ENFORCED)
		return 0;
	entry = &enforced[index];
	enforced_count = index + 1;
	entry->domain = hierarchy->id;
	entry->parent = hierarchy->parent ? hierarchy->parent->id : 0;
	entry->ruleset = hierarchy->ruleset_id;
	bpf_probe_read_kernel_str(entry->comm, sizeof(entry->comm), hierarchy->details->comm);
	bpf_probe_read_kernel_str(entry->exe, sizeof(entry->exe), hierarchy->details->exe_path);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
