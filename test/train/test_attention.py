"""Which attention a training takes, on a machine without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import SCRIPTS, JobFolder

sys.path.insert(0, str(SCRIPTS))

import attention
from exits import JobError


def test_auto_takes_sdpa_on_a_cpu_and_the_result_says_so(dsft: JobFolder) -> None:
    assert "attention: sdpa, chosen for auto" in [note["message"] for note in dsft.events("note")]
    assert dsft.result()["metrics"]["attention"] == "sdpa"


def test_pairs_have_an_attention_of_their_own_and_the_result_says_so(ddpo: JobFolder) -> None:
    assert ddpo.result()["metrics"]["attention"] == "pairs, sdpa by segments"


@pytest.mark.parametrize("name", attention.FLASH_ATTENTION)
def test_a_flash_attention_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(JobError, match="its kernels do not compute in float32"):
        attention.resolve(name, "cuda", "float32")
    with pytest.raises(JobError, match="the package kernels is not installed"):
        attention.resolve(name, "cuda")


def test_auto_never_fails_and_what_is_named_stays() -> None:
    assert [attention.resolve("auto", device) for device in ("cpu", "cuda")] == ["sdpa", "sdpa"]
    assert [attention.resolve(name, "cpu") for name in attention.MASKED_ATTENTION] == list(attention.MASKED_ATTENTION)


def test_kernels_that_a_build_laid_down_are_named_to_the_package_beside_those_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kernels-community" / "flash-attn2" / "build").mkdir(parents=True)
    monkeypatch.setattr(attention, "BAKED", tmp_path)
    monkeypatch.setenv("LOCAL_KERNELS", "own/kernel=/somewhere")
    for _ in range(2):
        attention.use_baked_kernels()
        assert os.environ["LOCAL_KERNELS"] == f"own/kernel=/somewhere:kernels-community/flash-attn2={tmp_path}/kernels-community/flash-attn2"


def test_an_interpreter_tells_in_one_line_what_it_lacks() -> None:
    lines = subprocess.run([sys.executable, SCRIPTS / "attention.py"], capture_output=True, text=True, check=True).stdout.splitlines()
    answer = json.loads(lines[-1])
    assert set(answer["lacks"]) == set(attention.FLASH_ATTENTION)
    assert answer["lacks"]["flash_attention_2"] == "the package flash-attn is not installed; the package kernels is not installed"
