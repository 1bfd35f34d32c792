// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Programs that the verifier must refuse, and the accepted ones that they differ from in one point. The test loads them
 * one by one and attaches none.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "kernel_types.bpf.h"

extern int bpf_landlock_restrict_binprm(const struct linux_binprm *bprm, struct bpf_landlock_ruleset *ruleset__nullable,
					__u32 flags) __ksym;
extern bool bpf_landlock_binprm_has_ruleset(const struct linux_binprm *bprm, struct bpf_landlock_ruleset *ruleset,
					    __u32 flags) __ksym;
extern void bpf_landlock_put_ruleset(struct bpf_landlock_ruleset *ruleset) __ksym;

#define LOG_SUBDOMAINS_OFF (1U << 2)

/* The test makes it a Landlock ruleset map. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} rulesets SEC(".maps");

__u32 sink;

static __always_inline struct bpf_landlock_ruleset *lookup(void)
{
	__u32 slot = 0;

	return bpf_map_lookup_elem(&rulesets, &slot);
}

static __always_inline void restrict_and_put(const struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	if (!ruleset)
		return;
	sink += bpf_landlock_restrict_binprm(bprm, ruleset, 0);
	bpf_landlock_put_ruleset(ruleset);
}

static __always_inline void ask_and_put(const struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	if (!ruleset)
		return;
	sink += bpf_landlock_binprm_has_ruleset(bprm, ruleset, 0);
	bpf_landlock_put_ruleset(ruleset);
}

static __always_inline void put_only(void)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	if (ruleset)
		bpf_landlock_put_ruleset(ruleset);
}

/* Accepted. */

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(ok_creds_for_exec, struct linux_binprm *bprm)
{
	restrict_and_put(bprm);
	ask_and_put(bprm);
	return 0;
}

SEC("lsm.s/bprm_creds_from_file")
int BPF_PROG(ok_creds_from_file, struct linux_binprm *bprm, const struct file *file)
{
	restrict_and_put(bprm);
	ask_and_put(bprm);
	return 0;
}

SEC("lsm.s/bprm_committing_creds")
int BPF_PROG(ok_committing_creds, const struct linux_binprm *bprm)
{
	restrict_and_put(bprm);
	ask_and_put(bprm);
	return 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(ok_put_in_file_open, struct file *file)
{
	put_only();
	return 0;
}

SEC("lsm/file_open")
int BPF_PROG(ok_delete_without_sleeping, struct file *file)
{
	__u32 slot = 0;

	bpf_map_delete_elem(&rulesets, &slot);
	return 0;
}

/* The hook, and the kind of program. */

SEC("lsm.s/file_open")
int BPF_PROG(restrict_in_file_open, struct file *file)
{
	/* The verifier looks at the program before it looks at the arguments. */
	restrict_and_put((const struct linux_binprm *)file);
	return 0;
}

SEC("lsm.s/bprm_check_security")
int BPF_PROG(restrict_in_bprm_check, struct linux_binprm *bprm)
{
	restrict_and_put(bprm);
	return 0;
}

SEC("lsm.s/bprm_committed_creds")
int BPF_PROG(restrict_in_committed_creds, const struct linux_binprm *bprm)
{
	restrict_and_put(bprm);
	return 0;
}

SEC("lsm.s/bprm_committed_creds")
int BPF_PROG(ask_in_committed_creds, const struct linux_binprm *bprm)
{
	ask_and_put(bprm);
	return 0;
}

SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(restrict_without_sleeping, struct linux_binprm *bprm)
{
	sink += bpf_landlock_restrict_binprm(bprm, NULL, LOG_SUBDOMAINS_OFF);
	return 0;
}

SEC("lsm/bprm_creds_for_exec")
int BPF_PROG(put_without_sleeping, struct linux_binprm *bprm)
{
	put_only();
	return 0;
}

SEC("lsm_cgroup/bprm_creds_for_exec")
int BPF_PROG(restrict_in_cgroup, struct linux_binprm *bprm)
{
	sink += bpf_landlock_restrict_binprm(bprm, NULL, LOG_SUBDOMAINS_OFF);
	return 1;
}

SEC("lsm_cgroup/socket_create")
int BPF_PROG(put_in_cgroup, int family, int type, int protocol, int kern)
{
	put_only();
	return 1;
}

SEC("kprobe/security_bprm_check")
int map_in_kprobe(void *ctx)
{
	__u32 slot = 0;

	bpf_map_delete_elem(&rulesets, &slot);
	return 0;
}

SEC("fentry/security_bprm_check")
int BPF_PROG(map_in_fentry, struct linux_binprm *bprm)
{
	__u32 slot = 0;

	bpf_map_delete_elem(&rulesets, &slot);
	return 0;
}

SEC("fentry/security_bprm_check")
int BPF_PROG(restrict_in_fentry, struct linux_binprm *bprm)
{
	sink += bpf_landlock_restrict_binprm(bprm, NULL, LOG_SUBDOMAINS_OFF);
	return 0;
}

SEC("syscall")
int restrict_in_syscall(void *ctx)
{
	sink += bpf_landlock_restrict_binprm(NULL, NULL, LOG_SUBDOMAINS_OFF);
	return 0;
}

/* References. */

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(forget_to_put, struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	if (ruleset)
		sink += bpf_landlock_restrict_binprm(bprm, ruleset, 0);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(forget_to_put_on_error, struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();
	int error;

	if (!ruleset)
		return 0;
	error = bpf_landlock_restrict_binprm(bprm, ruleset, 0);
	if (error)
		return -1;
	bpf_landlock_put_ruleset(ruleset);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(use_after_put, struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	if (!ruleset)
		return 0;
	bpf_landlock_put_ruleset(ruleset);
	sink += bpf_landlock_restrict_binprm(bprm, ruleset, 0);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(put_twice, struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	if (!ruleset)
		return 0;
	bpf_landlock_put_ruleset(ruleset);
	bpf_landlock_put_ruleset(ruleset);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(put_not_acquired, struct linux_binprm *bprm)
{
	bpf_landlock_put_ruleset((struct bpf_landlock_ruleset *)bprm);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(put_maybe_null, struct linux_binprm *bprm)
{
	bpf_landlock_put_ruleset(lookup());
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(restrict_maybe_null, struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	sink += bpf_landlock_restrict_binprm(bprm, ruleset, LOG_SUBDOMAINS_OFF);
	if (ruleset)
		bpf_landlock_put_ruleset(ruleset);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(ask_maybe_null, struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	sink += bpf_landlock_binprm_has_ruleset(bprm, ruleset, 0);
	if (ruleset)
		bpf_landlock_put_ruleset(ruleset);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(restrict_with_something_else, struct linux_binprm *bprm)
{
	sink += bpf_landlock_restrict_binprm(bprm, (struct bpf_landlock_ruleset *)bprm, 0);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(restrict_something_else, struct linux_binprm *bprm)
{
	sink += bpf_landlock_restrict_binprm((struct linux_binprm *)bpf_get_current_task_btf(), NULL, LOG_SUBDOMAINS_OFF);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(restrict_with_stack, struct linux_binprm *bprm)
{
	__u64 fake[16] = {};

	sink += bpf_landlock_restrict_binprm(bprm, (struct bpf_landlock_ruleset *)fake, 0);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(restrict_with_map_value, struct linux_binprm *bprm)
{
	sink += bpf_landlock_restrict_binprm(bprm, (struct bpf_landlock_ruleset *)&sink, 0);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(ask_about_stack, struct linux_binprm *bprm)
{
	__u64 fake[16] = {};

	sink += bpf_landlock_binprm_has_ruleset(bprm, (struct bpf_landlock_ruleset *)fake, 0);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(put_stack, struct linux_binprm *bprm)
{
	__u64 fake[16] = {};

	bpf_landlock_put_ruleset((struct bpf_landlock_ruleset *)fake);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(restrict_null_execution, struct linux_binprm *bprm)
{
	sink += bpf_landlock_restrict_binprm(NULL, NULL, LOG_SUBDOMAINS_OFF);
	return 0;
}

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(read_ruleset, struct linux_binprm *bprm)
{
	struct bpf_landlock_ruleset *ruleset = lookup();

	if (!ruleset)
		return 0;
	sink += *(volatile __u32 *)ruleset;
	bpf_landlock_put_ruleset(ruleset);
	return 0;
}

/* The map. */

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(update_from_program, struct linux_binprm *bprm)
{
	__u64 value = 0;
	__u32 slot = 0;

	bpf_map_update_elem(&rulesets, &slot, &value, BPF_ANY);
	return 0;
}

static long visit(void *map, const void *key, void *value, void *context) { return 0; }

SEC("lsm.s/bprm_creds_for_exec")
int BPF_PROG(iterate_map, struct linux_binprm *bprm)
{
	bpf_for_each_map_elem(&rulesets, visit, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
