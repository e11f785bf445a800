"""The job of this process: job.json in, events.jsonl and result.json out."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import threading
import time
import typing
from importlib import metadata
from pathlib import Path
from typing import Any

from canonical_json import canonical_json
from durable_files import write_json
from exits import BAD_DATA, JobError

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "safetensors", "pyarrow", "vllm")
RANK = int(os.environ.get("RANK", "0"))


@dataclasses.dataclass(frozen=True)
class Hardware:
    device: typing.Literal["cpu", "cuda"]
    processes: int
    micro_batch: int
    accumulation: int
    threads: int
    # fsdp2: each of several ranks holds a share of weights, gradients and optimizer
    sharding: typing.Literal["none", "fsdp2"] = "none"
    # whether the shares lie in host memory between their uses; only with fsdp2
    offload: bool = False


@dataclasses.dataclass(frozen=True)
class Cadence:
    save_steps: int
    log_steps: int
    heartbeat_s: float


@dataclasses.dataclass(frozen=True)
class JobFile:
    version: typing.Literal[1]
    program: str
    labels: dict[str, Any]
    config: dict[str, Any]
    inputs: dict[str, str]
    hardware: Hardware
    cadence: Cadence
    resume: str | None


class Job:
    """The job of this process. Rank 0 alone writes events and results."""

    def __init__(self, file: JobFile, folder: Path) -> None:
        self.file, self.folder = file, folder
        self.hardware, self.cadence = file.hardware, file.cadence
        self.out, self.checkpoints = folder / "out", folder / "checkpoints"
        self.config_sha256 = hashlib.sha256(canonical_json(file.config).encode()).hexdigest()
        self.versions = installed_versions()
        # reentrant: the signal handler may interrupt the main thread inside `emit`
        self._lock, self._seq = threading.RLock(), 0
        self._events = os.open(folder / "events.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if RANK == 0 else None

    def emit(self, type: str, **members: Any) -> None:
        """Appends one line to events.jsonl with one write, so that no reader sees half of it unless the disk is full."""
        if self._events is None:
            return
        with self._lock:
            line = {"seq": self._seq, "t": round(time.time(), 3), "type": type, **members}
            self._seq += 1
            os.write(self._events, (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace"))

    def input(self, name: str) -> Path:
        """Folder of an input, relative to the job folder so that no absolute path ends up in an artifact."""
        if name not in self.file.inputs:
            raise JobError(f'Cannot find the input "{name}" in job.json, expected one of {", ".join(self.file.inputs)}')
        if not (self.folder / self.file.inputs[name]).is_dir():
            raise JobError(f'Cannot read the input "{name}", expected a folder at "{self.file.inputs[name]}"', BAD_DATA)
        return Path(self.file.inputs[name])

    def finish(self, global_step: int, max_steps: int, metrics: dict[str, Any]) -> None:
        """Writes result.json, the only proof of success; call it last and on rank 0."""
        for path in self.out.rglob("*"):
            # safetensors makes files that only their owner may read
            path.chmod(0o755 if path.is_dir() else 0o644)
        result = {"version": 1, "global_step": global_step, "max_steps": max_steps, "metrics": metrics, "versions": self.versions}
        write_json(self.folder / "result.json", result)
        self.emit("final", step=global_step, max_steps=max_steps)


def installed_versions() -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
