"""The cached reference: the numbers that a model gives to each pair, the same however they are computed, and what training makes of them."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import DDPO, LORA, SCRIPTS, JobFolder, Json, Lay, finish, in_fork
from interrupting import interrupt, stop_one_of_two
from ranks import codes, start_ranks

sys.path.insert(0, str(SCRIPTS))

# few pairs at once, so that there are many batches
REFERENCE: Json = {"dtype": "float32", "attention": "sdpa", "adapter": False, "quantization": None, "batch_tokens": 200}


@pytest.fixture(scope="module")
def reference(lay: Lay, dsft: JobFolder, prefs_data: Path) -> JobFolder:
    return finish(lay("reference", REFERENCE, {"model": dsft.out, "data": prefs_data}))


def rows_of(path: Path) -> list[Json]:
    import pyarrow.parquet as parquet

    rows: list[Json] = parquet.read_table(path).to_pylist()
    return rows


def test_every_pair_has_the_log_probabilities_that_the_model_gives_it_alone(
    dsft: JobFolder, prefs_data: Path, reference: JobFolder
) -> None:
    assert {path.name for path in reference.out.iterdir()} == {"train.parquet", "test.parquet", "reference.json"}
    assert in_fork(compare_alone, str(dsft.out), str(prefs_data), str(reference.out)) == 0
    data = reference.events("data")[0]
    result = reference.result()
    assert result["global_step"] == data["batches"] > 10
    assert (result["metrics"]["pairs"], result["metrics"]["test_pairs"]) == (data["rows"], data["test_rows"])


def compare_alone(model_folder: str, data: str, reference: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(model_folder, attn_implementation="sdpa", dtype=torch.float32).eval()
    for split in ("train", "test"):
        pairs, numbers = rows_of(Path(data, f"{split}.parquet")), rows_of(Path(reference, f"{split}.parquet"))
        assert len(pairs) == len(numbers) > 0
        for pair, number in zip(pairs, numbers, strict=True):
            for which in ("chosen", "rejected"):
                prompt, answer = pair["prompt_ids"], pair[f"{which}_ids"]
                with torch.no_grad():
                    logits = model(input_ids=torch.tensor([prompt + answer])).logits[0].double()
                rows = logits[len(prompt) - 1 : -1].log_softmax(-1)
                alone = float(rows.gather(-1, torch.tensor(answer)[:, None]).sum())
                assert number[f"ref_{which}_logps"] == pytest.approx(alone, abs=1e-4, rel=1e-6)


def test_batches_hold_all_pairs_in_their_order_and_no_more_tokens_than_they_may() -> None:
    from reference import Batch, batches_of

    assert batches_of("train", [], 10) == []
    assert batches_of("train", [3, 4, 3, 1, 30, 2], 10) == [Batch("train", *ends) for ends in ((0, 3), (3, 4), (4, 5), (5, 6))]


def test_a_job_saves_every_so_many_batches_or_after_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    import records

    # rounds of four ranks step over multiples
    by_steps = records.SaveCadence(10, 0)
    assert [done for done in range(4, 41, 4) if by_steps.is_due(done)] == [12, 20, 32, 40]
    now = 0.0
    monkeypatch.setattr(records.time, "monotonic", lambda: now)
    by_clock = records.SaveCadence(0, 0)
    due = []
    for done in range(1, 8):
        now += records.SAVE_SECONDS * 0.4
        due += [done] if by_clock.is_due(done) else []
    assert due == [3, 6]


# --- ranks, stops -------------------------------------------------------------------------------------------------


def test_a_killed_reference_goes_on_from_what_is_done(lay: Lay, dsft: JobFolder, prefs_data: Path, reference: JobFolder) -> None:
    inputs = {"model": dsft.out, "data": prefs_data}
    job = lay("reference", REFERENCE, inputs, save_steps=3)
    checkpoint, _ = interrupt(job, signal.SIGKILL, 6)
    again = finish(lay("reference", REFERENCE, inputs, checkpoint=checkpoint))
    assert again.events("progress")[0]["step"] == 7
    assert again.digests() == reference.digests()
    assert again.result()["metrics"] == reference.result()["metrics"]


def test_two_ranks_of_which_one_is_stopped_stop_and_go_on_to_the_same_bytes_sharded_or_alone(
    lay: Lay, dsft: JobFolder, prefs_data: Path, reference: JobFolder
) -> None:
    inputs, two = {"model": dsft.out, "data": prefs_data}, {"processes": 2, "micro_batch": 1}
    job = lay("reference", REFERENCE, inputs, save_steps=1000, **two)
    checkpoint = stop_one_of_two(job)
    sharded = lay("reference", REFERENCE, inputs, checkpoint=checkpoint, sharding="fsdp2", **two)
    assert codes(start_ranks(sharded, 2)) == [0, 0], sharded.log()[-3000:]
    alone = finish(lay("reference", REFERENCE, inputs, checkpoint=checkpoint))
    for again in (sharded, alone):
        assert again.digests() == reference.digests()
        assert again.result()["metrics"] == reference.result()["metrics"]


def test_in_bfloat16_a_sharded_model_says_nearly_what_a_whole_one_says(lay: Lay, dsft: JobFolder, prefs_data: Path) -> None:
    config, inputs = {**REFERENCE, "dtype": "bfloat16"}, {"model": dsft.out, "data": prefs_data}
    whole = finish(lay("reference", config, inputs))
    sharded = lay("reference", config, inputs, processes=2, micro_batch=1, sharding="fsdp2")
    assert codes(start_ranks(sharded, 2)) == [0, 0], sharded.log()[-3000:]
    pairs = rows_of(prefs_data / "train.parquet")
    for pair, one, other in zip(pairs, rows_of(whole.out / "train.parquet"), rows_of(sharded.out / "train.parquet"), strict=True):
        for which in ("chosen", "rejected"):
            # nats a token: one rounds the weights before the products, the other in them
            off = abs(one[f"ref_{which}_logps"] - other[f"ref_{which}_logps"]) / len(pair[f"{which}_ids"])
            assert off < 1e-2


# --- what training makes of it ------------------------------------------------------------------------------------


def losses(job: JobFolder) -> list[float]:
    found = [event.get("metrics", {}) for event in job.events("progress")]
    return [metrics[name] for metrics in found for name in ("loss", "eval_loss") if name in metrics]


@pytest.mark.parametrize("lora", [None, LORA])
def test_a_cached_reference_trains_as_an_online_one_does(
    lay: Lay, dsft: JobFolder, prefs_data: Path, reference: JobFolder, lora: Json | None
) -> None:
    config = {**DDPO, "lora": lora, "max_steps": 12}
    inputs = {"model": dsft.out, "data": prefs_data}
    online = finish(lay("ddpo", config, inputs))
    cached = finish(lay("ddpo", config, {**inputs, "reference": reference.out}))
    assert len(losses(online)) >= 4
    assert losses(cached) == pytest.approx(losses(online), abs=2e-6)


def test_two_sharded_ranks_train_against_it_as_one_process_does(lay: Lay, dsft: JobFolder, prefs_data: Path, reference: JobFolder) -> None:
    config, inputs = {**DDPO, "max_steps": 6}, {"model": dsft.out, "data": prefs_data, "reference": reference.out}
    alone = finish(lay("ddpo", config, inputs))
    sharded = lay("ddpo", config, inputs, processes=2, micro_batch=2, sharding="fsdp2")
    assert codes(start_ranks(sharded, 2)) == [0, 0], sharded.log()[-3000:]
    # the loss of an evaluation is a mean over ranks, which weighs pairs otherwise
    trained = [[event["metrics"]["loss"] for event in job.events("progress") if "loss" in event.get("metrics", {})] for job in (alone, sharded)]
    assert trained[1] == pytest.approx(trained[0], abs=1e-5)


@pytest.fixture
def spoilt(reference: JobFolder, tmp_path: Path) -> Path:
    """A copy of a good reference, to be spoilt."""
    return Path(shutil.copytree(reference.out, tmp_path / "reference"))


def rewrite(folder: Path, change: Any) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    columns = parquet.read_table(folder / "train.parquet").to_pydict()
    made = {name: pyarrow.array(values, type=pyarrow.float32()) for name, values in change(columns).items()}
    parquet.write_table(pyarrow.table(made), folder / "train.parquet")


def describe(folder: Path, change: Any) -> None:
    said = json.loads((folder / "reference.json").read_text())
    change(said["splits"])
    (folder / "reference.json").write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: rewrite(folder, lambda of: {**of, "ref_chosen_logps": [float("nan"), *of["ref_chosen_logps"][1:]]}),
         "ref_chosen_logps of pair 0 is nan"),
        (lambda folder: rewrite(folder, lambda of: {**of, "ref_rejected_logps": [*of["ref_rejected_logps"][:-1], 7.0]}),
         r"ref_rejected_logps of pair \d+ is 7.0"),
        (lambda folder: rewrite(folder, lambda of: {name: values[1:] for name, values in of.items()}), r"it has \d+ rows, expected \d+"),
        (lambda folder: rewrite(folder, lambda of: {"chosen": of["ref_chosen_logps"]}), "it has the columns chosen float, expected ref_"),
        (lambda folder: describe(folder, lambda of: of["train"].update(pairs_sha256="0" * 64)), "computed for the pairs 000000000000, exp"),
        (lambda folder: (folder / "reference.json").unlink(), "reference.json cannot be read"),
        (lambda folder: (folder / "train.parquet").write_bytes(b"PAR1"), '"train.parquet" cannot be read'),
        (lambda folder: (folder / "test.parquet").unlink(), '"test.parquet" cannot be read'),
    ],
)  # fmt: skip
def test_a_reference_that_is_none_of_these_pairs_is_refused(
    lay: Lay, dsft: JobFolder, prefs_data: Path, spoilt: Path, spoil: Any, complaint: str
) -> None:
    spoil(spoilt)
    job = lay("ddpo", DDPO, {"model": dsft.out, "data": prefs_data, "reference": spoilt})
    assert job.run() == 65
    assert job.error().startswith('Cannot use the reference of the split "t')
    assert re.search(complaint, job.error()), job.error()


def test_a_reference_of_another_model_is_refused_before_the_first_step(
    lay: Lay, base: Path, dsft: JobFolder, prefs_data: Path, reference: JobFolder
) -> None:
    job = lay("ddpo", DDPO, {"model": base, "data": prefs_data, "reference": reference.out})
    assert job.run() == 65
    assert re.search(r"of the first pairs it says [0-9.]+ a token otherwise than the model that is trained", job.error()), job.error()
    assert not any(event.get("metrics") for event in job.events("progress"))


def test_a_model_that_gives_no_numbers_is_named(lay: Lay, dsft: JobFolder, prefs_data: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(dsft.out, tmp_path / "broken"))
    assert in_fork(spoil_weights, str(broken)) == 0
    job = lay("reference", REFERENCE, {"model": broken, "data": prefs_data})
    assert job.run() == 65
    assert "log-probabilities nan and nan of pair 0" in job.error()


def spoil_weights(folder: str) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(f"{folder}/model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, f"{folder}/model.safetensors", metadata={"format": "pt"})
