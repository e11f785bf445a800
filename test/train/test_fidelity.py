"""Bare TRL, started by its own command, and the programs of the stages on the same rows: the same losses, rates and weights."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import DDPO, DSFT, ENVIRONMENT, PREFS_DATA, SCRIPTS, SFT_DATA, JobFolder, Json, Lay, finish, write_rows
from ranks import codes, start_ranks

sys.path.insert(0, str(SCRIPTS))
from source_rows import hmac_uniform

Bare = Callable[[str, int], Path]

LENGTH = 128
EMPTY = {"role": "system", "content": ""}
# what both are told alike, in the words of TRL; everything else is TRL's own default on both sides
TOLD: Json = {
    "dtype": "float32", "attn_implementation": "sdpa", "seed": 1, "data_seed": 1, "learning_rate": 1e-3, "lr_scheduler_type": "cosine",
    "warmup_steps": 0.1, "num_train_epochs": 1, "optim": "adamw_torch", "weight_decay": 0, "max_length": LENGTH, "bf16": False,
    "gradient_checkpointing": False, "use_cpu": True, "report_to": "none", "logging_steps": 1, "save_strategy": "steps", "save_steps": 1000,
    "per_device_train_batch_size": 2, "disable_tqdm": True, "dataloader_pin_memory": False,
}  # fmt: skip
OWN: dict[str, Json] = {"sft": {}, "dpo": {"beta": 0.1, "loss_type": ["sigmoid"]}}


def in_order(world: Path, split: str) -> list[Json]:
    """The rows of a split in the order that prepare.py gives them."""
    rows = [json.loads(line) for line in (world / "data" / f"{split}.jsonl").read_text().splitlines()]
    return sorted(rows, key=lambda row: hmac_uniform(1, "order", row["prompt_id"]))


@pytest.fixture(scope="session")
def dialogues(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `trl sft` reads them, with the system turn that v0.3 puts in."""
    folder = tmp_path_factory.mktemp("dialogues")
    write_rows(folder / "train.jsonl", [{"messages": [EMPTY, *row["messages"]]} for row in in_order(world, "train_sft")[:48]])
    return folder


@pytest.fixture(scope="session")
def pairs(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `trl dpo` reads them."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = [
        {"prompt": [EMPTY, *row["chosen"][:-1]], "chosen": row["chosen"][-1:], "rejected": row["rejected"][-1:]}
        for row in in_order(world, "train_prefs")[:32]
    ]
    write_rows(folder / "train.jsonl", rows)
    return folder


@pytest.fixture(scope="session")
def base_without_last_newline(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The base with a template that ends a dialogue at the end token, as ddpo.py does: by the recipe's own template bare TRL
    takes the newline after an answer for a part of it.
    """
    folder = tmp_path_factory.mktemp("base") / "base"
    shutil.copytree(base, folder)
    template = folder / "chat_template.jinja"
    newline = "{{- message['content'] + eos_token -}}\n{{- '\\n' -}}\n"
    text = template.read_text()
    assert newline in text
    template.write_text(text.replace(newline, newline.replace("{{- '\\n' -}}", "{{- '' if loop.last else '\\n' -}}")))
    return folder


def told(command: str, model: Path, data: Path, ranks: int, out: Path) -> Path:
    import yaml

    own = {**TOLD, **OWN[command], "model_name_or_path": str(model), "dataset_name": str(data), "output_dir": str(out)}
    config = out.with_suffix(".yaml")
    config.write_text(yaml.safe_dump({**own, "gradient_accumulation_steps": 2 // ranks}))
    return config


def start(argv: list[str], folder: Path) -> None:
    environment = {**os.environ, **ENVIRONMENT, "HF_HOME": str(folder / "home")}
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, cwd=folder)
    assert ended.returncode == 0, (ended.stdout + ended.stderr)[-3000:]


@pytest.fixture(scope="session")
def bare(base: Path, base_without_last_newline: Path, dialogues: Path, pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """
    The folder that `trl sft` or `trl dpo` leaves, by command and ranks. The command starts one process on a CPU whatever it is
    told: of two ranks its scripts are started by torchrun, one after the other, as a start takes longer than what they do.
    """
    folder = tmp_path_factory.mktemp("trl")
    asked = {"sft": (base, dialogues), "dpo": (base_without_last_newline, pairs)}

    @functools.cache
    def of_one(command: str) -> Path:
        out = folder / f"{command}-1"
        start([str(Path(sys.executable).parent / "trl"), command, "--config", str(told(command, *asked[command], 1, out)), "--num_processes", "1"], folder)
        return out

    @functools.cache
    def of_two() -> Path:
        scripts = Path(str(importlib.util.find_spec("trl").origin)).parent / "scripts"
        configs = {str(scripts / f"{command}.py"): str(told(command, *asked[command], 2, folder / f"{command}-2")) for command in asked}
        both = folder / "both.py"
        both.write_text(
            f"import runpy, sys\nfor script, config in {configs!r}.items():\n"
            "    sys.argv = [script, '--config', config]\n    runpy.run_path(script, run_name='__main__')\n"
        )
        start([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(both)], folder)
        return folder

    return lambda command, ranks: of_one(command) if ranks == 1 else of_two() / f"{command}-2"


def ours(lay: Lay, program: str, config: Json, inputs: dict[str, Path], ranks: int) -> JobFolder:
    job = lay(program, config, inputs, save_steps=1000, processes=ranks, micro_batch=2, accumulation=2 // ranks)
    file = json.loads((job.folder / "job.json").read_text())
    file["cadence"]["log_steps"] = 1
    (job.folder / "job.json").write_text(json.dumps(file))
    if ranks == 1:
        return finish(job)
    assert codes(start_ranks(job, ranks)) == [0] * ranks, job.log()[-3000:]
    return job


def logs(checkpoints: Path) -> list[Json]:
    """What was logged at each step, of the last checkpoint."""
    [last] = checkpoints.glob("checkpoint-*")
    state = json.loads((last / "trainer_state.json").read_text())
    return [log for log in state["log_history"] if "loss" in log]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def furthest(one: dict[str, Any], other: dict[str, Any]) -> float:
    assert one.keys() == other.keys()
    return max(float(abs(one[name] - other[name]).max()) for name in one)


@pytest.mark.parametrize("ranks", [1, 2])
def test_dsft_is_trl_sft_to_the_last_bit(lay: Lay, base: Path, world: Path, bare: Bare, tmp_path: Path, ranks: int) -> None:
    source = {**SFT_DATA["sources"][0], "test": None, "rows": None}
    few = tmp_path / "few"
    write_rows(few / "train_sft.jsonl", in_order(world, "train_sft")[:48])
    prepared = finish(lay("prepare", {**SFT_DATA, "packing": False, "max_length": LENGTH, "sources": [source]}, {"tokenizer": base, "data0": few}))
    job = ours(lay, "dsft", {**DSFT, "packing": False, "max_length": LENGTH}, {"base": base, "data": prepared.out}, ranks)
    theirs = bare("sft", ranks)
    mine, bares = logs(job.folder / "checkpoints"), logs(theirs)
    assert len(mine) == 12
    for name in ("step", "loss", "grad_norm", "learning_rate"):
        assert [log[name] for log in mine] == [log[name] for log in bares], name
    assert furthest(weights(job.out), weights(theirs)) == 0


@pytest.mark.parametrize(("ranks", "reference"), [(1, "online"), (1, "cached"), (2, "online")])
def test_ddpo_is_trl_dpo_but_for_a_newline_after_answers(
    lay: Lay, base: Path, world: Path, bare: Bare, tmp_path: Path, ranks: int, reference: str
) -> None:
    source = {**PREFS_DATA["sources"][0], "test": None}
    few = tmp_path / "few"
    write_rows(few / "train_prefs.jsonl", in_order(world, "train_prefs")[:32])
    lengths = {"max_length": LENGTH, "max_prompt_length": 64}
    prepared = finish(lay("prepare", {**PREFS_DATA, **lengths, "sources": [source]}, {"tokenizer": base, "data0": few}))
    inputs = {"model": base, "data": prepared.out}
    if reference == "cached":
        config = {"dtype": "float32", "attention": "sdpa", "adapter": False, "quantization": None, "batch_tokens": 200}
        inputs["reference"] = finish(lay("reference", config, inputs)).out
    job = ours(lay, "ddpo", {**DDPO, "max_length": LENGTH}, inputs, ranks)
    theirs = bare("dpo", ranks)
    mine, bares = logs(job.folder / "checkpoints"), logs(theirs)
    assert len(mine) == 8
    for name in ("step", "learning_rate"):
        assert [log[name] for log in mine] == [log[name] for log in bares], name
    # Ours sums the same terms in another order: measured were 6e-7 of a loss, 5e-7 of a norm and 1e-7 of a weight.
    for name in ("loss", "grad_norm"):
        assert [log[name] for log in mine] == pytest.approx([log[name] for log in bares], rel=2e-6), name
    for name in ("rewards/chosen", "rewards/rejected", "rewards/margins"):
        assert [log[name] for log in mine] == pytest.approx([log[name] for log in bares], abs=2e-6), name
    assert furthest(weights(job.out), weights(theirs)) < 1e-6
