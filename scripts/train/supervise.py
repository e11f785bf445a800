"""Starts a job's program, outlives every process of it, and records how it ended.

    supervise.py CONTROL [--claim HANDLE] [--log FILE] [--ranks N]
        [--nodes N --node-rank R --rendezvous HOST:PORT] -- PYTHON PROGRAM.py job.json

CONTROL is a folder of this attempt alone. `claim.json` there (with --claim) is the fence: the first supervisor makes it,
any other leaves without starting anything. `exit.json` there is written after the last process of the job is gone, so
that whoever comes later learns the exit code although nobody was watching. Standard library only: it runs before, and
beside, anything that may be broken.

SIGTERM goes on to the program, which passes it to its ranks; not to every descendant, because a data loader's worker
that ends early takes the rank down before it could save. It goes on once, because torchrun stops to wait for its ranks
at a second one. SIGUSR1 kills everything at once. The files `stop` and `kill` in CONTROL mean the same as these signals:
whoever sees the folder can tell every node's supervisor, whatever pids and containers they are in.

A job on several nodes has a supervisor on each, and CONTROL is on a disk that all of them see: `peers.py`. N ranks run on each
node, global rank R x N + i on node R (`auto`: SLURM_NODEID), and HOST is node 0, where torchrun's store takes PORT or the next
one that is free. SIGTERM to one supervisor stops the job on all nodes. Nodes but the first write a log of their own,
`log.node-R.txt` beside `log.txt`. Each supervisor leaves with the code of the whole job.

On Linux orphans are adopted (PR_SET_CHILD_SUBREAPER), so ranks in sessions of their own are found as well, and the
program dies with the supervisor (PR_SET_PDEATHSIG). Elsewhere only what is still below the supervisor is killed.
"""

import argparse
import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import NoReturn

from peers import CONFIG_OR_DATA, INTERRUPTED, KILLED, End, Peers, Place, insist, write_record
from process_tree import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, kill_all, oom_kills, prctl, reap_until, start_time

# torchrun kills its ranks 30 s after SIGTERM unless told otherwise; a checkpoint of 7B parameters takes longer
SHUTDOWN_SECONDS = 24 * 3600
# between two looks for orders in CONTROL
ORDERS_SECONDS = 1.0
# between two signs of life of a supervisor that has no peers; those have signs of their own
SIGN_SECONDS = 5.0


def write_draft(path: str, value: dict[str, object]) -> str:
    draft = f"{path}.{socket.gethostname()}.{os.getpid()}.tmp"
    with open(draft, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    return draft


def write_first(path: str, value: dict[str, object]) -> bool:
    """Makes the file with its whole content at once; False where another process was first. The disk must have hard links."""
    draft = write_draft(path, value)
    try:
        os.link(draft, path)
        return True
    except FileExistsError:
        return False
    finally:
        os.unlink(draft)


def claim(control: str, handle: str) -> bool:
    """Makes claim.json with its whole content at once, or tells that another supervisor was first."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    mine = {**json.loads(handle), "id": f"{os.getpid()}:{start_time(os.getpid())}", "startedAt": now}
    return write_first(os.path.join(control, "claim.json"), mine)


def exit_code(status: int, codes: list[int | None]) -> int:
    """
    The program's code, 128 + n for a signal. torchrun answers 1 whatever its ranks said, so theirs (`codes`, none without
    torchrun) come first; also where all of them did their work, and torchrun itself stumbled at the end.
    """
    if codes and status != 0:
        refused = [code for code in codes if code is not None and code in CONFIG_OR_DATA]
        if refused:
            return min(refused)
        if all(code in (0, INTERRUPTED) for code in codes):
            return max(code for code in codes if code is not None)
        # the others fail because one of them is gone
        if KILLED in codes:
            return KILLED
    return 128 - status if status < 0 else status


def read_code(path: str) -> int | None:
    """What a rank left: its exit code, `KILLED` where it began and left none, None where it never began."""
    try:
        with open(path) as file:
            said = file.read()
    except OSError:
        return None
    return int(said) if said.strip() else KILLED


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
    path = os.path.join(control, f"rank-{os.environ['RANK']}.code")
    # blanks say that it began, and hold the room that its code needs where the disk is full by then
    with open(path, "w") as file:
        file.write("   ")
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
    with open(path, "r+") as file:
        file.write(str(code & 0xFF))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code & 0xFF)


def launch(control: str, ranks: int, peers: Peers | None, argv: list[str]) -> list[str]:
    if ranks == 1 and peers is None:
        return argv
    torchrun = [argv[0], "-m", "torch.distributed.run", "--nproc-per-node", str(ranks)]
    if peers is None:
        torchrun.append("--standalone")
    else:
        # torchrun's static rendezvous needs one port alone, and a rank's number follows from its node
        where = {"--nnodes": peers.place.nodes, "--node-rank": peers.place.rank, "--master-addr": peers.place.host, "--master-port": peers.port()}
        torchrun += [str(word) for option in where.items() for word in option]
    rank = [argv[0], os.path.abspath(__file__), control, "rank", *argv]
    return [*torchrun, "--shutdown-timeout", str(SHUTDOWN_SECONDS), "--no-python", *rank]


def supervise(control: str, ranks: int, peers: Peers | None, argv: list[str]) -> int:
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

    threading.Thread(target=obey_files, args=(control, peers is None), daemon=True).start()
    if peers is not None:
        peers.start()
        # the thread of `peers` says with SIGCHLD that all are there; any other signal means that there is nothing to start
        while not peers.is_ready:
            received = signal.sigwait(awaited)
            if received != signal.SIGCHLD:
                tell(peers, "stop")
                return conclude(control, mark, peers.conclude({"code": INTERRUPTED, "outOfMemory": False}, []), False)
    # The marker is how the ranks are found should this process be killed outright.
    environment = {**os.environ, **({} if peers is None else peers.network()), "ZEPHYR_JOB": mark}
    words = launch(control, ranks, peers, argv)
    program = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment, preexec_fn=prepare_child)
    status, killed = outlive(program.pid, awaited, peers)
    kill_all()
    first = 0 if peers is None else peers.place.rank * ranks
    under_torchrun = ranks > 1 or peers is not None
    codes = [read_code(os.path.join(control, f"rank-{first + rank}.code")) for rank in range(ranks)] if under_torchrun else []
    code = exit_code(status, codes)
    # a program that says why it ends lived to say so: what was killed for memory was a child of it
    spoke = code == 0 or code == INTERRUPTED or code in CONFIG_OR_DATA
    died = under_torchrun or code == KILLED
    out_of_memory = died and not spoke and not killed and oom_kills() > kills_before
    end: End = {"code": code, "outOfMemory": out_of_memory}
    return conclude(control, mark, end if peers is None else peers.conclude(end, codes), peers is None)


def outlive(program: int, awaited: set[signal.Signals], peers: Peers | None) -> tuple[int, bool]:
    """Waits until the program has ended and passes signals on meanwhile. Its status, and whether it was to be killed."""
    stopped, killed = False, False
    while True:
        received = signal.sigwait(awaited)
        if received == signal.SIGCHLD:
            status = reap_until(program)
            if status is not None:
                return status, killed
        elif received == signal.SIGUSR1:
            killed = True
            tell(peers, "kill")
            os.kill(program, signal.SIGKILL)
        elif not stopped:
            stopped = True
            tell(peers, "stop")
            os.kill(program, signal.SIGTERM)


def tell(peers: Peers | None, order: str) -> None:
    # a node that only follows another one has nothing to tell
    if peers is not None and peers.cause is None:
        # a full disk keeps no node from obeying; the others follow when this one has ended
        with contextlib.suppress(OSError):
            peers.order(order)


def conclude(control: str, mark: str, end: End, is_alone: bool) -> int:
    """Writes how the job ended, unless the supervisor of another node has."""
    path, value = os.path.join(control, "exit.json"), {"id": mark, **end, "endedAt": datetime.now(UTC).isoformat()}
    if is_alone:
        os.replace(write_draft(path, value), path)
    else:
        insist(lambda: write_first(path, value))
    return int(end["code"])


def obey_files(control: str, is_alone: bool) -> None:
    """
    Sends this process the signal that a file of CONTROL stands for. Listing a folder asks a network disk anew. One that is
    alone also keeps `node-0.json` there, whose rising number tells that it lives.
    """
    orders = {"stop": signal.SIGTERM, "kill": signal.SIGUSR1}
    beat, sign_at = 0, time.monotonic()
    while True:
        if is_alone and time.monotonic() >= sign_at:
            beat, sign_at = beat + 1, time.monotonic() + SIGN_SECONDS
            # a disk that is full, or does not answer, ends nothing
            with contextlib.suppress(OSError):
                write_record(control, 0, {"beat": beat})
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
    options = parser().parse_args(sys.argv[1:split])
    control, peers = os.path.abspath(options.control), None
    if options.nodes > 1:
        host, _, port = options.rendezvous.rpartition(":")
        rank = int(os.environ["SLURM_NODEID"] if options.node_rank == "auto" else options.node_rank)
        peers = Peers(control, Place(options.nodes, rank, host, int(port), options.join, options.silence))
    if options.log:
        path, ending = os.path.splitext(options.log)
        name = options.log if peers is None or peers.place.rank == 0 else f"{path}.node-{peers.place.rank}{ending}"
        log = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
    if options.claim and not claim(options.control, options.claim):
        return 0
    return supervise(control, options.ranks, peers, sys.argv[split + 1 :])


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("control")
    parser.add_argument("--claim")
    parser.add_argument("--log")
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--node-rank", default="auto")
    parser.add_argument("--rendezvous", default="127.0.0.1:29500")
    # an image may have to be loaded on one node and not on another
    parser.add_argument("--join", type=float, default=600.0, help="seconds until a node that has not come is given up")
    # a network disk may keep a node waiting for a while
    parser.add_argument("--silence", type=float, default=60.0, help="seconds without a sign of life until a node counts as gone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
