# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the tests of a real system share. Sourced, not run.
# shellcheck disable=SC2034 # set here, used there

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(dirname "$(dirname "$here")")
programs=$repo/build/release/selftests
# The packages that vmtest/system-test has built.
debs=$repo/build/system-test

# The program that policies are for: what vm_small_probe is, from a package.
probe=/usr/lib/llexec-test/probe
# What policies keep from the programs that they are for, and nothing else does.
secret=/srv/secret/file
public=/etc/hostname
policy=/etc/llexec/policies.d/system-test.toml

failed=0
work=$(mktemp -d)

# check TEXT COMMAND...: COMMAND says whether TEXT holds.
check() {
	local text=$1

	shift
	if "$@" > "$work/out" 2>&1; then
		echo "pass $text"
	else
		failed=1
		echo "fail $text"
		echo "$*" >&2
		tail -n 30 "$work/out" >&2
	fi
}

# not COMMAND...: for check.
not() {
	! "$@"
}

# is VALUE COMMAND...: the command's output is VALUE.
is() {
	local want=$1 got
	shift

	got=$("$@")
	[[ $got == "$want" ]] && return
	echo "\"$got\" instead of \"$want\""
	return 1
}

# soon COMMAND...: within half a minute.
soon() {
	local i

	for ((i = 0; i < 60; i++)); do
		"$@" && return
		sleep 0.5
	done
	return 1
}

# The probe's exit code says which of the two files it can read.
confined() {
	local code=0

	"$probe" $secret $public || code=$?
	((code == 2)) || { echo "exit code $code"; return 1; }
}

unconfined() {
	local code=0

	"$probe" $secret $public || code=$?
	((code == 3)) || { echo "exit code $code"; return 1; }
}

property() {
	systemctl show --value --property "$2" "$1"
}

# What the service's last start has said, at this priority and above.
said() {
	journalctl --quiet --boot --output cat --priority "${1:-info}" \
		"_SYSTEMD_INVOCATION_ID=$(property llexecd.service InvocationID)"
}

says() {
	said "$1" | grep -Ei -- "$2"
}

nothing_attached() {
	local found

	found=$(ls -d /sys/fs/bpf/llexec* 2> /dev/null; bpftool prog show | grep 'name llexec_')
	[[ -z $found ]] || { echo "$found"; return 1; }
}

# The other way round, so that nothing_attached means something.
attached() {
	[[ -d /sys/fs/bpf/llexec ]] && bpftool prog show | grep 'name llexec_enforce'
}

listening() {
	[[ $(ss -Hlnt "sport = :$1") ]]
}

# What a storm of executions has seen: started with storm_start, ended with
# storm_stop, which sets one variable for each count.
storm_start() {
	nice -n 10 "$programs/system/system_storm" 3 $probe $secret $public > "$work/storm" &
	storm=$!
	sleep 1
}

storm_stop() {
	kill -TERM "$storm"
	wait "$storm"
	echo "$1: $(< "$work/storm")" >&2
	executions=0 confined=0 unconfined=0 refused=0 killed=0 strange=0
	# shellcheck disable=SC2046 # name=number words
	declare -g $(< "$work/storm")
}

# storm_is_confined TEXT: no execution of the storm that has just ended was
# anything but confined, and there were many.
storm_is_confined() {
	check "$1: no unconfined execution" test "$unconfined" = 0
	check "$1: no execution refused or killed" test "$((refused + killed + strange))" = 0
	check "$1: it was a storm" test "$executions" -gt 100
}
