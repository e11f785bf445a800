"""Full fine-tunes on several ranks, sharded by FSDP2 and not: the numbers of one process, and checkpoints that any ranks go on from."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import DDPO, DSFT, LORA, JobFolder, Json, Lay, in_fork
from ranks import checkpoint_of, codes, largest_difference, lay_ranks, notes_of_resuming, run_ranks, start_ranks, steps_of

STEPS = 8
# norms of this model are 1 to 3, so that gradients are clipped at each step
CLIPPED: Json = {**DSFT, "max_steps": STEPS, "trl": {"max_grad_norm": 0.5, "eval_strategy": "steps", "eval_steps": 3}}
Runs = dict[tuple[int, str], JobFolder]
WAYS = [(1, "none"), (2, "none"), (2, "fsdp2"), (4, "fsdp2")]


@pytest.fixture(scope="module")
def inputs(base: Path, sft_data: Path) -> dict[str, Path]:
    return {"base": base, "data": sft_data}


@pytest.fixture(scope="module")
def runs(lay: Lay, inputs: dict[str, Path]) -> Runs:
    """The same training on other ranks, evaluated in between as well, from beginning to end."""
    return {way: run_ranks(lay_ranks(lay, "dsft", CLIPPED, inputs, *way, save_steps=4)) for way in WAYS}


def test_dsft_has_the_losses_norms_and_weights_of_one_process(lay: Lay, inputs: dict[str, Path], runs: Runs) -> None:
    alone = runs[1, "none"]
    assert all(norm > 0.5 for _, norm in steps_of(alone)), "nothing was clipped"
    accumulated = run_ranks(lay_ranks(lay, "dsft", CLIPPED, inputs, 2, "fsdp2", micro_batch=1, accumulation=2))
    for job in [*(runs[way] for way in WAYS[1:]), accumulated]:
        assert len(steps_of(job)) == STEPS
        for (loss, norm), (expected_loss, expected_norm) in zip(steps_of(job), steps_of(alone), strict=True):
            assert loss == pytest.approx(expected_loss, abs=5e-6)
            assert norm == pytest.approx(expected_norm, rel=2e-5)
        assert job.result()["metrics"]["eval_loss"] == pytest.approx(alone.result()["metrics"]["eval_loss"], abs=1e-3)
        assert job.digests().keys() == alone.digests().keys()
        assert largest_difference(job.out, alone.out) < 5e-5


def test_ddpo_with_its_reference_has_the_losses_of_one_process(lay: Lay, dsft: JobFolder, prefs_data: Path) -> None:
    config, given = {**DDPO, "max_steps": 5, "trl": {"max_grad_norm": 0.5}}, {"model": dsft.out, "data": prefs_data}
    alone, *others = (run_ranks(lay_ranks(lay, "ddpo", config, given, *way)) for way in ((1, "none"), (2, "fsdp2"), (4, "fsdp2")))
    assert len({loss for loss, _ in steps_of(alone)}) > 2, "the policy never left its reference"
    for other in others:
        for (loss, norm), (expected_loss, expected_norm) in zip(steps_of(other), steps_of(alone), strict=True):
            assert loss == pytest.approx(expected_loss, abs=5e-6)
            assert norm == pytest.approx(expected_norm, rel=5e-5)
        assert largest_difference(other.out, alone.out) < 1e-4
    half = run_ranks(lay_ranks(lay, "ddpo", {**config, "dtype": "bfloat16"}, given, 2, "fsdp2"))
    # the reference is kept in bfloat16, the policy in float32 and cast: what they compute is the same
    assert steps_of(half)[0][0] == pytest.approx(math.log(2), abs=1e-6)
    for (loss, _), (expected, _) in zip(steps_of(half), steps_of(alone), strict=True):
        assert loss == pytest.approx(expected, abs=5e-3)


def test_each_rank_holds_and_writes_its_share(runs: Runs) -> None:
    from torch.distributed.checkpoint import FileSystemReader

    name = "model.model.layers.0.mlp.down_proj.weight"
    for (count, sharding), job in runs.items():
        shards = checkpoint_of(job, 4) / "shards"
        sizes = [path.stat().st_size for path in sorted(shards.glob("*.distcp"))]
        assert len(sizes) == count
        # what all hold is divided as well, by whole tensors
        assert max(sizes) < 1.5 * sum(sizes) / count
        pieces = FileSystemReader(shards).read_metadata().state_dict_metadata[name].chunks
        assert len(pieces) == (count if sharding == "fsdp2" else 1)


def test_nothing_in_a_checkpoint_tells_where_it_was_made(runs: Runs) -> None:
    for job in runs.values():
        files = [path for path in (job.folder / "checkpoints").rglob("*") if path.is_file()]
        assert any(path.name == ".metadata" for path in files)
        assert [path for path in files if str(job.folder).encode() in path.read_bytes()] == []


def test_options_that_only_move_memory_change_no_byte(lay: Lay, inputs: dict[str, Path], runs: Runs) -> None:
    """Gradient checkpointing and offload; a checkpoint that is written beside the training is the same, too."""
    config = {**CLIPPED, "gradient_checkpointing": True}
    job = lay_ranks(lay, "dsft", config, inputs, 2, "fsdp2", save_steps=4, offload=True)
    usual = runs[2, "fsdp2"]
    assert run_ranks(job, before=save_beside_the_training).digests() == usual.digests()
    assert steps_of(job) == steps_of(usual)
    assert [event["step"] for event in job.events("save")] == [4, STEPS]
    for step in (4, STEPS):
        files, expected = (
            {entry["path"]: entry["sha256"] for entry in json.loads((checkpoint_of(of, step) / "manifest.json").read_text())["files"]}
            for of in (job, usual)
        )
        assert files.keys() == expected.keys()
        assert [name for name in files if name.endswith(".distcp") and files[name] != expected[name]] == []


def save_beside_the_training() -> None:
    import saving

    saving.overlaps = lambda job: True


@pytest.mark.parametrize(("was", "now"), [((4, "fsdp2"), (2, "fsdp2")), ((4, "fsdp2"), (1, "none")), ((2, "none"), (2, "fsdp2")), ((2, "fsdp2"), (2, "none"))])
def test_other_ranks_go_on_from_a_checkpoint(
    lay: Lay, inputs: dict[str, Path], runs: Runs, was: tuple[int, str], now: tuple[int, str]
) -> None:
    again = run_ranks(lay_ranks(lay, "dsft", CLIPPED, inputs, *now, checkpoint=checkpoint_of(runs[was], 4)))
    [note] = notes_of_resuming(again)
    assert f"at step 4 with {now[0]} (sharding {now[1]}) what {was[0]} processes (sharding {was[1]}) had saved" in note
    assert ("random states" in note) == (was[0] != now[0])
    for (loss, norm), (expected_loss, expected_norm) in zip(steps_of(again), steps_of(runs[was])[4:], strict=True):
        assert loss == pytest.approx(expected_loss, abs=5e-6)
        assert norm == pytest.approx(expected_norm, rel=2e-5)
    assert largest_difference(again.out, runs[was].out) < 5e-5


@pytest.mark.parametrize("now", [(1, "none"), (2, "none"), (2, "fsdp2"), (4, "fsdp2")])
def test_what_was_trained_is_the_same_bytes_on_any_ranks(lay: Lay, inputs: dict[str, Path], runs: Runs, now: tuple[int, str]) -> None:
    """Stopped after its last step by four ranks: the others load, evaluate and write it, and take no step."""
    again = run_ranks(lay_ranks(lay, "dsft", CLIPPED, inputs, *now, checkpoint=checkpoint_of(runs[4, "fsdp2"], STEPS)))
    assert again.digests() == runs[4, "fsdp2"].digests()
    assert steps_of(again) == []


def test_what_any_rank_finds_changed_is_refused_by_all(lay: Lay, inputs: dict[str, Path], runs: Runs, tmp_path: Path) -> None:
    for name in ("__0_0.distcp", "__1_0.distcp", "__2_0.distcp", "__3_0.distcp"):
        job = lay_ranks(lay, "dsft", CLIPPED, inputs, 2, "fsdp2", checkpoint=checkpoint_of(runs[4, "fsdp2"], 4))
        path = job.folder / "in" / "resume" / "checkpoint-4" / "shards" / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        assert codes(start_ranks(job, 2, before=refuse_to_unpickle)) == [65, 65], job.log()[-3000:]
        assert f'the file "shards/{name}" is not the one that manifest.json lists' in job.error()


def refuse_to_unpickle() -> None:
    """Reading is no proof that nothing was run; not having begun to read is."""
    import sharded_state

    def begun(*_: Any) -> None:
        raise AssertionError("shards were read before they were verified")

    sharded_state.read_weights = sharded_state.read_moments = begun


@pytest.mark.parametrize("beside", [False, True])
def test_killed_at_any_moment_and_resumed_is_the_same_model(lay: Lay, inputs: dict[str, Path], runs: Runs, beside: bool) -> None:
    before = save_beside_the_training if beside else None
    whole, draw, checkpoint, kills = runs[2, "fsdp2"], random.Random(beside), None, 0
    while True:
        job = lay_ranks(lay, "dsft", CLIPPED, inputs, 2, "fsdp2", save_steps=1, checkpoint=checkpoint)
        ranks = start_ranks(job, 2, before=before)
        if kills == 3:
            break
        # somewhere between the first two saves of this attempt and its end
        job.wait_for(lambda event: event["type"] == "progress" and "metrics" in event, ranks[0])
        time.sleep(draw.uniform(0, 0.5))
        for rank in ranks:
            os.kill(rank.pid, signal.SIGKILL)
        codes(ranks)
        kills += 1
        saved = [job.folder / event["path"] for event in job.events("save")]
        checkpoint = saved[-1] if saved else checkpoint
    assert codes(ranks) == [0, 0], job.log()[-3000:]
    assert job.digests() == whole.digests()
    assert job.result()["metrics"] == whole.result()["metrics"]


@pytest.mark.parametrize("beside", [False, True])
def test_sigterm_of_one_rank_waits_for_the_checkpoint_of_all(lay: Lay, inputs: dict[str, Path], runs: Runs, beside: bool) -> None:
    before = save_beside_the_training if beside else None
    job = lay_ranks(lay, "dsft", CLIPPED, inputs, 2, "fsdp2", save_steps=3)
    ranks = start_ranks(job, 2, hold=("progress", 3), before=before)
    job.wait_for(lambda event: event["type"] == "progress" and event["step"] >= 3, ranks[0])
    os.kill(ranks[1].pid, signal.SIGTERM)
    job.go()
    assert codes(ranks) == [75, 75], job.log()[-3000:]
    last = job.events("save")[-1]
    assert 3 <= last["step"] < STEPS
    again = run_ranks(lay_ranks(lay, "dsft", CLIPPED, inputs, 2, "fsdp2", checkpoint=job.folder / last["path"]), before=before)
    assert again.digests() == runs[2, "fsdp2"].digests()
    assert not notes_of_resuming(again)


@pytest.mark.parametrize("beside", [False, True])
def test_a_disk_that_is_full_for_one_rank_is_told_by_all(lay: Lay, inputs: dict[str, Path], beside: bool) -> None:
    job = lay_ranks(lay, "dsft", CLIPPED, inputs, 2, "fsdp2", save_steps=3)
    ended = codes(start_ranks(job, 2, before=full_beside_the_training if beside else full_for_rank_1))
    assert ended == [74, 74], job.log()[-3000:]
    assert "expected free space" in job.error()
    assert job.events("save") == [] and not (checkpoint_of(job, 3) / "manifest.json").exists()


def full_for_rank_1() -> None:
    import sharded_state

    write = sharded_state.write

    def write_to_full_disk(folder: Path, *arguments: Any) -> None:
        (folder / "shards").mkdir(exist_ok=True)
        if os.environ["RANK"] == "1":
            (folder / "shards" / "__1_0.distcp").symlink_to("/dev/full")
        write(folder, *arguments)

    sharded_state.write = write_to_full_disk


def full_beside_the_training() -> None:
    save_beside_the_training()
    full_for_rank_1()


def test_a_model_without_a_plan_by_layers_is_refused(lay: Lay, base: Path, sft_data: Path, tmp_path: Path) -> None:
    assert in_fork(make_gpt2, str(base), str(tmp_path)) == 0
    job = lay_ranks(lay, "dsft", {**CLIPPED, "packing": False}, {"base": tmp_path, "data": sft_data}, 2, "fsdp2")
    assert codes(start_ranks(job, 2, before=take_any_rows)) == [64, 64], job.log()[-3000:]
    assert 'Cannot shard a model of the type "gpt2" by its layers' in job.error()


def take_any_rows() -> None:
    import training_rows

    read = training_rows.read_rows
    training_rows.read_rows = lambda folder, split: read(folder, split).remove_columns(["seq_lengths"])


def make_gpt2(base: str, out: str) -> None:
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    GPT2LMHeadModel(GPT2Config(vocab_size=400, n_positions=64, n_embd=16, n_layer=2, n_head=2)).save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)


def test_tied_heads_in_bfloat16_are_trained_sharded_and_saved_once(lay: Lay, base: Path, sft_data: Path, tmp_path: Path) -> None:
    assert in_fork(tie, str(base), str(tmp_path)) == 0
    config, given = {**CLIPPED, "dtype": "bfloat16"}, {"base": tmp_path, "data": sft_data}
    alone, sharded = (run_ranks(lay_ranks(lay, "dsft", config, given, *way), before=small_files) for way in ((1, "none"), (2, "fsdp2")))
    # one casts layer by layer, the other product by product
    for (loss, _), (expected, _) in zip(steps_of(sharded), steps_of(alone), strict=True):
        assert loss == pytest.approx(expected, abs=5e-3)
    index = json.loads((sharded.out / "model.safetensors.index.json").read_text())
    assert index == json.loads((alone.out / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert "lm_head.weight" not in index["weight_map"]
    assert json.loads((sharded.out / "config.json").read_text())["tie_word_embeddings"] is True
    assert (sharded.out / "config.json").read_bytes() == (alone.out / "config.json").read_bytes()
    assert largest_difference(sharded.out, alone.out) < 0.02
    last = lay_ranks(lay, "dsft", config, given, 1, "none", checkpoint=checkpoint_of(sharded, STEPS))
    assert run_ranks(last, before=small_files).digests() == sharded.digests()


def tie(base: str, out: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(1)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(base, tie_word_embeddings=True)).save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)


def small_files() -> None:
    import training

    training.LARGEST_FILE = "20KB"


def test_an_adapter_is_left_whole_and_says_so(lay: Lay, inputs: dict[str, Path]) -> None:
    config = {**DSFT, "lora": LORA, "max_steps": 2}
    job, usual = (run_ranks(lay_ranks(lay, "dsft", config, inputs, 2, sharding)) for sharding in ("fsdp2", "none"))
    assert any("adapter" in event["message"] for event in job.events("note"))
    assert job.digests() == usual.digests()
    manifest = json.loads((checkpoint_of(job, 2) / "manifest.json").read_text())
    assert (manifest["sharding"], any("shards" in entry["path"] for entry in manifest["files"])) == ("none", False)
    # an adapter's checkpoint is the trainer's own, which holds all of it once
    again = run_ranks(lay_ranks(lay, "dsft", config, inputs, 1, "none", checkpoint=checkpoint_of(job, 2)))
    assert again.digests() == job.digests()
