"""The processes below this one: found, collected, killed. Standard library only, as the supervisor that uses it."""

import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"


def prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def start_time(pid: int) -> str:
    """What tells this process from a later one with the same pid: clock ticks since boot, or `ps`'s start date."""
    if LINUX:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    return subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()


def parents() -> dict[int, int]:
    """Parent by pid, of every process that can be seen."""
    if not LINUX:
        lines = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True).stdout.splitlines()
        return {int(pid): int(parent) for pid, parent in (line.split() for line in lines)}
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    table[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
    return table


def descendants() -> list[int]:
    table = parents()
    found, frontier = [], [os.getpid()]
    while frontier:
        frontier = [pid for pid, parent in table.items() if parent in frontier and pid != parent]
        found += frontier
    return found


def reap(seconds: float = 0.0) -> bool:
    """Collects children that ended; True once there are none left."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)


def kill_all() -> None:
    """Kills until nothing is left: a process may fork between the look and the kill, so one round is not enough."""
    while not reap():
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap(0.1)


def oom_kills() -> int:
    """Processes that the kernel killed for memory, here and in this cgroup. Only a rise means anything."""
    total = 0
    for place in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control", "/proc/vmstat"):
        try:
            with open(place) as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
        except OSError:
            continue
    return total


def reap_until(wanted: int) -> int | None:
    """Collects whatever ended, adopted orphans included; the exit status of `wanted` if it was among them."""
    while True:
        pid, raw = os.waitpid(-1, os.WNOHANG)
        if pid == wanted:
            return os.waitstatus_to_exitcode(raw)
        if pid == 0:
            return None
