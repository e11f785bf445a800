"""
One training of the dSFT that is compared: `one_run.py VARIANT FOLDER STEPS`. Prints as JSON the seconds of each step but the first, by the wall
and of CPU, the tokens of documents that were read, and the tokens in all, padding included.

Variants: `trl` is SFTTrainer as it comes, a document a row, padded to the longest; `trl-packed` has packing on; `zephyr-packed` is the
program of the stage. The model is that of the dDPO benchmark, documents are of 110 tokens in the mean, rows of 256.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "scripts" / "train"), str(ROOT / "test" / "bench" / "ddpo")]
LONGEST, ROWS = 256, 8


def start_clock() -> list[tuple[float, float]]:
    """When each step of any trainer of this process ended, by the wall and in its CPU seconds; grows with them."""
    from transformers import TrainerCallback, trainer

    ends: list[tuple[float, float]] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append((time.perf_counter(), time.process_time()))

    trainer.DEFAULT_CALLBACKS.append(Clock)
    return ends


def seconds(ends: list[tuple[float, float]]) -> dict[str, list[float]]:
    pairs = list(itertools.pairwise(ends))
    return {name: [after[which] - before[which] for before, after in pairs] for which, name in enumerate(("step_s", "step_cpu_s"))}


def documents(steps: int) -> Any:
    """More than any variant reads in its steps."""
    from datasets import Dataset

    draw = random.Random(3)
    lengths = [min(max(round(draw.lognormvariate(4.5, 0.7)), 8), LONGEST) for _ in range(steps * ROWS * 4)]
    return Dataset.from_list([{"input_ids": [draw.randrange(3, 12_288) for _ in range(length)]} for length in lengths])


def trls(packed: bool, folder: Path, steps: int) -> dict[str, Any]:
    import torch
    from one_run import load_models, some_tokenizer
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(1)
    ends = start_clock()
    read = {"documents": 0, "all": 0}

    arguments = SFTConfig(
        output_dir=str(folder), max_length=LONGEST, packing=packed, max_steps=steps, logging_steps=1, report_to="none", use_cpu=True, bf16=False,
        save_strategy="no", per_device_train_batch_size=ROWS, seed=1, disable_tqdm=True, gradient_checkpointing=False,
        dataloader_pin_memory=False, dataset_kwargs=None if packed else {"skip_prepare_dataset": True},
    )  # fmt: skip
    trainer = SFTTrainer(model=load_models()[0], args=arguments, train_dataset=documents(steps), processing_class=some_tokenizer())
    trainer.remove_callback(PrinterCallback)
    collate = trainer.data_collator

    def counted(rows: list[dict[str, Any]]) -> Any:
        batch = collate(rows)
        if ends:
            read["documents"] += sum(len(row["input_ids"]) for row in rows)
            read["all"] += batch["input_ids"].numel()
        return batch

    trainer.data_collator = counted
    trainer.train()
    return {**seconds(ends), **read}


def zephyrs(folder: Path, steps: int) -> dict[str, Any]:
    import dsft
    import pyarrow.parquet as parquet
    from one_run import load_models, some_tokenizer
    from run_job import run
    from trl import pack_dataset

    base, data = folder / "base", folder / "data"
    data.mkdir()
    load_models()[0].save_pretrained(base)
    some_tokenizer().save_pretrained(base)
    rows = pack_dataset(documents(steps), LONGEST, "bfd").to_list()
    random.Random(1).shuffle(rows)
    from training_rows import write_rows

    for split, part in (("train", rows), ("test", [])):
        write_rows(data / f"{split}.parquet", part, ["input_ids", "seq_lengths"])
    config = {
        "template": "zephyr", "max_length": LONGEST, "seed": 1, "learning_rate": 2e-5, "schedule": "linear", "warmup": 0, "max_steps": steps,
        "epochs": 1, "global_batch": ROWS, "optimizer": "adamw_torch_fused", "weight_decay": 0, "dtype": "float32", "attention": "sdpa",
        "gradient_checkpointing": False, "lora": None, "quantization": None, "trl": {}, "packing": True, "loss_tokens": "all",
    }  # fmt: skip
    job = {
        "version": 1, "program": "dsft", "labels": {"run": "r", "stage": "dsft", "step": "train", "epoch": 1}, "config": config,
        "inputs": {"base": "base", "data": "data"}, "cadence": {"save_steps": 1000, "log_steps": 1, "heartbeat_s": 5}, "resume": None,
        "hardware": {"device": "cpu", "processes": 1, "micro_batch": ROWS, "accumulation": 1, "threads": 1},
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(job))
    sys.argv = ["dsft.py", str(folder / "job.json")]
    ends = start_clock()
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
        run("dsft", dsft.Config, dsft.main, many_ranks=True)
    assert (folder / "result.json").exists() and len(ends) == steps
    mean = sum(len(row["input_ids"]) for row in rows) / len(rows)
    assert parquet.read_metadata(data / "train.parquet").num_rows >= steps * ROWS
    # of rows that best fit has all but filled
    read = round(mean * ROWS * (steps - 1))
    return {**seconds(ends), "documents": read, "all": LONGEST * ROWS * (steps - 1)}


if __name__ == "__main__":
    variant, place, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(zephyrs(place, count) if variant == "zephyr-packed" else trls(variant == "trl-packed", place, count)))
