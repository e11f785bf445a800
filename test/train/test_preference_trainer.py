"""PreferenceTrainer against TRL's own DPOTrainer: the same losses, gradient norms, metrics and weights from the same rows."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS, forks, in_fork

sys.path.insert(0, str(SCRIPTS))

MORE: dict[str, dict[str, Any]] = {
    "exo_pair": {"label_smoothing": 0.1}, "robust": {"label_smoothing": 0.2}, "aot": {"label_smoothing": 0.1}, "discopop": {"discopop_tau": 0.2},
}  # fmt: skip
OTHERS: list[dict[str, Any]] = [
    {"loss_type": ["sigmoid"], "f_divergence_type": "forward_kl"},
    {"loss_type": ["sigmoid"], "f_divergence_type": "js_divergence"},
    {"loss_type": ["hinge"], "f_divergence_type": "alpha_divergence"},
    {"loss_type": ["sigmoid"], "ld_alpha": 0.4},
    {"loss_type": ["sigmoid"], "use_weighting": True},
    {"loss_type": ["sigmoid", "ipo"], "loss_weights": [0.7, 0.3]},
]


def pairs(count: int) -> list[dict[str, Any]]:
    from test_pairs import some_pairs

    rows: list[dict[str, Any]] = [dict(row) for row in some_pairs(count, longest=12)]
    for row in rows:
        # with a prompt of more than one token, as every rendered one has
        row["prompt_ids"] = [3, *row["prompt_ids"]]
    return rows


def train(folder: Path, ours: bool, options: dict[str, Any], rows: list[dict[str, Any]], more: dict[str, Any]) -> dict[str, Any]:
    import torch
    from peft import LoraConfig
    from preference_trainer import PreferenceTrainer
    from test_pairs import models
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast, PrinterCallback, set_seed
    from trl import DPOConfig, DPOTrainer

    from datasets import Dataset

    set_seed(1)
    torch.set_num_threads(1)
    arguments = {
        "output_dir": str(folder), "max_length": 32, "beta": 0.3, "max_steps": 3, "learning_rate": 2e-4, "logging_steps": 1, "report_to": "none", "use_cpu": True,
        "bf16": False, "save_strategy": "no", "per_device_train_batch_size": 4, "per_device_eval_batch_size": 4, "seed": 1,
        "disable_tqdm": True, "gradient_checkpointing": False, "lr_scheduler_type": "constant",
    }  # fmt: skip
    model, reference = models("mistral", sliding_window=None, **more.get("model", {}))
    peft = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "lm_head"], task_type="CAUSAL_LM") if more.get("adapter") else None
    # losses of a policy that is its reference would be the same for any rows
    torch.manual_seed(6)
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel({"p": 0, "u": 1, "e": 2}, unk_token="u")), pad_token="p", unk_token="u", eos_token="e"
    )
    dataset = Dataset.from_list(rows)
    kind: Any = PreferenceTrainer if ours else DPOTrainer
    if not ours:
        kind._prepare_dataset = lambda self, data, *_: data
    trainer = kind(
        model=model, ref_model=None if peft else reference, args=DPOConfig(**{**arguments, **options}), train_dataset=dataset,
        eval_dataset=dataset, processing_class=tokenizer, peft_config=peft,
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    trainer.evaluate()
    return {
        "log": trainer.state.log_history,
        "weights": {name: parameter.detach().clone() for name, parameter in trainer.accelerator.unwrap_model(trainer.model).named_parameters()},
    }


def compare(folder: Path, options: dict[str, Any], rows: list[dict[str, Any]], bound: float = 2e-6, **more: Any) -> None:

    ours, trls = (train(folder / str(kind), kind, options, rows, more) for kind in (True, False))
    told, expected = ([log for log in run["log"] if "loss" in log or "eval_loss" in log] for run in (ours, trls))
    assert len(told) == len(expected) == 4
    for mine, theirs in zip(told, expected, strict=True):
        for name, value in theirs.items():
            if name in ("loss", "grad_norm", "eval_loss", "learning_rate") or "rewards/" in name or "logps/" in name:
                # processors add in orders of their own: 2.4e-6 was seen of a norm, 7.8e-6 of a reward, which is a small
                # difference of two log-probabilities
                near = bound if "loss" in name else 5 * bound
                assert mine[name] == pytest.approx(value, rel=near, abs=near), (options, name, mine["step"])
    for name, weight in trls["weights"].items():
        # Adam divides a gradient by its own size: of one that is nearly zero it keeps the rounding
        assert (ours["weights"][name] - weight).abs().max() < 2e-4, name


def test_every_loss_of_the_recipe_and_every_option_of_trl_gives_trls_losses_and_norms(tmp_path: Path) -> None:
    assert in_fork(compare_losses, tmp_path) == 0


def compare_losses(folder: Path) -> None:
    from preference_losses import LOSSES

    rows = pairs(16)
    for loss in LOSSES:
        compare(folder, {"loss_type": [loss], "gradient_accumulation_steps": 2, **MORE.get(loss, {})}, rows)
    for options in OTHERS:
        compare(folder, {**options, "gradient_accumulation_steps": 2}, rows)


def test_adapters_checkpointing_one_head_and_odd_numbers_of_rows_give_trls_losses_and_norms_too(tmp_path: Path) -> None:
    assert in_fork(compare_kinds, tmp_path) == 0


def compare_kinds(folder: Path) -> None:
    import pair_logps

    # the log-probabilities in pieces
    pair_logps.LOGITS_AT_ONCE = 61 * 9
    accumulated = {"gradient_accumulation_steps": 2}
    compare(folder, accumulated, pairs(16), adapter=True)
    compare(folder, {**accumulated, "gradient_checkpointing": True}, pairs(16))
    compare(folder, {**accumulated, "gradient_checkpointing": True}, pairs(16), adapter=True)
    compare(folder, accumulated, pairs(16), model={"tie_word_embeddings": True})
    # the last step of an epoch takes what is left: a batch where others take two
    compare(folder, accumulated, pairs(12))
    compare(folder, {}, pairs(6))


def test_two_ranks_give_the_losses_and_norms_of_trl_on_two(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks = [forks().Process(target=compare_on_rank, args=(rank, port, tmp_path)) for rank in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    assert [rank.exitcode for rank in ranks] == [0, 0]


def compare_on_rank(rank: int, port: int, folder: Path) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    accumulated = {"gradient_accumulation_steps": 2}
    for loss in ("sigmoid", "aot"):
        compare(folder, {**accumulated, "loss_type": [loss]}, pairs(32))
    # the second step of an epoch has one batch, and half of its rows a second time
    compare(folder, {**accumulated, "gradient_checkpointing": True}, pairs(20))
    compare(folder, accumulated, pairs(32), adapter=True)


def test_the_losses_are_those_that_a_recipe_may_name() -> None:
    text = (SCRIPTS.parents[1] / "src/stages/ddpo/spec.ts").read_text()
    named = text.split("const LOSSES = [")[1].split("]")[0].replace("'", '"')
    assert in_fork(compare_names, json.loads(f"[{named.rstrip().rstrip(',')}]")) == 0


def compare_names(named: list[str]) -> None:
    from preference_losses import LOSSES

    assert sorted(LOSSES) == sorted(named)
