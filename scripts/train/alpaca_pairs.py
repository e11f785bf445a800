"""Pairs of answers as the alpaca_eval package has them: which versions there are, whose answer comes first, how a pair is kept."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from exits import BAD_DATA, JobError

if TYPE_CHECKING:
    from alpaca_eval.annotators.pairwise_evaluator import SinglePairwiseAnnotator
    from pandas import DataFrame

Json = dict[str, Any]
Version = Literal[1, 2]
REQUESTS = "requests.jsonl"
# all instructions, with the answers of version 1's baseline
INSTRUCTIONS = "alpaca_eval.json"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """A version of AlpacaEval: an annotator of the package, the baseline's answers, and the judge of 2023."""

    annotator: str
    baseline: str
    judge: str


# alpaca_eval 0.6.6, constants.py and leaderboards
PROTOCOLS: dict[Version, Protocol] = {
    1: Protocol("alpaca_eval_gpt4", INSTRUCTIONS, "gpt-4"),
    2: Protocol("weighted_alpaca_eval_gpt4_turbo", "alpaca_eval_gpt4_baseline.json", "gpt-4-1106-preview"),
}


def annotator_of(version: Version) -> SinglePairwiseAnnotator:
    """The package's own: its template, its parser, its rule of order. It asks nobody and keeps no cache."""
    from alpaca_eval.annotators import PairwiseAnnotator

    # it tells of each reply that it cannot read, at length
    logging.getLogger().setLevel(logging.CRITICAL)
    name = PROTOCOLS[version].annotator
    return PairwiseAnnotator(annotators_config=name, caching_path=None).annotators[name]


def as_shown(annotator: SinglePairwiseAnnotator, rows: list[Json]) -> DataFrame:
    """`rows` in their order, with the answers as the judge sees them: for half of the instructions the other way round."""
    import pandas

    frame = pandas.DataFrame([{key: row[key] for key in ("instruction", "output_1", "output_2")} for row in rows])
    for processor in annotator.processors:
        frame = processor.preprocess(frame)
    return frame


def read_list(path: Path, called: str) -> list[Json]:
    """A file of the data set: one JSON list of objects."""
    try:
        rows = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise JobError(f'Cannot read {called}: it has no file "{path.name}"', BAD_DATA) from error
    except ValueError as error:
        raise JobError(f'Cannot read "{path.name}" of {called}, expected JSON: {error}', BAD_DATA) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise JobError(f'Cannot read "{path.name}" of {called}, expected a list of objects', BAD_DATA)
    return rows
