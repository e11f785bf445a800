"""Several ranks of one job, as torchrun would start them, forked from the server that has imported everything."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import JobFolder, Json, Lay, forks, run_program


def start_ranks(job: JobFolder, count: int, hold: tuple[str, int] | None = None, before: Callable[[], None] | None = None) -> list[Any]:
    """One process a rank; gloo on the loopback. `before`, a function of a test file, runs in each before the program does."""
    shared = {}
    if count > 1:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    ranks = []
    for rank in range(count):
        environment = {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} if count > 1 else {}
        ranks.append(forks().Process(target=run_after, args=(before, str(job.folder), job.program, environment, hold)))
        ranks[-1].start()
    return ranks


def run_after(before: Callable[[], None] | None, folder: str, program: str, environment: dict[str, str], hold: tuple[str, int] | None) -> None:
    if before is not None:
        os.environ.update(environment)
        sys.path.insert(0, f"{folder}/code")
        before()
    run_program(folder, program, environment, hold)


def codes(ranks: list[Any]) -> list[int]:
    for rank in ranks:
        rank.join()
    return [rank.exitcode for rank in ranks]


def lay_ranks(lay: Lay, program: str, config: Json, inputs: dict[str, Path], count: int, sharding: str, **more: Any) -> JobFolder:
    """A job of `count` ranks that share a global batch of 4 rows and tell of each step."""
    job = lay(program, config, inputs, **{"processes": count, "micro_batch": 4 // count, "sharding": sharding, **more})
    file = json.loads((job.folder / "job.json").read_text())
    file["cadence"]["log_steps"] = 1
    (job.folder / "job.json").write_text(json.dumps(file))
    return job


def run_ranks(job: JobFolder, before: Callable[[], None] | None = None) -> JobFolder:
    count = json.loads((job.folder / "job.json").read_text())["hardware"]["processes"]
    assert codes(start_ranks(job, count, before=before)) == [0] * count, job.log()[-4000:]
    return job


def steps_of(job: JobFolder) -> list[tuple[float, float]]:
    """Loss and gradient norm of each step that was logged."""
    metrics = [event["metrics"] for event in job.events("progress") if "loss" in event.get("metrics", {})]
    return [(one["loss"], one["grad_norm"]) for one in metrics]


def checkpoint_of(job: JobFolder, step: int) -> Path:
    return job.folder / "checkpoints" / f"checkpoint-{step}"


def notes_of_resuming(job: JobFolder) -> list[str]:
    """What a job said about ranks that differ from those of its checkpoint."""
    return [event["message"] for event in job.events("note") if event["message"].startswith("resumed")]


def largest_difference(one: Path, other: Path) -> float:
    """Largest absolute difference of any weight; a name or a shape that differs is infinitely far."""
    import torch
    from safetensors.torch import load_file

    ours, theirs = ({name: tensor for file in sorted(out.glob("*.safetensors")) for name, tensor in load_file(file).items()} for out in (one, other))
    if {name: tensor.shape for name, tensor in ours.items()} != {name: tensor.shape for name, tensor in theirs.items()}:
        return float("inf")
    return max(float(torch.max(torch.abs(ours[name].float() - theirs[name].float()))) for name in ours)
