"""The self-check of a machine, on a CPU: what it does for GPUs is the same program with other sizes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ENVIRONMENT, SCRIPTS, in_fork

sys.path.insert(0, str(SCRIPTS))

import check_jobs
import self_check


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--ranks", "2"], ["device", "eager", "pairs", "all-reduce", "training", "sharding", "resume"]),
        (["--dtype", "bfloat16"], ["device", "eager", "pairs", "training", "resume"]),
    ],
)
def test_a_machine_on_which_training_works_is_told_so(arguments: list[str], names: list[str]) -> None:
    command = [sys.executable, str(SCRIPTS / "self_check.py"), "--device", "cpu", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, "PATH": "/usr/bin:/bin", "HOME": "/tmp"})
    assert ended.returncode == 0, ended.stderr[-3000:]
    verdict = json.loads(ended.stdout)
    assert verdict["ok"] and [check["check"] for check in verdict["checks"]] == names
    words = {check["check"]: check["words"] for check in verdict["checks"]}
    assert "4 steps with sdpa" in words["training"]
    assert words["resume"] == "saved and resumed at step 2: weights equal bit by bit, expected no difference"


def trained(folder: Path, losses: list[float], weight: float, first: int = 2) -> check_jobs.Trained:
    import torch
    from safetensors.torch import save_file

    (folder / "out").mkdir(parents=True)
    save_file({"w": torch.full((4,), weight)}, folder / "out" / "model.safetensors")
    events: list[dict[str, Any]] = [{"type": "progress", "step": first}, {"type": "progress", "step": 4, "metrics": {"loss": losses[-1], "tokens_per_s": 1.0}}]
    return check_jobs.Trained(folder, losses, {"metrics": {"attention": "sdpa"}}, events)


def test_what_is_wrong_is_told_by_its_check(tmp_path: Path) -> None:
    bench = check_jobs.Bench(tmp_path, "cpu", 2, "float32")
    right = trained(tmp_path / "right", [4.0, 3.0, 2.0, 1.0], 1.0)
    other = trained(tmp_path / "other", [4.0, 3.0, 2.0, 1.001], 1.0001)
    late = trained(tmp_path / "late", [4.0, 4.0, 4.0, 4.1], 1.0, first=0)
    assert self_check.same_losses(right, right, bench).ok
    assert not self_check.same_losses(right, other, bench).ok
    assert self_check.same_weights(right, right, bench).ok
    assert "weights differ by 1.0e-04" in self_check.same_weights(right, other, bench).words
    assert "did not begin at step 2" in self_check.same_weights(right, late, bench).words
    assert self_check.describe_training(right).ok and not self_check.describe_training(late).ok


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_attention_in_which_answers_see_too_much_is_found(tmp_path: Path, dtype: str) -> None:
    assert in_fork(see_too_much, str(tmp_path), dtype) == 0


def see_too_much(folder: str, dtype: str) -> None:
    import pair_attention
    import torch

    bench = check_jobs.Bench(Path(folder), "cpu", 1, dtype)
    check_jobs.lay_base(bench)
    assert self_check.pairs(bench).ok
    right = pair_attention.lower_right_mask
    pair_attention.lower_right_mask = lambda *each: torch.zeros_like(right(*each))
    assert not self_check.pairs(bench).ok
