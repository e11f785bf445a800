"""Supervisors of one job on several nodes, here all on one machine: what they do when all goes well, and when a node does not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import DSFT, ENVIRONMENT, SCRIPTS, JobFolder, Lay

sys.path.insert(0, str(SCRIPTS))

import node_network
import peers

JOBS = SCRIPTS.parents[1] / "test" / "fixtures" / "jobs"
# far below what a network disk is given, so that no test waits for long
PATIENCE = ["--join", "300", "--silence", "6"]


class Nodes:
    """The nodes of one job. Each has a supervisor, as a batch script starts it."""

    def __init__(self, folder: Path, program: str, nodes: int = 2, ranks: int = 1, port: int | None = None) -> None:
        self.folder, self.control, self.nodes, self.ranks = folder, folder / "control", nodes, ranks
        self.program = [sys.executable, program, "job.json"]
        self.meeting = f"127.0.0.1:{port or free_port()}"
        shutil.rmtree(self.control, ignore_errors=True)
        self.control.mkdir(parents=True)
        self.supervisors: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, *which: int, patience: list[str] = PATIENCE) -> Nodes:
        several = ["--nodes", str(self.nodes), "--node-rank", "auto", "--rendezvous", self.meeting] if self.nodes > 1 else []
        words = [sys.executable, str(SCRIPTS / "supervise.py"), str(self.control), "--log", "log.txt", "--ranks", str(self.ranks)]
        for node in which or range(self.nodes):
            env = {**os.environ, **ENVIRONMENT, "SLURM_NODEID": str(node)}
            self.supervisors[node] = subprocess.Popen([*words, *several, *patience, "--", *self.program], cwd=self.folder, env=env)
        return self

    def wait_for(self, *names: str) -> Nodes:
        while not all((self.folder / name).exists() for name in names):
            assert all(supervisor.poll() is None for supervisor in self.supervisors.values()), self.log()
            time.sleep(0.02)
        return self

    def codes(self, *which: int) -> list[int]:
        return [self.supervisors[node].wait() for node in which or range(self.nodes)]

    def exit(self) -> dict[str, Any]:
        return json.loads((self.control / "exit.json").read_text())

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("log*.txt")))

    def rank(self, number: int) -> int:
        return int((self.folder / f"ready-{number}").read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def saving(tmp_path: Path) -> Path:
    """A job without torch: each rank writes `ready-R`, works until SIGTERM, then writes `saved-R` and leaves with 75."""
    (tmp_path / "job.json").write_text(json.dumps({"config": {}}))
    shutil.copy(JOBS / "graceful.py", tmp_path)
    return tmp_path


def test_a_training_on_two_nodes_is_stopped_by_either_and_ends_with_the_weights_of_one_node(lay: Lay, base: Path, sft_data: Path) -> None:
    def train(nodes: int, ranks: int, checkpoint: Path | None = None) -> tuple[JobFolder, Nodes]:
        job = lay("dsft", DSFT, {"base": base, "data": sft_data}, checkpoint=checkpoint, processes=2, micro_batch=2)
        return job, Nodes(job.folder, "code/dsft.py", nodes, ranks)

    alone, one = train(1, 2)
    assert one.start().codes() == [0], one.log()
    first, two = train(2, 1)
    two.start()
    while not any(event["step"] >= 3 for event in first.events("progress")):
        assert two.supervisors[0].poll() is None, two.log()
        time.sleep(0.02)
    two.supervisors[1].send_signal(signal.SIGTERM)
    assert two.codes() == [75, 75], two.log()
    saved = first.folder / first.events("save")[-1]["path"]
    assert (two.exit()["code"], json.loads((saved / "manifest.json").read_text())["world_size"]) == (75, 2)
    second, again = train(2, 1, saved)
    assert again.start().codes() == [0, 0], again.log()
    assert second.digests() == alone.digests()
    assert [second.result()[name] for name in ("global_step", "max_steps")] == [alone.result()[name] for name in ("global_step", "max_steps")]


@pytest.mark.parametrize("lost", [0, 1])
def test_a_node_whose_supervisor_is_killed_takes_the_job_with_it(saving: Path, lost: int) -> None:
    job = Nodes(saving, "graceful.py").start().wait_for("ready-0", "ready-1")
    job.supervisors[lost].kill()
    assert job.codes(1 - lost) == [137]
    assert (job.exit()["code"], job.exit()["why"]) == (137, f"node {lost} of 2 gave no sign of life for 6 s")
    assert not (saving / f"saved-{1 - lost}").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(job.rank(1 - lost), 0)


def test_a_node_that_stands_still_is_given_up_and_gives_up_when_it_goes_on(saving: Path) -> None:
    job = Nodes(saving, "graceful.py").start().wait_for("ready-0", "ready-1")
    job.supervisors[0].send_signal(signal.SIGSTOP)
    assert job.codes(1) == [137]
    before = job.exit()
    job.supervisors[0].send_signal(signal.SIGCONT)
    job.codes(0)
    assert job.exit() == before
    with pytest.raises(ProcessLookupError):
        os.kill(job.rank(0), 0)


def test_what_another_node_decided_counts_although_its_last_word_was_never_read(tmp_path: Path) -> None:
    (tmp_path / "exit.json").write_text('{"code": 0, "outOfMemory": false}')
    late = peers.Peers(str(tmp_path), peers.Place(2, 1, "127.0.0.1", 1, 600.0, 600.0))
    late.others[0] = peers.Peer({"beat": 9, "address": None, "port": 1, "end": None})
    late.record = {"beat": 0, "address": None, "port": None, "end": None}
    assert late.conclude({"code": 143, "outOfMemory": False}, [None])["code"] == 0


def test_a_disk_that_does_not_answer_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "BEAT_SECONDS", 0.0)
    answers = iter([OSError(5, "away"), OSError(28, "full"), None])

    def act() -> str:
        if (error := next(answers)) is not None:
            raise error
        return "there"

    assert peers.insist(act) == "there"


def test_a_node_whose_ports_are_all_taken_meets_the_others_at_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_network, "PORTS_TRIED", 1)
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with node_network.reserve(taken.getsockname()[1]) as found:
            assert found.getsockname()[1] not in (0, taken.getsockname()[1])


def test_a_rank_that_is_killed_ends_the_ranks_of_the_other_node(saving: Path) -> None:
    job = Nodes(saving, "graceful.py", ranks=2).start().wait_for("ready-0", "ready-1", "ready-2", "ready-3")
    os.kill(job.rank(2), signal.SIGKILL)
    # as if its node had gone: the job may go on from its newest checkpoint
    assert job.codes() == [137, 137], job.log()
    assert "node 1 ended with 137" in (saving / "log.txt").read_text()
    for rank in range(4):
        with pytest.raises(ProcessLookupError):
            os.kill(job.rank(rank), 0)


def test_a_rank_that_is_killed_on_one_node_has_the_job_told_as_killed(saving: Path) -> None:
    job = Nodes(saving, "graceful.py", nodes=1, ranks=2).start().wait_for("ready-0", "ready-1")
    os.kill(job.rank(1), signal.SIGKILL)
    assert job.codes() == [137], job.log()


def test_what_one_rank_says_of_its_config_counts_for_the_job(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}")
    (tmp_path / "refuse.py").write_text("import os, time\nif os.environ['RANK'] == '1': raise SystemExit(65)\ntime.sleep(600)\n")
    job = Nodes(tmp_path, "refuse.py").start()
    assert job.codes() == [65, 65], job.log()


def test_a_node_that_never_comes_is_named_and_the_job_may_be_tried_again(saving: Path) -> None:
    job = Nodes(saving, "graceful.py", nodes=3).start(0, 1, patience=["--join", "4", "--silence", "6"])
    assert job.codes(0, 1) == [75, 75]
    assert job.exit()["why"] == "node 2 of 3 did not come within 4 s"
    assert not list(saving.glob("ready-*"))


def test_a_stop_that_comes_before_all_nodes_have_come_stops_those_that_have(saving: Path) -> None:
    job = Nodes(saving, "graceful.py", nodes=3).start(0, 1).wait_for("control/node-0.json", "control/node-1.json")
    job.supervisors[1].terminate()
    # the one that never came is waited for no longer than a node that was lost
    job.start(2)
    assert job.codes() == [75, 75, 75]
    assert not list(saving.glob("ready-*"))


def test_two_jobs_of_one_node_that_chose_the_same_port_do_not_meet(saving: Path, tmp_path: Path) -> None:
    port = free_port()
    other = tmp_path / "other"
    shutil.copytree(saving, other, ignore=lambda *_: ["other"])
    one = Nodes(saving, "graceful.py", port=port).start()
    two = Nodes(other, "graceful.py", port=port).start()
    for job in (one, two):
        job.wait_for("ready-0", "ready-1").supervisors[0].terminate()
        assert job.codes() == [75, 75], job.log()
    ports = {json.loads((job.control / "node-0.json").read_text())["port"] for job in (one, two)}
    assert len(ports) == 2


def end(code: int, *ranks: int | None, cause: str | None = None) -> dict[str, Any]:
    return {"code": code, "ranks": list(ranks), "outOfMemory": False, "cause": cause}


@pytest.mark.parametrize(
    ("ends", "stopped", "code"),
    [
        ([end(0, 0), end(0, 0)], False, 0),
        ([end(75, 75), end(75, 75)], True, 75),
        # the time to stop came while one had its last step behind it
        ([end(0, 0), end(75, 75)], True, 75),
        ([end(1, 75, 1), end(75, 75, 75)], True, 75),
        ([end(1, 75, 1), end(75, 75, 75)], False, 1),
        ([end(137, None, cause="node 1 ended with 1"), end(1, 1)], False, 1),
        ([end(65, 65), end(1, 1)], False, 65),
        ([end(65, 65), None], False, 65),
        ([end(1, 1), None], False, 137),
        ([None, end(75, 75)], True, 137),
    ],
)
def test_the_code_of_a_job_follows_from_those_of_its_nodes(ends: list[Any], stopped: bool, code: int) -> None:
    assert peers.decide(ends, True, stopped)["code"] == code


def test_a_supervisor_without_peers_gives_signs_of_life_until_it_is_killed(saving: Path) -> None:
    job = Nodes(saving, "graceful.py", nodes=1).start().wait_for("control/node-0.json")
    path = job.control / "node-0.json"
    first = path.read_text()
    while path.read_text() == first:
        assert job.supervisors[0].poll() is None, job.log()
        time.sleep(0.1)
    job.supervisors[0].kill()
    job.supervisors[0].wait()
    last = path.read_text()
    assert json.loads(last)["beat"] > json.loads(first)["beat"]
    # longer than between two signs, so that a process left behind would have given one
    time.sleep(6)
    assert path.read_text() == last
    assert not (job.control / "exit.json").exists()
