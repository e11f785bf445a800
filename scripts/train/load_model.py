"""The model that is trained, and the adapter if only one of those is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attention
import chat_tokenizer
from exits import BAD_CONFIG, BAD_DATA, JobError
from job import Job
from train_config import TrainConfig

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(job: Job, config: TrainConfig, name: str) -> PreTrainedTokenizerBase:
    tokenizer = chat_tokenizer.load_tokenizer(job, name, config.template)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(job: Job, config: TrainConfig, folder: Path) -> PreTrainedModel:
    """
    A full fine-tune keeps float32 weights under bfloat16 autocast: at a learning rate of 5e-7 an update is smaller than the
    last bit of a bfloat16 weight and would be lost. Under LoRA the frozen weights are held in the dtype itself.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, config.dtype) if config.lora is not None else torch.float32
    options: dict[str, Any] = {"attn_implementation": attention.resolve(config.attention, job.hardware.device, config.dtype)}
    if config.quantization == "nf4":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, config.dtype)
        )
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    try:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, use_safetensors=True, **options)
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
    # peft's type of alpha is an int; all it does with it is to divide it
    return LoraConfig(
        r=lora.r, lora_alpha=cast(int, lora.alpha), lora_dropout=lora.dropout, target_modules=lora.targets, bias="none", task_type="CAUSAL_LM"
    )
