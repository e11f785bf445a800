"""Jobs that are ended before they are done."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from conftest import JobFolder
from ranks import codes, start_ranks


def interrupt(job: JobFolder, number: int, step: int) -> tuple[Path, int]:
    """Sends a signal when a checkpoint of `step` or later is announced; the last one announced, and the exit code."""
    process = job.start(hold=("save", step))
    job.wait_for(lambda event: event["type"] == "save" and event["step"] >= step, process)
    os.kill(process.pid, number)
    process.join()
    assert not (job.folder / "result.json").exists(), "the job was done before the signal"
    return job.folder / job.events("save")[-1]["path"], process.exitcode


def stop_one_of_two(job: JobFolder) -> Path:
    """Has the second of two ranks told to stop after step 4 or later; the one checkpoint that both leave, with 75."""
    ranks = start_ranks(job, 2, hold=("progress", 4))
    job.wait_for(lambda event: event["type"] == "progress" and event["step"] >= 4, ranks[0])
    os.kill(ranks[1].pid, signal.SIGTERM)
    job.go()
    assert codes(ranks) == [75, 75], job.log()[-3000:]
    [save] = job.events("save")
    return job.folder / save["path"]
