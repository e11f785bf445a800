"""What comes out: packed like unpacked, merged like adapted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import DDPO, DSFT, LORA, SCRIPTS, JobFolder, Lay, finish, in_fork

sys.path.insert(0, str(SCRIPTS))


# --- packing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_packed_document_gets_the_logits_and_the_loss_it_gets_alone(base: Path, sft_data: Path, attention: str) -> None:
    assert in_fork(compare_packed, str(base), str(sft_data), attention) == 0


def compare_packed(base: str, data: str, attention: str) -> None:
    import dsft
    import pyarrow.parquet as parquet
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, attn_implementation=attention, dtype=torch.float32).eval()
    rows = [row for row in parquet.read_table(f"{data}/train.parquet").to_pylist() if len(row["seq_lengths"]) > 1][:4]
    rows.append({"input_ids": rows[0]["input_ids"][: rows[0]["seq_lengths"][0]], "seq_lengths": rows[0]["seq_lengths"][:1]})
    batch = dsft.packed_collator(attention, pad_token_id=2)(rows)
    assert "attention_mask" not in batch
    with torch.no_grad():
        packed = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        for number, row in enumerate(rows):
            start = 0
            for length in row["seq_lengths"]:
                alone = model(input_ids=torch.tensor([row["input_ids"][start : start + length]])).logits[0]
                torch.testing.assert_close(packed[number, start : start + length], alone, atol=1e-5, rtol=1e-5)
                assert batch["labels"][number, start] == -100
                assert batch["labels"][number, start + 1 : start + length].tolist() == row["input_ids"][start + 1 : start + length]
                start += length
            assert (batch["labels"][number, start:] == -100).all()


def test_a_model_whose_packed_documents_see_each_other_is_found_out(base: Path) -> None:
    assert in_fork(leak_between_documents, str(base)) == 0


def leak_between_documents(base: str) -> None:
    import types

    import dsft
    import torch
    from exits import JobError
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    arguments = types.SimpleNamespace(device=torch.device("cpu"), bf16=False)
    probe = dsft.documents_stay_apart()
    probe.on_train_begin(arguments, None, None, model=model)
    assert model.training is False

    class Leaky(torch.nn.Module):
        def forward(self, input_ids: Any, position_ids: Any, use_cache: bool) -> Any:
            return model(input_ids=input_ids, use_cache=use_cache)

    with pytest.raises(JobError, match="packed documents see each other"):
        probe.on_train_begin(arguments, None, None, model=Leaky())


def test_unpacked_rows_and_loss_on_answers_train_too(lay: Lay, world: Path, base: Path) -> None:
    from conftest import SFT_DATA

    data = {**SFT_DATA, "packing": False, "loss_tokens": "assistant"}
    prepared = finish(lay("prepare", data, {"tokenizer": base, "data0": world})).out
    config = {**DSFT, "packing": False, "loss_tokens": "assistant", "max_steps": 3, "gradient_checkpointing": True}
    job = finish(lay("dsft", config, {"base": base, "data": prepared}, micro_batch=2, accumulation=2))
    assert job.result()["global_step"] == 3


# --- weights ------------------------------------------------------------------------------------------------------


def test_the_model_learns(dsft: JobFolder, ddpo: JobFolder) -> None:
    losses = [event["metrics"]["loss"] for event in dsft.events("progress") if "loss" in event.get("metrics", {})]
    assert losses[-1] < losses[0] - 0.5
    assert dsft.result()["metrics"]["eval_loss"] < losses[0] - 0.5
    margins = [event["metrics"]["rewards/margins"] for event in ddpo.events("progress") if "loss" in event.get("metrics", {})]
    # policy and reference are one and the same before the first step
    assert margins[0] == 0
    assert ddpo.result()["metrics"]["eval_rewards/margins"] > 0.01


def test_the_artifact_is_safetensors_in_the_dtype_of_the_recipe(lay: Lay, base: Path, sft_data: Path) -> None:
    job = finish(lay("dsft", {**DSFT, "dtype": "bfloat16", "max_steps": 2}, {"base": base, "data": sft_data}))
    names = {path.name for path in job.out.iterdir()}
    assert names == {
        "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert json.loads((job.out / "config.json").read_text())["dtype"] == "bfloat16"
    header = (job.out / "model.safetensors").read_bytes()[8:4096].decode("latin1")
    assert '"dtype":"BF16"' in header and '"dtype":"F32"' not in header


def test_merged_weights_answer_like_base_and_adapter(lay: Lay, base: Path, dsft_lora: JobFolder) -> None:
    merged = finish(lay("merge", {"dtype": "float32"}, {"base": base, "adapter": dsft_lora.out})).out
    assert (merged / "chat_template.jinja").exists()
    assert in_fork(compare_merged, str(base), str(dsft_lora.out), str(merged)) == 0


def compare_merged(base: str, adapter: str, merged: str) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    ids = torch.arange(3, 60).unsqueeze(0)
    whole = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    with torch.no_grad():
        before = plain(ids).logits
        adapted = PeftModel.from_pretrained(plain, adapter).eval()(ids).logits
        torch.testing.assert_close(whole(ids).logits, adapted, atol=1e-5, rtol=1e-5)
        assert (before - adapted).abs().max() > 1e-3


def test_a_full_model_is_no_adapter(lay: Lay, base: Path, dsft: JobFolder) -> None:
    job = lay("merge", {"dtype": "float32"}, {"base": base, "adapter": dsft.out})
    assert job.run() == 65
    assert 'expected an "adapter_config.json"' in job.error()


def test_lora_ddpo_takes_the_model_without_its_adapter_for_reference(lay: Lay, dsft: JobFolder, prefs_data: Path) -> None:
    job = finish(lay("ddpo", {**DDPO, "lora": LORA, "max_steps": 12}, {"model": dsft.out, "data": prefs_data}))
    first = next(event["metrics"] for event in job.events("progress") if "loss" in event.get("metrics", {}))
    # the adapter begins at zero, so the policy is the reference
    assert first["rewards/margins"] == 0 and first["loss"] == pytest.approx(0.6931, abs=1e-4)
    assert (job.out / "adapter_model.safetensors").exists()


# --- what the programs use of others beyond their documented interface ----------------------------------------------


def test_the_members_of_other_packages_that_are_not_documented_are_there() -> None:
    assert in_fork(look_for_members) == 0


def look_for_members() -> None:
    import dataclasses
    import inspect

    from peft.tuners.tuners_utils import BaseTunerLayer
    from transformers import PreTrainedModel, Trainer
    from transformers.trainer_utils import align_special_tokens
    from trl import DPOTrainer, SFTConfig
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    # preference_trainer.py replaces them: were they called otherwise, rows would be tokenised or the reference asked twice
    for name in ("_prepare_dataset", "_precompute_ref_logps"):
        assert list(inspect.signature(getattr(DPOTrainer, name)).parameters)[:2] == ["self", "dataset"]
        assert f"self.{name}(" in inspect.getsource(DPOTrainer.__init__)
    assert "self._compute_loss(model, inputs, return_outputs)" in inspect.getsource(DPOTrainer.compute_loss)
    assert "self._metrics[mode]" in inspect.getsource(DPOTrainer.log)
    loop = inspect.getsource(Trainer._run_epoch)
    assert "batch_samples, num_items_in_batch = self.get_batch_samples(epoch_iterator, num_batches" in loop
    assert "self.training_step(model, inputs, num_items_in_batch)" in loop
    assert "loss / self.current_gradient_accumulation_steps" in inspect.getsource(Trainer.training_step)
    # dsft.py passes them on, and counts on the rows being taken as they are
    assert {"padding_free", "return_position_ids"} <= {field.name for field in dataclasses.fields(DataCollatorForLanguageModeling)}
    assert "dataset_kwargs" in {field.name for field in dataclasses.fields(SFTConfig)}
    # training.py calls them where a run was stopped between its last step and its result
    assert list(inspect.signature(Trainer._load_from_checkpoint).parameters)[:2] == ["self", "resume_from_checkpoint"]
    assert list(inspect.signature(align_special_tokens).parameters) == ["model", "processing_class"]
    # one_head.py and merge.py ask them what is tied and what is adapted
    assert "self.all_tied_weights_keys" in inspect.getsource(PreTrainedModel)
    assert callable(BaseTunerLayer.get_base_layer)
