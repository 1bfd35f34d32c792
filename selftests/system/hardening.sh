# shellcheck shell=bash disable=SC2154 # of lib.sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the service may do, and that what keeps it from more does not keep it from
# seeing what everybody sees: a rule that it makes is on the file that others find
# at that path. Sourced, not run.

# at_path PATH: the file at PATH, as seen by the service.
seen_by_service() {
	nsenter --mount --target "$(property llexecd.service MainPID)" stat --format '%d %i' "$1"
}

same_file() {
	is "$(stat --format '%d %i' "$1")" seen_by_service "$1"
}

test_exposure() {
	local line

	line=$(systemd-analyze security --no-pager llexecd.service | tail -n 1)
	echo "${line#*→ }" >&2
	check "systemd-analyze security: OK or better" \
		systemd-analyze security --no-pager --threshold=49 llexecd.service
}

test_paths() {
	local path

	mkdir -p /home/somebody /mnt/later
	for path in / /etc /usr/lib/modules /home /home/somebody /root /tmp /var/tmp /run /dev /dev/shm /dev/kmsg /sys \
		/sys/fs/cgroup /proc /proc/sys /proc/kmsg /etc/llexec /var/lib/llexec; do
		[[ ! -e $path ]] || check "the service has the same file at $path" same_file $path
	done
	mount -t tmpfs tmpfs /mnt/later
	check "the service has what is mounted later" same_file /mnt/later
	umount /mnt/later
	check "... and unmounted" same_file /mnt/later
}

# The fields of the last record of an execution, as FIELD=value lines.
last_execution() {
	journalctl --sync
	journalctl --quiet --boot --lines 1 --output export LLEXEC_POLICY=system-test LLEXEC_OUTCOME=applied
}

has_field() {
	last_execution | grep -Ex -- "$1=$2"
}

# What keeps the service from more does not keep anything out of its records.
test_records() {
	local field cgroup

	cgroup=$(sed -n 's/^0:://p' /proc/self/cgroup)
	check "an execution is in the journal, with its cgroup" soon reported_in "$cgroup"
	for field in LLEXEC_POLICY=system-test LLEXEC_OUTCOME=applied "LLEXEC_FILENAME=$probe" "LLEXEC_EXE=$probe" \
		'LLEXEC_PID=[1-9][0-9]*' LLEXEC_UID=0 "LLEXEC_CGROUP=$cgroup" 'LLEXEC_GENERATION=[1-9][0-9]*' \
		'LLEXEC_RULESET_ID=[1-9a-f][0-9a-f]*' ERRNO=0 'OBJECT_PID=[1-9][0-9]*'; do
		check "... and with ${field%%=*}" has_field "${field%%=*}" "${field#*=}"
	done
}

reported_in() {
	confined && has_field LLEXEC_CGROUP "$1"
}

# A rule on a directory of each kind, made by the service, for a process outside.
test_rules() {
	local dir

	mount -t tmpfs tmpfs /mnt/later
	for dir in /mnt/later /tmp /home/somebody /var/tmp /run /dev/shm /root; do
		echo public > $dir/llexec-test
		sed "s|^parent = .*|parent = [\"$dir\"]|" "$policy.off" > "$policy"
		check "a rule on $dir holds outside" soon rule_holds $dir/llexec-test
		rm $dir/llexec-test
	done
	rm "$policy"
	umount /mnt/later
}

# More than what a process may have open unless it asks for more.
test_many_policies() {
	local i

	systemctl stop llexecd.service
	for i in {1..1100}; do
		sed "s|^exe = .*|exe = [\"/nonexistent/$i\"]|" "$policy.off" > "${policy%.toml}-$i.toml"
	done
	check "the service starts with 1,100 policies" systemctl start llexecd.service
	# That of the self-test is one, too.
	check "... and all of them are loaded" is 1101 loaded_policies
	rm "${policy%.toml}"-*.toml
	check "... and removed" soon is 1 loaded_policies
}

loaded_policies() {
	llexec --json status | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["policies"]))'
}

rule_holds() {
	local code=0

	"$probe" "$secret" "$1" "$public" || code=$?
	((code == 2))
}

# What nobody mounts for a long time, as early at boot what needs the network.
test_automount() {
	local dir=/etc/systemd/system other=${policy%/*}/automount.toml

	printf '[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n' > $dir/never.service
	printf '[Unit]\nRequires=never.service\nAfter=never.service\n[Mount]\nWhat=tmpfs\nWhere=/mnt/auto\nType=tmpfs\n' \
		> $dir/mnt-auto.mount
	printf '[Automount]\nWhere=/mnt/auto\n' > $dir/mnt-auto.automount
	systemctl daemon-reload
	systemctl start mnt-auto.automount
	cat > "$other" <<-POLICY
		abi = 1
		[[match]]
		exe = ["/mnt/auto/bin/program"]
		[[ruleset]]
		handled_access_fs = ["read_file"]
		[[path_beneath]]
		allowed_access = ["read_file"]
		parent = ["/mnt/auto/dir"]
	POLICY
	check "automount: the service starts with a path beneath it" timeout 60 systemctl restart llexecd.service
	check "automount: ... and says that the path is missing" says warning /mnt/auto/dir
	check "automount: nobody has mounted it" is inactive property mnt-auto.mount ActiveState
	check "automount: whoever else looks there waits" is 124 exit_code timeout 3 ls /mnt/auto/dir
	rm "$other"
	systemctl stop never.service mnt-auto.automount
	rm $dir/never.service $dir/mnt-auto.mount $dir/mnt-auto.automount
	systemctl daemon-reload
	systemctl reload llexecd.service
}

exit_code() {
	local code=0

	"$@" > /dev/null 2>&1 || code=$?
	echo "$code"
}

test_hardening() {
	test_exposure
	test_paths
	write_policy
	test_records
	mv "$policy" "$policy.off"
	test_rules
	test_automount
	test_many_policies
	rm "$policy.off"
	check "without its policy the program is not confined" soon unconfined
}
