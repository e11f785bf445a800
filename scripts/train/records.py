"""Records of a job that works through batches: as lines of JSON, and as a checkpoint to go on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from checkpoint import vouch_for
from job import Job
from json_lines import read_json_lines, write_json_lines

Records = list[dict[str, Any]]


def write_checkpoint(job: Job, step: int, records: Records) -> None:
    """What the first `step` batches gave; the two latest checkpoints are kept."""
    folder = job.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    write_json_lines(folder / "records.jsonl", records)
    (folder / "batches.json").write_text(json.dumps({"done": step}), encoding="utf-8")
    vouch_for(job, folder, step)
    for older in sorted(job.checkpoints.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))[:-2]:
        shutil.rmtree(older)


def read_checkpoint(folder: Path) -> tuple[int, Records]:
    """Batches that are done, and their records."""
    done = json.loads((folder / "batches.json").read_text(encoding="utf-8"))["done"]
    return done, [record for _, record in read_json_lines(folder / "records.jsonl")]
