"""Pairs in one row with a shared prompt, against each answer in a padded row of its own."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from conftest import SCRIPTS, in_fork

sys.path.insert(0, str(SCRIPTS))

SHAPE: dict[str, Any] = {
    "vocab_size": 61, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 128, "pad_token_id": 0, "initializer_range": 0.15,
}  # fmt: skip


def some_pairs(count: int, longest: int = 14) -> list[dict[str, list[int]]]:
    import random

    draw = random.Random(count)
    return [
        {name: [draw.randrange(3, 61) for _ in range(draw.randrange(1, longest))] for name in ("prompt_ids", "chosen_ids", "rejected_ids")}
        for _ in range(count)
    ]


def padded_logps(model: Any, pairs: list[dict[str, list[int]]]) -> list[Any]:
    """As TRL does it: the logits of every position of every padded row."""
    import torch
    from trl.trainer.dpo_trainer import DataCollatorForPreference
    from trl.trainer.utils import selective_log_softmax

    batch = DataCollatorForPreference(pad_token_id=0)(pairs)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits[:, :-1]
    logps = selective_log_softmax(logits, batch["input_ids"][:, 1:]) * batch["completion_mask"][:, 1:]
    return list(torch.chunk(logps.sum(1), 2))


def models(family: str, **more: Any) -> tuple[Any, Any]:
    """The same weights twice: one model for rows of pairs, one for plain rows."""
    import copy

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(5)
    config = AutoConfig.for_model(family, **{**SHAPE, **more})
    attention = "eager" if family == "gpt_oss" else "sdpa"
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=attention)
    return model, copy.deepcopy(model)


FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("mistral", {"sliding_window": None}),
    ("mistral", {"sliding_window": 5}),
    ("llama", {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1, "num_key_value_heads": 1}),
    ("qwen3", {"head_dim": 16}),
]


def test_pairs_in_one_row_have_the_log_probabilities_and_gradients_of_padded_rows() -> None:
    assert in_fork(compare_with_padded) == 0


def compare_with_padded() -> None:
    import pair_logps
    import torch
    from pair_batches import pair_batch

    pairs = some_pairs(5)
    # an answer of one token is scored by the prompt alone
    pairs[1]["chosen_ids"] = pairs[1]["chosen_ids"][:1]
    for family, more in FAMILIES:
        for at_once in (2**26, 61 * 7):
            pair_logps.LOGITS_AT_ONCE = at_once
            ours, plain = models(family, **more)
            found, expected = pair_logps.pair_logps(ours, pair_batch(pairs)), padded_logps(plain, pairs)
            for ours_of, plain_of in zip(found, expected, strict=True):
                torch.testing.assert_close(ours_of, plain_of, atol=2e-6, rtol=2e-6)
            for logps in (found, expected):
                torch.nn.functional.logsigmoid(logps[0] - logps[1]).mean().backward()
            for (name, ours_at), plain_at in zip(ours.named_parameters(), plain.parameters(), strict=True):
                told = f"{family}, {name}: "
                torch.testing.assert_close(ours_at.grad, plain_at.grad, atol=2e-6, rtol=1e-4, msg=lambda text, told=told: told + text)


def test_a_prompt_without_tokens_and_an_answer_without_one_are_counted_as_trl_counts_them() -> None:
    assert in_fork(compare_empty) == 0


def compare_empty() -> None:
    import torch
    from pair_batches import pair_batch
    from pair_logps import pair_logps

    pairs = [
        {"prompt_ids": [], "chosen_ids": [5, 6, 7], "rejected_ids": [8]},
        {"prompt_ids": [4, 5], "chosen_ids": [9, 9], "rejected_ids": []},
    ]
    ours, plain = models("mistral", sliding_window=None)
    with torch.no_grad():
        for found, expected in zip(pair_logps(ours, pair_batch(pairs)), padded_logps(plain, pairs), strict=True):
            torch.testing.assert_close(found, expected, atol=2e-6, rtol=2e-6)


def test_the_kernels_of_a_gpu_are_told_of_the_pairs_what_the_segments_are() -> None:
    assert in_fork(compare_kernels) == 0


def compare_kernels() -> None:
    import pair_attention
    import torch
    from pair_batches import pair_batch

    layout = pair_batch(some_pairs(4)).layout
    torch.manual_seed(1)
    query, key, value = (torch.randn(1, heads, sum(layout.parts), 16) for heads in (4, 2, 2))

    def varlen(q: Any, k: Any, v: Any, starts: Any, key_starts: Any, longest: int, longest_key: int, **told: Any) -> Any:
        """What the documentation of flash attention says of segments of varying length, in plain sums."""
        left, right = told["window_size"]
        assert (right, told["enable_gqa"]) == (0, True)
        answers = []
        for number in range(len(starts) - 1):
            rows, key_rows = (slice(int(x[number]), int(x[number + 1])) for x in (starts, key_starts))
            count, keys = rows.stop - rows.start, key_rows.stop - key_rows.start
            assert count <= longest and keys <= longest_key
            scores = torch.einsum("qhd,khd->hqk", q[rows], k[key_rows].repeat_interleave(2, dim=1)) * told["scale"]
            behind = torch.arange(count)[:, None] + keys - count - torch.arange(keys)
            scores.masked_fill_((behind < 0) | ((left >= 0) & (behind > left)), float("-inf"))
            answers.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), v[key_rows].repeat_interleave(2, dim=1)))
        return torch.cat(answers)

    import torch.nn.attention.varlen

    torch.nn.attention.varlen.varlen_attn = varlen
    for window in (None, 3, 40):
        expected = pair_attention.by_segments(query, key, value, layout, 0.2, window)
        for attend in (pair_attention.by_varlen, pair_attention.by_flex):
            torch.testing.assert_close(attend(query, key, value, layout, 0.2, window), expected, atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize("family", ["gemma2", "gpt_oss"])
def test_a_model_that_wants_more_of_its_attention_is_refused(family: str) -> None:
    assert in_fork(refuse, family) == 0


def refuse(family: str) -> None:
    from exits import JobError
    from pair_batches import pair_batch
    from pair_logps import pair_logps

    model, _ = models(family, head_dim=16)
    with pytest.raises(JobError, match=r"Cannot train \w+ on pairs"):
        pair_logps(model, pair_batch(some_pairs(2)))


def test_a_model_in_which_the_answers_of_a_row_see_each_other_is_found_out() -> None:
    assert in_fork(find_leak) == 0


def find_leak() -> None:
    from exits import JobError
    from pairs_apart import check_apart

    model, leaky = models("mistral", sliding_window=None)
    check_apart(model, "cpu")
    # as a convolution over the row would
    leaky.model.layers[0].mlp.register_forward_hook(lambda module, inputs, output: output + output.roll(1, dims=1))
    with pytest.raises(JobError, match="they see each other"):
        check_apart(leaky, "cpu")


def test_logits_that_a_model_changes_after_its_head_are_scored_as_it_gives_them() -> None:
    assert in_fork(compare_scaled) == 0


def compare_scaled() -> None:
    import torch
    from pair_batches import pair_batch
    from pair_logps import pair_logps

    pairs = some_pairs(3)
    ours, plain = models("granite", logits_scaling=4.0)
    for found, expected in zip(pair_logps(ours, pair_batch(pairs)), padded_logps(plain, pairs), strict=True):
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=2e-6)
