"""The callback that turns TRL's loop into events, manifests and a clean stop."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import checkpoint
import stopping
from exits import BAD_DATA, JobError
from job import RANK, Job

if TYPE_CHECKING:
    from transformers import TrainerCallback


def watch(job: Job, tokens_per_step: float) -> TrainerCallback:
    """The callback that turns TRL's loop into events, manifests and a clean stop."""
    import torch
    from transformers import TrainerCallback

    ranks_talk = torch.distributed.is_available() and torch.distributed.is_initialized

    class Watch(TrainerCallback):
        last = (0, time.monotonic())

        def on_train_begin(self, args, state, control, **_):
            stopping.stop_at_once(False)
            Watch.last = (state.global_step, time.monotonic())
            job.emit("progress", step=state.global_step, max_steps=state.max_steps)

        def on_step_end(self, args, state, control, **_):
            asked = stopping.stop_asked()
            if ranks_talk and ranks_talk():
                # one rank alone may have got the signal; all must stop after the same step
                flag = torch.tensor(int(asked), device=args.device)
                torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
                asked = bool(flag.item())
            if asked:
                stopping.mark_stopped()
                control.should_save = control.should_training_stop = True
            # the loss since the last log is not part of a checkpoint: log it before each save, or a resume loses it
            control.should_log = control.should_log or control.should_save

        def on_log(self, args, state, control, logs=None, **_):
            if not logs or "train_runtime" in logs:
                return
            metrics = {name: float(value) for name, value in logs.items() if is_metric(name, value)}
            for name, value in metrics.items():
                if name.endswith("loss") and not math.isfinite(value):
                    raise JobError(f'Cannot go on, "{name}" is {value} at step {state.global_step}', BAD_DATA)
            metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
            if "loss" in metrics:
                (step, since), now = Watch.last, time.monotonic()
                Watch.last = (state.global_step, now)
                metrics["tokens_per_s"] = round((state.global_step - step) * tokens_per_step / max(now - since, 1e-6), 1)
            job.emit("progress", step=state.global_step, max_steps=state.max_steps, metrics=metrics)

        def on_save(self, args, state, control, **_):
            folder = job.checkpoints / f"checkpoint-{state.global_step}"
            wait_for_ranks()
            if RANK == 0:
                checkpoint.vouch_for(job, folder, state.global_step)
            # a rank that left earlier would make torchrun kill rank 0 in the middle of the manifest
            wait_for_ranks()

    def wait_for_ranks() -> None:
        if ranks_talk and ranks_talk():
            torch.distributed.barrier()

    return Watch()


def is_metric(name: str, value: Any) -> bool:
    return isinstance(value, (int, float)) and not name.endswith(("_runtime", "_time", "_per_second", "num_tokens"))
