# shellcheck shell=bash disable=SC2154 # of lib.sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Removal of the package removes enforcement and all that it made; what an
# administrator wrote goes with a purge. Sourced, not run.

# Files of the machine with our name, but for the tests' own, those of the kernel's
# package, logs, and the package manager's records.
left_over() {
	find / -xdev \( -path /vmtest -o -path "$repo" -o -path /var/lib/dpkg -o -path /var/log -o -path /proc \) -prune -o \
		-name '*llexec*' ! -path '*llexec-test*' ! -name 'needs-llexec*' ! -name "*$(uname -r)*" -print
	find /run /sys/fs/bpf /tmp -path "$repo" -prune -o -name '*llexec*' -print
}

# leaves TEXT...: exactly these are left over.
leaves() {
	is "$(printf '%s\n' "$@" | grep . | sort)" sort <(left_over)
}

# Of another root directory that can reach all of the system, as an installer's or a
# builder's: what is enforced is not its own.
test_removal_in_chroot() {
	local root=$work/over/root dir

	mkdir "$work/over"
	mount -t tmpfs tmpfs "$work/over"
	mkdir "$work/over/upper" "$work/over/work" "$root"
	mount -t overlay -o "lowerdir=/,upperdir=$work/over/upper,workdir=$work/over/work" overlay "$root"
	for dir in dev proc run sys; do
		mount --rbind /$dir "$root/$dir"
		mount --make-rslave "$root/$dir"
	done
	check "in a chroot: it sees what is loaded" chroot "$root" test -d /sys/fs/bpf/llexec
	check "in a chroot: dpkg can remove the package" chroot "$root" dpkg -r llexec
	check "in a chroot: ... there" not test -e "$root/usr/sbin/llexecd"
	check "in a chroot: the system's programs are still confined" confined
	check "in a chroot: ... and the service is what it was" llexec status
	check "in a chroot: ... with its files in /run" test -e /run/llexec/owner
	umount -R "$root"
	umount "$work/over"
}

test_removal() {
	test_removal_in_chroot
	check "before removal: it is confined" confined
	check "before removal: programs are attached" attached
	check "remove: dpkg" dpkg -r llexec
	check "remove: no process" not pgrep -x llexecd
	check "remove: nothing is attached" nothing_attached
	check "remove: the program is not confined" unconfined
	check "remove: systemd does not know the service" is not-found property llexecd.service LoadState
	check "remove: what is left is the configuration and the state" leaves /etc/llexec /etc/llexec/llexecd.toml /var/lib/llexec \
		/etc/systemd/system/sysinit.target.wants/llexecd.service \
		/var/lib/systemd/deb-systemd-helper-enabled/llexecd.service.dsh-also \
		/var/lib/systemd/deb-systemd-helper-enabled/sysinit.target.wants/llexecd.service
	check "install again: dpkg" dpkg -i "$debs"/llexec_*-2_*.deb
	check "install again: it is confined as before" confined
	sed -i 's/^#protect = false/protect = true/' /etc/llexec/llexecd.toml
	systemctl restart llexecd.service
	check "protected: nobody but llexecd unloads" not llexec unload
	check "protected: it is still confined" confined
	# As in a machine where packages must not stop services.
	printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	check "purge, although it is protected and must not be stopped: dpkg" dpkg -P llexec
	rm /usr/sbin/policy-rc.d
	check "purge: nothing is attached" nothing_attached
	check "purge: nothing is left" leaves
	check "install anew: dpkg" dpkg -i "$debs"/llexec_*-2_*.deb
	check "install anew: the service is active" is active property llexecd.service ActiveState
	check "install anew: without a policy nothing is confined" unconfined
}
