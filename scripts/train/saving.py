"""How a checkpoint of all ranks becomes one that can be trusted, at once or beside the training."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import checkpoint
import sharded_state
from checkpoint import Checkpoint
from job import RANK, Job
from train_config import RANKS_WAIT_S

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.optim import Optimizer
    from transformers import PreTrainedModel


def overlaps(job: Job) -> bool:
    """
    Whether saving goes on beside the training. On a GPU it does: the host has memory for a copy and cores to write and hash
    it. On a CPU the copy (12 bytes a parameter) would come from the memory that trains, and the thread from its cores.
    """
    return job.hardware.device == "cuda"


class Saving:
    """
    The checkpoint of this rank that is being written, if one is, and the group in which the ranks talk about it: one of its
    own, so that it may be used while the training uses another.
    """

    def __init__(self, job: Job, sharding: str) -> None:
        self.job, self.sharding = job, sharding
        self._thread = ThreadPoolExecutor(max_workers=1) if overlaps(job) else None
        self._group: ProcessGroup | None = None
        self._copy: sharded_state.State | None = None
        self._sealing: Future[None] | None = None

    def group(self) -> ProcessGroup | None:
        """None where one process is alone. The first call must be made by all ranks."""
        import torch.distributed as dist

        if self._group is None and self.job.hardware.processes > 1:
            self._group = dist.new_group(backend="gloo", timeout=timedelta(seconds=RANKS_WAIT_S))
        return self._group

    def write(self, folder: Path, model: PreTrainedModel, optimizer: Optimizer) -> None:
        """Writes weights and moments, or copies them to be written. Only one checkpoint is written at a time."""
        self.wait()
        folder.mkdir(parents=True, exist_ok=True)
        state = sharded_state.state_of(model, optimizer)
        if self._thread is None:
            sharded_state.write(folder, state, self.group())
        else:
            self._copy = sharded_state.copied(state)

    def seal(self, folder: Path, step: int) -> None:
        """Has every rank hash what it wrote, and rank 0 write the manifest. Call it when the smaller files are written."""
        group, copy, self._copy = self.group(), self._copy, None
        if self._thread is None or copy is None:
            self._seal(folder, step, group)
        else:
            self._sealing = self._thread.submit(self._seal, folder, step, group, copy)

    def _seal(self, folder: Path, step: int, group: ProcessGroup | None, copy: sharded_state.State | None = None) -> None:
        if copy is not None:
            sharded_state.write(folder, copy, group)
        mine = checkpoint.vouch_for(folder, checkpoint.written_by(folder, RANK))
        files = [entry for entries in self._gathered(mine) for entry in entries]
        if RANK == 0:
            checkpoint.write_manifest(self.job, folder, step, files, self.sharding)
        # a rank that left earlier would make torchrun kill rank 0 in the middle of the manifest
        self.meet()

    def meet(self) -> None:
        """Returns when all ranks are here."""
        self._gathered(None)

    def wait(self) -> None:
        """Until no checkpoint is being written; throws what went wrong with it."""
        sealing, self._sealing = self._sealing, None
        if sealing is not None:
            sealing.result()

    def check(self) -> None:
        """Throws what went wrong with a checkpoint that was being written; does not wait for it."""
        if self._sealing is not None and self._sealing.done():
            self.wait()

    def agree(self, resume: Checkpoint) -> None:
        """Throws on every rank what any of them found wrong with its share of a checkpoint. Nothing is loaded before."""
        for fault in self._gathered(resume.fault):
            if fault is not None:
                raise checkpoint.refusal(resume.folder, fault)

    def _gathered(self, mine: Any) -> list[Any]:
        import torch.distributed as dist

        group = self.group()
        if group is None:
            return [mine]
        everyone: list[Any] = [None] * self.job.hardware.processes
        dist.all_gather_object(everyone, mine, group=group)
        return everyone
