"""
Attention for rows of preference pairs (see pair_batches): each answer sees its prompt and itself, never the other answer or another
pair. Registered with transformers, which then calls it in every layer of a model that has no attention of its own kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exits import BAD_CONFIG, JobError
from pair_batches import Layout

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel

NAME = "zephyr_pairs"
# what a model may want of its attention and this one does not do; ignoring them would give other numbers without a word
REFUSED = ("softcap", "s_aux", "position_bias")


def use_pair_attention(model: PreTrainedModel) -> None:
    """From now on the model takes rows of pairs, and nothing else."""
    from transformers import AttentionInterface, AttentionMaskInterface

    if model.config._attn_implementation == NAME:
        return
    AttentionInterface.register(NAME, pair_attention)
    # no mask is made: the layout says who sees whom
    AttentionMaskInterface.register(NAME, lambda **_: None)
    model.set_attn_implementation(NAME)
    if model.config._attn_implementation != NAME:
        raise JobError(f"Cannot train {type(model).__name__} on pairs, its attention cannot be replaced", BAD_CONFIG)


def pair_attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
    *, scaling: float | None = None, dropout: float = 0.0, sliding_window: int | None = None, layout: Layout | None = None, **kwargs: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """
    Attention of one layer. `query` is [1, heads, T, D], `key` and `value` are [1, key heads, T, D]; the answer is [1, T, heads, D].
    A query at position p sees the keys of its own sequence from position p - sliding_window + 1 to p.
    """
    import torch

    wanted = [name for name in REFUSED if kwargs.get(name) is not None]
    if layout is None or wanted or dropout > 0:
        what = "is called without the layout of the pairs" if layout is None else f"asks for {', '.join(wanted) or 'dropout'}"
        raise JobError(f"Cannot train {type(module).__name__} on pairs, it {what}", BAD_CONFIG)
    device = query.device.type
    # rotary positions leave float32 behind under autocast
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else value.dtype
    query, key, value = (states.to(dtype) for states in (query, key, value))
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if device == "cpu":
        answer = by_segments(query, key, value, layout, scale, sliding_window)
    elif dtype in (torch.bfloat16, torch.float16):
        answer = by_varlen(query, key, value, layout, scale, sliding_window)
    else:
        answer = by_flex(query, key, value, layout, scale, sliding_window)
    return answer, None


def kernel(device: str, dtype: str) -> str:
    """What computes the attention of pairs there, for the record."""
    if device == "cpu":
        return "pairs, sdpa by segments"
    return "pairs, varlen flash attention of torch" if dtype == "bfloat16" else "pairs, flex attention"


def by_segments(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float, window: int | None) -> Tensor:
    """One call for each prompt and each answer. Where a kernel is as slow as its sums, the cheapest: nothing is computed in vain."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attend

    answers = []
    queries, keys, values = (torch.split(states, layout.parts, dim=2) for states in (query, key, value))
    for number, pair in enumerate(layout.lengths):
        prompt = 3 * number
        for part in range(prompt, prompt + 3):
            before = pair.prompt if part > prompt else 0
            length = layout.parts[part]
            if length == 0:
                continue
            seen_keys, seen_values = (torch.cat([x[prompt], x[part]], dim=2) if before else x[part] for x in (keys, values))
            if before == 0 and (window is None or length <= window):
                mask, causal = None, True
            else:
                mask, causal = lower_right_mask(length, before + length, window, query), False
            answers.append(
                attend(queries[part], seen_keys, seen_values, attn_mask=mask, is_causal=causal, scale=scale, enable_gqa=True)
            )
    return torch.cat(answers, dim=2).transpose(1, 2)


def lower_right_mask(queries: int, keys: int, window: int | None, like: Tensor) -> Tensor:
    """[queries, keys], added to the scores: the last query sees up to the last key. Float, as CPU kernels are faster with it."""
    import torch

    distance = torch.arange(keys - queries, keys, device=like.device)[:, None] - torch.arange(keys, device=like.device)
    hidden = (distance < 0) | (distance >= (keys if window is None else window))
    return torch.zeros(queries, keys, dtype=like.dtype, device=like.device).masked_fill_(hidden, float("-inf"))


def by_varlen(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float, window: int | None) -> Tensor:
    """Flash attention over segments of varying length, of which torch has a kernel for half precision on GPUs."""
    from torch.nn.attention import varlen

    plan = layout.varlen
    query, key, value = (states[0].transpose(0, 1) for states in (query, key, value))
    # its type allows for a second answer that is not asked for
    attend: Any = varlen.varlen_attn
    answer: Tensor = attend(
        query.contiguous(), key[plan.keys], value[plan.keys], plan.query_starts, plan.key_starts, plan.longest_query, plan.longest_key,
        scale=scale, window_size=(-1 if window is None else window - 1, 0), enable_gqa=True,
    )  # fmt: skip
    return answer.unsqueeze(0)


def by_flex(query: Tensor, key: Tensor, value: Tensor, layout: Layout, scale: float, window: int | None) -> Tensor:
    """Attention compiled for the mask of the layout, in any precision."""
    import torch
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    part, position, tokens = layout.part_of_token, layout.position_ids[0], query.shape[2]

    def sees(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        same = (part[q] == part[k]) | (part[k] == part[q] // 3 * 3)
        near = position[q] - position[k] < (tokens if window is None else window)
        return same & near & (q >= k)

    mask = create_block_mask(sees, None, None, tokens, tokens, device=query.device.type)
    attend: Any = flex_attention if query.device.type == "cpu" else torch.compile(flex_attention, dynamic=True)
    answer: Tensor = attend(query, key, value, block_mask=mask, scale=scale, enable_gqa=True)
    return answer.transpose(1, 2)
