"""
One training of a pair of trainers that are compared, in a process of its own: `one_run.py VARIANT FOLDER PAIRS MICRO_BATCH`. Prints as JSON the
CPU seconds of its loop, the peak of its memory above that at the start of the loop, losses, gradient norms and tokens.

Layers as of SmolLM2-135M (hidden 576, 9 heads of which 3 have keys), six of them, with a vocabulary that gives the output head the share
that it has there. Lengths as in UltraFeedback (lognormal; prompts of about 170 tokens, answers of about 290, at most 1,024 with
512 for the prompt), divided by 4.
"""

from __future__ import annotations

import copy
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts" / "train"))

VOCABULARY = 12_288
ACCUMULATION = 2
LONGEST = 256


def some_pairs(count: int) -> list[dict[str, list[int]]]:
    draw = random.Random(7)

    def tokens(mean: float, spread: float, most: int) -> list[int]:
        # the mean of a lognormal is that of its logarithm's normal, times exp(spread^2 / 2)
        length = round(draw.lognormvariate(0, spread) * mean / 2.718281828 ** (spread**2 / 2) / 4)
        return [draw.randrange(3, VOCABULARY) for _ in range(min(max(length, 2), most))]

    def pair() -> dict[str, list[int]]:
        prompt = tokens(170, 0.8, LONGEST // 2)
        return {"prompt_ids": prompt} | {name: tokens(290, 0.55, LONGEST - len(prompt)) for name in ("chosen_ids", "rejected_ids")}

    return [pair() for _ in range(count)]


def load_models() -> tuple[Any, Any]:
    """A policy, and a reference that differs from it: otherwise the first losses would be ln 2 whatever the rows are."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=576, intermediate_size=1536, num_hidden_layers=6, num_attention_heads=9, num_key_value_heads=3,
        max_position_embeddings=2048, tie_word_embeddings=True, pad_token_id=0, attn_implementation="sdpa",
    )  # fmt: skip
    # each with a config of its own, which says what attention it has
    model, reference = LlamaForCausalLM(config), LlamaForCausalLM(copy.deepcopy(config))
    reference.load_state_dict(model.state_dict())
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.002)
    return model, reference


def some_tokenizer() -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"<pad>": 0, "<unk>": 1, "</s>": 2}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="</s>")


def build(variant: str, folder: str, count: int, micro_batch: int) -> Any:
    import torch
    from pair_batches import REFERENCE_COLUMNS, pair_batch
    from pair_logps import pair_logps
    from preference_trainer import PreferenceTrainer
    from transformers import PrinterCallback
    from trl import DPOConfig, DPOTrainer

    from datasets import Dataset

    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = [dict(pair) for pair in some_pairs(count)]
    model, reference = load_models()
    cached = variant.endswith("cached")
    if cached:
        # by the step "reference", once for all trainings, in a process of its own
        with torch.no_grad():
            for row in rows:
                row |= dict(zip(REFERENCE_COLUMNS, map(float, pair_logps(reference, pair_batch([row]))), strict=True))
        reference = None
    arguments = DPOConfig(
        output_dir=folder, max_length=LONGEST, beta=0.01, learning_rate=5e-7, max_steps=count // micro_batch // ACCUMULATION, logging_steps=1,
        report_to="none", use_cpu=True, bf16=False, save_strategy="no", per_device_train_batch_size=micro_batch, seed=1, disable_tqdm=True,
        gradient_accumulation_steps=ACCUMULATION, gradient_checkpointing=False, lr_scheduler_type="constant", dataloader_pin_memory=False,
        precompute_ref_log_probs=cached,
    )  # fmt: skip
    kind: Any = PreferenceTrainer if variant.startswith("zephyr") else DPOTrainer
    DPOTrainer._prepare_dataset = PreferenceTrainer._prepare_dataset  # type: ignore[method-assign]
    DPOTrainer._precompute_ref_logps = PreferenceTrainer._precompute_ref_logps  # type: ignore[method-assign]
    trainer = kind(
        model=model, ref_model=reference, args=arguments, train_dataset=Dataset.from_list(rows), processing_class=some_tokenizer()
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    return trainer


def memory(field: str) -> float:
    """MB of this process, as Linux counts them: VmRSS now, VmHWM at most since the last reset."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) / 1000


def main(variant: str, folder: str, count: str, micro_batch: str) -> None:
    import gc

    trainer = build(variant, folder, int(count), int(micro_batch))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before, started, wall = memory("VmRSS"), time.process_time(), time.perf_counter()
    trainer.train()
    spent, elapsed = time.process_time() - started, time.perf_counter() - wall
    logs = [log for log in trainer.state.log_history if "loss" in log]
    figures = {
        "cpu_s": spent, "wall_s": elapsed, "pairs": int(count), "peak_mb": memory("VmHWM") - before, "tokens": logs[-1]["num_tokens"],
        "loss": [log["loss"] for log in logs], "grad_norm": [log["grad_norm"] for log in logs],
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
