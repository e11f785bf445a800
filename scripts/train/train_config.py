"""What dsft.py and ddpo.py are told alike, and TRL's config made of it."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, Protocol

import attention
from chat_tokenizer import Bos
from exits import JobError
from job import Job
from typed_json import refuse_unknown

# seconds that a rank waits for the slowest of the others: it may write its share of a checkpoint to a slow shared disk
RANKS_WAIT_S = 7200
# fields of TRL that decide what the target does: how the state lies on the devices, and how many rows each gets
OF_THE_TARGET = (
    "fsdp", "fsdp_config", "deepspeed", "parallelism_config", "accelerator_config", "ddp_backend", "auto_find_batch_size", "save_on_each_node",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Lora:
    r: int
    alpha: float
    dropout: float
    targets: list[str]


class ModelConfig(Protocol):
    """What of a config says how a model is loaded."""

    @property
    def dtype(self) -> Literal["bfloat16", "float32"]: ...
    @property
    def attention(self) -> str: ...
    @property
    def quantization(self) -> Literal["nf4"] | None: ...
    @property
    def lora(self) -> object | None: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The part of the recipe that both stages own."""

    template: str
    bos: Bos = "keep"
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


def is_sharded(job: Job, config: ModelConfig) -> bool:
    """Whether weights, gradients and moments are divided over the ranks. An adapter is small, and is left whole on each."""
    return job.hardware.sharding == "fsdp2" and job.hardware.processes > 1 and config.lora is None


def sharding_of(job: Job, config: ModelConfig) -> str:
    return "fsdp2" if is_sharded(job, config) else "none"


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
        # zephyr keeps two itself, and none of them is one that is still being written
        "save_total_limit": None,
        "save_only_model": False,
        "load_best_model_at_end": False,
        "push_to_hub": False,
        "report_to": "none",
        "disable_tqdm": True,
        **own,
    }
    if is_sharded(job, config) and job.hardware.offload and job.hardware.device == "cuda":
        # gradients that lie in the memory of the host are summed there
        owned["ddp_backend"] = "cuda:nccl,cpu:gloo"
    suggested = {"ddp_timeout": RANKS_WAIT_S, "dataloader_pin_memory": job.hardware.device == "cuda"}
    attention.refuse_without_gpu(job.hardware.device)
    fields = [field.name for field in dataclasses.fields(kind)]
    refuse_unknown(config.trl, fields, "config.trl")
    for key in config.trl:
        if key in OF_THE_TARGET:
            raise JobError(f'Cannot pass "{key}" in config.trl, expected it from the target: hardware.sharding, offload and microBatch')
        if key in owned or key in ("resume_from_checkpoint", "enable_jit_checkpoint", "hub_token", "model_init_kwargs"):
            raise JobError(f'Cannot pass "{key}" in config.trl, the recipe has a field of its own for it or does without')
    try:
        return kind(**{**suggested, **owned, **config.trl})
    except (TypeError, ValueError) as error:
        raise JobError(f"Cannot build {kind.__name__}: {error}") from error
