"""Checkpoints that can be trusted: the manifest, written last, lists every file with its checksum."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

from durable_files import digest, sync, write_json
from exits import BAD_DATA, JobError
from job import RANK, Job

MANIFEST = "manifest.json"
# folder of a checkpoint with weights and moments that any number of ranks can read
SHARDS = "shards"
# checkpoints that are whole and stay on the disk
KEPT = 2
# what one rank alone writes: its share of the weights and moments, its random state
OF_A_RANK = re.compile(r"shards/__(\d+)_\d+\.distcp|rng_state_(\d+)\.pth")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint to go on from, as its manifest describes it."""

    folder: Path
    step: int
    world_size: int
    sharding: str
    # what is wrong with the files that this rank has read; each rank reads its share of them
    fault: str | None

    @property
    def is_sharded(self) -> bool:
        return (self.folder / SHARDS).is_dir()


def written_by(folder: Path, rank: int) -> list[Path]:
    """Files of a checkpoint that `rank` wrote, and that it therefore vouches for. Rank 0 wrote what is no other's."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST):
        match = OF_A_RANK.fullmatch(path.relative_to(folder).as_posix())
        owner = int(match[1] or match[2]) if match else 0
        if owner == rank:
            found.append(path)
    return found


def vouch_for(folder: Path, paths: list[Path]) -> list[dict[str, Any]]:
    """Entries of the manifest for files that are on the disk from here on."""
    entries = []
    for path in paths:
        sync(path)
        entries.append({"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": digest(path)})
    return entries


def write_manifest(job: Job, folder: Path, step: int, files: list[dict[str, Any]] | None = None, sharding: str = "none") -> None:
    """
    Writes the last file of a checkpoint, its manifest, announces it, and removes the ones that give way to it. Without `files`
    this rank vouches for all that is in the folder.
    """
    files = vouch_for(folder, written_by(folder, 0)) if files is None else files
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(path)
    made_by = {"world_size": job.hardware.processes, "sharding": sharding, "config_sha256": job.config_sha256}
    members = {"version": 1, "step": step, **made_by, "files": sorted(files, key=lambda entry: str(entry["path"]))}
    write_json(folder / MANIFEST, members)
    sync(folder.parent)
    job.emit("save", step=step, path=folder.relative_to(job.folder).as_posix())
    # one that is still being written is of a later step, and has no manifest yet
    whole = sorted(step_of(path.parent) for path in job.checkpoints.glob(f"checkpoint-*/{MANIFEST}"))
    for old in job.checkpoints.glob("checkpoint-*"):
        if step_of(old) < whole[-KEPT:][0]:
            shutil.rmtree(old, ignore_errors=True)


def checkpoint_to_resume(job: Job) -> Checkpoint | None:
    """
    The checkpoint named by job.json. Each rank hashes a share of it; the ranks agree on what they found before anything is
    loaded (`Saving.agree`), a rank that is alone refuses at once. Later checkpoints in `checkpoints/` were left by an attempt
    that no state names: they are removed, so that they neither count as one of the two kept nor lend files to a new one.
    """
    resume = None if job.file.resume is None else read_checkpoint((job.folder / job.file.resume).resolve(), job)
    if resume is not None and resume.fault is not None and job.hardware.processes == 1:
        raise refusal(resume.folder, resume.fault)
    if RANK == 0:
        for folder in job.checkpoints.glob("checkpoint-*"):
            if resume is None or (folder.resolve() != resume.folder and step_of(folder) >= resume.step):
                shutil.rmtree(folder)
    return resume


def read_checkpoint(folder: Path, job: Job) -> Checkpoint:
    """Throws a `JobError` (65) unless the manifest is of this config and every file there; what is in them is `fault`'s."""
    if not (folder / MANIFEST).is_file():
        raise refusal(folder, f"expected a {MANIFEST} in it")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["config_sha256"] != job.config_sha256:
            raise refusal(folder, f"it was made by the config {manifest['config_sha256'][:12]}, expected {job.config_sha256[:12]}")
        files = [(folder / entry["path"], int(entry["size"]), str(entry["sha256"])) for entry in manifest["files"]]
        for path, size, _ in files:
            if not path.is_file():
                raise refusal(folder, f'the file "{path.relative_to(folder).as_posix()}" is missing')
            if path.stat().st_size != size:
                raise refusal(folder, is_another(folder, path))
        unlisted = {path for path in folder.rglob("*") if path.is_file()} - {path for path, _, _ in files} - {folder / MANIFEST}
        if unlisted:
            # it would be read with the others, by a library that runs what is in it
            raise refusal(folder, f'the file "{min(unlisted).relative_to(folder).as_posix()}" is in it, but not in {MANIFEST}')
        changed = (path for path, _, sha256 in share_of(files, RANK, job.hardware.processes) if digest(path) != sha256)
        fault = next((is_another(folder, path) for path in changed), None)
        return Checkpoint(folder, int(manifest["step"]), int(manifest["world_size"]), str(manifest.get("sharding", "none")), fault)
    except (KeyError, TypeError, ValueError) as error:
        raise refusal(folder, f"{MANIFEST} cannot be read: {error!r}") from error


def share_of(files: list[tuple[Path, int, str]], rank: int, ranks: int) -> list[tuple[Path, int, str]]:
    """The files that `rank` reads of `ranks`, so that all have about as many bytes to read."""
    shares: list[list[tuple[Path, int, str]]] = [[] for _ in range(ranks)]
    for file in sorted(files, key=lambda file: (-file[1], file[0])):
        min(shares, key=lambda share: sum(size for _, size, _ in share)).append(file)
    return shares[rank]


def step_of(folder: Path) -> int:
    return int(folder.name.split("-")[1])


def is_another(folder: Path, path: Path) -> str:
    return f'the file "{path.relative_to(folder).as_posix()}" is not the one that {MANIFEST} lists'


def refusal(folder: Path, why: str) -> JobError:
    return JobError(f'Cannot resume from "{folder.name}": {why}', BAD_DATA)
