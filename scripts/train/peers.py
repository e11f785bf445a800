"""The supervisors of one job on several nodes: they meet, watch one another and end together.

Each keeps a file of its own in the control folder, on a disk that all of them see: `node-R.json` with a number that rises,
what the others must know of this node, and at last how its processes ended. It is written in place and opened anew for each
look, because an open is when a network disk asks for what is new (NFS, close-to-open consistency). Clocks of two nodes are
never compared: a node counts as gone when its number stood still while this node's own went on rising, so a disk that holds
up everybody ends nobody. Standard library only.
"""

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from node_network import interface_of, own_address, reserve

INTERRUPTED = 75
CONFIG_OR_DATA = {*range(64, 79)} - {INTERRUPTED}
KILLED = 128 + signal.SIGKILL
BEAT_SECONDS = 1.0
# how long a node may go on after another one failed, to say why it fails too; and after one that ended well, to save
LAST_WORDS_SECONDS, LAST_SAVE_SECONDS = 5.0, 1800.0
# how long a disk that does not answer, or is full, is waited for once this node is through
DISK_SECONDS = 300.0
# a record has this length at all times, so that none is ever read between a cut and a write
RECORD_BYTES = 4096

End = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where this node stands among the others, and where they meet."""

    nodes: int
    rank: int
    host: str
    port: int
    # seconds until a node that did not come, or that stands still, is given up
    join: float
    silence: float


@dataclass
class Peer:
    """Another node, as far as this one can see."""

    record: dict[str, Any] | None = None
    # seconds of this node for which there was nothing new
    quiet: float = 0.0


@dataclass
class Peers:
    control: str
    place: Place
    # what the others are told of this node
    record: dict[str, Any] = field(default_factory=dict)
    others: dict[int, Peer] = field(default_factory=dict)
    # why this node ends its processes: another one came to its end
    cause: str | None = None
    # held from the choice of the port on, without listening, so that no other job of this node chooses it
    reserved: socket.socket | None = None
    is_ready: bool = False
    # the thread that beats and the one that concludes write one record, and the older must not come last
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _sent: set[int] = field(default_factory=set)
    _since: float | None = None

    def start(self) -> None:
        """Begins to tell of this node and to look at the others. The signals that the caller waits for must be blocked."""
        self.others = {rank: Peer() for rank in range(self.place.nodes) if rank != self.place.rank}
        self.record = {"beat": 0, "address": None if self.place.rank == 0 else own_address(self.place.host), "port": None, "end": None}
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self) -> None:
        before = time.monotonic()
        while True:
            try:
                self.write()
                now = time.monotonic()
                # a round that was held up says nothing about the others
                self.look(min(now - before, 2 * BEAT_SECONDS))
                before = now
            except OSError:
                # the disk does not answer, or is full; it may do better the next time
                before = time.monotonic()
            if self.record["end"] is None:
                self.act()
            time.sleep(BEAT_SECONDS)

    def write(self) -> None:
        with self._writing:
            self.record["beat"] += 1
            write_record(self.control, self.place.rank, self.record)

    def look(self, elapsed: float) -> None:
        # listing a folder asks a network disk anew which files there are
        there = os.listdir(self.control)
        for rank, peer in self.others.items():
            record = read_record(os.path.join(self.control, f"node-{rank}.json")) if f"node-{rank}.json" in there else None
            if record is not None and (peer.record is None or record["beat"] != peer.record["beat"]):
                peer.record, peer.quiet = record, 0.0
            else:
                peer.quiet += elapsed

    def is_gone(self, rank: int) -> bool:
        peer = self.others[rank]
        return peer.quiet > (self.place.join if peer.record is None else self.place.silence)

    def end_of(self, rank: int) -> End | None:
        record = self.others[rank].record
        return None if record is None else record["end"]

    def act(self) -> None:
        """Sends this process the signal that follows from how the others are: all is set, stop, or kill."""
        gone = [rank for rank in self.others if self.end_of(rank) is None and self.is_gone(rank)]
        if gone:
            came = self.others[gone[0]].record is not None
            self.end(self.silent(gone[0]) if came else self.missing(gone[0]), 0.0)
        ends = {rank: end for rank in self.others if (end := self.end_of(rank)) is not None}
        for rank, end in ends.items():
            failed = end["code"] not in (0, INTERRUPTED)
            if end["code"] == INTERRUPTED:
                self.send(signal.SIGTERM)
            self.end(f"node {rank} ended with {end['code']}", LAST_WORDS_SECONDS if failed else LAST_SAVE_SECONDS)
        if not self.is_ready and not ends and not gone and self.prepare():
            self.is_ready = True
            # a signal that changes nothing wakes up who waits for one
            os.kill(os.getpid(), signal.SIGCHLD)

    def silent(self, rank: int) -> str:
        return f"node {rank} of {self.place.nodes} gave no sign of life for {self.place.silence:g} s"

    def missing(self, rank: int) -> str:
        return f"node {rank} of {self.place.nodes} did not come within {self.place.join:g} s"

    def end(self, cause: str, after: float) -> None:
        """Has this node's processes killed, at once where they have not begun: what is there then has nothing to save."""
        now = time.monotonic()
        self._since = self._since or now
        if not self.is_ready or now - self._since >= after:
            if self.cause is None:
                self.cause = cause
                print(f"supervisor of node {self.place.rank}: {cause}, so this one ends too", file=sys.stderr, flush=True)
            self.send(signal.SIGUSR1)

    def send(self, number: int) -> None:
        if number not in self._sent:
            self._sent.add(number)
            os.kill(os.getpid(), number)

    def prepare(self) -> bool:
        """Whether all have come and know the port, which node 0 chooses once they have."""
        if any(peer.record is None for peer in self.others.values()):
            return False
        if self.place.rank == 0:
            self.reserved = self.reserved or reserve(self.place.port)
            self.record["port"] = self.reserved.getsockname()[1]
        return self.port() is not None

    def port(self) -> int | None:
        record = self.record if self.place.rank == 0 else self.others[0].record
        return None if record is None else record["port"]

    def network(self) -> dict[str, str]:
        """
        Variables by which gloo, and NCCL on one machine alone, use the network by which the nodes see one another: gloo goes
        by the host's name, which on Debian leads to the loopback. Nothing where somebody has set them.
        """
        mine = self.record["address"]
        if self.place.rank == 0:
            record = self.others[1].record
            mine = own_address(record["address"]) if record is not None and record["address"] is not None else None
        name = None if mine is None else interface_of(mine)
        if name is None:
            return {}
        wanted = ["GLOO_SOCKET_IFNAME", *(["NCCL_SOCKET_IFNAME"] if mine is not None and mine.startswith("127.") else [])]
        return {variable: name for variable in wanted if variable not in os.environ}

    def order(self, name: str) -> None:
        """Tells the supervisors of all nodes to stop, or to kill."""
        with open(os.path.join(self.control, name), "a"):
            pass

    def conclude(self, end: End, codes: list[int | None]) -> End:
        """
        Tells how this node ended and waits for the others, as long as they are there: the first of those decides how the job
        ended, and all others learn it from exit.json.
        """
        self.record["end"] = {**end, "ranks": codes, "cause": self.cause}
        insist(self.write)
        limit = time.monotonic() + LAST_SAVE_SECONDS
        while True:
            there = insist(lambda: os.listdir(self.control))
            if "exit.json" in there:
                return insist(self.decided)
            works = any(self.end_of(rank) is None and not self.is_gone(rank) for rank in self.others) and time.monotonic() < limit
            if not works and all(self.is_gone(rank) for rank in range(self.place.rank)):
                break
            time.sleep(BEAT_SECONDS / 4)
        ends = [self.record["end"] if rank == self.place.rank else self.end_of(rank) for rank in range(self.place.nodes)]
        came = all(peer.record is not None for peer in self.others.values())
        return decide(ends, came, "stop" in there and "kill" not in there)

    def decided(self) -> End:
        with open(os.path.join(self.control, "exit.json")) as file:
            end: End = json.load(file)
        return end


def insist(act: Callable[[], T]) -> T:
    """What `act` gives, tried again as long as the disk does not take it, up to some minutes; then the `OSError` stands."""
    limit = time.monotonic() + DISK_SECONDS
    while True:
        try:
            return act()
        except OSError:
            if time.monotonic() >= limit:
                raise
        time.sleep(BEAT_SECONDS)


def decide(ends: list[End | None], came: bool, stopped: bool) -> End:
    """
    How a job ended, from how each of its nodes did: None is one that was lost. What a rank says of config or data counts
    first; then a node that is gone; then whoever failed by itself, since the others only followed.
    """
    known = [end for end in ends if end is not None]
    codes = [code for end in known for code in end["ranks"]]
    causes = [end["cause"] for end in known if end["cause"] is not None]
    refused = [code for code in codes if code is not None and code in CONFIG_OR_DATA]
    failed = [end["code"] for end in known if end["code"] not in (0, INTERRUPTED)]
    own = [end["code"] for end in known if end["code"] not in (0, INTERRUPTED) and end["cause"] is None]
    why = {"why": causes[0]} if causes else {}
    out_of_memory = any(end["outOfMemory"] for end in known)
    if refused:
        return {"code": min(refused), "outOfMemory": False}
    if len(known) < len(ends):
        lost = {"why": f"node {ends.index(None)} of {len(ends)} went away without a word"}
        return {"code": KILLED if came else INTERRUPTED, "outOfMemory": False, **(why or lost)}
    if codes and all(code == 0 for code in codes):
        return {"code": 0, "outOfMemory": False}
    # a rank whose partners had stopped may fail before it hears of the stop itself
    if not failed or (stopped and INTERRUPTED in codes):
        return {"code": INTERRUPTED, "outOfMemory": False}
    return {"code": [*own, *failed][0], "outOfMemory": out_of_memory, **({} if own else why)}


def write_record(control: str, rank: int, record: dict[str, Any]) -> None:
    file = os.open(os.path.join(control, f"node-{rank}.json"), os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(file, json.dumps(record).encode().ljust(RECORD_BYTES), 0)
        os.fsync(file)
    finally:
        os.close(file)


def read_record(path: str) -> dict[str, Any] | None:
    try:
        with open(path) as file:
            record: dict[str, Any] = json.load(file)
            return record
    except (OSError, ValueError):
        # one that is being written is whole at the next look
        return None
