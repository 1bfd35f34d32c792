#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What llexecd costs, on the built kernel, in the machine that vmtest/run boots.

    vmtest/run --icount --memory 6144 --timeout 3000 --packages python3 -- selftests/bench/daemon.py build/release [--policies N,N,N]

For each number of policies: the time from its start until it enforces, that of a reload with one changed policy, its resident
memory, and the memory of the kernel. Then executions until events are lost. With --icount the times are
instructions, one for each nanosecond of the guest, and do not depend on the machine that it is run on.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path("/srv/bench")


class Daemon:
    """A running llexecd, with its notifications."""

    def __init__(self, build):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = ROOT / "notify"
        path.unlink(missing_ok=True)
        self.socket.bind(str(path))
        self.process = subprocess.Popen(
            [f"{build}/llexecd", "--policies", ROOT / "policies.d", "--state", ROOT / "state", "--config", ROOT / "llexecd.toml",
             "--self-test-program", f"{build}/libexec/self-test", "--log", "json"],
            env=os.environ | {"NOTIFY_SOCKET": str(path)}, stderr=open(ROOT / "log", "w"))

    def wait_ready(self):
        while b"READY=1" not in self.socket.recv(4096).split(b"\n"):
            pass

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        self.wait_ready()

    def memory_kib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def stop(self):
        self.process.terminate()
        if self.process.wait() != 0:
            sys.exit(f"llexecd: {open(ROOT / 'log').read()}")
        self.socket.close()


def policy(number, extra=""):
    return (f'abi = 9\n[[match]]\nexe = ["{ROOT}/bin/p{number}"]\n'
            '[[ruleset]]\nhandled_access_fs = ["abi.all"]\nhandled_access_net = ["abi.all"]\n'
            '[[path_beneath]]\nallowed_access = ["abi.read_execute"]\nparent = ["/usr", "/lib", "/etc"]\n'
            f'[[path_beneath]]\nallowed_access = ["abi.read_write"]\nparent = ["{ROOT}/data/d{number % 100}"{extra}]\n')


def make_world(policies):
    shutil.rmtree(ROOT, ignore_errors=True)
    for directory in ["policies.d", "state", "bin"] + [f"data/d{number}" for number in range(100)]:
        (ROOT / directory).mkdir(parents=True)
    (ROOT / "llexecd.toml").write_text('metrics = ""\n')
    for number in range(policies):
        (ROOT / f"bin/p{number}").touch(0o755)
        (ROOT / f"policies.d/{number:05}.toml").write_text(policy(number))


def kernel_kib():
    """Memory that the kernel cannot give back: maps and rulesets are in it."""
    names = {"SUnreclaim:", "VmallocUsed:", "Percpu:"}
    return sum(int(line.split()[1]) for line in open("/proc/meminfo") if line.split()[0] in names)


def llexec(build, *arguments):
    subprocess.run([f"{build}/llexec", *arguments], check=True, stdout=subprocess.DEVNULL)


def measure(build, policies):
    make_world(policies)
    llexec(build, "unload")
    time.sleep(5)  # the kernel frees what was there in its own time
    before = kernel_kib()
    start = time.monotonic()
    daemon = Daemon(build)
    daemon.wait_ready()
    started = time.monotonic() - start
    kernel = kernel_kib() - before
    # The name of a policy that is in the middle.
    changed = ROOT / f"policies.d/{policies // 2:05}.toml"
    changed.write_text(policy(policies // 2, ', "/var/tmp"'))
    start = time.monotonic()
    daemon.reload()
    reloaded = time.monotonic() - start
    memory = daemon.memory_kib()
    daemon.stop()
    return started, reloaded, memory, kernel


def events(build, executions):
    """Executions one after the other, as fast as they go: how many are reported, and lost."""
    make_world(1)
    probe = ROOT / "bin/p0"
    shutil.copy(f"{build}/selftests/vm/vm_small_probe", probe)
    daemon = Daemon(build)
    daemon.wait_ready()
    start = time.monotonic()
    for _ in range(executions):
        os.waitpid(os.posix_spawn(probe, [str(probe)], {}), 0)
    elapsed = time.monotonic() - start
    time.sleep(2)
    status = json.loads(subprocess.run([f"{build}/llexec", "--json", "status"], check=True, capture_output=True).stdout)
    daemon.stop()
    return elapsed, status["events_lost"]


def main():
    parser = argparse.ArgumentParser(description="What llexecd costs.")
    parser.add_argument("build")
    parser.add_argument("--policies", default="10,1000,10000")
    parser.add_argument("--executions", type=int, default=2000)
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    measure(build, 1)  # reads the programs and the kernel's BTF for the first time
    print("policies  start s  reload s  ms each  MB resident  kernel MiB")
    for policies in map(int, options.policies.split(",")):
        started, reloaded, memory, kernel = measure(build, policies)
        print(f"{policies:8}  {started:7.2f}  {reloaded:8.2f}  {1000 * reloaded / policies:7.2f}  {memory / 1024:11.1f}  "
              f"{kernel / 1024:10.1f}", flush=True)
    elapsed, lost = events(build, options.executions)
    print(f"{options.executions} executions in {elapsed:.2f} s, {options.executions / elapsed:.0f} a second: {lost} events lost")
    llexec(build, "unload")


main()
