"""Around TRL's trainer: what it goes on from, what it leaves, and the metrics of all attempts together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import checkpoint
import stopping
from chat_tokenizer import save_tokenizer
from durable_files import write_json
from exits import BAD_DATA, JobError
from job import RANK, Job
from one_head import mark_untied, without_ties
from train_config import TrainConfig
from watch import is_metric

if TYPE_CHECKING:
    from transformers import Trainer


def checkpoint_to_resume(job: Job) -> Path | None:
    """The verified checkpoint to go on from, with all that the trainer would otherwise silently do without."""
    resume = checkpoint.checkpoint_to_resume(job)
    if resume is not None and not all((resume / name).is_file() for name in ("trainer_state.json", "scheduler.pt")):
        raise JobError(f'Cannot resume from "{resume.name}", expected the state of the trainer beside the weights', BAD_DATA)
    return resume


def train(job: Job, config: TrainConfig, trainer: Trainer, resume: Path | None, metrics: dict[str, Any]) -> None:
    """Trains to the end, evaluates once, writes `out/` and result.json; throws `Interrupted` when told to stop."""
    from transformers import TrainerState
    from transformers.trainer import align_special_tokens

    state_of = None if resume is None else TrainerState.load_from_json(str(resume / "trainer_state.json"))
    if resume is not None and state_of is not None and state_of.global_step >= state_of.max_steps:
        # stopped between the last step and the result: Trainer.train would take one step too many
        trainer._load_from_checkpoint(str(resume))
        align_special_tokens(trainer.model, trainer.processing_class)
        trainer.state = state_of
    else:
        trainer.train(resume_from_checkpoint=None if resume is None else str(resume))
        stopping.stop_at_once(True)
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
    save_tokenizer(job, trainer.processing_class)
    (job.out / "README.md").unlink(missing_ok=True)
    if config.lora is None:
        # save_pretrained writes the dtype of the model in memory, not that of the weights it was handed
        written = job.out / "config.json"
        write_json(written, {**json.loads(written.read_text(encoding="utf-8")), "dtype": config.dtype})
