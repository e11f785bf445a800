"""Around TRL's trainer: what it goes on from, what it tells meanwhile, what it leaves, and the metrics of all attempts together."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import checkpoint
import sharded_state
from chat_tokenizer import save_tokenizer
from checkpoint import SHARDS, Checkpoint
from durable_files import write_json
from exits import BAD_DATA, JobError, mark_stopped, stop_asked, stop_at_once
from job import RANK, Job
from one_head import mark_untied
from saving import Saving
from throughput import Meter, StepWork
from train_config import TrainConfig, is_sharded, sharding_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


# safetensors are read whole by some readers, and are moved and retried file by file
LARGEST_FILE = "5GB"


def checkpoint_to_resume(job: Job, config: TrainConfig) -> Checkpoint | None:
    """The checkpoint to go on from, with all that the trainer would otherwise silently do without."""
    resume = checkpoint.checkpoint_to_resume(job)
    if resume is None:
        return None
    if not all((resume.folder / name).is_file() for name in ("trainer_state.json", "scheduler.pt")):
        raise checkpoint.refusal(resume.folder, "expected the state of the trainer beside the weights")
    if is_sharded(job, config) and not resume.is_sharded:
        raise checkpoint.refusal(resume.folder, "an earlier version wrote it in one piece, expected shards")
    return resume


def trainer_class(job: Job, config: TrainConfig, base: Any) -> Any:
    """
    `base`, a trainer of TRL or a subclass of one, with checkpoints as zephyr has them: weights and moments of a full fine-tune
    in shards, an adapter as the trainer itself writes it, and a manifest for both.
    """

    import torch

    class Resumable(base):  # type: ignore[misc]
        saving = Saving(job, sharding_of(job, config))

        def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
            if config.lora is not None:
                super().save_model(output_dir, _internal_call)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            super()._save_checkpoint(model, trial)
            self.saving.seal(job.checkpoints / f"checkpoint-{self.state.global_step}", self.state.global_step)

        def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
            if config.lora is not None:
                super()._save_optimizer_and_scheduler(output_dir)
                return
            self.saving.write(Path(output_dir), self.model, self.optimizer)
            if RANK == 0:
                torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / "scheduler.pt")

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            if (Path(resume_from_checkpoint) / SHARDS).is_dir():
                sharded_state.read_weights(Path(resume_from_checkpoint), self.model, self.saving.group())
            else:
                super()._load_from_checkpoint(resume_from_checkpoint, model)

        def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
            if checkpoint is None or not (Path(checkpoint) / SHARDS).is_dir():
                super()._load_optimizer_and_scheduler(checkpoint)
                return
            sharded_state.read_moments(Path(checkpoint), self.model, self.optimizer, self.saving.group())
            self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / "scheduler.pt", weights_only=True))

        def autocast_smart_context_manager(self, cache_enabled: bool | None = True) -> Any:
            # accelerate has the models that it prepares autocast, and leaves a sharded one as it is
            if not is_sharded(job, config):
                return super().autocast_smart_context_manager(cache_enabled)
            return torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.args.bf16)

        def _move_model_to_device(self, model: Any, device: Any) -> None:
            # a sharded model is where it belongs, which with offload is not the device
            if not is_sharded(job, config):
                super()._move_model_to_device(model, device)

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            self.saving.check()
            return super().training_step(*args, **kwargs)

    return Resumable


def train(job: Job, config: TrainConfig, trainer: Any, resume: Checkpoint | None, metrics: dict[str, Any]) -> None:
    """
    Trains to the end, evaluates once, writes `out/` and result.json; throws `Interrupted` when told to stop. `trainer` is of a
    `trainer_class`.
    """
    from transformers import TrainerState
    from transformers.trainer_utils import align_special_tokens

    if config.lora is not None and job.hardware.sharding != "none":
        job.emit("note", message="an adapter is trained: its base is not sharded, every rank holds all of it")
    if resume is not None:
        trainer.saving.agree(resume)
        tell_what_differs(job, config, resume)
    state_of = None if resume is None else TrainerState.load_from_json(str(resume.folder / "trainer_state.json"))
    if resume is not None and state_of is not None and state_of.global_step >= state_of.max_steps:
        # stopped between the last step and the result: Trainer.train would take one step too many
        trainer._load_from_checkpoint(str(resume.folder))
        align_special_tokens(trainer.model, trainer.processing_class)
        trainer.state = state_of
    else:
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume.folder))
        trainer.saving.wait()
        stop_at_once(True)
    state = trainer.state
    if state.global_step != state.max_steps:
        raise RuntimeError(f"training ended at step {state.global_step} of {state.max_steps}")
    if trainer.eval_dataset is not None and not any("eval_loss" in log and log["step"] == state.max_steps for log in state.log_history):
        trainer.evaluate()
    save_model(job, config, trainer)
    if RANK == 0:
        job.finish(state.global_step, state.max_steps, {**metrics, **summary(trainer.state.log_history)})
    # the ranks leave together: on another node, one that had left would count as done long before rank 0 is
    trainer.saving.meet()


def tell_what_differs(job: Job, config: TrainConfig, resume: Checkpoint) -> None:
    """Says in an event what is exact and what is not when a checkpoint is gone on from by other ranks than those that wrote it."""
    now, sharding = job.hardware.processes, sharding_of(job, config)
    if (resume.world_size, resume.sharding) == (now, sharding):
        return
    exact = "weights, moments, learning rate and the order of the rows are exact"
    rest = "sums over ranks are taken in another order"
    if resume.world_size != now:
        rest += ", and random states (of a dropout) begin anew"
    were = f"{resume.world_size} process{'' if resume.world_size == 1 else 'es'} (sharding {resume.sharding})"
    job.emit("note", message=f"resumed at step {resume.step} with {now} (sharding {sharding}) what {were} had saved: {exact}; {rest}")


def summary(log_history: list[dict[str, Any]]) -> dict[str, float]:
    """
    Metrics over all attempts. Not from what `train()` returns: that divides the loss of this attempt by the steps of all.
    """
    losses, seen, seconds, measured = 0.0, 0, 0.0, 0
    for log in log_history:
        if "loss" in log:
            losses += log["loss"] * (log["step"] - seen)
            if log.get("mfu", 0) > 0:
                measured += log["step"] - seen
                seconds += (log["step"] - seen) / log["mfu"]
            seen = log["step"]
    evaluations = [log for log in log_history if "eval_loss" in log]
    last = evaluations[-1] if evaluations else {}
    return {
        "train_loss": losses / max(seen, 1),
        # of all the time together: a slow step counts for as long as it took
        **({"mfu": round(measured / seconds, 4)} if seconds > 0 else {}),
        **{name: value for name, value in last.items() if is_metric(name, value) and name not in ("step", "epoch")},
    }


def save_model(job: Job, config: TrainConfig, trainer: Trainer) -> None:
    """
    Weights in safetensors of at most 5 GB each, and the tokenizer with its template: nothing in `out/` may differ from run to
    run. Every rank must call it.
    """
    import torch

    model = trainer.accelerator.unwrap_model(trainer.model)
    if config.lora is None:
        weights = sharded_state.whole_weights(model, getattr(torch, config.dtype))
    else:
        weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if RANK != 0:
        return
    if config.lora is None:
        mark_untied(model)
    else:
        # peft holds them in a set, whose order changes from process to process
        adapter = model.peft_config["default"]
        adapter.target_modules = sorted(adapter.target_modules)
    model.config.use_cache = True
    model.save_pretrained(job.out, state_dict=weights, max_shard_size=LARGEST_FILE)
    save_tokenizer(job, cast("PreTrainedTokenizerBase", trainer.processing_class))
    (job.out / "README.md").unlink(missing_ok=True)
    if config.lora is None:
        # save_pretrained writes the dtype of the model in memory, not that of the weights it was handed
        written = job.out / "config.json"
        write_json(written, {**json.loads(written.read_text(encoding="utf-8")), "dtype": config.dtype})


def watch(job: Job, work: StepWork) -> TrainerCallback:
    """The callback that turns TRL's loop into events, manifests and a clean stop."""
    import torch
    from transformers import TrainerCallback

    ranks_talk = torch.distributed.is_available() and torch.distributed.is_initialized

    class Watch(TrainerCallback):
        meter: Meter | None = None

        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
        ) -> None:
            stop_at_once(False)
            Watch.meter = Meter(model, work, job.hardware.processes, state.global_step, time.monotonic())
            job.emit("progress", step=state.global_step, max_steps=state.max_steps)

        def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
            asked = stop_asked()
            if ranks_talk and ranks_talk():
                # one rank alone may have got the signal; all must stop after the same step
                flag = torch.tensor(int(asked), device=args.device)
                torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
                asked = bool(flag.item())
            if asked:
                mark_stopped()
                control.should_save = control.should_training_stop = True
            # the loss since the last log is not part of a checkpoint: log it before each save, or a resume loses it
            control.should_log = control.should_log or control.should_save

        def on_log(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **_: Any
        ) -> None:
            if not logs or "train_runtime" in logs:
                return
            metrics = {name: float(value) for name, value in logs.items() if is_metric(name, value)}
            for name, value in metrics.items():
                if name.endswith("loss") and not math.isfinite(value):
                    raise JobError(f'Cannot go on, "{name}" is {value} at step {state.global_step}', BAD_DATA)
            metrics = {name: value for name, value in metrics.items() if math.isfinite(value)}
            if "loss" in metrics and Watch.meter is not None:
                rates = Watch.meter.read(state.global_step, time.monotonic())
                metrics |= rates
                if "mfu" in rates and state.log_history:
                    # a checkpoint keeps it, so that the mean over all attempts can be told
                    state.log_history[-1]["mfu"] = rates["mfu"]
            job.emit("progress", step=state.global_step, max_steps=state.max_steps, metrics=metrics)

    return Watch()


def is_metric(name: str, value: Any) -> bool:
    return isinstance(value, (int, float)) and not name.endswith(("_runtime", "_time", "_per_second", "num_tokens"))
