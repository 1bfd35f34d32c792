#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The promises that only a real system shows: services, packages, boots. Runs in a
# machine of vmtest/run --image; vmtest/system-test does all that is needed.
#
#   run.sh           on a kernel with the interface; reboots twice
#   run.sh TEST...   these functions only, without a reboot
#
# Prints "pass TEXT" or "fail TEXT" for each promise. Exit code: 0 if all hold.

set -u

cd "$(dirname "$0")" || exit 2
for file in lib prepare hardening storms removal boot unsupported; do
	# shellcheck source=/dev/null
	source ./$file.sh
done

# Failures before a reboot count after it.
record=/var/tmp/system-test.failed
finish() {
	# shellcheck disable=SC2154 # of lib.sh
	((failed == 0)) || touch $record
	[[ $# == 0 ]] || exec vmtest-reboot "$@"
	[[ ! -e $record ]]
	exit
}

if (($#)); then
	prepare
	for name; do
		"$name"
	done
	finish
fi

case ${VMTEST_REBOOT_MARK:-} in
"")
	prepare
	test_services_without_policy
	test_hardening
	test_storms
	test_removal
	write_policy
	check "the policy is in force again" soon confined
	write_early_services
	finish boot
	;;
boot)
	test_boot
	test_pid_1
	test_off_file
	finish off llexec.off
	;;
off)
	test_off_boot
	finish
	;;
esac
