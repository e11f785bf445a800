"""Around TRL's trainer: what it goes on from, what it tells meanwhile, what it leaves, and the metrics of all attempts together."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import checkpoint
from chat_tokenizer import save_tokenizer
from durable_files import write_json
from exits import BAD_DATA, JobError, mark_stopped, stop_asked, stop_at_once
from job import RANK, Job
from one_head import mark_untied, without_ties
from train_config import TrainConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments


def checkpoint_to_resume(job: Job) -> Path | None:
    """The verified checkpoint to go on from, with all that the trainer would otherwise silently do without."""
    resume = checkpoint.checkpoint_to_resume(job)
    if resume is not None and not all((resume / name).is_file() for name in ("trainer_state.json", "scheduler.pt")):
        raise JobError(f'Cannot resume from "{resume.name}", expected the state of the trainer beside the weights', BAD_DATA)
    return resume


def train(job: Job, config: TrainConfig, trainer: Trainer, resume: Path | None, metrics: dict[str, Any]) -> None:
    """Trains to the end, evaluates once, writes `out/` and result.json; throws `Interrupted` when told to stop."""
    from transformers import TrainerState
    from transformers.trainer_utils import align_special_tokens

    state_of = None if resume is None else TrainerState.load_from_json(str(resume / "trainer_state.json"))
    if resume is not None and state_of is not None and state_of.global_step >= state_of.max_steps:
        # stopped between the last step and the result: Trainer.train would take one step too many
        trainer._load_from_checkpoint(str(resume))
        align_special_tokens(trainer.model, trainer.processing_class)
        trainer.state = state_of
    else:
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
        stop_at_once(True)
    state = trainer.state
    if state.global_step != state.max_steps:
        raise RuntimeError(f"training ended at step {state.global_step} of {state.max_steps}")
    if trainer.eval_dataset is not None and not any("eval_loss" in log and log["step"] == state.max_steps for log in state.log_history):
        trainer.evaluate()
    save_model(job, config, trainer)
    if RANK == 0:
        job.finish(state.global_step, state.max_steps, {**metrics, **summary(trainer.state.log_history)})


def summary(log_history: list[dict[str, Any]]) -> dict[str, float]:
    """
    Metrics over all attempts. Not from what `train()` returns: that divides the loss of this attempt by the steps of all.
    """
    losses, seen = 0.0, 0
    for log in log_history:
        if "loss" in log:
            losses += log["loss"] * (log["step"] - seen)
            seen = log["step"]
    evaluations = [log for log in log_history if "eval_loss" in log]
    last = evaluations[-1] if evaluations else {}
    return {
        "train_loss": losses / max(seen, 1),
        **{name: value for name, value in last.items() if is_metric(name, value) and name not in ("step", "epoch")},
    }


def save_model(job: Job, config: TrainConfig, trainer: Trainer) -> None:
    """Weights in safetensors and the tokenizer with its template: nothing in `out/` may differ from run to run."""
    import torch

    weights = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if RANK != 0:
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    if config.lora is None:
        dtype = getattr(torch, config.dtype)
        weights = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in without_ties(model, weights).items()}
        mark_untied(model)
    else:
        # peft holds them in a set, whose order changes from process to process
        adapter = model.peft_config["default"]
        adapter.target_modules = sorted(adapter.target_modules)
    model.config.use_cache = True
    model.save_pretrained(job.out, state_dict=weights)
    save_tokenizer(job, cast("PreTrainedTokenizerBase", trainer.processing_class))
    (job.out / "README.md").unlink(missing_ok=True)
    if config.lora is None:
        # save_pretrained writes the dtype of the model in memory, not that of the weights it was handed
        written = job.out / "config.json"
        write_json(written, {**json.loads(written.read_text(encoding="utf-8")), "dtype": config.dtype})


def watch(job: Job, tokens_per_step: float) -> TrainerCallback:
    """The callback that turns TRL's loop into events, manifests and a clean stop."""
    import torch
    from transformers import TrainerCallback

    ranks_talk = torch.distributed.is_available() and torch.distributed.is_initialized

    class Watch(TrainerCallback):
        last = (0, time.monotonic())

        def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
            stop_at_once(False)
            Watch.last = (state.global_step, time.monotonic())
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
            if "loss" in metrics:
                (step, since), now = Watch.last, time.monotonic()
                Watch.last = (state.global_step, now)
                metrics["tokens_per_s"] = round((state.global_step - step) * tokens_per_step / max(now - since, 1e-6), 1)
            job.emit("progress", step=state.global_step, max_steps=state.max_steps, metrics=metrics)

        def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
            folder = job.checkpoints / f"checkpoint-{state.global_step}"
            wait_for_ranks()
            if RANK == 0:
                checkpoint.write_manifest(job, folder, state.global_step)
            # a rank that left earlier would make torchrun kill rank 0 in the middle of the manifest
            wait_for_ranks()

    def wait_for_ranks() -> None:
        if ranks_talk and ranks_talk():
            torch.distributed.barrier()

    return Watch()


def is_metric(name: str, value: Any) -> bool:
    return isinstance(value, (int, float)) and not name.endswith(("_runtime", "_time", "_per_second", "num_tokens"))
