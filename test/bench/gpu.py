"""Figures of a GPU for configs/LOG.md, in less than ten minutes: `python test/bench/gpu.py`; `--tiny` tries the script on a CPU.

1. Products of matrices: what the device gives at most here.
2. dSFT by the program of jobs, packed rows of 2048 tokens, with the layers of Mistral-7B, as many as fit: tokens/s and MFU.
3. dDPO with an online reference, micro batch 8, lengths like UltraFeedback's: TRL's DPOTrainer and zephyr's, one after the other
   on the same pairs, pairs/s, peak memory and losses.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "train"))

import check_jobs
import torch
from check_jobs import Bench, Trained

MISTRAL = {
    "hidden_size": 4096, "intermediate_size": 14336, "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
    "max_position_embeddings": 4096,
}  # fmt: skip
TINY = {
    "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512,
    "max_position_embeddings": 4096,
}  # fmt: skip


def layers_that_fit(share: float) -> int:
    """Of 218 million weights each, 16 bytes a weight for a full fine-tune, beside the head and what is kept of 4 x 2048 tokens."""
    total: int = torch.cuda.get_device_properties(0).total_memory
    return max(2, min(32, int((share * total - 16e9) / (218e6 * 16 + 3e9))))


class Shape(Bench):
    tiny = False

    @property
    def sizes(self) -> dict[str, Any]:
        return {**TINY, "num_hidden_layers": 2} if self.tiny else {**MISTRAL, "num_hidden_layers": layers_that_fit(0.9)}

    @property
    def more(self) -> dict[str, Any]:
        return {"epochs": 3}

    @property
    def micro_batch(self) -> int:
        return 1 if self.tiny else 4

    @property
    def length(self) -> int:
        return 64 if self.tiny else 2048


def products(device: str, size: int) -> dict[str, float]:
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    times = []
    for _ in range(12):
        began = time.perf_counter()
        (left @ right)[0, 0].item()
        times.append(time.perf_counter() - began)
    return {"size": size, "tflops": round(2 * size**3 / min(times) / 1e12, 1)}


def dsft(shape: Shape) -> dict[str, Any]:
    check_jobs.lay_base(shape)
    check_jobs.lay_rows(shape)
    trained = check_jobs.train(shape, "dsft", 1)
    if not isinstance(trained, Trained):
        return {"failed": trained}
    # the first steps warm up
    metrics = [event["metrics"] for event in trained.events if "loss" in event.get("metrics", {})][4:]
    medians = {name: statistics.median(each[name] for each in metrics) for name in ("tokens_per_s", "mfu") if name in metrics[0]}
    return {"layers": shape.sizes["num_hidden_layers"], "attention": trained.result["metrics"]["attention"], **medians}


def pairs_like_ultrafeedback(count: int, scale: float, vocabulary: int) -> list[dict[str, list[int]]]:
    """Lognormal lengths, prompts of a mean near 170 tokens and answers near 290, cut at 512 and 1024 together as in the recipe."""
    draw = random.Random(0)

    def tokens(mean: float, most: int) -> list[int]:
        length = max(2, min(int(draw.lognormvariate(mean, 0.8) * scale), int(most * scale)))
        return [draw.randrange(2, vocabulary) for _ in range(length)]

    return [{"prompt_ids": tokens(4.8, 512), "chosen_ids": tokens(5.35, 512), "rejected_ids": tokens(5.35, 512)} for _ in range(count)]


def ddpo(folder: Path, tiny: bool, trainer_of: Any, device: str) -> dict[str, Any]:
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast, TrainerCallback
    from trl import DPOConfig

    from datasets import Dataset

    torch.manual_seed(0)
    sizes: Any = {**(TINY if tiny else MISTRAL), "num_hidden_layers": 2 if tiny else max(2, layers_that_fit(0.55) // 2)}
    micro, steps = (2, 3) if tiny else (8, 8)
    policy, reference = (MistralForCausalLM(MistralConfig(**sizes, sliding_window=None)) for _ in range(2))
    reference.load_state_dict({name: weight + 0.002 for name, weight in policy.state_dict().items()})
    rows = Dataset.from_list(pairs_like_ultrafeedback(micro * steps, 0.1 if tiny else 1.0, sizes["vocab_size"]))
    arguments = DPOConfig(
        output_dir=str(folder / "ddpo"), per_device_train_batch_size=micro, max_steps=steps, learning_rate=1e-6, bf16=not tiny,
        gradient_checkpointing=not tiny, logging_steps=1, logging_first_step=True, save_strategy="no", report_to="none", disable_tqdm=True,
        max_length=1024, beta=0.01, use_cpu=device == "cpu", seed=1, dataloader_pin_memory=False,
    )  # fmt: skip
    ends: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            if device == "cuda":
                torch.cuda.synchronize()
            ends.append(time.perf_counter())

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "base", pad_token="w1")
    trainer = trainer_of(
        model=policy, ref_model=reference, args=arguments, train_dataset=rows, processing_class=tokenizer, callbacks=[Clock()]
    )
    trainer.train()
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    peak = round(torch.cuda.max_memory_allocated() / 2**30, 1) if device == "cuda" else None
    # the first step compiles and warms up
    return {"layers": sizes["num_hidden_layers"], "pairs_per_s": micro * (len(ends) - 1) / (ends[-1] - ends[0]), "peak_gib": peak, "losses": losses}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true", help="tries the script with tiny shapes on a CPU: its figures say nothing")
    tiny: bool = parser.parse_args().tiny
    device = "cpu" if tiny else "cuda"
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("No GPU is here; --tiny tries the script on a CPU")
    from preference_trainer import PreferenceTrainer
    from trl import DPOTrainer

    class Bare(DPOTrainer):
        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    def tell(what: str, found: dict[str, Any]) -> None:
        print(json.dumps({"what": what, **found}), flush=True)

    tell("device", {"name": "CPU" if tiny else torch.cuda.get_device_name(), "torch": torch.__version__})
    tell("products in bfloat16", products(device, 256 if tiny else 8192))
    with tempfile.TemporaryDirectory(prefix="zephyr-bench-") as name:
        folder = Path(name)
        shape = Shape(folder, device, 1, "float32" if tiny else "bfloat16")
        Shape.tiny = tiny
        tell("dSFT, packed rows", dsft(shape))
        found = {}
        for who, trainer_of in (("TRL", Bare), ("zephyr", PreferenceTrainer)):
            found[who] = ddpo(folder, tiny, trainer_of, device)
            tell(f"dDPO by {who}", {key: value for key, value in found[who].items() if key != "losses"})
            if device == "cuda":
                torch.cuda.empty_cache()
        apart = max(abs(a - b) for a, b in zip(found["TRL"]["losses"], found["zephyr"]["losses"], strict=True))
        ratio = found["zephyr"]["pairs_per_s"] / found["TRL"]["pairs_per_s"]
        tell("dDPO, zephyr over TRL", {"pairs": round(ratio, 2), "largest_difference_of_losses": apart})


if __name__ == "__main__":
    main()
