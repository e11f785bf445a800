"""Adds a LoRA adapter to the weights of its base model: the next stage, and the user, get a whole model."""

from __future__ import annotations

import dataclasses
from typing import Literal

from chat_tokenizer import load_tokenizer, save_tokenizer
from exits import BAD_DATA, JobError
from job import Job
from run_job import run


@dataclasses.dataclass(frozen=True)
class Config:
    dtype: Literal["bfloat16", "float32"]


def main(job: Job, config: Config) -> None:
    base, adapter = job.input("base"), job.input("adapter")
    if not (adapter / "adapter_config.json").is_file():
        raise JobError('Cannot merge the input "adapter", expected an "adapter_config.json" in it', BAD_DATA)

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(job.hardware.threads)
    # in float32 whatever the result is: one rounding instead of two
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    merged = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    merged = merged.to(getattr(torch, config.dtype))
    merged.config.dtype = getattr(torch, config.dtype)
    merged.save_pretrained(job.out)
    # the adapter's tokenizer, which has the chat template, rather than the base model's
    save_tokenizer(job, load_tokenizer(job, "adapter", None))
    job.finish(1, 1, {"parameters": sum(parameter.numel() for parameter in merged.parameters())})


if __name__ == "__main__":
    run("merge", Config, main)
