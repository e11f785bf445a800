"""Next tokens of many prompts at once: each row samples by its own temperature and draws, has its own limit, and leaves
the batch when it has ended, so that nothing is computed for it any more."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# a temperature below it is none: the likeliest token each time
GREEDY = 1e-4


@dataclasses.dataclass(frozen=True)
class Row:
    """A prompt as tokens, and how it is continued."""

    ids: list[int]
    temperature: float
    # tokens at most
    limit: int
    # of its draws
    seed: int


def decode(model: Any, rows: list[Row], top_p: float, eos: int) -> list[tuple[list[int], str]]:
    """
    The continuation of each row without the end token, and why it ends: `stop` at the end token, `length` at the limit.
    Prompts are padded on the left; the positions of a row are those that it would have alone.
    """
    import torch
    from transformers import DynamicCache

    device = model.device
    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([[eos] * (width - len(row.ids)) + row.ids for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row.ids)) + [1] * len(row.ids) for row in rows], device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    # a model computes logits of the whole prompt unless it is told how many are read
    last = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
    cache = DynamicCache(config=model.config)
    pick = Picker(rows, top_p)
    answers: list[list[int]] = [[] for _ in rows]
    reasons = ["length"] * len(rows)
    open_rows = list(range(len(rows)))
    with torch.inference_mode():
        while True:
            logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True, **last).logits[:, -1]
            tokens = pick(logits, open_rows, len(answers[open_rows[0]]))
            kept = []
            for place, (row, token) in enumerate(zip(open_rows, tokens.tolist(), strict=True)):
                if token == eos:
                    reasons[row] = "stop"
                    continue
                answers[row].append(token)
                if len(answers[row]) < rows[row].limit:
                    kept.append(place)
            if not kept:
                return list(zip(answers, reasons, strict=True))
            if len(kept) < len(open_rows):
                chosen = torch.tensor(kept, device=device)
                open_rows = [open_rows[place] for place in kept]
                cache.batch_select_indices(chosen)
                tokens, mask, positions = tokens[chosen], mask[chosen], positions[chosen]
            ids = tokens[:, None]
            mask = torch.cat([mask, mask.new_ones(len(kept), 1)], dim=-1)
            positions = positions[:, -1:] + 1


class Picker:
    """The next token of each row: the likeliest, or the one in whose share of the probability the row's draw of this step falls."""

    def __init__(self, rows: list[Row], top_p: float) -> None:
        import torch
        from transformers import TopPLogitsWarper

        self.temperatures = torch.tensor([0.0 if row.temperature < GREEDY else row.temperature for row in rows])
        # draws of its own for each row: the same whatever lies beside it
        draws = [torch.rand(row.limit, generator=torch.Generator().manual_seed(row.seed), dtype=torch.float64) for row in rows]
        self.draws = torch.nn.utils.rnn.pad_sequence(draws, batch_first=True)
        self.keep_likely = TopPLogitsWarper(top_p) if top_p < 1 else None

    def __call__(self, logits: torch.Tensor, rows: list[int], step: int) -> torch.Tensor:
        import torch

        likeliest = logits.argmax(-1)
        temperatures = self.temperatures[rows].to(logits.device)
        sampled = temperatures > 0
        if not sampled.any():
            return likeliest
        scaled = logits[sampled].float() / temperatures[sampled, None]
        if self.keep_likely is not None:
            scaled = self.keep_likely(None, scaled)
        upto = scaled.double().softmax(-1).cumsum(-1)
        draw = self.draws[rows, step, None].to(upto.device)[sampled] * upto[:, -1:]
        likeliest[sampled] = torch.searchsorted(upto, draw, right=True).squeeze(-1)
        return likeliest
