"""What every program of this folder does: `run` reads job.json, calls `main` and exits as the contract says.

Nothing here imports torch or transformers before it must: the signal handlers are in place within milliseconds of the
start, so a job that is told to stop while it is still importing says so with exit 75.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, NoReturn, TypeVar

from exits import INTERRUPTED, NO_DISK, Interrupted, JobError, is_disk_full, listen
from job import RANK, Job, JobFile
from typed_json import parse

T = TypeVar("T")


def run(program: str, config_type: type[T] | UnionType, main: Callable[[Job, T], None], many_ranks: bool = False) -> NoReturn:
    """Runs `main` on the job file named on the command line and exits as the contract says."""
    job: Job | None = None

    def last_words(name: str) -> None:
        if job is not None:
            job.emit("note", message=f"stopped by {name} outside of the training loop")

    listen(last_words)
    code = 0
    try:
        path = Path(sys.argv[1] if len(sys.argv) > 1 else "job.json").absolute()
        if not path.is_file():
            raise JobError(f'Cannot read "{path.name}", expected the path of a job file')
        (path.parent / "result.json").unlink(missing_ok=True)
        file = parse(JobFile, read_job_file(path), "job.json")
        if file.program != program:
            raise JobError(f'Cannot run the program "{file.program}", this is {program}.py')
        os.chdir(path.parent)
        prepare_process(file)
        job = Job(file, path.parent)
        job.emit("boot", program=program, versions=job.versions)
        threading.Thread(target=heartbeat, args=(job, file.cadence.heartbeat_s), daemon=True).start()
        ranks = int(os.environ.get("WORLD_SIZE", "1"))
        if ranks != file.hardware.processes or (ranks > 1 and not many_ranks):
            raise JobError(f"Cannot run {program} in {ranks} processes, expected {file.hardware.processes if many_ranks else 1}")
        config = parse(config_type, file.config, "config")
        for folder in (job.out, job.checkpoints):
            folder.mkdir(exist_ok=True)
        main(job, config)
    except JobError as error:
        code = fail(job, str(error), error.code)
    except Interrupted:
        code = INTERRUPTED
    except Exception as error:
        traceback.print_exc()
        # 1: a crash, which may be tried again
        code = fail(job, "Cannot write, expected free space on the disk of the job folder", NO_DISK) if is_disk_full(error) else 1
    sys.exit(code)


def read_job_file(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise JobError(f"Cannot read job.json, expected JSON: {error}") from error


def fail(job: Job | None, message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    try:
        # a job file that cannot be read leaves no Job; its folder is still where a reader looks
        line = {"seq": 0, "t": time.time(), "type": "error", "message": message, "code": code}
        if job is not None:
            job.emit("error", message=message, code=code)
        elif len(sys.argv) > 1 and Path(sys.argv[1]).is_file() and RANK == 0:
            with open(Path(sys.argv[1]).absolute().parent / "events.jsonl", "a", encoding="utf-8") as events:
                events.write(json.dumps(line) + "\n")
    except OSError:
        print("error: the event could not be written", file=sys.stderr)
    return code


def heartbeat(job: Job, every_s: float) -> None:
    while True:
        time.sleep(every_s)
        try:
            job.emit("heartbeat")
        except OSError:
            # the disk is full: the main thread runs into it too and can say so
            continue


def prepare_process(file: JobFile) -> None:
    """Settings that libraries read while they are imported."""
    threads = str(file.hardware.threads)
    os.environ.update(
        HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1", TQDM_DISABLE="1",
        OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, RAYON_NUM_THREADS=threads,
        # prepare.py alone tokenises by the batch; elsewhere threads would only be in the way of forks
        TOKENIZERS_PARALLELISM="true" if file.program == "prepare" else "false",
    )  # fmt: skip
    if file.hardware.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
