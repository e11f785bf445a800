"""Runs a job that lies on a branch of its own on a Hub: fetches it and its inputs, starts it, pushes what it makes.

    hub_job.py TYPE NAME BRANCH COMMIT FOLDER

COMMIT is where zephyr laid the job out (src/backends/hub-workspace.ts tells the protocol), FOLDER a folder on a disk of this
node. Where the Hub is, and the token for it, stand in HF_ENDPOINT and HF_TOKEN; the program gets neither. Each push is one
commit whose parent is the last one of this process, so a job that was taken away from it loses nothing. A Hub that does not
answer is asked again for as long as the program runs, and an hour longer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub_branch import LONGEST_PAUSE_SECONDS, REFUSED, TROUBLE, Branch, Operations, TakenAway, patiently, tell
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, snapshot_download
from huggingface_hub.errors import HfHubHTTPError

INTERRUPTED, BAD_DATA = 75, 65
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
LOOK_SECONDS = 0.2
# files that tell about an artifact and are not part of it, as in src/model/content-digest.ts
ABOUT = {"README.md", ".gitattributes", "zephyr.json"}


class Stopped(Exception):
    """A signal came before the program was started."""


class Refused(Exception):
    """An input that cannot be used, however often it is fetched."""


class Stream:
    """A file that grows by lines, pushed in pieces that are named by the offset at which they begin."""

    def __init__(self, path: Path, folder: str) -> None:
        self.path, self.folder, self.pushed = path, folder, 0

    def fresh(self, to_the_end: bool = False) -> bytes:
        """Whole lines that are not pushed; the last one is ended where nothing follows any more."""
        if not self.path.exists():
            return b""
        with open(self.path, "rb") as file:
            file.seek(self.pushed)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        return text + b"\n" if to_the_end and whole != text else whole

    def piece(self, text: bytes) -> list[CommitOperationAdd]:
        return [CommitOperationAdd(f"{self.folder}/{self.pushed:012}{self.path.suffix}", text)] if text else []


class HubJob:
    """A job in its folder on this node."""

    def __init__(self, branch: Branch, folder: Path) -> None:
        self.branch, self.folder = branch, folder
        self.events, self.log = Stream(folder / "events.jsonl", "events"), Stream(folder / "log.txt", "log")
        # by step: those that are held to be pushed, and those on the branch
        self.held: dict[int, Path] = {}
        self.kept: list[int] = []
        self.program: subprocess.Popen[bytes] | None = None
        # bytes of events that were looked at and are not pushed
        self._seen = 0
        # what was done on the branch, once and for all
        self._done: set[str] = set()

    def claim(self) -> None:
        text = json.dumps({"id": secrets.token_hex(16), "startedAt": datetime.now(UTC).isoformat(timespec="milliseconds")})
        self._once("claim", [CommitOperationAdd("claim.json", text.encode())])

    def fetch(self) -> dict[str, Any]:
        """The job as it was laid out, its inputs with every byte hashed, and the checkpoint to go on from; what it is to do."""
        branch, laid, own = self.branch, self.branch.head, ["code/**", "*.json"]
        patiently(
            lambda: snapshot_download(branch.name, repo_type=branch.kind, revision=laid, local_dir=self.folder, allow_patterns=own)
        )
        shutil.rmtree(self.folder / ".cache", ignore_errors=True)
        order: dict[str, Any] = json.loads((self.folder / "order.json").read_text(encoding="utf-8"))
        for name, wanted in order["inputs"].items():
            found = content_digest(self.download(wanted))
            if found != wanted["digest"]:
                raise Refused(f'Cannot use the input "{name}": its content is {found[:12]}, expected {wanted["digest"][:12]}')
        if order["checkpoint"] is not None:
            under = order["checkpoint"]["under"]
            whole = self.download(order["checkpoint"], [f"{under}/**"]) / under
            link(whole, self.folder / order["checkpoint"]["folder"])
        return order

    def download(self, wanted: dict[str, Any], patterns: list[str] | None = None) -> Path:
        """The folder in which a commit lies: files are links into the cache beside it."""
        kind, name, commit, cache = wanted["type"], wanted["name"], wanted["commit"], self.folder / "in"

        def attempt() -> str:
            return snapshot_download(name, repo_type=kind, revision=commit, cache_dir=cache, allow_patterns=patterns)

        try:
            return Path(patiently(attempt, REFUSED))
        except HfHubHTTPError as error:
            raise Refused(f'Cannot read "{name}" at {commit[:12]}: {error}') from error

    def start(self, order: dict[str, Any]) -> None:
        for name in ("control/attempt", "out", "checkpoints", "held", "home"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        environment = {name: value.replace("{folder}", str(self.folder)) for name, value in order["environment"].items()}
        supervise = [sys.executable, "code/supervise.py", "control/attempt", "--log", "log.txt", "--ranks", str(order["ranks"])]
        program = [sys.executable, f"code/{order['program']}.py", "job.json"]
        path = os.environ.get("PATH", os.defpath)
        # a signal that comes before the process has a name here waits until it has
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self.program = subprocess.Popen([*supervise, "--", *program], cwd=self.folder, env={**environment, "PATH": path})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def follow(self, program: subprocess.Popen[bytes], every_seconds: float) -> None:
        """Pushes while the program runs: as often as the order says, and a checkpoint as soon as it is saved."""
        pause, due = 1.0, time.monotonic() + every_seconds
        while program.poll() is None:
            is_urgent = self.hold_saved()
            if is_urgent or time.monotonic() >= due:
                try:
                    self.push("progress")
                    pause, due = 1.0, time.monotonic() + every_seconds
                except TROUBLE as error:
                    tell(pause, error)
                    wait_for(program, pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            wait_for(program, LOOK_SECONDS)

    def hold_saved(self) -> bool:
        """Takes hold of the checkpoints that new events name, before the trainer deletes them; whether one is to be pushed."""
        lines = self.events.fresh()[self._seen :]
        self._seen += len(lines)
        for line in lines.splitlines():
            event = event_of(line)
            if event.get("type") != "save":
                continue
            source, held = self.folder / event["path"], self.folder / "held" / Path(event["path"]).name
            try:
                link(source, held)
            except OSError:
                # the trainer has deleted it: a newer one follows
                shutil.rmtree(held, ignore_errors=True)
            if (held / "manifest.json").is_file():
                self.held[event["step"]] = held
        return len(self.held) > 0

    def push(self, what: str, more: list[CommitOperationAdd] | None = None, to_the_end: bool = False) -> None:
        """
        One commit of all that is new: the events up to those that were looked at, the log, checkpoints. The two newest
        checkpoints stay on the branch.
        """
        self.branch.find_out()
        if what in self._done:
            return
        fresh = self.events.fresh(to_the_end)
        events, log = (fresh if to_the_end else fresh[: self._seen]), self.log.fresh(to_the_end)
        kept, held = sorted([*self.kept, *self.held])[-2:], dict(self.held)
        operations: Operations = [
            *self.events.piece(events), *self.log.piece(log), *(more or []),
            *(file for step, folder in held.items() if step in kept for file in additions(folder, f"checkpoints/{folder.name}")),
            *(CommitOperationDelete(f"checkpoints/checkpoint-{step}/", is_folder=True) for step in self.kept if step not in kept),
        ]  # fmt: skip
        if not operations:
            return

        def landed() -> None:
            self.events.pushed += len(events)
            self.log.pushed += len(log)
            self._seen = max(0, self._seen - len(events))
            self.kept = kept
            for step, folder in held.items():
                self.held.pop(step, None)
                shutil.rmtree(folder, ignore_errors=True)
            if to_the_end:
                self._done.add(what)

        self.branch.commit(what, operations, landed)

    def _once(self, what: str, operations: Operations) -> None:
        def attempt() -> None:
            self.branch.find_out()
            if what not in self._done:
                self.branch.commit(what, operations, lambda: self._done.add(what))

        patiently(attempt)

    def finish(self, code: int, out_of_memory: bool) -> None:
        """The last commit: what the job made, if it proved its success, and that nothing more comes."""
        self.hold_saved()
        made = [CommitOperationAdd("exit.json", json.dumps({"code": code, "outOfMemory": out_of_memory}).encode())]
        if (self.folder / "result.json").is_file():
            made += [CommitOperationAdd("result.json", str(self.folder / "result.json")), *additions(self.folder / "out", "out")]
        patiently(lambda: self.push("end", made, to_the_end=True))

    def forward(self, number: int, _frame: object) -> None:
        if self.program is None:
            raise Stopped
        self.program.send_signal(number)


def event_of(line: bytes) -> dict[str, Any]:
    """Nothing of a line that is none: zephyr reads over it as well."""
    with contextlib.suppress(ValueError):
        event = json.loads(line)
        return event if isinstance(event, dict) else {}
    return {}


def additions(folder: Path, into: str) -> Iterator[CommitOperationAdd]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield CommitOperationAdd(f"{into}/{path.relative_to(folder).as_posix()}", str(path))


def link(source: Path, target: Path) -> None:
    """The files of a folder under another name, as real files whatever they were: no byte is copied."""
    for path in (path for path in source.rglob("*") if path.is_file()):
        name = target / path.relative_to(source)
        name.parent.mkdir(parents=True, exist_ok=True)
        name.unlink(missing_ok=True)
        os.link(path.resolve(), name)


def content_digest(folder: Path) -> str:
    """What `contentDigest` of src/model/content-digest.ts gives for the same files."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    whole = hashlib.sha256()
    # JavaScript compares texts by UTF-16 unit
    for name in sorted(set(names) - ABOUT, key=lambda name: name.encode("utf-16-be", "surrogatepass")):
        with open(folder / name, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{name}\0{(folder / name).stat().st_size}\0{found}\n".encode())
    return whole.hexdigest()


def wait_for(program: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(seconds)


def ending(job: HubJob) -> tuple[int, bool]:
    """Runs the job to its end; its exit code, and whether it was killed for memory."""
    try:
        order = job.fetch()
    except Refused as error:
        event = {"seq": 0, "t": time.time(), "type": "error", "message": str(error), "code": BAD_DATA}
        job.events.path.write_text(json.dumps(event) + "\n", encoding="utf-8")
        return BAD_DATA, False
    except Stopped:
        return INTERRUPTED, False
    job.start(order)
    assert job.program is not None
    try:
        job.follow(job.program, order["pushEverySeconds"])
    except TakenAway:
        job.program.terminate()
        job.program.wait()
        raise
    try:
        ended = json.loads((job.folder / "control/attempt/exit.json").read_text(encoding="utf-8"))
        return int(ended["code"]), bool(ended["outOfMemory"])
    except (OSError, ValueError, KeyError):
        code = job.program.wait()  # the supervisor itself was killed
        return (128 - code if code < 0 else code), False


def main(kind: str, name: str, branch: str, commit: str, folder: str) -> int:
    place = Path(folder).absolute()
    place.mkdir(parents=True, exist_ok=True)
    job = HubJob(Branch(kind, name, branch, commit), place)
    for number in SIGNALS:
        signal.signal(number, job.forward)
    try:
        job.claim()
        code, out_of_memory = ending(job)
        job.finish(code, out_of_memory)
        return code
    except TakenAway:
        print("hub_job: the job was taken away by another process", file=sys.stderr)
    except Stopped:
        print("hub_job: stopped before the program was started", file=sys.stderr)
    return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:6]))
