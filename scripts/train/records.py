"""Jobs that work through batches: their records as lines of JSON, and checkpoints to go on from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from checkpoint import Checkpoint, write_manifest
from exits import Interrupted, stop_asked, stop_at_once
from job import Job
from json_lines import read_json_lines, write_json_lines

Batch = TypeVar("Batch")
Records = list[dict[str, Any]]


def work_through(
    job: Job, batches: list[Batch], resume: Checkpoint | None, records_of: Callable[[Batch], Records], counted: str
) -> Records:
    """
    The records of all batches in their order, those of a checkpoint taken from it. Between two batches it saves and, when told
    to stop, throws `Interrupted`. `counted`: by what name progress tells the number of records.
    """
    done, records = (0, Records()) if resume is None else read_checkpoint(resume.folder)
    # from here on a signal waits for the end of a batch
    stop_at_once(False)
    for step, batch in enumerate(batches[done:], done + 1):
        records += records_of(batch)
        job.emit("progress", step=step, max_steps=len(batches), metrics={counted: len(records)})
        is_due = job.cadence.save_steps > 0 and step % job.cadence.save_steps == 0 and step < len(batches)
        if stop_asked() or is_due:
            write_checkpoint(job, step, records)
        if stop_asked():
            raise Interrupted
    stop_at_once(True)
    return records


def write_checkpoint(job: Job, step: int, records: Records) -> None:
    """What the first `step` batches gave; the two latest checkpoints are kept."""
    folder = job.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    write_json_lines(folder / "records.jsonl", records)
    (folder / "batches.json").write_text(json.dumps({"done": step}), encoding="utf-8")
    write_manifest(job, folder, step)


def read_checkpoint(folder: Path) -> tuple[int, Records]:
    """Batches that are done, and their records."""
    done = json.loads((folder / "batches.json").read_text(encoding="utf-8"))["done"]
    return done, [record for _, record in read_json_lines(folder / "records.jsonl")]
