# shellcheck shell=bash disable=SC2154 # of lib.sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Services that a policy is for are confined from their first execution after the
# boot; and the two ways to boot without. Sourced, not run.

# services_do SEE|NOT: whether the services see what is kept from them.
services_see() {
	check "$1: nginx has read its configuration in full" listening 8081
	check "$1: sshd has read its configuration in full" listening 2222
	check "$1: what cron starts can read the secret" soon is "exit 0" tail -n 1 /var/tmp/cron.out
}

services_do_not_see() {
	check "$1: nginx works" listening 80
	check "$1: nginx was confined when it read its configuration" not listening 8081
	check "$1: sshd works" listening 22
	check "$1: sshd was confined when it read its configuration" not listening 2222
	check "$1: what cron starts cannot read the secret" soon is "exit 1" tail -n 1 /var/tmp/cron.out
	check "$1: ... because of the policy" grep -q 'Permission denied' /var/tmp/cron.out
}

# The services as they are without a policy, started again by hand.
test_services_without_policy() {
	rm -f /run/crond.reboot /var/tmp/cron.out
	systemctl restart nginx.service ssh.service cron.service
	services_see "without a policy"
	rm -f /var/tmp/cron.out
}

started_after_llexecd() {
	local ready started

	ready=$(property llexecd.service ActiveEnterTimestampMonotonic)
	started=$(property "$1" ExecMainStartTimestampMonotonic)
	echo "llexecd was ready at $ready us, $1 was started at $started us"
	((ready > 0 && ready < started))
}

none_unconfined() {
	llexec --json status | python3 -c '
import json, sys
unconfined = json.load(sys.stdin)["unconfined"]
print(unconfined)
sys.exit(unconfined != [])'
}

test_boot() {
	local unit

	check "boot: the service is active" is active property llexecd.service ActiveState
	services_do_not_see boot
	for unit in nginx.service ssh.service cron.service early.service wanted-early.service; do
		check "boot: $unit was started after it was ready" started_after_llexecd $unit
	done
	for unit in early wanted-early needs-llexec; do
		check "boot: $unit.service was confined" is 2 property $unit.service ExecMainStatus
	done
	check "boot: no process is unconfined" none_unconfined
	check "boot: it took no unit down" is 0 failed_units
}

failed_units() {
	systemctl list-units --failed --no-legend | tee /dev/stderr | wc -l
}

# PID 1 executes its own program again; a policy for that program is for everybody
# else. Which execution a process is from, its addresses tell.
test_pid_1() {
	local program=/usr/lib/systemd/systemd policy=${policy%/*}/pid-1.toml before

	check "PID 1: it is systemd" test /proc/1/exe -ef $program
	check "PID 1: its program works without a policy" $program --version
	cat > "$policy" <<-POLICY
		abi = 1
		[[match]]
		exe = ["$program"]
		[[ruleset]]
		handled_access_fs = ["read_file"]
	POLICY
	check "PID 1: its program is confined if others execute it" soon not $program --version
	before=$(addresses)
	check "PID 1: it can be told to execute its program" systemctl daemon-reexec
	check "PID 1: ... and does" soon not is "$before" addresses
	check "PID 1: ... and is not confined, nor is what it executes" \
		soon is secret systemd-run --quiet --wait --pipe cat "$secret"
	check "PID 1: ... while others are" not $program --version
	rm "$policy"
}

addresses() {
	od -A n -t x8 /proc/1/auxv
}

test_off_file() {
	touch /etc/llexec/off
	systemctl restart llexecd.service
	check "off by file: the service is active" is active property llexecd.service ActiveState
	check "off by file: nothing is attached" nothing_attached
	check "off by file: the program is not confined" unconfined
	check "off by file: it says so, as a warning" says warning 'switched off.*/etc/llexec/off|/etc/llexec/off.*switched off'
	check "off by file: its status says so" grep -qi 'switched off' <(property llexecd.service StatusText)
	rm /etc/llexec/off
	systemctl restart llexecd.service
	check "on again: the program is confined" confined
}

test_off_boot() {
	check "llexec.off: the command line has it" grep -qw llexec.off /proc/cmdline
	check "llexec.off: the service is active" is active property llexecd.service ActiveState
	check "llexec.off: nothing is attached" nothing_attached
	check "llexec.off: it says so, as a warning" says warning 'switched off.*llexec.off|llexec.off.*switched off'
	services_see "llexec.off"
	check "llexec.off: early.service was not confined" is 3 property early.service ExecMainStatus
	check "llexec.off: what needs the service was started" is 3 property needs-llexec.service ExecMainStatus
}
