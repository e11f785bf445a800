"""Adds a LoRA adapter to the weights of its base model: the next stage, and the user, get a whole model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from chat_tokenizer import load_tokenizer, save_tokenizer
from exits import BAD_DATA, JobError
from job import Job
from one_head import mark_untied
from run_job import run

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor, nn
    from transformers import PreTrainedModel

# What float32 sums in another order may make of a logit, as a part of the largest one; a delta that is merged into the
# wrong tensor, or twice, is off by more than a tenth of it.
BOUND = 1e-3
ROWS, TOKENS = 2, 32


@dataclasses.dataclass(frozen=True)
class Config:
    dtype: Literal["bfloat16", "float32"]


def main(job: Job, config: Config) -> None:
    base, adapter = job.input("base"), job.input("adapter")
    check_inputs(base, adapter)

    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(job.hardware.threads)
    # in float32 whatever the result is: one rounding instead of two
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, use_safetensors=True)
    fit_vocabulary(model, adapter)
    adapted = load_adapter(model, adapter)
    ids = token_rows(model)
    before = logits_of(adapted, ids)
    untie(adapted)
    merged = adapted.merge_and_unload(safe_merge=True)
    off = furthest(before, logits_of(merged, ids))

    dtype = getattr(torch, config.dtype)
    # not the buffers: rotary frequencies are made anew from its config when the model is loaded
    for parameter in merged.parameters():
        parameter.data = parameter.data.to(dtype)
    merged.config.dtype = dtype
    mark_untied(merged)
    merged.save_pretrained(job.out)
    parameters = sum(parameter.numel() for parameter in merged.parameters())
    # what was written is read again, after the one rounding that is meant
    rounded = logits_of(merged.to(torch.float32), ids)
    del model, adapted, merged
    written = AutoModelForCausalLM.from_pretrained(job.out, dtype=torch.float32, use_safetensors=True)
    off = max(off, furthest(rounded, logits_of(written, ids)))
    if not off <= BOUND:
        raise JobError(
            f"Cannot publish the merged model: its logits are off by {off:.2g} of the largest one from those of base and adapter, "
            f"expected at most {BOUND:g}", BAD_DATA
        )  # fmt: skip
    # the adapter's tokenizer, which has the chat template, rather than the base model's
    save_tokenizer(job, load_tokenizer(job, "adapter"))
    job.finish(1, 1, {"parameters": parameters, "furthest_logit": off})


def check_inputs(base: Path, adapter: Path) -> None:
    if not (adapter / "adapter_config.json").is_file():
        raise JobError('Cannot merge the input "adapter", expected an "adapter_config.json" in it', BAD_DATA)
    others = sorted(path.parent.name for path in adapter.glob("*/adapter_config.json"))
    if others:
        raise JobError(f'Cannot choose among the adapters in the input "adapter", expected one, found {", ".join(others)} beside it', BAD_DATA)
    kind = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8")).get("peft_type")
    if kind != "LORA":
        raise JobError(f'Cannot merge an adapter of the type "{kind}", expected "LORA"', BAD_DATA)
    config = base / "config.json"
    quantized = json.loads(config.read_text(encoding="utf-8")).get("quantization_config") if config.is_file() else None
    if quantized:
        raise JobError(
            f'Cannot merge into the weights of the input "base", which are quantized ({quantized.get("quant_method", "unknown")}): '
            f"they would be rounded again; expected the full weights", BAD_DATA
        )  # fmt: skip


def fit_vocabulary(model: PreTrainedModel, adapter: Path) -> None:
    """An adapter that was trained after tokens were added holds the whole embedding, of more rows than the base has."""
    from safetensors import safe_open

    path = adapter / "adapter_model.safetensors"
    if not path.is_file():
        raise JobError('Cannot merge the input "adapter", expected an "adapter_model.safetensors" in it', BAD_DATA)
    ends = [f"{name}.{end}" for name in embedding_names(model) for end in ("weight", "base_layer.weight")]
    with safe_open(path, framework="pt") as file:
        rows = {file.get_slice(key).get_shape()[0] for key in file.keys() if key.endswith(tuple(ends))}  # noqa: SIM118 - it is no dict
    if len(rows) == 1 and rows != {token_count(model)}:
        model.resize_token_embeddings(rows.pop(), mean_resizing=False)


def token_count(model: PreTrainedModel) -> int:
    """Rows of the input embedding."""
    return cast("Tensor", model.get_input_embeddings().weight).shape[0]


def embedding_names(model: PreTrainedModel) -> list[str]:
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    return [name for name, module in model.named_modules() if any(module is end for end in ends)]


def load_adapter(model: PreTrainedModel, adapter: Path) -> PeftModel:
    """As `PeftModel.from_pretrained`, which says nothing of tensors that have no place in the model."""
    from peft import PeftConfig, PeftModelForCausalLM

    config = PeftConfig.from_pretrained(str(adapter))
    config.inference_mode = True
    try:
        adapted = PeftModelForCausalLM(model, config)
        loaded = adapted.load_adapter(str(adapter), "default", is_trainable=False)
    except (RuntimeError, ValueError) as error:
        raise JobError(f'Cannot put the input "adapter" on the input "base": {" ".join(str(error).split())[:500]}', BAD_DATA) from error
    missing = [key for key in loaded.missing_keys if "lora_" in key or "modules_to_save" in key]
    for keys, what in ((loaded.unexpected_keys, "no place in the base model for"), (missing, "no tensor in the adapter for")):
        if keys:
            raise JobError(f'Cannot put the input "adapter" on the input "base": there is {what} {", ".join(sorted(keys)[:4])}', BAD_DATA)
    return adapted.eval()


def untie(adapted: PeftModel) -> None:
    """
    Gives each module that the adapter changes a weight of its own: merged into a tensor that two modules share, a change
    of the one would change the other as well, or count twice where both have it.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    changed = [module.get_base_layer() for module in adapted.modules() if isinstance(module, BaseTunerLayer)]
    holders: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in adapted.modules():
        for name, parameter in module.named_parameters(recurse=False):
            holders.setdefault(id(parameter), []).append((module, name))
    for sharing in holders.values():
        if len(sharing) > 1 and any(module is other for module, _ in sharing for other in changed):
            for module, name in sharing[1:]:
                copy = torch.nn.Parameter(getattr(module, name).detach().clone(), requires_grad=False)
                setattr(module, name, copy)


def token_rows(model: PreTrainedModel) -> Tensor:
    """Tokens from the first to the last of the vocabulary; all rows of the head are in their logits anyway."""
    import torch

    return torch.linspace(0, token_count(model) - 1, ROWS * TOKENS).round().long().reshape(ROWS, TOKENS)


def logits_of(model: Any, ids: Tensor) -> Tensor:
    import torch

    with torch.no_grad():
        logits: Tensor = model.eval()(input_ids=ids, use_cache=False).logits
    return logits.float()


def furthest(expected: Tensor, found: Tensor) -> float:
    """The largest difference, as a part of the largest value; infinite where the shapes differ."""
    if expected.shape != found.shape:
        return float("inf")
    return float((expected - found).abs().max() / expected.abs().max().clamp(min=1.0))


if __name__ == "__main__":
    run("merge", Config, main)
