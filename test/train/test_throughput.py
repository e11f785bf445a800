"""Operations of a step, against what torch counts while it computes them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from conftest import SCRIPTS, in_fork

sys.path.insert(0, str(SCRIPTS))

import throughput


@pytest.mark.parametrize("lora", [False, True])
def test_the_operations_of_a_step_are_those_that_torch_counts(lora: bool) -> None:
    assert in_fork(count, lora) == 0


def count(lora: bool) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=96, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        attn_implementation="eager",
    )  # fmt: skip
    model: Any = MistralForCausalLM(config)
    # without inputs that need a gradient the first frozen matrix has no backward, which is what it has in a training
    model.enable_input_require_grads()
    if lora:
        model = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM"))
    ids = torch.randint(0, 96, (3, 16))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    # eager attention computes all that its mask then hides; the angles of positions are 128 operations more
    expected = throughput.flops(model, throughput.StepWork(tokens=48, seen=3 * 16 * 16))
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-4)
    twice = throughput.flops(model, throughput.StepWork(tokens=48, seen=768, references=1))
    with torch.no_grad(), FlopCounterMode(display=False) as forward:
        model(input_ids=ids, use_cache=False)
    assert twice is not None and expected is not None
    assert twice - expected == pytest.approx(forward.get_total_flops(), rel=1e-4)


def test_documents_and_pairs_see_what_came_before() -> None:
    assert throughput.seen_in_documents([1, 3]) == 1 + 6
    # a prompt of 2 once; each token of an answer sees it, and those of its own answer
    assert throughput.seen_in_pairs([2], [1], [3]) == 3 + 3 + (3 + 4 + 5)


def test_the_last_step_of_an_epoch_with_fewer_rows_is_no_slower_a_step() -> None:
    work = throughput.step_work(tokens=900, seen=90, rows=9, global_batch=4)
    assert (work.tokens, work.seen) == (300, 30)


@pytest.mark.parametrize(
    ("device", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA H200", 989), ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L40S", 362), ("NVIDIA L4", 121), ("NVIDIA A10G", 70), ("NVIDIA H20", 148), ("Tesla V100-SXM2-16GB", None),
    ],
)  # fmt: skip
def test_the_peak_of_a_device_is_found_by_its_name(device: str, tflops: int | None) -> None:
    assert throughput.peak_of(device) == (None if tflops is None else tflops * 1e12)


def test_a_meter_reads_all_ranks_together_and_mfu_where_the_peak_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "peak_flops", lambda: 100.0)
    monkeypatch.setattr(throughput, "flops", lambda *_: 400.0)
    meter = throughput.Meter(None, throughput.StepWork(tokens=50, seen=0), ranks=2, step=10, now=1.0)
    # 2 steps of 400 in 10 s on two devices of 100
    assert meter.read(12, 11.0) == {"tokens_per_s": 10.0, "mfu": 0.4}
    assert meter.read(13, 13.0) == {"tokens_per_s": 25.0, "mfu": 1.0}
