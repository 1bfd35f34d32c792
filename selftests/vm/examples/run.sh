#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The policies in docs/examples, each with its own program at real work. Runs in a virtual machine:
#   vmtest/run --packages "openssh-server openssh-client curl make gcc libc6-dev python3" -- \
#       selftests/vm/examples/run.sh build/release/llexec docs/examples
# What the policies deny is done twice, by the same programs: first without a policy, when it works. Then all policies
# are loaded together, and this same shell starts each program anew.
# Prints "pass TEXT" or "fail TEXT" for each promise. Exit code: 0 if all hold, 1 if not.

# shellcheck disable=SC2317 # what check() calls

set -u

llexec=${1:?llexec}
examples=${2:?directory of the policies}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
: > "$work/said"
# shellcheck disable=SC2046 # process IDs
trap 'kill $(jobs -p); rm -rf "$work"' EXIT
failed=0
# What no program is for, and what nothing but Landlock protects: everybody may read and write it.
secret=/srv/www/private/customers.csv

# check TEXT COMMAND...: COMMAND says whether TEXT holds.
check() {
	local text=$1

	shift
	if "$@" > "$work/out" 2>&1; then
		echo "pass $text"
	else
		echo "fail $text"
		echo "$*" >&2
		cat "$work/out" "$work/said" >&2
		failed=1
	fi
}

# works TEXT COMMAND...: under the policies. (That all of it works without any, nobody doubts.)
works() {
	[[ $phase == plain ]] || check "confined: $1" "${@:2}"
}

# denied TEXT ERROR COMMAND...: without policies it works; under them it fails, and says ERROR.
denied() {
	if [[ $phase == plain ]]; then
		check "plain: $1" "${@:3}"
	else
		check "confined: not $1" fails_with "${@:2}"
	fi
}

# said REGEX: so did the command before.
said() {
	[[ $(< "$work/said") =~ $1 ]]
}

# fails_with ERROR COMMAND...
fails_with() {
	local error=$1

	shift
	! "$@" > "$work/said" 2>&1 && said "$error"
}

# says TEXT COMMAND...: it works, and prints TEXT.
says() {
	local text=$1

	shift
	"$@" > "$work/said" 2>&1 && said "$text"
}

wait_for_port() {
	local _

	for _ in {1..100}; do
		(exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null && return
		sleep 0.1
	done
	echo "nothing listens on port $1" >&2
	return 1
}

# stop PIDFILE: end a daemon.
stop() {
	local pid

	pid=$(< "$1")
	kill "$pid"
	while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
}

prepare() {
	mkdir -p /srv/{www/{html,images,private},build/hello,reports,downloads} /run/sshd
	chmod 777 /srv/www/private
	echo 'Ada;4111-1111-1111-1111' > $secret
	chmod 666 $secret

	# nginx, with a mistake (the missing slash behind "/img"); on another port too, for curl.
	echo 'Welcome to the shop' > /srv/www/html/index.html
	cat > /etc/nginx/sites-enabled/default <<-'SITE'
	server {
		listen 80;
		root /srv/www/html;
		location /img { alias /srv/www/images/; }
	}
	SITE

	# sshd as Debian configures it, and a user with a key.
	cp /usr/share/openssh/sshd_config /etc/ssh/sshd_config
	ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
	useradd --create-home --shell /bin/bash ada
	ssh-keygen -q -t ed25519 -N '' -f "$work/key"
	install -D -o ada -g ada -m 600 "$work/key.pub" /home/ada/.ssh/authorized_keys
	chown ada:ada /home/ada/.ssh
	cat > "$work/ssh_config" <<-CONFIG
	Host *
		User ada
		IdentityFile $work/key
		StrictHostKeyChecking no
		UserKnownHostsFile /dev/null
		LogLevel ERROR
		KexAlgorithms curve25519-sha256
		ControlMaster auto
		ControlPath $work/connection
		ControlPersist yes
	CONFIG

	cp "$here"/hello/{Makefile,hello.c} /srv/build/hello/
	install -D -m 755 "$here/weblog-report" /usr/local/bin/weblog-report

	# A name server for curl, and a web server on a port that is not one for web servers.
	echo 'nameserver 127.0.0.1' > /etc/resolv.conf
	python3 "$here/name_server.py" > /dev/null 2>&1 &
	busybox httpd -f -p 127.0.0.1:8080 -h /srv/www/private > /dev/null 2>&1 &
	wait_for_port 8080
}

# fetch PATH: what the web server on this machine sends. With the shell's own means: this is not about curl.
fetch() {
	exec 3<> /dev/tcp/127.0.0.1/80 || return
	printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
	cat <&3
	exec 3>&-
}

# serves TEXT PATH
serves() {
	local page

	page=$(fetch "$2")
	echo "$page"
	[[ $page == *"$1"* ]]
}

test_nginx() {
	nginx && wait_for_port 80
	works "nginx serves its page" serves Welcome /
	denied "nginx serves what the mistake gives away" 'HTTP/1.1 403' serves 4111 /img../private/customers.csv
}

# All sessions of one connection: a key exchange takes long in an emulated machine.
remote() {
	ssh -F "$work/ssh_config" "$@"
}

test_sshd() {
	/usr/sbin/sshd
	wait_for_port 22
	works "a login runs a command" says 'ada' remote 127.0.0.1 'id -un'
	works "a login has a terminal" says '/dev/pts/' remote -tt 127.0.0.1 tty
	works "a session works in its home and starts its own programs" says 'made here' remote 127.0.0.1 \
		'printf "#!/bin/sh\necho made here\n" > ~/tool && chmod +x ~/tool && ~/tool | tee /tmp/ada && ps > /dev/null'
	works "sftp fetches a file" sftp -q -F "$work/ssh_config" 127.0.0.1:tool "$work/tool"
	works "a session reaches the web server" remote 127.0.0.1 'exec 3<> /dev/tcp/127.0.0.1/80'
	denied "a session reads what everybody may read" 'Permission denied' remote 127.0.0.1 cat $secret
	denied "a session writes what everybody may write" 'Permission denied' \
		remote 127.0.0.1 "echo >> $secret"
	denied "a session reaches another port" 'Permission denied' \
		remote 127.0.0.1 'exec 3<> /dev/tcp/127.0.0.1/8080'
	remote -O exit 127.0.0.1 2> /dev/null
	stop /run/sshd.pid
}

test_make() {
	local hello=/srv/build/hello

	works "make compiles, links and runs a program" says 'Hello from the build' make -C $hello clean all run
	denied "a rule of make reads a secret" 'Permission denied' make -C $hello read FILE=$secret
	denied "a rule of make writes elsewhere" 'Permission denied' make -C $hello write FILE=/srv/www/private/new
	denied "a rule of make uses the network" 'Permission denied' make -C $hello connect PORT=80
	rm -f /srv/www/private/new
}

test_report() {
	local log=/var/log/nginx/access.log

	rm -f /srv/reports/*
	works "the script writes its report" weblog-report $log /srv/reports/weblog.txt
	works "the report counts the requests" grep -Eq '^200 +[1-9]' /srv/reports/weblog.txt
	denied "the script reads another file" 'Permission denied' weblog-report $secret /srv/reports/other.txt
	denied "the script writes elsewhere" 'Permission denied' weblog-report $log /srv/www/private/report.txt
	works "another program of the same interpreter reads what it likes" says 4111 \
		python3 -c "print(open('$secret').read())"
	rm -f /srv/www/private/report.txt*
}

test_curl() {
	local page=/srv/downloads/index.html

	rm -f $page
	works "curl fetches a page by the name of its host" curl -sSf -o $page http://shop.test/
	works "the page is there" says Welcome cat $page
	denied "curl reaches another port" "Couldn't connect|Failed to connect" \
		curl -sSf -o $page http://127.0.0.1:8080/customers.csv
	# With -s, curl says only that it could not write, each version in other words.
	denied "curl writes elsewhere" 'Failed to open the file' \
		curl --no-progress-meter -f -o /srv/www/private/index.html http://shop.test/
	denied "curl reads a secret" "Couldn't open file" curl -sSf -o $page file://$secret
	rm -f /srv/www/private/index.html
}

test_all() {
	phase=$1
	test_nginx
	test_sshd
	test_make
	test_report
	test_curl
	stop /run/nginx.pid
}

# applied NAME: at some execution, and it never failed.
applied() {
	says "(^|,)$1 true(,|$)" echo "$status"
}

prepare
test_all plain

check "the policies pass check --strict" "$llexec" check --strict "$examples"
check "all of them are loaded" "$llexec" load "$examples"
test_all confined
status=$("$llexec" --json status |
	jq -r '[.policies[] | "\(.name) \(.applied > 0 and .failed == 0)"] | join(",")')
for policy in "$examples"/*.toml; do
	policy=${policy##*/}
	check "$policy was applied" applied "${policy%.toml}"
done
check "this shell is as free as before" says 4111 cat $secret
check "they are unloaded" "$llexec" unload

exit $failed
