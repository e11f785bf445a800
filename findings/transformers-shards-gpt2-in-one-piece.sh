#!/usr/bin/env bash
# transformers 5.18.0, torch 2.13.0, accelerate 1.15.0 (Python 3.11, gloo, two processes on a CPU): from_pretrained with
# DistributedConfig(fsdp_size=2) shards GPT-2 at its root alone, without a word. The first forward gathers the whole model
# in every process and keeps it gathered until the backward pass. Llama and Mistral are sharded layer by layer.
#
# Why: every config inherits a plan with the names of Llama's modules (base_model_fsdp_plan of PreTrainedConfig: embed_tokens,
# layers.*, norm). GPT-2 calls them wte, h.* and ln_f, so no entry fits, and only the root is left. The documentation of
# DistributedConfig promises a ValueError for a model without a plan; the check is there (distributed/fsdp.py), but it asks
# whether the plan is empty, and the inherited one never is. verify_fsdp_plan in the same file would warn of entries that
# fit no module, but nothing calls it.
#
# Seen on 2026-11-30 (an element is one number of a parameter):
#   llama:   sharded modules: 8, at most  36992 of 180800 elements gathered at once, warnings: 0
#   mistral: sharded modules: 8, at most  36992 of 180800 elements gathered at once, warnings: 0
#   gpt2:    sharded modules: 1, at most 236928 of 236928 elements gathered at once, warnings: 0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  torch==2.13.0 transformers==5.18.0 accelerate==1.15.0 numpy==2.4.6 huggingface_hub==1.33.0 safetensors==0.8.0 tokenizers==0.23.3
cat >"$work/count.py" <<'PYTHON'
import logging
import sys

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.distributed.configuration_utils import DistributedConfig

LLAMA = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}
GPT2 = {"n_embd": 64, "n_layer": 4, "n_head": 4, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 2}
SIZES = {"llama": LLAMA, "mistral": LLAMA, "gpt2": GPT2}
TOKENS = torch.arange(48).reshape(2, 24)


class Messages(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def gathered(model: torch.nn.Module) -> int:
    """How many elements of parameters this process holds whole now."""
    return sum(part.numel() for part in model.parameters() if not isinstance(part, DTensor))


def most_gathered(model: torch.nn.Module) -> int:
    """Runs a forward and counts after each of its modules."""
    counts: list[int] = []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda *_: counts.append(gathered(model)))
    model(input_ids=TOKENS)
    return max(counts)


dist.init_process_group("gloo")
logging.captureWarnings(True)
for kind, sizes in SIZES.items():
    folder = f"{sys.argv[1]}/{kind}"
    if dist.get_rank() == 0:
        config = AutoConfig.for_model(kind, vocab_size=256, tie_word_embeddings=False, **sizes)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    dist.barrier()
    messages = Messages()
    for name in ("transformers", "py.warnings"):
        logging.getLogger(name).addHandler(messages)
    model = AutoModelForCausalLM.from_pretrained(folder, distributed_config=DistributedConfig(fsdp_size=2))
    sharded = [name for name, module in model.named_modules() if isinstance(module, FSDPModule)]
    total = sum(part.numel() for part in model.parameters())
    before, most, after = gathered(model), most_gathered(model), gathered(model)
    said = [text for text in messages.texts if any(word in text.lower() for word in ("fsdp", "shard", "plan"))]
    if dist.get_rank() == 0:
        print(
            f"{kind + ':':8} sharded modules: {len(sharded)}, at most {most:6} of {total} elements gathered at once, "
            f"warnings: {len(said)}"
        )
    assert not said, f"changed: a warning about the sharding of {kind}: {said}"
    if kind == "gpt2":
        assert sharded == [""], f"changed: GPT-2 is now sharded at {sharded}"
        assert (before, most, after) == (0, total, total), f"changed: GPT-2 is now gathered otherwise: {before}, {most}, {after}"
    else:
        assert [name for name in sharded if ".layers." in name] == [f"model.layers.{layer}" for layer in range(4)], sharded
        assert most < total / 2, f"{kind} is not sharded by its layers"
dist.destroy_process_group()
PYTHON
export CUDA_VISIBLE_DEVICES="" HF_HOME="$work/home" HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1 OMP_NUM_THREADS=1
"$work/venv/bin/torchrun" --standalone --nproc-per-node 2 "$work/count.py" "$work"
echo "as described"
