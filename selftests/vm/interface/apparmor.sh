#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What Landlock's restrictions of an execution and AppArmor's profiles make of each other. Runs in a virtual machine
# with AppArmor:
#   vmtest/run --append lsm=landlock,yama,apparmor,bpf --packages apparmor -- \
#       selftests/vm/interface/apparmor.sh BUILD_DIR
# Prints "pass TEXT" or "fail TEXT" for each promise. Exit code: 0 if all hold, 1 if not, 2 if the machine is another one.

set -u

build=${1:?build directory}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# prints TEXT EXPECTED ACTION...: what the probe prints says whether TEXT holds.
prints() {
	local text=$1 expected=$2 printed
	shift 2

	printed=$("$work/probe" "$@" | xargs)
	if [[ $printed == "$expected" ]]; then
		echo "pass $text"
	else
		echo "fail $text"
		echo "printed \"$printed\", not \"$expected\": probe $*" >&2
		failed=1
	fi
}

lsm=$(< /sys/kernel/security/lsm)
if [[ ",$lsm," != *,apparmor,* ]]; then
	echo "AppArmor is not among the active LSMs ($lsm): nothing to test" >&2
	exit 2
fi

chmod 755 "$work"
cp "$build/selftests/vm/interface_probe" "$work/probe"
cp "$work/probe" "$work/other"
echo secret > "$work/secret"
# Programs get from one to the other with each execution, and the narrow one has no access to the secret.
cat > "$work/profiles" <<-PROFILES
	profile llexec_wide {
	  /** mrwl,
	  /**/probe px -> llexec_narrow,
	  /**/other ix,
	  capability,
	  unix,
	  change_profile,
	}
	profile llexec_narrow {
	  /** mrwl,
	  deny $work/secret rw,
	  /**/probe px -> llexec_wide,
	  capability,
	  unix,
	  change_profile,
	}
	profile llexec_same {
	  /** mrwlix,
	  capability,
	  unix,
	  change_profile,
	}
PROFILES
apparmor_parser --replace --skip-cache --quiet "$work/profiles" || exit 2

eperm=-1
ebadf=-9
eacces=-13
read=(read "$work/secret")
again=(exec "$work/probe")

# What the others are compared with.
prints "the wide profile allows to read" "0 0" profile llexec_wide "${read[@]}"
prints "the narrow profile does not" "0 $eacces" profile llexec_narrow "${read[@]}"
prints "an execution gets from the wide to the narrow one" "0 $eacces" profile llexec_wide "${again[@]}" "${read[@]}"
prints "an execution gets from the narrow to the wide one" "0 0" profile llexec_narrow "${again[@]}" "${read[@]}"
prints "with no_new_privs it does not" "0 0 $eperm" profile llexec_narrow set-nnp "${again[@]}" "${read[@]}"

# With a restriction that waits for the execution.
prints "no_new_privs from the next execution on holds it to the profile" "0 0 $eperm" \
	profile llexec_narrow store "${again[@]}" "${read[@]}"
prints "it allows an execution in the same profile" "0 0 1 0" profile llexec_same store "${again[@]}" nnp "${read[@]}"
prints "an execution that is only checked does not make the profile the one of no_new_privs" "0 0 0 0 0 $eperm" \
	profile llexec_wide store check "$work/other" profile llexec_narrow set-nnp "${again[@]}" "${read[@]}"
prints "nor does one that is refused" "0 0 $eperm 0 0 $eperm" \
	profile llexec_wide store check "$work/probe" profile llexec_narrow set-nnp "${again[@]}" "${read[@]}"

# What AppArmor makes of a descriptor that the new profile must not have.
prints "a descriptor that the profile allows stays" "0 3 1" profile llexec_same open "$work/secret" "${again[@]}" fd 3
prints "one that the new profile denies is closed" "0 3 $ebadf" \
	profile llexec_wide open "$work/secret" "${again[@]}" fd 3

# With a policy.
other=(profile llexec_wide exec "$work/other" "${read[@]}")
cat > "$work/policy.toml" <<-POLICY
	abi = 1
	[[match]]
	exe = ["$work/other"]
	[[ruleset]]
	handled_access_fs = ["read_file"]
POLICY
prints "a program in a profile can read without a policy" "0 0" "${other[@]}"
"$build/llexec" load "$work/policy.toml" || exit 2
prints "a policy restricts a program in a profile" "0 $eacces" "${other[@]}"
"$build/llexec" unload || exit 2

exit $failed
