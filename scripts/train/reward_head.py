"""
A language model with a head of one number in place of the one for words: what a reward model is.

Four things go wrong here without a word, and are refused: a head that is not in the file is made of random numbers; padding by
the token that ends a turn has the reward read one token early; a text that was cut is read where it was cut; and rewards of a
model that was saved may be others than those of the model that was trained.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attention
import load_model
from exits import BAD_CONFIG, BAD_DATA, JobError
from job import Job
from train_config import ModelConfig, TrainConfig, is_sharded

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# what a template of ours has behind an answer
AFTER_ANSWER = "{{- '\\n' -}}"
# the head's name in every model of transformers' GenericForSequenceClassification
HEAD = "score"
# rewards of texts of token ids
Scorer = Callable[[list[list[int]]], list[float]]


def use_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    """
    Has the tokenizer pad with a token that ends no text. The model reads the reward off the last token that is not padding: one
    that pads and ends turns alike would be passed over.
    """
    named = [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.bos_token_id]
    pad = next(one for one in [*named, *range(len(tokenizer))] if one is not None and one != tokenizer.eos_token_id)
    tokenizer.pad_token = cast(str, tokenizer.convert_ids_to_tokens(pad))


def end_at_the_end_token(tokenizer: PreTrainedTokenizerBase) -> None:
    """Has a rendered dialogue end where the texts of the training end, and not in a line feed, off which the reward would be read."""
    template = cast(str, tokenizer.chat_template)
    tokenizer.chat_template = template.replace(AFTER_ANSWER, f"{{%- if not loop.last -%}}\n{AFTER_ANSWER}\n{{%- endif -%}}")


def load_to_train(job: Job, config: TrainConfig, folder: Path) -> PreTrainedModel:
    """
    The language model of a folder with a new head, in float32, or its own dtype under LoRA. The head's weights are drawn from
    N(0, 1 / (hidden + 1)) by the seed alone (Stiennon et al. 2020, appendix B.1): first rewards are near 0, on every rank the same.
    """
    from trl.trainer.reward_trainer import suppress_seqcls_warning

    dtype = config.dtype if config.lora is not None else "float32"
    with suppress_seqcls_warning():
        model, _ = loaded(folder, dtype, num_labels=1, **placement(job, config))
    if getattr(model, HEAD, None) is None:
        raise JobError(f'Cannot put a reward head on a model of the type "{model.config.model_type}", expected it to be called "{HEAD}"')
    draw_head(model, config.seed)
    if is_sharded(job, config):
        load_model.refuse_unless_by_layers(model)
        load_model.hand_over(model)
    return model


def placement(job: Job, config: ModelConfig) -> dict[str, Any]:
    """How `from_pretrained` lays out a model that is trained."""
    import torch

    attention.refuse_without_gpu(job.hardware.device)
    options: dict[str, Any] = {"attn_implementation": attention.resolve(config.attention, job.hardware.device, config.dtype)}
    if config.quantization == "nf4":
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=getattr(torch, config.dtype), llm_int8_skip_modules=[HEAD]
        )
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", "0"))}
    if is_sharded(job, config):
        options["distributed_config"] = load_model.sharding(job, config)
    return options


def loaded(folder: Path, dtype: str, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A model with a head, and what transformers says of its weights."""
    import torch
    from transformers import AutoModelForSequenceClassification

    try:
        found: tuple[PreTrainedModel, dict[str, Any]] = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=getattr(torch, dtype), use_safetensors=True, output_loading_info=True, **options
        )
    except (ValueError, ImportError) as error:
        raise JobError(f'Cannot load a reward model of "{folder}": {error}', BAD_CONFIG) from error
    except OSError as error:
        # without a number it is transformers that speaks, of a file that is not there
        if error.errno is not None:
            raise
        raise JobError(f'Cannot load a reward model of "{folder}": {error}', BAD_DATA) from error
    return found


def draw_head(model: PreTrainedModel, seed: int) -> None:
    import torch
    from torch.distributed.tensor import DTensor, distribute_tensor

    weight = cast("Tensor", getattr(model, HEAD).weight)
    draws = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)) / (weight.shape[1] + 1) ** 0.5
    with torch.no_grad():
        if isinstance(weight, DTensor):
            weight.copy_(distribute_tensor(draws.to(weight.device, weight.dtype), weight.device_mesh, weight.placements))
        else:
            weight.copy_(draws)


def lora_config(config: TrainConfig) -> LoraConfig | None:
    """As for a language model, but of the kind that trains and saves the head, which would else be left as it was drawn."""
    made = load_model.lora_config(config)
    if made is not None:
        made.task_type = "SEQ_CLS"
        # a reward model has no head for words
        made.target_modules = sorted(name for name in config.lora.targets if name != "lm_head") if config.lora is not None else None
        made.modules_to_save = [HEAD]
    return made


def load_trained(folder: Path, dtype: str) -> tuple[PreTrainedModel, int]:
    """A reward model, and the token that it takes for padding."""
    model, loading = loaded(folder, dtype, attn_implementation="sdpa")
    if loading["missing_keys"]:
        names = ", ".join(sorted(loading["missing_keys"])[:3])
        raise JobError(f'Cannot score with "{folder}", expected weights of a reward head: {names} missing', BAD_DATA)
    if model.config.num_labels != 1:
        raise JobError(f'Cannot score with "{folder}", expected one label, got {model.config.num_labels}', BAD_DATA)
    pad = model.config.pad_token_id
    if pad is None or pad == model.config.eos_token_id:
        raise JobError(f'Cannot score with "{folder}", expected a token for padding that ends no text, got {pad}', BAD_DATA)
    return model, pad


def load_to_score(folder: Path, device: str, dtype: str, batch_rows: int) -> Scorer:
    """What gives the rewards of texts of token ids, each read at its last token, `batch_rows` at once."""
    import torch

    model, pad = load_trained(folder, dtype)
    # transformers wraps `to` in a way that has lost its types
    scoring: Any = cast(Any, model).to(device).eval().requires_grad_(False)

    def score(texts: list[list[int]]) -> list[float]:
        rewards: list[float] = []
        for start in range(0, len(texts), batch_rows):
            batch = padded(texts[start : start + batch_rows], pad, device)
            with torch.inference_mode():
                rewards += scoring(**batch, use_cache=False).logits[:, 0].float().tolist()
        return rewards

    return score


def padded(texts: list[list[int]], pad: int, device: Any) -> dict[str, Tensor]:
    """`input_ids` and `attention_mask`, [texts, longest], padded on the right."""
    import torch

    width = max(len(ids) for ids in texts)
    ids = torch.tensor([text + [pad] * (width - len(text)) for text in texts], device=device)
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts], device=device)
    return {"input_ids": ids, "attention_mask": mask}
