#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What llexecd costs, on the built kernel, in the machine that vmtest/run boots.

    vmtest/run --icount --memory 6144 --timeout 3000 --packages python3 -- selftests/bench/daemon.py build/release [--policies N,N,N]

For each number of policies: the time from its start until it enforces, that of a reload with one changed policy, that from the
replacement of one program until its new file is known, its resident memory, and the memory of the kernel. Then executions by more and more processes at once, and how many of their events are
lost; and the same while llexecd is stopped, and how fast it reads what has waited. With --icount the times are instructions,
one for each nanosecond of the guest, and do not depend on the machine that it is run on. All files are in memory: that clock
runs on while the guest waits for its host's disk.
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

ROOT = pathlib.Path("/run/bench")
TOOLS = pathlib.Path("/run/bench-tools")


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
        self.socket.settimeout(1)
        while True:
            try:
                if b"READY=1" in self.socket.recv(4096).split(b"\n"):
                    return
            except TimeoutError:
                if self.process.poll() is not None:
                    self.fail()

    def fail(self):
        sys.exit(f"llexecd: {open(ROOT / 'log').read()[:4000]}")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        self.wait_ready()

    def wait_followed(self):
        """Until a change that it sees by itself is answered."""
        self.socket.settimeout(60)
        while not self.socket.recv(4096).startswith(b"STATUS="):
            pass

    def drain(self, reload):
        """Until it has nothing to do: it reads all of them again, and says nothing until then."""
        self.socket.settimeout(3 + 2 * reload)
        try:
            while True:
                self.socket.recv(4096)
        except TimeoutError:
            pass

    def memory_kib(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def stop(self):
        self.process.terminate()
        if self.process.wait() != 0:
            self.fail()
        self.socket.close()


def policy(number, extra=""):
    return (f'abi = 9\n[[match]]\nexe = ["{ROOT}/bin/p{number}"]\n'
            '[[ruleset]]\nhandled_access_fs = ["abi.all"]\nhandled_access_net = ["abi.all"]\n'
            '[[path_beneath]]\nallowed_access = ["abi.read_execute"]\nparent = ["/usr", "/lib", "/etc"]\n'
            f'[[path_beneath]]\nallowed_access = ["abi.read_write"]\nparent = ["{ROOT}/data/d{number % 100}"{extra}]\n')


def copy_tools(build):
    for name in ["llexec", "llexecd", "libexec/self-test", "selftests/vm/vm_probe"]:
        (TOOLS / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(f"{build}/{name}", TOOLS / name)
    return str(TOOLS)


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


def status(build):
    return json.loads(subprocess.run([f"{build}/llexec", "--json", "status"], check=True, capture_output=True).stdout)


def loaded_generation(build):
    return status(build)["generation"]


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
    daemon.drain(reloaded)  # of the policy's file, too, it is told
    generation = loaded_generation(build)
    program = ROOT / f"bin/p{policies // 2}"
    upgraded = program.with_suffix(".new")
    upgraded.touch(0o755)
    start = time.monotonic()
    upgraded.rename(program)
    daemon.wait_followed()
    followed = time.monotonic() - start
    if loaded_generation(build) == generation:
        sys.exit("the replaced program has not been looked at")
    memory = daemon.memory_kib()
    daemon.stop()
    return started, reloaded, followed, memory, kernel


def events(build, processes, executions):
    """Executions as fast as they go, by so many processes: how long they take, and how many events are lost."""
    make_world(1)
    probe = ROOT / "bin/p0"
    shutil.copy(f"{build}/selftests/vm/vm_probe", probe)
    daemon = Daemon(build)
    daemon.wait_ready()
    launch = [f"{build}/selftests/vm/vm_probe", f"via-repeat:{executions // processes}", "--", str(probe), "layers"]
    start = time.monotonic()
    for process in [subprocess.Popen(launch, stdout=subprocess.DEVNULL) for _ in range(processes)]:
        process.wait()
    elapsed = time.monotonic() - start
    time.sleep(2)
    counted = status(build)
    daemon.stop()
    return elapsed, counted["policies"][0]["matched"], counted["events_lost"]


def held_back(build, executions, policies):
    """llexecd does not run while programs of that many policies are executed: how many events are lost, how many it
    writes down afterwards, and for how long it computes to read them all."""
    make_world(policies)
    for number in range(policies):
        shutil.copy(f"{build}/selftests/vm/vm_probe", ROOT / f"bin/p{number}")
    daemon = Daemon(build)
    daemon.wait_ready()
    time.sleep(2)  # it looks at the replaced programs, and writes its counters
    lines = len(open(ROOT / "log").readlines())
    clock = ~daemon.process.pid << 3 | 2  # clock_getcpuclockid(3)
    start = time.clock_gettime(clock)
    daemon.process.send_signal(signal.SIGSTOP)
    for number in range(policies):
        subprocess.run([f"{build}/selftests/vm/vm_probe", f"via-repeat:{executions // policies}", "--",
                        ROOT / f"bin/p{number}", "layers"], check=True, stdout=subprocess.DEVNULL)
    lost = status(build)["events_lost"]
    daemon.process.send_signal(signal.SIGCONT)
    time.sleep(3)
    computed = time.clock_gettime(clock) - start
    written = sum(": applied: " in line for line in open(ROOT / "log").readlines()[lines:])
    daemon.stop()
    return lost, written, computed


def main():
    parser = argparse.ArgumentParser(description="What llexecd costs.")
    parser.add_argument("build")
    parser.add_argument("--policies", default="10,1000,10000", type=lambda text: list(map(int, text.split(","))) if text else [],
                        help="none: leave that part out")
    parser.add_argument("--executions", type=int, default=1600)
    options = parser.parse_args()
    build = copy_tools(os.path.abspath(options.build))
    measure(build, 1)  # reads the programs and the kernel's BTF for the first time
    print("policies  start s  reload s  ms each  followed s  MB resident  kernel MiB")
    for policies in options.policies:
        started, reloaded, followed, memory, kernel = measure(build, policies)
        print(f"{policies:8}  {started:7.2f}  {reloaded:8.2f}  {1000 * reloaded / policies:7.2f}  {followed:10.2f}  "
              f"{memory / 1024:11.1f}  {kernel / 1024:10.1f}", flush=True)
    print("processes  executions  seconds  a second  events lost")
    for processes in [1, 4, 16, 64]:
        elapsed, executions, lost = events(build, processes, options.executions)
        print(f"{processes:9}  {executions:10}  {elapsed:7.2f}  {executions / elapsed:8.0f}  {lost:11}", flush=True)
    print("policies  executions  events lost  written down  ms to read them  events a second")
    for policies, executions in [(1, 1500), (5, 1000), (1, 3000)]:
        lost, written, computed = held_back(build, executions, policies)
        print(f"{policies:8}  {executions:10}  {lost:11}  {written:12}  {1000 * computed:15.1f}  "
              f"{(executions - lost) / computed:15.0f}", flush=True)
    llexec(build, "unload")


main()
