/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records that the BPF programs and the loader share through maps.
 *
 * Included by bpf/ and by C++. Fixed-width members, no pointers, no implicit padding: the layout is
 * the same on both sides of the kernel boundary, and bpftool prints every member by its name.
 *
 * Everything that belongs to one generation carries its number in the key, so that the next
 * generation is filled in beside the current one. See docs/architecture.md.
 */
#ifndef LLEXEC_ABI_H
#define LLEXEC_ABI_H

#ifdef __cplusplus
#include <linux/types.h>
#endif

/*
 * Layout and meaning of everything below, how files are identified included: maps that were pinned
 * with another number are never used.
 */
#define LLEXEC_ABI 5

/* Longest policy name, final NUL included. */
#define LLEXEC_POLICY_NAME_SIZE 64
/* Bytes of a path that an event keeps, final NUL included. */
#define LLEXEC_EVENT_PATH_SIZE 256
/* In a rule: any user or group. No user and no group has this ID. */
#define LLEXEC_ANY_ID 0xffffffffU
/* In a rule: anywhere. No directory and no cgroup has this hash. */
#define LLEXEC_ANY_PLACE 0
/* Levels of cgroups below the root that rules can be about. */
#define LLEXEC_MAX_CGROUP_LEVELS 32
/* Directories that a program, and the script that it runs, can stand beneath together. */
#define LLEXEC_MAX_DIRECTORIES 256
/*
 * Policies that one execution can match. More than Landlock's 16 layers, so that observing policies
 * have room.
 */
#define LLEXEC_MAX_MATCHES 32
/* Layers of a Landlock domain. */
#define LLEXEC_MAX_LAYERS 16

/*
 * Elements of the maps. While a generation replaces another one, both are in them: one alone may
 * have half of these. Elements are allocated when they are filled in; only the bucket arrays (16
 * bytes an element) and the slots (8 bytes each) exist from the start.
 */
#define LLEXEC_MAX_FILES 65536 /* also places, users and groups: those with rules */
#define LLEXEC_MAX_RULES 131072
#define LLEXEC_MAX_POLICIES 32768

enum llexec_enforce_at {
	LLEXEC_AT_BPRM_COMMITTING_CREDS = 0,
	LLEXEC_AT_BPRM_CREDS_FOR_EXEC = 1,
};

enum llexec_mode {
	LLEXEC_MODE_ENFORCE = 0,
	LLEXEC_MODE_OBSERVE = 1,
};

enum llexec_on_error {
	LLEXEC_ON_ERROR_DENY = 0,
	LLEXEC_ON_ERROR_ALLOW = 1,
};

/* The one element of llexec_info. */
struct llexec_info {
	__u32 abi; /* LLEXEC_ABI */
	__u32 reserved;
	__u64 path_hash_seed;
	/*
	 * Digest of the object that the attached programs come from; 0 while one version takes over
	 * from another.
	 */
	__u64 programs;
};

/* The one element of llexec_current: a single word, so that a change of generation is atomic. */
struct llexec_current {
	__u64 generation; /* 0: nothing is enforced */
};

/* Element of llexec_gens, at index generation % 2. */
struct llexec_generation {
	__u64 generation;
	__u64 loaded_at_s; /* seconds since the epoch */
	__u32 enforce_at; /* enum llexec_enforce_at */
	__u32 policies;
	__u32 by_user; /* whether there are rules in llexec_by_user */
	__u32 by_group; /* whether there are rules in llexec_by_group */
	__u32 cgroups; /* whether any rule is about a cgroup */
	__u32 directories; /* whether any rule is about a directory */
};

/*
 * An inode as the kernel identifies it, which is not what stat(2) says: neither the devices that it
 * reports for btrfs and overlayfs, nor a number that is used again after the file is gone.
 */
struct llexec_inode_id {
	__u64 ino;
	__u64 subvolume; /* btrfs numbers inodes anew in each; 0 on other filesystems */
	__u32 dev; /* of the filesystem that the file is used through */
	__u32 real_dev; /* of the one that it is stored on: a layer of an overlayfs */
	__u32 igeneration;
	__u32 reserved;
};

struct llexec_file_id {
	struct llexec_inode_id inode;
	__u64 path_hash; /* of the path below the root of inode.dev; 0 if it is too deep */
};

struct llexec_inode_key {
	__u64 generation;
	struct llexec_inode_id inode;
};

struct llexec_path_key {
	__u64 generation;
	__u64 path_hash;
	__u32 dev;
	__u32 reserved;
};

/*
 * Key of llexec_by_place. A place is a directory or a cgroup: the keyed hash of a directory's
 * llexec_inode_id, or of a cgroup's path below the root (see name_hash.h). Neither is
 * LLEXEC_ANY_PLACE.
 */
struct llexec_place_key {
	__u64 generation;
	__u64 place;
};

/*
 * Key of llexec_by_user, llexec_by_group (id: kernel user or group ID), llexec_rules and
 * llexec_policies (id: index).
 */
struct llexec_id_key {
	__u64 generation;
	__u32 id;
	__u32 reserved;
};

/*
 * Value of the llexec_by_* maps: consecutive elements of llexec_rules, in ascending order of their
 * policy.
 */
struct llexec_rule_range {
	__u32 first;
	__u32 count;
	__u32 never; /* by inode or path: executions of this file by root are never selected */
};

/*
 * What has to hold besides what the rule was looked up by: a [[match]] block becomes one rule for
 * each combination of a value of each of these keys.
 */
struct llexec_rule {
	__u64 directory; /* above the file that the rule was looked up by, or LLEXEC_ANY_PLACE */
	__u64 cgroup; /* of the caller or above it, or LLEXEC_ANY_PLACE */
	__u32 policy;
	__u32 user; /* effective user ID, or LLEXEC_ANY_ID */
	__u32 group; /* effective or supplementary group ID, or LLEXEC_ANY_ID */
	__u32 reserved;
};

struct llexec_policy {
	char name[LLEXEC_POLICY_NAME_SIZE];
	__u32 slot; /* index into llexec_rulesets; unused by an observing policy */
	__u32 mode; /* enum llexec_mode */
	__u32 on_error; /* enum llexec_on_error */
	__u32 restrict_flags; /* LANDLOCK_RESTRICT_SELF_* */
	__u64 name_hash; /* of the name, as FNV-1a: the same in every generation; not 0 */
	__u64 ruleset_id; /* Landlock's, of the ruleset in the slot; 0 if it only observes */
	/* Counters since this generation was loaded, written by BPF. */
	__u64 matched;
	__u64 applied;
	__u64 nested; /* matched, but already enforced by the domain that the caller runs in */
	__u64 failed;
};

/* The one element of llexec_stats, written by BPF, since the programs were attached. */
struct llexec_stats {
	__u64 executions_matched;
	__u64 executions_refused; /* the caller of execve(2) got an error */
	__u64 executions_killed; /* killed before their first instruction */
	__u64 executions_allowed; /* run without a layer that failed: on_error = "allow" */
	__u64 events_lost; /* the ring buffer was full */
};

/*
 * Which policies the domain of a process enforces: kept with each process that has executed a
 * program within one, and with what it forks, for as long as it lives. A process without it runs in
 * no domain of ours.
 */
struct llexec_confined {
	__u64 policies[LLEXEC_MAX_LAYERS]; /* llexec_policy.name_hash */
	__u32 n_policies;
	__u32 reserved;
};

enum llexec_outcome {
	LLEXEC_APPLIED = 0,
	LLEXEC_NESTED = 1, /* the domain already enforces this ruleset */
	LLEXEC_OBSERVED = 2,
	LLEXEC_REFUSED = 3,
	LLEXEC_KILLED = 4,
	LLEXEC_ALLOWED = 5, /* failed, and on_error = "allow" */
};

/* Record of llexec_events: one policy that one execution matched. */
struct llexec_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 generation;
	__u32 pid; /* thread group ID, in the initial PID namespace */
	__u32 uid; /* effective, of the caller of execve(2), in the initial user namespace */
	__u64 cgroup; /* of the process: ID in the hierarchy of cgroup v2 */
	__u64 ruleset_id; /* Landlock's; 0 if the policy only observes */
	__u32 outcome; /* enum llexec_outcome */
	__s32 error; /* negative errno of a failure, or 0 */
	char policy[LLEXEC_POLICY_NAME_SIZE];
	char filename[LLEXEC_EVENT_PATH_SIZE]; /* as passed to execve(2) */
	char exe[LLEXEC_EVENT_PATH_SIZE]; /* path of the file as it is known then, see events.hpp */
};

/*
 * What the program llexec_files writes for each open file of the loader. If the loader has stored a
 * hash for the descriptor, path_hash is that of a path below this directory: of a file that need
 * not exist.
 */
struct llexec_open_file {
	__u32 fd;
	__u32 mode; /* of the inode, as st_mode */
	struct llexec_file_id id;
	__u64 place; /* the hash of id.inode, as in llexec_place_key */
};

/* Directories that a running program can stand beneath: those nearest to it count. */
#define LLEXEC_PROCESS_DIRECTORIES 64

struct llexec_process_head {
	__u32 pid; /* in the initial PID namespace */
	__u32 n_directories;
	__u32 executing; /* 1 in execve(2): with the new program perhaps, and not yet its domain */
	__u32 reserved;
	struct llexec_file_id program;
};

/* What the program llexec_procs writes for each process but kernel threads. */
struct llexec_process {
	struct llexec_process_head head;
	__u64 directories[LLEXEC_PROCESS_DIRECTORIES]; /* places, as in llexec_place_key */
};

enum llexec_guarded_kind {
	LLEXEC_GUARDED_MAP = 0,
	LLEXEC_GUARDED_PROGRAM = 1,
	LLEXEC_GUARDED_LINK = 2,
};

/* Key of llexec_guarded, the guard's map of what nobody else may get at. */
struct llexec_guarded_object {
	__u32 kind; /* enum llexec_guarded_kind */
	__u32 id;
};

/* llexecd where it is installed, and where it runs from. */
#define LLEXEC_GUARD_PROGRAMS 2

/* The one element of llexec_guard. */
struct llexec_guard {
	__u64 program_digest; /* of the object that the guard comes from */
	__u64 directory_ino; /* of the pins */
	__u32 directory_dev;
	__u32 reserved;
	/* inode.ino or path_hash 0: not that half. */
	struct llexec_file_id programs[LLEXEC_GUARD_PROGRAMS];
};

#endif /* LLEXEC_ABI_H */
