"""Starts a job's program, outlives every process of it, and records how it ended.

    supervise.py CONTROL [--claim HANDLE] [--log FILE] [--ranks N] -- PYTHON PROGRAM.py job.json

CONTROL is a folder of this attempt alone. `claim.json` there (with --claim) is the fence: the first supervisor makes it,
any other leaves without starting anything. `exit.json` there is written after the last process of the job is gone, so
that whoever comes later learns the exit code although nobody was watching. Standard library only: it runs before, and
beside, anything that may be broken.

SIGTERM goes on to the program, which passes it to its ranks; not to every descendant, because a data loader's worker
that ends early takes the rank down before it could save. It goes on once, because torchrun stops to wait for its ranks
at a second one. SIGUSR1 kills everything at once. The files `stop` and `kill` in CONTROL mean the same as these signals:
whoever sees the folder can tell every node's supervisor, whatever pids and containers they are in.

On Linux orphans are adopted (PR_SET_CHILD_SUBREAPER), so ranks in sessions of their own are found as well, and the
program dies with the supervisor (PR_SET_PDEATHSIG). Elsewhere only what is still below the supervisor is killed.
"""

import argparse
import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import NoReturn

from process_tree import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, kill_all, oom_kills, prctl, reap_until, start_time

INTERRUPTED = 75
CONFIG_OR_DATA = {*range(64, 79)} - {INTERRUPTED}
# torchrun kills its ranks 30 s after SIGTERM unless told otherwise; a checkpoint of 7B parameters takes longer
SHUTDOWN_SECONDS = 24 * 3600
# between two looks for orders in CONTROL
ORDERS_SECONDS = 1.0


def write_durably(path: str, value: dict[str, object]) -> None:
    with open(f"{path}.tmp", "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.tmp", path)


def claim(control: str, handle: str) -> bool:
    """Makes claim.json with its whole content at once, or tells that another supervisor was first."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    mine = {**json.loads(handle), "id": f"{os.getpid()}:{start_time(os.getpid())}", "startedAt": now}
    draft = os.path.join(control, f"claim.{os.getpid()}.tmp")
    with open(draft, "w") as file:
        json.dump(mine, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, os.path.join(control, "claim.json"))
        return True
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)


def exit_code(status: int, ranks: int, control: str) -> int:
    """The program's code, 128 + n for a signal. torchrun answers 1 whatever its ranks said, so theirs come first."""
    if ranks > 1 and status != 0:
        codes = [read_code(os.path.join(control, f"rank-{rank}.code")) for rank in range(ranks)]
        refused = [code for code in codes if code is not None and code in CONFIG_OR_DATA]
        if refused:
            return min(refused)
        if all(code in (0, INTERRUPTED) for code in codes) and INTERRUPTED in codes:
            return INTERRUPTED
    return 128 - status if status < 0 else status


def read_code(path: str) -> int | None:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def run_rank(control: str, argv: list[str]) -> NoReturn:
    """
    One rank under torchrun: runs the program in this very process, leaves its exit code for the supervisor, and is gone. What
    the interpreter would do at its end, the threads of a process group can abort, and a rank that did all its work would be
    told as a crash.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    program = argv[1]
    sys.argv = argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    code: object = 1
    try:
        runpy.run_path(program, run_name="__main__")
        code = 0
    except SystemExit as leaving:
        code = 0 if leaving.code is None else leaving.code
    except BaseException:
        traceback.print_exc()
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    with open(os.path.join(control, f"rank-{os.environ['RANK']}.code"), "w") as file:
        file.write(str(code))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code & 0xFF)


def launch(control: str, ranks: int, argv: list[str]) -> list[str]:
    if ranks == 1:
        return argv
    torchrun = [argv[0], "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    rank = [argv[0], os.path.abspath(__file__), control, "rank", *argv]
    return [*torchrun, "--shutdown-timeout", str(SHUTDOWN_SECONDS), "--no-python", *rank]


def supervise(control: str, ranks: int, argv: list[str]) -> int:
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    mark = f"{os.getpid()}:{start_time(os.getpid())}"
    # Blocked and waited for: a request that comes before the program exists is kept until it does.
    awaited = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    # A handler that does nothing, since a system may drop a blocked signal that would be ignored anyway.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    kills_before = oom_kills()

    def prepare_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)

    # The marker is how the ranks are found should this process be killed outright.
    environment = {**os.environ, "ZEPHYR_JOB": mark}
    program = subprocess.Popen(launch(control, ranks, argv), stdin=subprocess.DEVNULL, env=environment, preexec_fn=prepare_child)
    threading.Thread(target=obey_files, args=(control,), daemon=True).start()
    stopped, killed = False, False
    status: int | None = None
    while status is None:
        received = signal.sigwait(awaited)
        if received == signal.SIGCHLD:
            status = reap_until(program.pid)
        elif received == signal.SIGUSR1:
            killed = True
            os.kill(program.pid, signal.SIGKILL)
        elif not stopped:
            stopped = True
            os.kill(program.pid, signal.SIGTERM)
    kill_all()
    code = exit_code(status, ranks, control)
    # a program that says why it ends lived to say so: what was killed for memory was a child of it
    spoke = code == 0 or code == INTERRUPTED or code in CONFIG_OR_DATA
    died = ranks > 1 or code == 128 + signal.SIGKILL
    out_of_memory = died and not spoke and not killed and oom_kills() > kills_before
    ended = datetime.now(UTC).isoformat()
    write_durably(os.path.join(control, "exit.json"), {"id": mark, "code": code, "outOfMemory": out_of_memory, "endedAt": ended})
    return code


def obey_files(control: str) -> None:
    """Sends this process the signal that a file of CONTROL stands for. Listing a folder asks a network disk anew."""
    orders = {"stop": signal.SIGTERM, "kill": signal.SIGUSR1}
    while orders:
        time.sleep(ORDERS_SECONDS)
        try:
            names = os.listdir(control)
        except OSError:
            # a network disk that does not answer now may do so the next time
            continue
        for name in [name for name in orders if name in names]:
            os.kill(os.getpid(), orders.pop(name))


def main() -> int:
    if sys.argv[2:3] == ["rank"]:
        run_rank(sys.argv[1], sys.argv[3:])
    split = sys.argv.index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("control")
    parser.add_argument("--claim")
    parser.add_argument("--log")
    parser.add_argument("--ranks", type=int, default=1)
    options = parser.parse_args(sys.argv[1:split])
    if options.log:
        log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
    if options.claim and not claim(options.control, options.claim):
        return 0
    return supervise(os.path.abspath(options.control), options.ranks, sys.argv[split + 1 :])


if __name__ == "__main__":
    sys.exit(main())
