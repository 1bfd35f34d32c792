#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What an event costs on its way to the journal of a real system, where llexec is installed.

    vmtest/run --image IMAGE --icount --timeout 1800 -- selftests/bench/journal.py build/release

IMAGE: the one that vmtest/system-test names. llexecd is stopped while programs are executed, so that all events wait
in the ring buffer, and then reads them: the time that the CPU spends in llexecd and in journald is what limits how many
events a second arrive. With --icount it is instructions, one for each nanosecond.
"""
import argparse
import json
import pathlib
import subprocess
import time

PROGRAMS = pathlib.Path("/usr/local/lib/bench")
POLICIES = pathlib.Path("/etc/llexec/policies.d")
# No more of each, and of all together, than are written in ten seconds.
NAMES = [f"bench-{number}" for number in range(4)]
EXECUTIONS = 240
SERVICES = ["llexecd.service", "systemd-journald.service"]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def status():
    return json.loads(run("llexec", "--json", "status"))


def load(probe):
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (PROGRAMS / name).write_bytes(probe.read_bytes())
        (PROGRAMS / name).chmod(0o755)
        (POLICIES / f"{name}.toml").write_text(
            f'abi = 1\n[[match]]\nexe = ["{PROGRAMS / name}"]\n[[ruleset]]\nhandled_access_fs = ["make_block"]\n')
    run("systemctl", "restart", "llexecd.service")
    assert {policy["name"] for policy in status()["policies"]} >= set(NAMES)
    time.sleep(5)  # it writes down what it has loaded


def microseconds(service):
    text = pathlib.Path(f"/sys/fs/cgroup/system.slice/{service}/cpu.stat").read_text()
    return int(dict(line.split() for line in text.splitlines())["usage_usec"])


def arrived():
    return sum(len(run("journalctl", "--quiet", "--boot", "--output=cat", f"LLEXEC_POLICY={name}", "LLEXEC_OUTCOME=applied").splitlines())
               for name in NAMES)


def measure(probe):
    before = {service: microseconds(service) for service in SERVICES}
    already = arrived()
    run("systemctl", "kill", "--signal=STOP", "llexecd.service")
    for name in NAMES:
        run(probe, f"via-repeat:{EXECUTIONS}", "--", PROGRAMS / name, "layers")
    run("systemctl", "kill", "--signal=CONT", "llexecd.service")
    time.sleep(10)
    # The journal is read afterwards: that takes time, too, but not of these services.
    used = [microseconds(service) - before[service] for service in SERVICES]
    return arrived() - already, status()["events_lost"], used


def main():
    parser = argparse.ArgumentParser(description="What an event costs on its way to the journal.")
    parser.add_argument("build", type=pathlib.Path)
    probe = parser.parse_args().build / "selftests/vm/vm_probe"
    load(probe)
    print("executions  in the journal  lost  us in llexecd  us in journald  events a second of one CPU")
    for _ in range(3):
        written, lost, (daemon, journal) = measure(probe)
        print(f"{len(NAMES) * EXECUTIONS:10}  {written:14}  {lost:4}  {daemon / written:13.1f}  {journal / written:14.1f}  "
              f"{1e6 * written / (daemon + journal):26.0f}", flush=True)
    for name in NAMES:
        (POLICIES / f"{name}.toml").unlink()


main()
