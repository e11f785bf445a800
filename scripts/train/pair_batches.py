"""
Preference pairs laid end to end in one row, without padding: the prompt of a pair once, then its two answers, each at the
positions it would have behind the prompt alone. The last token of an answer predicts nothing and is left out of the row.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

# a row of prepare.py, see training_rows.PAIR_COLUMNS, and with a cached reference its two columns
Pair = dict[str, Any]
REFERENCE_COLUMNS = ["ref_chosen_logps", "ref_rejected_logps"]


class Lengths(NamedTuple):
    """Tokens of one pair in the row; of an answer all but its last."""

    prompt: int
    chosen: int
    rejected: int


class Varlen(NamedTuple):
    """
    What attention of varying lengths is told: one segment of queries for each prompt with its chosen answer, one for each
    rejected answer. A segment's keys end where its queries end, so that the causal mask is aligned at its lower right corner.
    """

    # [K] rows of the keys, where the prompt comes again before each rejected answer
    keys: torch.Tensor
    # [segments + 1] where the segments begin, and the end of the last one; int32, as the kernels want it
    query_starts: torch.Tensor
    key_starts: torch.Tensor
    longest_query: int
    longest_key: int


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the pairs lie in the row; handed to the attention of every layer."""

    lengths: list[Lengths]
    device: torch.device

    @functools.cached_property
    def parts(self) -> list[int]:
        """Tokens of each prompt, chosen and rejected answer, in their order in the row."""
        return list(itertools.chain.from_iterable(self.lengths))

    @functools.cached_property
    def part_of_token(self) -> torch.Tensor:
        """[T] number of the part that a token is in: 3 x its pair, plus 0 in the prompt, 1 in the chosen, 2 in the rejected answer."""
        import torch

        return torch.arange(len(self.parts)).repeat_interleave(torch.tensor(self.parts)).to(self.device)

    @functools.cached_property
    def position_ids(self) -> torch.Tensor:
        """[1, T] the position of each token in its own sequence."""
        import torch

        ranges = [
            torch.arange(start, start + length)
            for prompt, chosen, rejected in self.lengths
            for start, length in ((0, prompt), (prompt, chosen), (prompt, rejected))
        ]
        return torch.cat(ranges).unsqueeze(0).to(self.device)

    @functools.cached_property
    def varlen(self) -> Varlen:
        import torch

        keys, queries_of, keys_of, start = [], [0], [0], 0
        for prompt, chosen, rejected in self.lengths:
            end = start + prompt + chosen
            keys += [torch.arange(start, end), torch.arange(start, start + prompt), torch.arange(end, end + rejected)]
            queries_of += [prompt + chosen, rejected]
            keys_of += [prompt + chosen, prompt + rejected]
            start = end + rejected
        starts = [torch.tensor(lengths, dtype=torch.int32).cumsum(0, dtype=torch.int32).to(self.device) for lengths in (queries_of, keys_of)]
        return Varlen(torch.cat(keys).to(self.device), starts[0], starts[1], max(queries_of), max(keys_of))


@dataclasses.dataclass(frozen=True)
class PairBatch:
    """N pairs of T tokens in all, of which S score: each predicts one token of an answer."""

    # [1, T]
    input_ids: torch.Tensor
    # [S] place in the row whose logits score, and the token they score
    scored: torch.Tensor
    labels: torch.Tensor
    # scored tokens of each answer: chosen and rejected of the first pair, of the second and so on
    answers: list[int]
    layout: Layout
    # [N] each, where the reference has been asked before
    reference: tuple[torch.Tensor, torch.Tensor] | None

    def __len__(self) -> int:
        return len(self.layout.lengths)


def row_tokens(pair: Pair) -> int:
    """Tokens that a pair takes up in a row."""
    return sum(lengths(pair))


def lengths(pair: Pair) -> Lengths:
    return Lengths(len(pair["prompt_ids"]), *(max(len(pair[name]) - 1, 0) for name in ("chosen_ids", "rejected_ids")))


def pair_batch(pairs: Sequence[Pair], device: torch.device | str = "cpu") -> PairBatch:
    """One row of all the pairs, without padding."""
    import torch

    tokens: list[int] = []
    scored: list[int] = []
    labels: list[int] = []
    answers: list[int] = []
    for pair in pairs:
        prompt = len(pair["prompt_ids"])
        last_of_prompt = len(tokens) + prompt - 1
        tokens += pair["prompt_ids"]
        for name in ("chosen_ids", "rejected_ids"):
            answer = pair[name]
            places = ([last_of_prompt] if prompt and answer else []) + list(range(len(tokens), len(tokens) + max(len(answer) - 1, 0)))
            scored += places
            # without a prompt nothing predicts the first token
            labels += answer[len(answer) - len(places) :]
            answers.append(len(places))
            tokens += answer[:-1]
    known = all(name in pairs[0] for name in REFERENCE_COLUMNS)
    columns = [torch.tensor([pair[name] for pair in pairs], dtype=torch.float32, device=device) for name in REFERENCE_COLUMNS if known]
    return PairBatch(
        input_ids=torch.tensor([tokens], device=device),
        scored=torch.tensor(scored, dtype=torch.long, device=device),
        labels=torch.tensor(labels, dtype=torch.long, device=device),
        answers=answers,
        layout=Layout([lengths(pair) for pair in pairs], torch.device(device)),
        reference=(columns[0], columns[1]) if known else None,
    )


def token_budget(micro_batch: int, max_length: int) -> int:
    """
    Tokens in one row that `micro_batch` pairs may take up: of each, half of the most that an answer may take with its prompt, which
    real pairs take up on average. Padded, they would be up to four times as many.
    """
    return max(1, micro_batch * max_length // 2)


def micro_batches_needed(tokens: Sequence[int], budget: int) -> int:
    """Into how few micro batches pairs of so many tokens go, none above the budget but by a pair that is so alone."""
    limit = max(budget, *tokens)
    count = -(-sum(tokens) // limit)
    while max(sum(tokens[place] for place in places) for places in balanced(tokens, count)) > limit:
        count += 1
    return count


def balanced(tokens: Sequence[int], count: int) -> list[list[int]]:
    """
    Places of the pairs in each of `count` micro batches of about as many tokens: the longest pairs first, each into the emptiest
    (Graham 1969, longest processing time). No micro batch is empty as long as there are as many pairs.
    """
    places: list[list[int]] = [[] for _ in range(count)]
    sums = [0] * count
    for place in sorted(range(len(tokens)), key=lambda place: -tokens[place]):
        emptiest = min(range(count), key=lambda number: (sums[number], len(places[number])))
        places[emptiest].append(place)
        sums[emptiest] += tokens[place]
    return [sorted(group) for group in places]
