"""Checkpoints that can be trusted: the manifest, written last, lists every file with its checksum."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from durable_files import digest, sync, write_json
from exits import BAD_DATA, JobError
from job import RANK, Job

MANIFEST = "manifest.json"


def write_manifest(job: Job, folder: Path, step: int) -> None:
    """Writes the last file of a checkpoint, its manifest, and announces it. Call it when all ranks have written theirs."""
    files = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST):
        sync(path)
        files.append({"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": digest(path)})
    sync(folder)
    members = {"step": step, "world_size": job.hardware.processes, "config_sha256": job.config_sha256, "files": files}
    write_json(folder / MANIFEST, {"version": 1, **members})
    sync(folder.parent)
    job.emit("save", step=step, path=folder.relative_to(job.folder).as_posix())


def checkpoint_to_resume(job: Job) -> Path | None:
    """
    The checkpoint named by job.json, verified by every rank. Later ones in `checkpoints/` were left by an attempt that
    no state names: they are removed, so that they neither count as one of the two kept nor lend files to a new one.
    """
    resume = None if job.file.resume is None else (job.folder / job.file.resume).resolve()
    step = 0 if resume is None else verify_checkpoint(resume, job.config_sha256, job.hardware.processes)
    if RANK == 0:
        for folder in job.checkpoints.glob("checkpoint-*"):
            if folder.resolve() != resume and int(folder.name.split("-")[1]) >= step:
                shutil.rmtree(folder)
    return resume


def verify_checkpoint(folder: Path, config_sha256: str, world_size: int) -> int:
    """Step of the checkpoint; throws a `JobError` (65) unless it is whole and of this config on as many ranks."""

    def refuse(why: str) -> JobError:
        return JobError(f'Cannot resume from "{folder.name}": {why}', BAD_DATA)

    if not (folder / MANIFEST).is_file():
        raise refuse(f"expected a {MANIFEST} in it")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["config_sha256"] != config_sha256:
            raise refuse(f"it was made by the config {manifest['config_sha256'][:12]}, expected {config_sha256[:12]}")
        if manifest["world_size"] != world_size:
            raise refuse(f"it was made by {manifest['world_size']} processes, expected {world_size}")
        for entry in manifest["files"]:
            path = folder / entry["path"]
            if not path.is_file():
                raise refuse(f'the file "{entry["path"]}" is missing')
            if path.stat().st_size != entry["size"] or digest(path) != entry["sha256"]:
                raise refuse(f'the file "{entry["path"]}" is not the one that {MANIFEST} lists')
        return int(manifest["step"])
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(f"{MANIFEST} cannot be read: {error!r}") from error
