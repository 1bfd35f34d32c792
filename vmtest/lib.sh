# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What the scripts in vmtest/ share. Sourced, not run.
# shellcheck disable=SC2034 # set here, used there

# mke2fs, debugfs and bpftool are in sbin, which users' PATH often lacks.
PATH=$PATH:/usr/sbin:/sbin

vmtest_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo_dir=$(dirname "$vmtest_dir")
cache_dir=${XDG_CACHE_HOME:-$HOME/.cache}/llexec

# say WORDS...: a line about what the harness does, never mixed into stdout.
say() {
	printf 'vmtest: %s\n' "$*" >&2
}

# make_ext4 DIR IMAGE SIZE_MIB [MKE2FS_OPTION...]: an ext4 image of DIR's
# content. mke2fs takes owners from the files; as an ordinary user it runs in
# a user namespace, where this user's own files are root's.
make_ext4() {
	local dir=$1 image=$2 size=$3 as_root=() log
	shift 3

	if ((EUID != 0)); then
		if unshare --map-root-user true 2> /dev/null; then
			as_root=(unshare --map-root-user)
		elif command -v fakeroot > /dev/null; then
			as_root=(fakeroot)
		else
			say "an ordinary user needs user namespaces (unshare --map-root-user) or fakeroot here"
			return 1
		fi
	fi
	if ! log=$("${as_root[@]}" mke2fs -q -F -t ext4 -m 0 -E root_owner=0:0 \
		"$@" -d "$dir" "$image" "${size}M" 2>&1); then
		say "mke2fs failed: $log"
		return 1
	fi
}

# size_mib DIR: what an image of DIR needs, without free space.
size_mib() {
	echo $(($(du -s --apparent-size -B1M "$1" | cut -f1) * 5 / 4 + 32))
}

# kernel_option WORD: the option of kernel/build that --kernel WORD stands for;
# fails if it is a file's name.
kernel_option() {
	[[ $1 == debug || $1 == unpatched ]] && echo "--$1"
}
