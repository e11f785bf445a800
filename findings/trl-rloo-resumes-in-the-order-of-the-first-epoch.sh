#!/usr/bin/env bash
# trl 1.13.0, transformers 5.18.0, torch 2.13.0 (Python 3.11, one process on a CPU): RLOOTrainer that goes on from a checkpoint of
# its second epoch takes the rest of the prompts in the order of the first. A prompt of that epoch is then asked twice, another
# one not at all, and nothing says so; the same training without a break takes each prompt once.
#
# Why: its RepeatSampler (trl/trainer/utils.py) has a generator of its own, seeded once, whose state is what makes one epoch differ
# from the next. It has no set_epoch, by which a Trainer tells other samplers where it is, and no checkpoint holds the
# generator. A new process begins with the draw of the first epoch and skips the batches that are done.
#
# Seen on 2026-12-01, eight prompts, one a step, stopped two steps into the second epoch:
#   epoch 1: p5 p4 p2 p6 p7 p3 p1 p0
#   epoch 2: p5 p1 p2 p6 p0 p3 p7 p4
#   epoch 2 from step 10 on, as it was:    p2 p6 p0 p3 p7 p4
#   epoch 2 from step 10 on, when resumed: p2 p6 p7 p3 p1 p0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  torch==2.13.0 trl==1.13.0 transformers==5.18.0 accelerate==1.15.0 datasets==5.0.1 tokenizers==0.23.3
cat >"$work/order.py" <<'PYTHON'
import sys
import tempfile
from pathlib import Path

import torch
import transformers
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import RLOOConfig, RLOOTrainer

transformers.logging.set_verbosity_error()
PROMPTS = [f"p{n}" for n in range(8)]


def tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: n for n, word in enumerate(["<pad>", "<eos>", *PROMPTS])}
    core = Tokenizer(models.WordLevel(vocabulary, unk_token="<eos>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<eos>")


def trained(folder: Path, resume: str | None) -> list[str]:
    """The prompts in the order in which the trainer asks for answers to them, one a step."""
    asked: list[str] = []

    def reward(prompts: list[str], completions: list[str], **_: object) -> list[float]:
        asked.append(prompts[0])
        return [float(len(text)) for text in completions]

    torch.manual_seed(0)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=10, bos_token_id=1, eos_token_id=1, pad_token_id=0, **shape)).save_pretrained(folder / "model")
    config = RLOOConfig(
        output_dir=str(folder), per_device_train_batch_size=2, num_generations=2, max_completion_length=2, num_train_epochs=2,
        save_steps=10, seed=1, use_cpu=True, report_to="none", disable_tqdm=True, bf16=False, logging_strategy="no",
    )  # fmt: skip
    trainer = RLOOTrainer(model=str(folder / "model"), args=config, reward_funcs=reward, train_dataset=Dataset.from_dict({"prompt": PROMPTS}), processing_class=tokenizer())
    trainer.train(resume_from_checkpoint=resume)
    return asked


with tempfile.TemporaryDirectory() as scratch:
    whole = trained(Path(scratch), None)
    resumed = trained(Path(scratch), str(Path(scratch) / "checkpoint-10"))
print("epoch 1:", *whole[:8])
print("epoch 2:", *whole[8:])
print("epoch 2 from step 10 on, as it was:   ", *whole[10:])
print("epoch 2 from step 10 on, when resumed:", *resumed)
if resumed == whole[10:] or resumed != whole[2:8]:
    sys.exit("the order has changed: the rest of the first epoch is no longer what a resumed one takes")
PYTHON
cd "$work"
PYTHONWARNINGS=ignore TRANSFORMERS_VERBOSITY=error venv/bin/python order.py 2>errors.txt || { tail -n 5 errors.txt >&2; exit 1; }
