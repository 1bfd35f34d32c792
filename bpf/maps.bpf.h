/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of the exec programs. */
#ifndef LLEXEC_MAPS_BPF_H
#define LLEXEC_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "llexec/abi.h"
#include "llexec/name_hash.h"

/*
 * What the loader has to know about programs and maps that it finds attached. Written by the
 * loader.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct llexec_info);
} llexec_info SEC(".maps");

/* Which generation is enforced. Written by the loader through a memory mapping, as one word. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct llexec_current);
} llexec_current SEC(".maps");

/* Written by the loader: the current generation, and the one before or after it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct llexec_generation);
} llexec_gens SEC(".maps");

/* Written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LLEXEC_MAX_FILES);
	__type(key, struct llexec_inode_key);
	__type(value, struct llexec_rule_range);
} llexec_by_inode SEC(".maps");

/* Written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LLEXEC_MAX_FILES);
	__type(key, struct llexec_path_key);
	__type(value, struct llexec_rule_range);
} llexec_by_path SEC(".maps");

/*
 * Written by the loader: [[match]] blocks that name directories but no file, or cgroups but
 * neither.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LLEXEC_MAX_FILES);
	__type(key, struct llexec_place_key);
	__type(value, struct llexec_rule_range);
} llexec_by_place SEC(".maps");

/* Written by the loader: [[match]] blocks that name users but no file and no place. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LLEXEC_MAX_FILES);
	__type(key, struct llexec_id_key);
	__type(value, struct llexec_rule_range);
} llexec_by_user SEC(".maps");

/*
 * Written by the loader: [[match]] blocks that name groups, but neither a file, nor a place, nor
 * users.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LLEXEC_MAX_FILES);
	__type(key, struct llexec_id_key);
	__type(value, struct llexec_rule_range);
} llexec_by_group SEC(".maps");

/* Written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LLEXEC_MAX_RULES);
	__type(key, struct llexec_id_key);
	__type(value, struct llexec_rule);
} llexec_rules SEC(".maps");

/* Written by the loader, except for the counters, which the programs add to. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LLEXEC_MAX_POLICIES);
	__type(key, struct llexec_id_key);
	__type(value, struct llexec_policy);
} llexec_policies SEC(".maps");

/*
 * The rulesets themselves. Written by the loader. The type is BPF_MAP_TYPE_LANDLOCK_RULESET: the
 * loader sets it, because the number depends on the running kernel. A value is a ruleset's file
 * descriptor when it is written, and the ruleset's Landlock ID when user space reads it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LLEXEC_MAX_POLICIES);
	__type(key, __u32);
	__type(value, __u64);
} llexec_rulesets SEC(".maps");

/* What exec_select hands over to the later hooks of the same execution. Written by the programs. */
struct llexec_execution {
	__u64 bprm; /* the linux_binprm that this is about, or 0 */
	__u64 generation; /* generation that the last decision was made in */
	struct llexec_file_id asked_for;
	__u32 state; /* enum execution_state */
	__u32 noted; /* files whose directories are in llexec_places: ASKED_FOR, FINAL */
	__u32 n_cgroups; /* in llexec_places */
	__u32 n_asked_for; /* directories of that file */
	__u32 n_final; /* directories of that file, behind them */
	__u32 first_directory; /* of the file that rules are looked up by now */
	__u32 n_directories;
	__u32 n_matches;
	__u32 matches[LLEXEC_MAX_MATCHES]; /* policy indexes, ascending: scratch of one decision */
	/* What the new program's domain enforces of ours, if the execution succeeds. */
	struct llexec_confined enforced;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct llexec_execution);
} llexec_execs SEC(".maps");

/*
 * Of llexec_places: cgroups from the root down to the caller's, then directories, from the file up.
 */
#define FIRST_DIRECTORY (LLEXEC_MAX_CGROUP_LEVELS + 1)
#define MAX_PLACES (FIRST_DIRECTORY + LLEXEC_MAX_DIRECTORIES)

/*
 * Where an execution takes place: only if rules are about that, and until it is committed. How many
 * there are stands in llexec_execution. Also scratch of who lists processes. Written by the
 * programs.
 */
struct llexec_places {
	__u64 place[MAX_PLACES];
	/* Scratch: the stack of the programs has no room for it. */
	__u64 name[LLEXEC_NAME_SIZE / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct llexec_places);
} llexec_places SEC(".maps");

/* Written by the programs, read by the loader, which asks for processes by their pidfd. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct llexec_confined);
} llexec_confined SEC(".maps");

/*
 * What the loader wants a path's hash to begin with, by its descriptor: the hash of the names below
 * that directory. Written by the loader for each descriptor that it is about to ask about.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} llexec_suffixes SEC(".maps");

/* Written by the programs, read by whoever wants the events. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} llexec_events SEC(".maps");

/* Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct llexec_stats);
} llexec_stats SEC(".maps");

#endif /* LLEXEC_MAPS_BPF_H */
