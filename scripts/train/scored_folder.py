"""A scored folder: benchmarks.json and a line for each item in items (src/model/evaluation.ts), and what its figures are made by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from durable_files import write_json
from job import Job
from json_lines import write_json_lines

Json = dict[str, Any]
TOO_LONG = "longer than the context"


def write_scored_folder(job: Job, scored: list[tuple[Json, list[Json]]]) -> Json:
    """Writes benchmarks with their items, and gives the value of each by its name."""
    for benchmark, items in scored:
        path = job.out / "items" / f"{benchmark['name']}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        # what is kept for figures is not a reader's business
        write_json_lines(path, ({name: value for name, value in item.items() if name != "figures"} for item in items))
    write_json(job.out / "benchmarks.json", {"version": 1, "benchmarks": [benchmark for benchmark, _ in scored]})
    return {benchmark["name"]: benchmark["value"] for benchmark, _ in scored}


def mean(values: Iterable[float]) -> float | None:
    each = [float(value) for value in values]
    return sum(each) / len(each) if each else None


def flat(values: Iterable[Any]) -> list[float]:
    """Rows with several checks count as often as they have checks."""
    return [each for value in values for each in (value if isinstance(value, list) else [value])]


def digest(parts: Iterable[str]) -> str:
    """As lm-eval's own task hash is made: of the digests in their order."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def some_ids(items: list[Json]) -> str:
    """The first ids, for a sentence."""
    return ", ".join(item["id"] for item in items[:3]) + (" and more" if len(items) > 3 else "")
