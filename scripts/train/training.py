"""What dsft.py and ddpo.py share around TRL's trainer: arguments, checkpoints that prove themselves, metrics."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import job as jobs
from job import BAD_CONFIG, BAD_DATA, RANK, Job, JobError

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback


@dataclasses.dataclass(frozen=True)
class Lora:
    r: int
    alpha: float
    dropout: float
    targets: list[str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The part of the recipe that both stages own."""

    template: str
    max_length: int
    seed: int
    learning_rate: float
    schedule: str
    # below 1: share of all steps, else steps
    warmup: float
    epochs: float | None = None
    # whatever `epochs` says
    max_steps: int | None = None
    global_batch: int
    optimizer: str
    weight_decay: float
    # what the matrix products run in and the artifact is saved in
    dtype: Literal["bfloat16", "float32"]
    attention: str
    gradient_checkpointing: bool
    lora: Lora | None
    quantization: Literal["nf4"] | None
    trl: dict[str, Any] = dataclasses.field(default_factory=dict)


def check(job: Job, config: TrainConfig) -> None:
    """What no schema can say about a config and a machine together; before any heavy import."""
    hardware = job.hardware
    batch = hardware.processes * hardware.micro_batch * hardware.accumulation
    if batch != config.global_batch:
        raise JobError(
            f"Cannot train with {hardware.processes} processes x {hardware.micro_batch} rows x {hardware.accumulation} accumulated "
            f"= {batch}, expected the global batch of {config.global_batch}"
        )
    if job.cadence.save_steps < 1 or job.cadence.log_steps < 1:
        raise JobError("Cannot train without checkpoints and logs, expected cadence.save_steps and cadence.log_steps above 0")
    if config.epochs is None and config.max_steps is None:
        raise JobError('Cannot tell how long to train, expected "epochs" or "max_steps"')
    if config.quantization is not None and hardware.device != "cuda":
        raise JobError(f'Cannot quantize to "{config.quantization}" on the device "{hardware.device}", expected "cuda"')
    if config.quantization is not None and config.lora is None:
        raise JobError(f'Cannot train weights quantized to "{config.quantization}", expected "lora" as well')


def trainer_arguments(job: Job, config: TrainConfig, kind: type, own: dict[str, Any]) -> Any:
    """TRL's config object: what the recipe owns, then its `trl` passage, which may add but not contradict."""
    owned = {
        "output_dir": "checkpoints",
        "seed": config.seed,
        "data_seed": config.seed,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.schedule,
        "warmup_steps": config.warmup,
        "optim": config.optimizer,
        "weight_decay": config.weight_decay,
        "max_length": config.max_length,
        "per_device_train_batch_size": job.hardware.micro_batch,
        "per_device_eval_batch_size": job.hardware.micro_batch,
        "gradient_accumulation_steps": job.hardware.accumulation,
        "gradient_checkpointing": config.gradient_checkpointing,
        "num_train_epochs": config.epochs if config.epochs is not None else 1.0,
        "max_steps": config.max_steps if config.max_steps is not None else -1,
        "bf16": config.dtype == "bfloat16",
        "fp16": False,
        "use_cpu": job.hardware.device == "cpu",
        "logging_strategy": "steps",
        "logging_steps": job.cadence.log_steps,
        "logging_first_step": True,
        # a NaN must be seen, not averaged away
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": job.cadence.save_steps,
        "save_total_limit": 2,
        "save_only_model": False,
        "load_best_model_at_end": False,
        "push_to_hub": False,
        "report_to": "none",
        "disable_tqdm": True,
        **own,
    }
    # a rank waits this long for rank 0, which may have 100 GB to hash
    suggested = {"ddp_timeout": 7200, "dataloader_pin_memory": job.hardware.device == "cuda"}
    fields = [field.name for field in dataclasses.fields(kind)]
    jobs.refuse_unknown(config.trl, fields, "config.trl")
    for key in config.trl:
        if key in owned or key in ("resume_from_checkpoint", "enable_jit_checkpoint", "hub_token", "model_init_kwargs"):
            raise JobError(f'Cannot pass "{key}" in config.trl, the recipe has a field of its own for it or does without')
    try:
        return kind(**{**suggested, **owned, **config.trl})
    except (TypeError, ValueError) as error:
        raise JobError(f"Cannot build {kind.__name__}: {error}") from error


def load_tokenizer(job: Job, config: TrainConfig, name: str) -> PreTrainedTokenizerBase:
    tokenizer = job.tokenizer(name, config.template)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(job: Job, config: TrainConfig, folder: Path) -> PreTrainedModel:
    """
    A full fine-tune keeps float32 weights under bfloat16 autocast: at a learning rate of 5e-7 an update is smaller than the
    last bit of a bfloat16 weight and would be lost. Under LoRA the frozen weights are held in the dtype itself.
    """
    import os

    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, config.dtype) if config.lora is not None else torch.float32
    options: dict[str, Any] = {}
    if config.quantization == "nf4":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, config.dtype)
        )
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation=config.attention, use_safetensors=True, **options
        )
    except (ValueError, ImportError) as error:
        raise JobError(f'Cannot load the model in "{folder}": {error}', BAD_CONFIG) from error
    except OSError as error:
        # without a number it is transformers that speaks, of a file that is not there
        if error.errno is not None:
            raise
        raise JobError(f'Cannot load the model in "{folder}": {error}', BAD_DATA) from error


def lora_config(config: TrainConfig) -> LoraConfig | None:
    if config.lora is None:
        return None
    from peft import LoraConfig

    lora = config.lora
    return LoraConfig(
        r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.targets, bias="none", task_type="CAUSAL_LM"
    )


def read_rows(folder: Path, split: str) -> Dataset:
    """A split that prepare.py wrote. Held in memory: no cache folder outlives the job, and none is shared by ranks."""
    import pyarrow.parquet as parquet
    from datasets import Dataset

    path = folder / f"{split}.parquet"
    if not path.is_file():
        raise JobError(f'Cannot read "{path}", expected the output of prepare.py', BAD_DATA)
    return Dataset(parquet.read_table(path))


def token_count(rows: Dataset, columns: list[str]) -> int:
    import pyarrow.compute as compute

    return sum(compute.sum(compute.list_value_length(rows.data.column(name))).as_py() or 0 for name in columns)


def checkpoint_to_resume(job: Job) -> Path | None:
    """The verified checkpoint to go on from, with all that the trainer would otherwise silently do without."""
    resume = job.checkpoint_to_resume()
    if resume is not None and not all((resume / name).is_file() for name in ("trainer_state.json", "scheduler.pt")):
        raise JobError(f'Cannot resume from "{resume.name}", expected the state of the trainer beside the weights', BAD_DATA)
    return resume


# --- the training loop --------------------------------------------------------------------------------------------


def watch(job: Job, tokens_per_step: float) -> TrainerCallback:
    """The callback that turns TRL's loop into events, manifests and a clean stop."""
    import torch
    from transformers import TrainerCallback

    ranks_talk = torch.distributed.is_available() and torch.distributed.is_initialized

    class Watch(TrainerCallback):
        last = (0, time.monotonic())

        def on_train_begin(self, args, state, control, **_):
            jobs.stop_at_once(False)
            Watch.last = (state.global_step, time.monotonic())
            job.emit("progress", step=state.global_step, max_steps=state.max_steps)

        def on_step_end(self, args, state, control, **_):
            asked = jobs.stop_asked()
            if ranks_talk and ranks_talk():
                # one rank alone may have got the signal; all must stop after the same step
                flag = torch.tensor(int(asked), device=args.device)
                torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
                asked = bool(flag.item())
            if asked:
                jobs.mark_stopped()
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
                job.vouch_for(folder, state.global_step)
            # a rank that left earlier would make torchrun kill rank 0 in the middle of the manifest
            wait_for_ranks()

    def wait_for_ranks() -> None:
        if ranks_talk and ranks_talk():
            torch.distributed.barrier()

    return Watch()


def is_metric(name: str, value: Any) -> bool:
    return isinstance(value, (int, float)) and not name.endswith(("_runtime", "_time", "_per_second", "num_tokens"))


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
        jobs.stop_at_once(True)
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
        weights = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
    else:
        # peft holds them in a set, whose order changes from process to process
        adapter = model.peft_config["default"]
        adapter.target_modules = sorted(adapter.target_modules)
    model.config.use_cache = True
    model.save_pretrained(job.out, state_dict=weights)
    job.save_tokenizer(trainer.processing_class)
    (job.out / "README.md").unlink(missing_ok=True)
    if config.lora is None:
        # save_pretrained writes the dtype of the model in memory, not that of the weights it was handed
        written = job.out / "config.json"
        jobs.write_json(written, {**json.loads(written.read_text(encoding="utf-8")), "dtype": config.dtype})
