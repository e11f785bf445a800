"""Jobs that work through batches: their records as lines of JSON, and checkpoints to go on from."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from all_ranks import Ranks
from checkpoint import Checkpoint, refusal, write_manifest
from exits import Interrupted, JobError, stop_asked, stop_at_once
from job import RANK, Job
from json_lines import read_json_lines, write_json_lines

Batch = TypeVar("Batch")
Records = list[dict[str, Any]]

# between two checkpoints of a job whose cadence counts no steps
SAVE_SECONDS = 300.0


def work_through(
    job: Job,
    batches: list[Batch],
    resume: Checkpoint | None,
    records_of: Callable[[Batch], Records],
    counted: str,
    ranks: Ranks | None = None,
) -> Records:
    """
    The records of all batches in their order, those of a checkpoint taken from it. Each of several `ranks` takes a batch of a
    round, and all of them know all records. Between two rounds rank 0 saves when it is time; a rank that is told to stop has
    all throw `Interrupted`, and one that throws a `JobError` has all throw it. `counted`: by what name progress tells the
    number of records.
    """
    ranks = ranks or Ranks(job)
    done, records = (0, Records()) if resume is None else read_checkpoint(resume, ranks)
    cadence = SaveCadence(job.cadence.save_steps, done)
    # from here on a signal waits for the end of a round
    stop_at_once(False)
    while done < len(batches):
        found = batches[done : done + ranks.size]
        for made in ranks.all(outcome_of(records_of, ranks.share(found)))[: len(found)]:
            if isinstance(made, JobError):
                raise made
            records += made
        done += len(found)
        job.emit("progress", step=done, max_steps=len(batches), metrics={counted: len(records)})
        # what one rank hears later than it said this counts in the next round, or the ranks would part
        asked = any(ranks.all(stop_asked()))
        if RANK == 0 and (asked or (done < len(batches) and cadence.is_due(done))):
            write_checkpoint(job, done, records)
        if asked:
            # a rank that left earlier would have rank 0 killed in the middle of the checkpoint
            ranks.all(None)
            raise Interrupted
    if RANK == 0:
        stop_at_once(True)
    return records


def outcome_of(records_of: Callable[[Batch], Records], batch: Batch) -> Records | JobError:
    try:
        return records_of(batch)
    except JobError as error:
        return error


class SaveCadence:
    """When to save: every `steps` batches; with 0, and so by default, after some minutes of work, however long a batch takes."""

    def __init__(self, steps: int, done: int) -> None:
        self.steps, self.saved, self.since = steps, done, time.monotonic()

    def is_due(self, done: int) -> bool:
        """Whether the last save is long enough ago; the next one is then counted from here."""
        now = time.monotonic()
        due = now - self.since >= SAVE_SECONDS if self.steps == 0 else done // self.steps > self.saved // self.steps
        if due:
            self.saved, self.since = done, now
        return due


def write_checkpoint(job: Job, step: int, records: Records) -> None:
    """What the first `step` batches gave; the two latest checkpoints are kept."""
    folder = job.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True, exist_ok=True)
    write_json_lines(folder / "records.jsonl", records)
    (folder / "batches.json").write_text(json.dumps({"done": step}), encoding="utf-8")
    write_manifest(job, folder, step)


def read_checkpoint(resume: Checkpoint, ranks: Ranks) -> tuple[int, Records]:
    """Batches that are done, and their records; a checkpoint in which any rank found a fault is refused by all."""
    folder = resume.folder
    fault = next((found for found in ranks.all(resume.fault) if found is not None), None)
    if fault is not None:
        raise refusal(folder, fault)
    done = json.loads((folder / "batches.json").read_text(encoding="utf-8"))["done"]
    return done, [record for _, record in read_json_lines(folder / "records.jsonl")]
