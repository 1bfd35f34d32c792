# shellcheck shell=bash disable=SC2154 # of lib.sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The packages on a kernel without the interface. Sourced, not run.

messages() {
	said warning | wc -l
}

test_unsupported() {
	check "unsupported: it was started once in this boot" is 1 starts
	check "unsupported: ... and has failed" is failed property llexecd.service ActiveState
	write_policy
	write_early_services
	systemctl reset-failed llexecd.service
	systemctl start llexecd.service
	# Longer than it waits before it starts what has failed again.
	sleep 6
	check "unsupported: the service has failed" is failed property llexecd.service ActiveState
	check "unsupported: its exit code is 3" is 3 property llexecd.service ExecMainStatus
	check "unsupported: it was not started again" is 0 property llexecd.service NRestarts
	check "unsupported: it says one thing" is 1 messages
	said warning >&2
	check "unsupported: nothing is attached" nothing_attached
	check "unsupported: programs run" unconfined
	check "unsupported: the system is up nevertheless" is active property multi-user.target ActiveState
	systemctl start needs-llexec.service
	check "unsupported: what must not run unconfined does not run" is inactive property needs-llexec.service ActiveState
	check "unsupported: an upgrade of the package works" dpkg -i "$debs"/llexec_*-2_*.deb
	check "unsupported: removal works" dpkg -P llexec
}

starts() {
	journalctl --quiet --boot --output cat --unit llexecd.service | grep -c '^Starting '
}
