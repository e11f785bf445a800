"""Rows that are left out: counted by reason for each source, told, and refused when they are too many."""

from __future__ import annotations

import collections
import json
from typing import Any

from exits import BAD_DATA, JobError
from job import Job
from prepare_config import Config
from row_shapes import WANTED
from source_rows import Row, Split, contents

# what the recipe asks to leave out counts against no share
ASKED_FOR = ("contaminated", "disclaimer")


class LeftOut:
    """Of the rows of one role, train or test."""

    def __init__(self, rows: list[Row]) -> None:
        self.read = collections.Counter(row.split for row in rows)
        self.dropped: dict[Split, collections.Counter[str]] = {split: collections.Counter() for split in self.read}
        self.noticed: collections.Counter[str] = collections.Counter()
        self._first: dict[tuple[Split, str], Row] = {}

    def drop(self, row: Row, reason: str) -> None:
        self.dropped[row.split][reason] += 1
        self._first.setdefault((row.split, reason), row)

    def notice(self, what: str, by: int = 1) -> None:
        self.noticed[what] += by

    def counts(self) -> dict[str, int]:
        """By reason, over all sources."""
        return dict(sorted(sum(self.dropped.values(), collections.Counter()).items()))

    def tell(self, job: Job, config: Config) -> None:
        """One event for each source that lost a row; a `JobError` (65) for one that lost more than the recipe allows."""
        for split, counts in self.dropped.items():
            if counts:
                members = {"input": split.source.input, "split": split.name, "read": self.read[split]}
                job.emit("dropped", **members, reasons=dict(by_count(counts)))
        for split, counts in self.dropped.items():
            lost = sum(count for reason, count in counts.items() if reason not in ASKED_FOR)
            if lost > config.max_dropped * self.read[split]:
                raise JobError(self._too_many(split, lost, config), BAD_DATA)

    def _too_many(self, split: Split, lost: int, config: Config) -> str:
        reasons = [(reason, count) for reason, count in by_count(self.dropped[split]) if reason not in ASKED_FOR]
        told = ", ".join(f"{count} {reason}" for reason, count in reasons)
        row = self._first[split, reasons[0][0]]
        [content] = contents([row])
        wanted = f"; {WANTED[config.kind]}" if lost == self.read[split] else ""
        return (
            f'Cannot use the split "{split.name}" of the dataset "{split.source.input}": {lost} of {self.read[split]} rows would be '
            f"left out, more than the share of {config.max_dropped:g} that maxDropped allows ({told}), "
            f"for example row {row.index + 1}: {shortened(content)}{wanted}"
        )


def by_count(counts: collections.Counter[str]) -> list[tuple[str, int]]:
    """The most first; of equals in the order of the alphabet."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def shortened(content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, default=str)
    return text if len(text) <= 240 else f"{text[:160]} ... {text[-60:]}"
