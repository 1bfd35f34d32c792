# shellcheck shell=bash disable=SC2154 # of lib.sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What is to be kept from services, and services that show whether it is: each
# tries something at its start that leaves a trace. Sourced, not run.

# Without policies, all of it works.
prepare_secret() {
	mkdir -p /srv/secret
	echo secret > "$secret"
	# Read once, by the execution that a service begins with.
	echo 'server { listen 8081; }' > /srv/secret/extra.nginx
	printf 'include /srv/secret/*.nginx;\n' > /etc/nginx/conf.d/secret.conf
	echo 'Port 2222' > /srv/secret/extra.sshd
	printf 'Port 22\nInclude /srv/secret/*.sshd\n' > /etc/ssh/sshd_config.d/secret.conf
	# What cron starts is in cron's domain.
	cat > /etc/cron.d/secret <<-CRON
		@reboot root cat $secret > /var/tmp/cron.out 2>&1; echo "exit \$?" >> /var/tmp/cron.out
	CRON
	chmod 644 "$secret" /srv/secret/*
}

# shellcheck disable=SC2016 # awk
write_policy() {
	local parents

	# All that is in /, but for /srv; and nothing else is denied.
	parents=$(find / -mindepth 1 -maxdepth 1 ! -name srv ! -name lost+found -printf '"%p", ')
	mkdir -p /etc/llexec/policies.d
	cat > "$policy" <<-POLICY
		abi = 1
		[[match]]
		exe = ["/usr/sbin/nginx", "/usr/sbin/sshd", "/usr/sbin/cron", "$probe"]
		[[ruleset]]
		handled_access_fs = ["read_file", "read_dir"]
		[[path_beneath]]
		allowed_access = ["read_file", "read_dir"]
		parent = [${parents%, }]
	POLICY
}

# Services that are wanted before most others are started, with and without what
# systemd orders by itself; and one that must not run unconfined.
write_early_services() {
	local dir=/etc/systemd/system

	cat > $dir/early.service <<-UNIT
		[Unit]
		DefaultDependencies=no
		After=llexecd.service
		Before=sysinit.target
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		SuccessExitStatus=2 3
		ExecStart=$probe $secret $public
		[Install]
		WantedBy=sysinit.target
	UNIT
	cat > $dir/wanted-early.service <<-UNIT
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		SuccessExitStatus=2 3
		ExecStart=$probe $secret $public
		[Install]
		WantedBy=sysinit.target
	UNIT
	cat > $dir/needs-llexec.service <<-UNIT
		[Unit]
		Requires=llexecd.service
		After=llexecd.service
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		SuccessExitStatus=2 3
		ExecStart=$probe $secret $public
		[Install]
		WantedBy=multi-user.target
	UNIT
	systemctl daemon-reload
	systemctl enable --quiet early.service wanted-early.service needs-llexec.service
}

prepare() {
	check "the probe's package can be installed" dpkg -i "$debs"/llexec-test-probe_1_amd64.deb
	prepare_secret
}
