"""The reference of dDPO: the log-probabilities that the dSFT model gives to both answers of each prepared pair, computed once.

Whoever trains on the same pairs against the same model reads them, whatever the loss, its beta, the rate and the epochs
are, and holds no second model. Which pairs go through the model together follows from the pairs and the config alone, and
one rank computes each such batch as a whole: the numbers do not depend on how many ranks there are.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal

import load_model
import pair_attention
from all_ranks import Ranks
from checkpoint import checkpoint_to_resume
from exits import BAD_DATA, JobError
from job import RANK, Job
from pair_batches import Pair, pair_batch
from records import Records, work_through
from reference_rows import SPLITS, write_reference
from run_job import run
from train_config import is_sharded
from training_rows import PAIR_COLUMNS, read_rows, row_lengths


@dataclasses.dataclass(frozen=True)
class Config:
    # what the matrix products run in
    dtype: Literal["bfloat16", "float32"]
    attention: str
    # whether an adapter is trained: its frozen weights are held in `dtype` itself, and are not sharded
    adapter: bool
    quantization: Literal["nf4"] | None
    # tokens of prompts and answers that go through the model together; a longer pair goes alone
    batch_tokens: int

    @property
    def lora(self) -> object | None:
        return self.adapter or None


@dataclasses.dataclass(frozen=True)
class Batch:
    """Pairs of a split that follow one another."""

    split: str
    start: int
    end: int


def main(job: Job, config: Config) -> None:
    check(job, config)
    resume = checkpoint_to_resume(job)
    pairs = {split: read_rows(job.input("data"), split) for split in SPLITS}
    for rows in pairs.values():
        if rows.column_names != PAIR_COLUMNS:
            raise JobError(
                f"Cannot use rows with the columns {', '.join(rows.column_names)}, expected {', '.join(PAIR_COLUMNS)}", BAD_DATA
            )
    lengths = {split: row_lengths(rows, PAIR_COLUMNS) for split, rows in pairs.items()}
    batches = [batch for split in SPLITS for batch in batches_of(split, lengths[split], config.batch_tokens)]
    tokens = sum(map(sum, lengths.values()))
    job.emit("data", rows=len(pairs["train"]), test_rows=len(pairs["test"]), tokens=tokens, batches=len(batches))

    import torch

    torch.set_num_threads(job.hardware.threads)
    ranks = Ranks(job)
    logps = logps_of(job, config)

    def records_of(batch: Batch) -> Records:
        rows = [pairs[batch.split][number] for number in range(batch.start, batch.end)]
        found = logps(rows)
        for number, both in enumerate(found, batch.start):
            if not all(map(math.isfinite, both)):
                raise JobError(
                    f"Cannot use the log-probabilities {both[0]} and {both[1]} of pair {number} of the split "
                    f'"{batch.split}", expected numbers: the model is broken', BAD_DATA
                )  # fmt: skip
        return [{"split": batch.split, "chosen": chosen, "rejected": rejected} for chosen, rejected in found]

    records = work_through(job, batches, resume, records_of, "pairs", ranks)
    if RANK != 0:
        return
    found = {split: [(each["chosen"], each["rejected"]) for each in records if each["split"] == split] for split in SPLITS}
    write_reference(job.out, job.input("data"), found)
    metrics: dict[str, Any] = {
        "pairs": len(found["train"]),
        "test_pairs": len(found["test"]),
        "tokens": tokens,
        "attention": pair_attention.kernel(job.hardware.device, config.dtype),
    }
    for number, name in enumerate(("chosen", "rejected")):
        values = [both[number] for both in found["train"]]
        metrics[f"mean_{name}"] = math.fsum(values) / max(len(values), 1)
    job.finish(len(batches), len(batches), metrics)


def check(job: Job, config: Config) -> None:
    if config.batch_tokens < 1:
        raise JobError(f"Cannot take batches of {config.batch_tokens} tokens, expected batch_tokens above 0")
    if config.quantization is not None and job.hardware.device != "cuda":
        raise JobError(f'Cannot quantize to "{config.quantization}" on the device "{job.hardware.device}", expected "cuda"')


def batches_of(split: str, lengths: list[int], most: int) -> list[Batch]:
    """Pairs in their order, as many together as have at most `most` tokens; the ranks of a round so have about the same to do."""
    batches, start, tokens = list[Batch](), 0, 0
    for number, length in enumerate(lengths):
        if number > start and tokens + length > most:
            batches.append(Batch(split, start, number))
            start, tokens = number, 0
        tokens += length
    return batches if start == len(lengths) else [*batches, Batch(split, start, len(lengths))]


def logps_of(job: Job, config: Config) -> Callable[[list[Pair]], list[tuple[float, float]]]:
    """Loads the model as a training holds its reference; what comes back gives the log-probabilities of the answers of pairs."""
    import torch
    from pair_logps import pair_logps
    from pairs_apart import check_apart

    load = load_model.load_model if config.adapter else load_model.load_reference
    model: Any = load(job, config, job.input("model"))
    sharded = is_sharded(job, config)
    if not sharded and config.quantization is None:
        model = model.to(job.hardware.device)
    model.eval()
    mixed = config.dtype == "bfloat16"

    with torch.autocast(job.hardware.device, torch.bfloat16, enabled=mixed):
        check_apart(model, job.hardware.device)

    def logps(pairs: list[Pair]) -> list[tuple[float, float]]:
        with torch.no_grad(), torch.autocast(job.hardware.device, torch.bfloat16, enabled=mixed):
            chosen, rejected = pair_logps(model, pair_batch(pairs, job.hardware.device))
        return list(zip(chosen.tolist(), rejected.tolist(), strict=True))

    return logps


if __name__ == "__main__":
    run("reference", Config, main, many_ranks=True)
