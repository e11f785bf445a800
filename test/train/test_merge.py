"""A merge publishes the model that base and adapter are, whatever the adapter is made of, or it publishes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import DDPO, DSFT, JobFolder, Json, Lay, finish, in_fork

ATTENTION = ["q_proj", "v_proj"]


@pytest.fixture(scope="module")
def tied(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base with one tensor for embedding and head."""
    folder = tmp_path_factory.mktemp("tied")
    assert in_fork(make_tied, str(base), str(folder)) == 0
    return folder


def make_tied(base: str, folder: str) -> None:
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    model = AutoModelForCausalLM.from_pretrained(base)
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(base).save_pretrained(folder)
    assert tensors(Path(folder)).isdisjoint({"lm_head.weight"})


def tensors(folder: Path, name: str = "model.safetensors") -> set[str]:
    from safetensors import safe_open

    with safe_open(folder / name, framework="pt") as file:
        return set(file.keys())


def make_adapter(base: str, folder: str, options: Json, tokens: int = 0) -> None:
    """An adapter whose changes are large enough to be seen in every logit."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if tokens > 0:
        model.resize_token_embeddings(model.config.vocab_size + tokens, mean_resizing=False)
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, task_type="CAUSAL_LM", **options))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name or "modules_to_save" in name or (tokens > 0 and "embed_tokens" in name):
            # in place: what is tied stays tied
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    adapted.save_pretrained(folder, save_embedding_layers=True if tokens > 0 else "auto")
    PreTrainedTokenizerFast.from_pretrained(base).save_pretrained(folder)
    torch.save(logits(adapted), f"{folder}/logits.pt")


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model.eval()(torch.arange(3, 60).unsqueeze(0)).logits


def compare(folder: str, adapter: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    found = logits(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32))
    torch.testing.assert_close(found, torch.load(f"{adapter}/logits.pt"), atol=1e-3, rtol=1e-4)


ADAPTERS: dict[str, Json] = {
    "attention": {"target_modules": ATTENTION},
    "head": {"target_modules": [*ATTENTION, "lm_head"]},
    "embedding": {"target_modules": [*ATTENTION, "embed_tokens"]},
    "both": {"target_modules": ["lm_head", "embed_tokens"]},
    "tied on purpose": {"target_modules": ["embed_tokens"], "ensure_weight_tying": True},
    "both, tied on purpose": {"target_modules": ["lm_head", "embed_tokens"], "ensure_weight_tying": True},
    "head saved whole": {"target_modules": ATTENTION, "modules_to_save": ["lm_head"]},
    "embedding saved whole": {"target_modules": ATTENTION, "modules_to_save": ["embed_tokens"]},
    "both saved whole, tied": {"target_modules": ATTENTION, "modules_to_save": ["lm_head", "embed_tokens"], "ensure_weight_tying": True},
    "some tokens": {"target_modules": ATTENTION, "trainable_token_indices": [5, 6, 7]},
    "DoRA": {"target_modules": [*ATTENTION, "lm_head"], "use_dora": True},
    "stabilised by rank": {"target_modules": ATTENTION, "use_rslora": True},
    "ranks by pattern": {"target_modules": ATTENTION, "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 3}},
    "biases": {"target_modules": ATTENTION, "bias": "lora_only"},
}


@pytest.mark.parametrize("kind", ["tied", "untied"])
@pytest.mark.parametrize("name", ADAPTERS)
def test_a_merged_model_has_the_logits_of_base_and_adapter(
    lay: Lay, base: Path, tied: Path, tmp_path: Path, kind: str, name: str
) -> None:
    start = tied if kind == "tied" else base
    assert in_fork(make_adapter, str(start), str(tmp_path), ADAPTERS[name]) == 0
    job = finish(lay("merge", {"dtype": "float32"}, {"base": start, "adapter": tmp_path}))
    assert in_fork(compare, str(job.out), str(tmp_path)) == 0
    written = json.loads((job.out / "config.json").read_text())
    # what says that it is tied has one tensor, what has two says so
    assert written["tie_word_embeddings"] is ("lm_head.weight" not in tensors(job.out))
    assert job.result()["metrics"]["furthest_logit"] < 1e-4


def test_tokens_that_were_added_are_in_the_merged_model(lay: Lay, tied: Path, tmp_path: Path) -> None:
    assert in_fork(make_adapter, str(tied), str(tmp_path), {"target_modules": ATTENTION}, 8) == 0
    job = finish(lay("merge", {"dtype": "float32"}, {"base": tied, "adapter": tmp_path}))
    assert in_fork(compare, str(job.out), str(tmp_path)) == 0


@pytest.mark.parametrize("name", ["attention", "head"])
def test_the_rounding_to_bfloat16_counts_as_no_difference(lay: Lay, tied: Path, tmp_path: Path, name: str) -> None:
    assert in_fork(make_adapter, str(tied), str(tmp_path), ADAPTERS[name]) == 0
    job = finish(lay("merge", {"dtype": "bfloat16"}, {"base": tied, "adapter": tmp_path}))
    assert ("lm_head.weight" in tensors(job.out)) is (name == "head")
    assert job.result()["metrics"]["furthest_logit"] < 1e-4


def refused(lay: Lay, base: Path, adapter: Path) -> JobFolder:
    job = lay("merge", {"dtype": "float32"}, {"base": base, "adapter": adapter})
    assert job.run() == 65, job.log()[-2000:]
    assert not (job.folder / "result.json").exists()
    return job


def test_a_merge_that_makes_another_model_fails_and_says_by_how_much(lay: Lay, tied: Path, tmp_path: Path) -> None:
    assert in_fork(make_adapter, str(tied), str(tmp_path), ADAPTERS["head"]) == 0
    job = lay("merge", {"dtype": "float32"}, {"base": tied, "adapter": tmp_path})
    program = job.folder / "code" / "merge.py"
    # as peft merges when it is left alone
    program.write_text(program.read_text().replace("    untie(adapted)\n", ""))
    assert job.run() == 65
    off = re.search(r"Cannot publish the merged model: its logits are off by ([\d.]+) of .*, expected at most 0.001", job.error())
    assert off is not None and float(off[1]) > 0.1


def test_an_adapter_that_does_not_fit_is_refused(lay: Lay, base: Path, tied: Path, tmp_path: Path) -> None:
    assert in_fork(make_adapter, str(base), str(tmp_path), ADAPTERS["attention"]) == 0
    config = tmp_path / "adapter_config.json"
    whole = json.loads(config.read_text())
    config.write_text(json.dumps({**whole, "target_modules": ["q_proj"]}))
    assert "no place in the base model for base_model.model.model.layers.0.self_attn.v_proj.lora_A" in refused(lay, base, tmp_path).error()
    config.write_text(json.dumps({**whole, "target_modules": [*ATTENTION, "k_proj"]}))
    assert "no tensor in the adapter for" in refused(lay, base, tmp_path).error()
    config.write_text(json.dumps({**whole, "r": 2}))
    assert "size mismatch" in refused(lay, base, tmp_path).error()
    config.write_text(json.dumps({**whole, "peft_type": "IA3"}))
    assert 'an adapter of the type "IA3", expected "LORA"' in refused(lay, base, tmp_path).error()
    config.write_text(json.dumps(whole))
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "adapter_config.json").write_text(json.dumps(whole))
    assert "Cannot choose among the adapters" in refused(lay, base, tmp_path).error()


def test_a_quantized_base_is_refused(lay: Lay, base: Path, tmp_path: Path) -> None:
    assert in_fork(make_adapter, str(base), str(tmp_path / "adapter"), ADAPTERS["attention"]) == 0
    (tmp_path / "base").mkdir()
    for path in base.iterdir():
        (tmp_path / "base" / path.name).write_bytes(path.read_bytes())
    config = tmp_path / "base" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "quantization_config": {"quant_method": "bitsandbytes"}}))
    assert "quantized (bitsandbytes)" in refused(lay, tmp_path / "base", tmp_path / "adapter").error()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_full_fine_tune_of_a_tied_base_writes_one_head(
    lay: Lay, tied: Path, sft_data: Path, prefs_data: Path, dtype: str
) -> None:
    dsft = finish(lay("dsft", {**DSFT, "dtype": dtype, "max_steps": 1}, {"base": tied, "data": sft_data}))
    ddpo = finish(lay("ddpo", {**DDPO, "dtype": dtype, "max_steps": 1}, {"model": dsft.out, "data": prefs_data}))
    for job in (dsft, ddpo):
        assert "model.embed_tokens.weight" in tensors(job.out) and "lm_head.weight" not in tensors(job.out)
        assert json.loads((job.out / "config.json").read_text())["tie_word_embeddings"] is True
