"""The processes of a job that is no training and divides its work: one batch each at a time, and what all of them say."""

from __future__ import annotations

import datetime
import os
from typing import Any, TypeVar

from job import RANK, Job

T = TypeVar("T")

# a rank waits this long for another one, which may be reading weights from a slow disk
TIMEOUT = datetime.timedelta(hours=2)


class Ranks:
    """All processes of this job, of which this one is `RANK`; in a job of one process nothing is exchanged."""

    def __init__(self, job: Job) -> None:
        self.size = job.hardware.processes
        if self.size == 1:
            return
        import torch
        import torch.distributed as distributed

        if job.hardware.device == "cuda":
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        if not distributed.is_initialized():
            # objects go by gloo, shards of a model on GPUs by NCCL
            distributed.init_process_group("cpu:gloo,cuda:nccl" if job.hardware.device == "cuda" else "gloo", timeout=TIMEOUT)

    def share(self, batches: list[T]) -> T:
        """
        This rank's batch of a round of at most `size`. A rank for which none is left takes the first as well, since all ranks
        must be there when the shards of a model are put together.
        """
        return batches[RANK] if len(batches) > RANK else batches[0]

    def all(self, value: T) -> list[T]:
        """The value of every rank, in the order of the ranks; returns when each has said its own."""
        if self.size == 1:
            return [value]
        import torch.distributed as distributed

        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values
