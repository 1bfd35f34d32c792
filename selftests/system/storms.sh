# shellcheck shell=bash disable=SC2154,SC2086 # of lib.sh; a list of packages
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Executions without end while an administrator works on the machine: none of them
# is unconfined. Sourced, not run.

# The same storm without a policy: what it counts can happen.
test_control_storm() {
	storm_start
	sleep 2
	storm_stop "without a policy"
	check "without a policy: executions are unconfined" test "$unconfined" -gt 100
	check "... all of them" test "$unconfined" = "$executions"
}

test_reload() {
	local i before generation

	before=$(property llexecd.service MainPID)
	generation=$(generation)
	storm_start
	for i in {1..5}; do
		check "reload $i: systemd says that it went well" systemctl reload llexecd.service
		sleep 1
	done
	storm_stop "reload"
	storm_is_confined "reload"
	check "reload: each made a generation" is $((generation + 5)) generation
	check "reload: the service is active" is active property llexecd.service ActiveState
	check "reload: it is still the same process" is "$before" property llexecd.service MainPID
}

generation() {
	llexec --json status | python3 -c 'import json, sys; print(json.load(sys.stdin)["generation"])'
}

test_restart() {
	local i before

	before=$(property llexecd.service MainPID)
	storm_start
	for i in 1 2; do
		systemctl restart llexecd.service || echo "restart $i failed" >&2
	done
	systemctl stop llexecd.service
	sleep 2
	systemctl start llexecd.service
	storm_stop "restart"
	storm_is_confined "restart, stop and start"
	check "restart: it is another process" not is "$before" property llexecd.service MainPID
}

restarted_after() {
	[[ $(property llexecd.service MainPID) != "$1" && $(property llexecd.service ActiveState) == active ]]
}

test_crash() {
	local before

	before=$(property llexecd.service MainPID)
	storm_start
	systemctl kill --kill-whom=main --signal=KILL llexecd.service
	check "killed: it is started again" soon restarted_after "$before"
	storm_stop "killed"
	storm_is_confined "killed"
}

# The two packages have the same BPF programs, and what is attached says which
# ones it has: others, from now on.
pretend_other_programs() {
	local pin=/sys/fs/bpf/llexec/llexec_info value

	mapfile -t value < <(bpftool -j map lookup pinned "$pin" key 0 0 0 0 |
		sed 's/.*"value":\[\([^]]*\)\].*/\1/' | grep -o '0x[0-9a-f]*')
	((${#value[@]} == 24)) || return 1
	value[23]=$(printf '0x%02x' "$((value[23] ^ 1))")
	bpftool map update pinned "$pin" key 0 0 0 0 value "${value[@]}"
}

program_ids() {
	bpftool prog show | sed -n 's/^\([0-9]*\): .* name llexec_.*/\1/p' | sort
}

none_is_left_of() {
	[[ -n $1 && -n $(program_ids) && -z $(comm -12 <(echo "$1") <(program_ids)) ]]
}

test_upgrade() {
	local before attached

	before=$(property llexecd.service MainPID)
	attached=$(program_ids)
	storm_start
	check "upgrade of llexec: the attached programs are others" pretend_other_programs
	check "upgrade of llexec: dpkg" dpkg -i "$debs"/llexec_*-2_*.deb
	storm_stop "upgrade of llexec"
	storm_is_confined "upgrade of llexec"
	check "upgrade of llexec: its programs have taken over" soon none_is_left_of "$attached"
	check "upgrade of llexec: the new one runs" restarted_after "$before"
	check "upgrade of llexec: its file is the installed one" \
		test "/proc/$(property llexecd.service MainPID)/exe" -ef /usr/sbin/llexecd
	check "upgrade of llexec: policies are still there" confined
}

test_program_upgrade() {
	local i

	storm_start
	for i in 2 1 2; do
		dpkg -i "$debs"/llexec-test-probe_${i}_amd64.deb > /dev/null || echo "dpkg failed" >&2
	done
	storm_stop "upgrade of a confined program"
	storm_is_confined "upgrade of a confined program"
	# shellcheck disable=SC2016 # dpkg-query's own
	check "upgrade of a confined program: it is another file" \
		is 2 dpkg-query --show --showformat '${Version}' llexec-test-probe
}

test_storms() {
	test_control_storm
	write_policy
	check "the service follows its directory" soon confined
	test_reload
	test_restart
	test_crash
	test_upgrade
	test_program_upgrade
}
