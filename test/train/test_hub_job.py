"""A job whose place is a branch of a Hub: what it fetches, what it pushes and when, and whose it is."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS, Json
from huggingface_hub import CommitOperationAdd, HfApi

sys.path.insert(0, str(SCRIPTS))

JOBS = SCRIPTS.parents[1] / "test" / "fixtures" / "jobs"
OUT = "org/out"

OWN = ("supervise", "peers", "node_network", "process_tree", "hub_branch", "hub_job")


class Place:
    """A branch with a job laid out on it, as hub-workspace.ts lays one out."""

    def __init__(self, hub: Json, api: HfApi, branch: str, tmp_path: Path) -> None:
        self.hub, self.api, self.branch, self.tmp_path = hub, api, branch, tmp_path
        self.folder = tmp_path / "job"
        self.laid = ""

    def lay(self, program: str, config: Json | None = None, source: str | None = None, **order: Any) -> Place:
        self.api.create_branch(OUT, repo_type="model", branch=self.branch)
        environment = {"HOME": "{folder}/home", "PYTHONUNBUFFERED": "1"}
        given = {"version": 1, "program": program, "ranks": 1, "pushEverySeconds": 0.2, "inputs": {}, "checkpoint": None}
        job = {"version": 1, "program": program, "config": config or {}}
        files = {
            "order.json": json.dumps({**given, "environment": environment, **order}).encode(),
            "job.json": json.dumps(job).encode(),
            f"code/{program}.py": (source or (JOBS / f"{program}.py").read_text()).encode(),
            **{f"code/{name}.py": (SCRIPTS / f"{name}.py").read_bytes() for name in OWN},
        }
        operations = [CommitOperationAdd(path, content) for path, content in files.items()]
        self.laid = self.api.create_commit(OUT, operations, commit_message="lay out", revision=self.branch).oid
        return self

    def start(self, url: str | None = None, folder: Path | None = None) -> subprocess.Popen[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        env |= {
            "HF_ENDPOINT": url or self.hub["url"], "HF_TOKEN": self.hub["token"], "HF_HOME": str(self.tmp_path / "cache"),
            "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        argv = ["model", OUT, self.branch, self.laid, str(folder or self.folder)]
        return subprocess.Popen([sys.executable, str(SCRIPTS / "hub_job.py"), *argv], env=env, stderr=subprocess.PIPE, text=True)

    def run(self, **where: Any) -> tuple[int, str]:
        with self.start(**where) as process:
            said = process.communicate()[1]
        return process.returncode, said

    def files(self) -> list[str]:
        return sorted(self.api.list_repo_files(OUT, revision=self.branch))

    def read(self, path: str) -> str:
        return Path(self.api.hf_hub_download(OUT, path, revision=self.branch, cache_dir=self.tmp_path / "read")).read_text()

    def pieces(self, folder: str) -> str:
        """The pieces of a stream one after the other; each begins where its name says."""
        text = ""
        for path in (path for path in self.files() if path.startswith(f"{folder}/")):
            assert int(Path(path).stem) == len(text.encode())
            text += self.read(path)
        return text

    def wait_for(self, found: Callable[[list[str]], bool], process: subprocess.Popen[str]) -> None:
        while not found(self.files()):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)


@pytest.fixture
def place(hub: Json, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    api = HfApi(endpoint=hub["url"], token=hub["token"])
    api.create_repo(OUT, exist_ok=True)
    return Place(hub, api, f"job-{abs(hash(request.node.name)):026}-train-e1", tmp_path)


def test_a_job_fetches_its_inputs_and_pushes_events_log_and_what_it_made(place: Place) -> None:
    place.api.create_repo("org/rows", repo_type="dataset", exist_ok=True)
    files = {"rows.txt": b"one\n", "deep/more.txt": b"two\n", "README.md": b"# card\n", "\U0001f600.txt": b"3", "\ufffd.txt": b"4"}
    adding = [CommitOperationAdd(path, content) for path, content in files.items()]
    commit = place.api.create_commit("org/rows", adding, commit_message="rows", repo_type="dataset").oid
    folder = f"in/datasets--org--rows/snapshots/{commit}"
    # of the four files that are content, computed by contentDigest of src/model/content-digest.ts
    digest = "9d0943578d8e9b1d6622b2423dd405c0816f55ab6db594fb9f2bda1b278b8c39"
    wanted = {"type": "dataset", "name": "org/rows", "commit": commit, "digest": digest, "folder": folder}
    code, said = place.lay("finish", {"steps": 3, "seconds": 0.3}, inputs={"data": wanted}).run()
    assert (code, said) == (0, "")
    assert (place.folder / folder / "deep" / "more.txt").read_text() == "two\n"
    assert place.pieces("events") == (place.folder / "events.jsonl").read_text()
    assert place.pieces("log") == (place.folder / "log.txt").read_text()
    assert len([path for path in place.files() if path.startswith("events/")]) > 1
    assert json.loads(place.read("exit.json")) == {"code": 0, "outOfMemory": False}
    assert json.loads(place.read("result.json"))["global_step"] == 3
    assert place.read("out/model.txt") == "weights"


def test_an_input_of_other_bytes_is_refused_before_the_program_starts(place: Place) -> None:
    place.api.create_repo("org/other", exist_ok=True)
    commit = place.api.create_commit("org/other", [CommitOperationAdd("a.txt", b"a")], commit_message="a").oid
    wanted = {"type": "model", "name": "org/other", "commit": commit, "digest": "0" * 64, "folder": "in/x"}
    assert place.lay("finish", inputs={"base": wanted}).run()[0] == 65
    [event] = [json.loads(line) for line in place.pieces("events").splitlines()]
    assert (event["type"], event["code"]) == ("error", 65)
    assert event["message"].startswith('Cannot use the input "base": its content is ')
    assert json.loads(place.read("exit.json"))["code"] == 65
    assert not (place.folder / "log.txt").exists()


def test_an_attempt_belongs_to_the_first_that_claims_it(place: Place, tmp_path: Path) -> None:
    place.lay("finish", {"steps": 1})
    first = place.start()
    second = place.start(folder=tmp_path / "second")
    codes = sorted((first.wait(), second.wait()))
    assert codes == [0, 75]
    late, said = place.run(folder=tmp_path / "third")
    assert (late, said) == (75, "hub_job: the job was taken away by another process\n")
    assert not (tmp_path / "third" / "code").exists()
    assert place.pieces("log").count("step 1") == 1


def test_a_checkpoint_is_pushed_as_soon_as_it_is_saved_and_a_signal_reaches_the_program(place: Place) -> None:
    place.lay("saving", pushEverySeconds=3600)
    process = place.start()
    while not (place.folder / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    (place.folder / "go").touch()
    place.wait_for(lambda files: "checkpoints/checkpoint-1/manifest.json" in files, process)
    assert '"step": 1' in place.pieces("events")
    process.terminate()
    assert process.wait() == 75
    assert json.loads(place.read("exit.json")) == {"code": 75, "outOfMemory": False}
    assert [path for path in place.files() if path.startswith("checkpoints/")] == [
        f"checkpoints/checkpoint-{step}/{name}" for step in (1, 2) for name in ("manifest.json", "state.txt")
    ]
    assert place.read("checkpoints/checkpoint-2/state.txt") == "state at 2"


def test_a_checkpoint_to_go_on_from_lies_there_as_real_files(place: Place) -> None:
    under = ".zephyr/checkpoints/train/checkpoint-20"
    adding = [CommitOperationAdd(f"{under}/{name}", name.encode()) for name in ("manifest.json", "deep/state.txt")]
    commit = place.api.create_commit(OUT, [*adding, CommitOperationAdd("else.txt", b"x")], commit_message="held").oid
    checkpoint = {"type": "model", "name": OUT, "commit": commit, "under": under, "folder": "in/resume/checkpoint-20"}
    assert place.lay("finish", {"steps": 1}, checkpoint=checkpoint).run()[0] == 0
    files = [path for path in (place.folder / "in/resume").rglob("*") if path.is_file()]
    assert sorted(path.relative_to(place.folder).as_posix() for path in files) == [
        "in/resume/checkpoint-20/deep/state.txt", "in/resume/checkpoint-20/manifest.json",
    ]  # fmt: skip
    assert not any(path.is_symlink() for path in files)


def test_a_job_that_is_taken_away_stops_and_pushes_nothing_more(place: Place) -> None:
    place.lay("saving")
    process = place.start()
    while not (place.folder / "ready").exists():
        assert process.poll() is None
        time.sleep(0.02)
    place.api.create_commit(OUT, [CommitOperationAdd("mine.txt", b"x")], commit_message="taken", revision=place.branch)
    head = place.api.repo_info(OUT, revision=place.branch).sha
    (place.folder / "go").touch()
    assert process.wait() == 75
    # the program was told to stop, and has
    assert json.loads((place.folder / "control/attempt/exit.json").read_text())["code"] == 75
    assert place.api.repo_info(OUT, revision=place.branch).sha == head


def test_the_program_sees_neither_the_token_nor_where_the_hub_is(place: Place) -> None:
    tell = "import json, os\njson.dump(dict(os.environ), open('out/environment.json', 'w'))\nopen('result.json', 'w').write('{}')\n"
    assert place.lay("tell", source=tell).run()[0] == 0
    seen = json.loads(place.read("out/environment.json"))
    assert seen["HOME"] == f"{place.folder}/home"
    assert [name for name in seen if name.startswith("HF_")] == []
    for path in place.folder.rglob("*"):
        assert not path.is_file() or place.hub["token"].encode() not in path.read_bytes()


class Losing(BaseHTTPRequestHandler):
    """Passes requests on, but answers the first few commits with 503: `lost` ones have landed, `refused` ones have not."""

    target: str
    faults: list[str]

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        is_commit = self.command == "POST" and "/commit/" in self.path
        fault = Losing.faults.pop(0) if is_commit and Losing.faults else None
        if fault == "refused":
            self.answer(503, [], b"")
            return
        connection = http.client.HTTPConnection(Losing.target)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "accept-encoding")}
        connection.request(self.command, self.path, body or None, {**headers, "host": Losing.target})
        reply = connection.getresponse()
        content = reply.read()
        if fault == "lost":
            self.answer(503, [], b"")
            return
        kept = [(name, value) for name, value in reply.getheaders() if name.lower() not in ("transfer-encoding", "connection", "content-length")]
        length = reply.getheader("content-length") if self.command == "HEAD" else None
        self.answer(reply.status, kept, content, length)

    do_GET = do_POST = do_PUT = do_HEAD = pass_on

    def answer(self, status: int, headers: list[tuple[str, str]], content: bytes, length: str | None = None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def losing(hub: Json) -> Iterator[str]:
    Losing.target, Losing.faults = urllib.parse.urlsplit(hub["url"]).netloc, ["refused", "lost", "refused", "lost"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Losing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def test_commits_whose_answers_are_lost_are_neither_missed_nor_made_twice(place: Place, losing: str) -> None:
    code, said = place.lay("finish", {"steps": 4, "seconds": 0.2}).run(url=losing)
    assert (code, Losing.faults) == (0, []), said
    assert place.pieces("events") == (place.folder / "events.jsonl").read_text()
    assert place.pieces("log") == (place.folder / "log.txt").read_text()
    titles = [commit.title for commit in place.api.list_repo_commits(OUT, revision=place.branch)]
    assert [sum(title.startswith(f"zephyr: {what} ") for title in titles) for what in ("claim", "end")] == [1, 1]
