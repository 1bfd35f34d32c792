/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a test asks exec_steps.bpf.c to do, and what it gets back. Included by BPF and by C++.
 */
#ifndef LLEXEC_INTERFACE_STEPS_H
#define LLEXEC_INTERFACE_STEPS_H

#ifdef __cplusplus
#include <linux/types.h>
#endif

/* In the order in which an execution goes through them. */
enum interface_hook {
	AT_CREDS_FOR_EXEC = 0,
	AT_CREDS_FROM_FILE = 1,
	AT_COMMITTING_CREDS = 2,
	INTERFACE_HOOKS = 3,
};

enum interface_action {
	STEP_NONE = 0,
	STEP_RESTRICT, /* restrict with the ruleset of a slot */
	STEP_RESTRICT_ONCE, /* the same, unless it is enforced already: then the result is 1 */
	STEP_RESTRICT_NULL, /* restrict with no ruleset */
	STEP_HAS_RULESET, /* result: 0 or 1 */
	STEP_DENY, /* the hook returns -EPERM, once all steps are done; not at committing_creds */
	STEP_DENY_ONCE, /* the same, in the first execution only */
};

/* One more than the layers that Landlock can stack. */
#define INTERFACE_STEPS 17
#define INTERFACE_SLOTS 4
/* The step was not run. */
#define INTERFACE_NOT_RUN 1000
/* The slot was empty. */
#define INTERFACE_EMPTY 1001

/* Written by the test; result by BPF. */
struct interface_step {
	__u32 action; /* enum interface_action */
	__u32 slot;
	__u32 flags; /* LANDLOCK_RESTRICT_SELF_* */
	__s32 result;
};

/* A domain that was enforced on the process, as its trace event has it. Written by BPF. */
struct interface_enforced {
	__u64 domain;
	__u64 parent; /* 0: none */
	__u64 ruleset; /* that its last layer was made from */
	char comm[16]; /* of the program that the domain's details name, ... */
	char exe[96]; /* ... and its path */
};

#define INTERFACE_ENFORCED 20

#endif /* LLEXEC_INTERFACE_STEPS_H */
