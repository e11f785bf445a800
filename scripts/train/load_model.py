"""The model that is trained, and the adapter if only one of those is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attention
import chat_tokenizer
from exits import BAD_CONFIG, BAD_DATA, JobError
from job import Job
from train_config import ModelConfig, TrainConfig, is_sharded

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(job: Job, config: TrainConfig, name: str) -> PreTrainedTokenizerBase:
    tokenizer = chat_tokenizer.load_tokenizer(job, name)
    chat_tokenizer.use_template(tokenizer, config.template, config.bos)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(job: Job, config: ModelConfig, folder: Path) -> PreTrainedModel:
    """
    A full fine-tune keeps float32 weights and computes in bfloat16: at a learning rate of 5e-7 an update is smaller than the
    last bit of a bfloat16 weight and would be lost. Under LoRA the frozen weights are held in the dtype itself.
    """
    return load(job, config, folder, config.dtype if config.lora is not None else "float32")


def load_reference(job: Job, config: ModelConfig, folder: Path) -> PreTrainedModel:
    """
    The model that a full fine-tune is compared with. Nothing is added to its weights, and sharded ones are cast to the dtype
    before each use: kept in it, they are the same in half the memory.
    """
    return load(job, config, folder, config.dtype if is_sharded(job, config) else "float32")


def load(job: Job, config: ModelConfig, folder: Path, dtype: str) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    attention.refuse_without_gpu(job.hardware.device)
    options: dict[str, Any] = {"attn_implementation": attention.resolve(config.attention, job.hardware.device, config.dtype)}
    if config.quantization == "nf4":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, config.dtype)
        )
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    if is_sharded(job, config):
        options["distributed_config"] = sharding(job, config)
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), use_safetensors=True, **options
        )
    except (ValueError, ImportError) as error:
        raise JobError(f'Cannot load the model in "{folder}": {error}', BAD_CONFIG) from error
    except OSError as error:
        # without a number it is transformers that speaks, of a file that is not there
        if error.errno is not None:
            raise
        raise JobError(f'Cannot load the model in "{folder}": {error}', BAD_DATA) from error
    if is_sharded(job, config):
        refuse_unless_by_layers(model)
        hand_over(model)
    return model


def sharding(job: Job, config: ModelConfig) -> Any:
    """
    Has each rank read its share of every layer alone. The layers are gathered one by one as they are needed, in the dtype that
    the products run in, and gradients are summed in float32. The process group must be open, as TRL's config leaves it.
    """
    from transformers.distributed.configuration_utils import DistributedConfig

    return DistributedConfig(
        fsdp_size=job.hardware.processes,
        fsdp_mixed_precision=config.dtype == "bfloat16",
        # on a CPU everything is in the memory of the host already
        fsdp_cpu_offload=job.hardware.offload and job.hardware.device == "cuda",
    )


def refuse_unless_by_layers(model: PreTrainedModel) -> None:
    """Where transformers does not know the names of a model's layers it shards the model in one piece, without a word."""
    from torch.distributed.fsdp import FSDPModule

    # fully_shard makes a subclass of the class of a layer
    names = set(model._no_split_modules or ())
    layers = [module for module in model.modules() if names & {kind.__name__ for kind in type(module).__mro__}]
    if not layers or not all(isinstance(layer, FSDPModule) for layer in layers):
        raise JobError(
            f'Cannot shard a model of the type "{model.config.model_type}" by its layers: transformers has no plan for it, '
            "expected hardware.sharding none in the target"
        )


def hand_over(model: PreTrainedModel) -> None:
    """Takes off what would have the trainer refuse checkpoints of a sharded model, save it its own way, or wrap it once more."""
    from accelerate.utils.operations import convert_to_fp32  # type: ignore[import-untyped]

    model._device_mesh = None
    del model.config.distributed_config
    # accelerate takes a model with this mark as it is: it shards on GPUs only, and elsewhere replicates without a word
    model._is_accelerate_prepared = True  # type: ignore[assignment]
    # as it would have them, logits are float32: a loss of bfloat16 has three digits
    model.register_forward_hook(lambda _module, _inputs, outputs: convert_to_fp32(outputs))


def lora_config(config: TrainConfig) -> LoraConfig | None:
    if config.lora is None:
        return None
    from peft import LoraConfig

    lora = config.lora
    # peft's type of alpha is an int; all it does with it is to divide it
    return LoraConfig(
        r=lora.r, lora_alpha=cast(int, lora.alpha), lora_dropout=lora.dropout, target_modules=lora.targets, bias="none", task_type="CAUSAL_LM"
    )
