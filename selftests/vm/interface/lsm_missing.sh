#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What map, probe and load say where Landlock or BPF LSM is not among the active LSMs. Runs in a virtual machine that
# was booted so, once for each:
#   vmtest/run --append lsm=yama,bpf -- selftests/vm/interface/lsm_missing.sh landlock BUILD_DIR
#   vmtest/run --append lsm=landlock,yama -- selftests/vm/interface/lsm_missing.sh bpf BUILD_DIR
# Prints "pass TEXT" or "fail TEXT" for each promise. Exit code: 0 if all hold, 1 if not, 2 if the machine is another one.

# shellcheck disable=SC2317 # what check() calls

set -u

missing=${1:?landlock or bpf}
build=${2:?build directory}
llexec=$build/llexec
# What the first argument is called by `llexec probe`.
item=$missing
[[ $missing == bpf ]] && item=bpf-lsm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# check TEXT COMMAND...: COMMAND says whether TEXT holds.
check() {
	local text=$1

	shift
	if "$@"; then
		echo "pass $text"
	else
		echo "fail $text"
		failed=1
	fi
}

# exits CODE COMMAND...: run COMMAND, keeping its output in $work/out and $work/err.
exits() {
	local code=$1 status=0

	shift
	"$@" > "$work/out" 2> "$work/err" || status=$?
	((status == code)) && return
	echo "exit code $status, not $code: $*" >&2
	cat "$work/out" "$work/err" >&2
	return 1
}

# The line of a prerequisite.
item_is() {
	grep -Eq "^$1 +$2 " "$work/out" && return
	cat "$work/out" >&2
	return 1
}

# How the map is created from user space: 0, or the negative errno.
create_map() {
	"$build/selftests/vm/interface_tests" --reporter compact -w NoTests "$1" > "$work/out" 2>&1 && return
	cat "$work/out" >&2
	return 1
}

lsm=$(< /sys/kernel/security/lsm)
if [[ ",$lsm," == *",$missing,"* ]]; then
	echo "$missing is among the active LSMs ($lsm): nothing to test" >&2
	exit 2
fi

cat > "$work/policy.toml" <<-'POLICY'
	abi = 1
	[[match]]
	exe = ["/usr/bin/true"]
	[[ruleset]]
	handled_access_fs = ["write_file"]
POLICY

if [[ $missing == landlock ]]; then
	check "without Landlock, creating a ruleset map is EOPNOTSUPP" create_map "[no-landlock]"
else
	check "without BPF LSM, a ruleset map can be created" create_map "map: values of 4 and of 8 bytes"
fi

check "probe has exit code 3" exits 3 "$llexec" probe
check "probe names $item" item_is "$item" missing
check "probe tries no program" item_is programs not-tried
if [[ $missing == landlock ]]; then
	check "probe finds BPF LSM" item_is bpf-lsm ok
else
	check "probe finds Landlock" item_is landlock ok
	check "probe finds the map type" item_is ruleset-map ok
fi
check "probe says how to get $missing" grep -Eq "add $missing to (the )?lsm=" "$work/out"
check "probe --json has exit code 3" exits 3 "$llexec" --json probe
check "probe --json has can_attach false" grep -q '"can_attach":false' "$work/out"

check "load has exit code 3" exits 3 "$llexec" load "$work/policy.toml"
check "load names $item" grep -q "$item" "$work/err"
check "load leaves nothing behind" test ! -e /sys/fs/bpf/llexec

exit $failed
