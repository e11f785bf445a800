"""The jobs of self_check.py: a tiny model of random weights, trained as a backend would have it trained."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CODE = Path(__file__).resolve().parent
STEPS, SAVED, GLOBAL_BATCH = 4, 2, 8


@dataclasses.dataclass(frozen=True)
class Bench:
    """What is checked, and where its jobs lie."""

    folder: Path
    device: str
    ranks: int
    dtype: str

    @property
    def sizes(self) -> dict[str, Any]:
        small = self.device == "cpu"
        return {
            "hidden_size": 64 if small else 1024, "intermediate_size": 128 if small else 2816, "num_hidden_layers": 2 if small else 4,
            "num_attention_heads": 4 if small else 16, "num_key_value_heads": 2 if small else 8, "vocab_size": 256 if small else 4096,
            "max_position_embeddings": 4096,
        }  # fmt: skip

    @property
    def more(self) -> dict[str, Any]:
        """Of the config, instead of what a check has."""
        return {}

    @property
    def micro_batch(self) -> int:
        return 1

    @property
    def length(self) -> int:
        """Tokens of a row."""
        return 64 if self.device == "cpu" else 2048


def lay_base(bench: Bench) -> None:
    """A model of random weights and a tokenizer of as many words."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    MistralForCausalLM(MistralConfig(**bench.sizes, sliding_window=None)).save_pretrained(bench.folder / "base")
    words = {f"w{number}": number for number in range(bench.sizes["vocab_size"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="w1", unk_token="w0").save_pretrained(bench.folder / "base")


def lay_rows(bench: Bench) -> None:
    """Packed rows of three documents each, of few words, so that four steps learn something."""
    import random

    import pyarrow
    import pyarrow.parquet as parquet

    draw, length, folder = random.Random(0), bench.length, bench.folder / "data"
    folder.mkdir()
    rows = [[draw.randrange(2, 10) for _ in range(length)] for _ in range(STEPS * GLOBAL_BATCH)]
    parts = [[length // 2, length // 4, length - length // 2 - length // 4]] * len(rows)
    kind = pyarrow.list_(pyarrow.int32())
    table = pyarrow.table({"input_ids": pyarrow.array(rows, type=kind), "seq_lengths": pyarrow.array(parts, type=kind)})
    parquet.write_table(table, folder / "train.parquet")
    parquet.write_table(table.slice(0, 0), folder / "test.parquet")


@dataclasses.dataclass(frozen=True)
class Trained:
    folder: Path
    losses: list[float]
    result: dict[str, Any]
    events: list[dict[str, Any]]


def train(bench: Bench, name: str, ranks: int, checkpoint: Path | None = None) -> Trained | str:
    """A training job as a backend starts it; what it left, or why it failed."""
    folder = bench.folder / name
    (folder / "in").mkdir(parents=True)
    inputs = {each: f"in/{each}" for each in ("base", "data")}
    for each, path in inputs.items():
        (folder / path).symlink_to(bench.folder / each)
    if checkpoint is not None:
        (folder / "in" / checkpoint.name).symlink_to(checkpoint)
    config = {
        "template": "zephyr", "bos": "none", "max_length": bench.length, "seed": 1, "learning_rate": 1e-3, "schedule": "cosine", "warmup": 0,
        "epochs": 1, "global_batch": GLOBAL_BATCH, "optimizer": "adamw_torch", "weight_decay": 0, "dtype": bench.dtype, "attention": "auto",
        "gradient_checkpointing": False, "lora": None, "quantization": None, "packing": True, "loss_tokens": "all", **bench.more,
    }  # fmt: skip
    hardware = {
        "device": bench.device, "processes": ranks, "micro_batch": bench.micro_batch,
        "accumulation": GLOBAL_BATCH // ranks // bench.micro_batch, "threads": 1,
        "sharding": "fsdp2" if ranks > 1 else "none",
    }  # fmt: skip
    job = {
        "version": 1, "program": "dsft", "labels": {"run": "self-check", "stage": "dsft", "step": name, "epoch": 1}, "config": config,
        "inputs": inputs, "hardware": hardware, "cadence": {"save_steps": SAVED, "log_steps": 1, "heartbeat_s": 60},
        "resume": None if checkpoint is None else f"in/{checkpoint.name}",
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    code = supervised(folder, ranks, [sys.executable, str(CODE / "dsft.py"), "job.json"])
    events = [json.loads(line) for line in read(folder / "events.jsonl").splitlines()]
    if code != 0 or not (folder / "result.json").exists():
        said = [event["message"] for event in events if event["type"] == "error"]
        return f"the job ended with {code}: {(said or read(folder / 'log.txt').splitlines() or ['it said nothing'])[-1]}"
    losses = [event["metrics"]["loss"] for event in events if "loss" in event.get("metrics", {})]
    return Trained(folder, losses, json.loads(read(folder / "result.json")), events)


def supervised(folder: Path, ranks: int, argv: list[str]) -> int:
    control = folder / "control"
    control.mkdir(exist_ok=True)
    supervise = [sys.executable, str(CODE / "supervise.py"), str(control), "--log", "log.txt", "--ranks", str(ranks), "--"]
    # sums that come as they come would hide what a resume gets wrong
    fixed = {"FLASH_ATTENTION_DETERMINISTIC": "1", "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([*supervise, *argv], cwd=folder, env={**os.environ, **fixed}).returncode


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
