# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What vmtest/test and vmtest/prove share: parts with their totals, what they
# build, and test programs that run in the machine. Sourced after lib.sh.
#
# $results is the directory for logs. What the parts find out is in
# $results/parts, a line for each: status, passed, failed, skipped, name.
# shellcheck disable=SC2154 # results: of whoever sources this

# start_results DIR: an empty directory for the logs of this run.
start_results() {
	rm -rf "$1"
	mkdir -p "$1"
	results=$(cd "$1" && pwd)
	: > "$results/parts"
}

# part NAME: start a part.
part() {
	part_name=$1
	part_start=$SECONDS
	say "== $part_name"
}

# part_done STATUS PASSED FAILED SKIPPED
part_done() {
	local failed=$3

	# A part that failed as a whole counts as one.
	(($1 == 0 || failed)) || failed=1
	echo "$1 $2 $failed $4 $part_name" >> "$results/parts"
	say "== $part_name: $2 passed, $failed failed, $4 skipped, exit code $1, $((SECONDS - part_start)) s"
}

# give_up WORDS...: what follows cannot be done.
give_up() {
	say "$*"
	exit 2
}

# build PRESET NICENESS TARGET...: configure and build. As little as what follows
# needs: compiling takes a good part of the run.
build() {
	local preset=$1 niceness=$2 jobs
	shift 2

	jobs=$(nproc)
	part "build ($preset)"
	cmake --preset "$preset" > "$results/configure-$preset.log" 2>&1 ||
		{ tail -n 30 "$results/configure-$preset.log" >&2; give_up "configuring failed"; }
	nice -n "$niceness" cmake --build --preset "$preset" -j "$jobs" --target "$@" \
		> "$results/build-$preset.log" 2>&1 ||
		{ tail -n 30 "$results/build-$preset.log" >&2; give_up "building failed"; }
	say "== $part_name: $((SECONDS - part_start)) s"
}

# build_kernel [OPTION...]: sets $kernel.
build_kernel() {
	part "kernel${*:+ ($*)}"
	kernel=$("$vmtest_dir/kernel/build" "$@")/bzImage || give_up "the kernel could not be built"
	say "== $part_name: $kernel, $((SECONDS - part_start)) s"
}

# junit FILE: the totals of a JUnit report, as "PASSED FAILED SKIPPED". No
# report is a failure, and so is one without a test.
junit() {
	[[ -s $1 ]] || { echo 0 1 0; return; }
	python3 - "$1" <<-'PYTHON'
	import sys, xml.etree.ElementTree as tree
	cases = list(tree.parse(sys.argv[1]).iter("testcase"))
	skipped = sum(c.find("skipped") is not None for c in cases)
	failed = sum(any(c.find(t) is not None for t in ("failure", "error")) for c in cases)
	print(len(cases) - failed - skipped, failed if cases else 1, skipped)
	PYTHON
}

# lines WORD FILE: how many lines of FILE begin with WORD.
lines() {
	grep -c "^$1 " "$2" || true
}

# The programs of the VM suite, which cmake's vm_suite builds.
suite_programs=(build/release/selftests/vm/interface_tests build/release/selftests/vm/vm_tests
	build/release/selftests/vm/tsync_tests build/release/selftests/host/explain_tests)

# The same in two halves, for two machines at the same time. A program may come
# with a test specification, in which each file of tests is a tag.
half_of_files='[#beneath_test],[#cgroup_test],[#confined_test],[#selected_test],[#layers_test],[#privileges_test]'
first_half=(build/release/selftests/vm/interface_tests "build/release/selftests/vm/vm_tests $half_of_files")
second_half=(build/release/selftests/vm/tsync_tests build/release/selftests/host/explain_tests
	"build/release/selftests/vm/vm_tests ~${half_of_files//],/]~}")

# run_programs NAME DIR OPTION... -- PROGRAM...: Catch2 programs, one after the
# other in one boot of vmtest/run with these options. Their JUnit reports come
# back through its results, $results/DIR.
run_programs() {
	local name=$1 dir=$results/$2 status=0 program options=()
	shift 2

	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	part "$name"
	# shellcheck disable=SC2016 # for the guest
	"$vmtest_dir/run" --results "$dir" "${options[@]}" -- \
		bash -c 'status=0
			for program; do
				tests=()
				[[ $program != *" "* ]] || tests=(-# "${program#* }")
				program=${program%% *}
				"$program" ${tests[@]+"${tests[@]}"} -r junit -o "$VMTEST_RESULTS/${program##*/}.xml" ||
					status=1
			done
			exit "$status"' - "$@" || status=$?
	for program; do
		program=${program%% *}
		part_name="$name: ${program##*/}"
		# shellcheck disable=SC2046 # three numbers
		part_done 0 $(junit "$dir/results/${program##*/}.xml")
	done
	# A test, or something else: a splat, a dead guest, a program without a report.
	part_name="$name: the run"
	((status == 0)) || part_done "$status" 0 0 0
}

# kernel_selftests NAME DIR OPTION...: the kernel's own Landlock selftests.
kernel_selftests() {
	local name=$1 log=$results/$2.log dir=$results/$2 status=0
	shift 2

	part "$name"
	"$vmtest_dir/kselftest" --results "$dir" "$@" > "$log" || status=$?
	((status == 0)) || grep '^fail ' "$log" || true
	# As recorded is what counts: a test that fails on the unpatched kernel
	# too is no failure of the series, and says nothing about it.
	if ((status == 0)); then
		part_done 0 "$(lines pass "$log")" 0 "$(($(lines fail "$log") + $(lines skip "$log")))"
	else
		part_done "$status" "$(lines pass "$log")" "$(lines fail "$log")" "$(lines skip "$log")"
	fi
}

# totals: the last lines of a run. Fails if any part did.
totals() {
	local failed_parts

	failed_parts=$(awk '$1 != 0 || $3 != 0 { $1 = $2 = $3 = $4 = ""; sub(/^ +/, ""); printf "%s; ", $0 }' \
		"$results/parts")
	[[ -z $failed_parts ]] || say "failed: $failed_parts"
	awk '{ passed += $2; failed += $3; skipped += $4 }
		END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$results/parts"
	[[ -z $failed_parts ]]
}
