"""Distilled direct preference optimization on pairs that prepare.py has tokenised, by the losses of TRL's DPOTrainer."""

from __future__ import annotations

import dataclasses

import load_model
import pair_attention
import train_config
import training
from exits import BAD_DATA, JobError
from job import Job
from pairs_apart import pairs_stay_apart
from reference_check import reference_is_of_this_model
from reference_rows import with_reference
from run_job import run
from throughput import seen_in_pairs, step_work
from training_rows import PAIR_COLUMNS, read_rows, row_lengths, token_count


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(train_config.TrainConfig):
    beta: float
    loss_type: str


def main(job: Job, config: Config) -> None:
    train_config.check(job, config)
    resume = training.checkpoint_to_resume(job, config)
    train_rows, test_rows = (read_rows(job.input("data"), split) for split in ("train", "test"))
    if train_rows.column_names != PAIR_COLUMNS or len(train_rows) == 0:
        raise JobError(
            f'Cannot train on {len(train_rows)} rows with the columns {", ".join(train_rows.column_names)}, '
            f'expected rows of {", ".join(PAIR_COLUMNS)}', BAD_DATA
        )  # fmt: skip
    # that go through the model: of an answer all but the last, and a prompt once for both of its answers
    tokens = token_count(train_rows, PAIR_COLUMNS) - 2 * len(train_rows)
    prompts, chosen, rejected = (row_lengths(train_rows, [name]) for name in PAIR_COLUMNS)
    seen = seen_in_pairs(prompts, [length - 1 for length in chosen], [length - 1 for length in rejected])
    # with its log-probabilities at hand no second model is held, and none computes beside the policy
    cached = "reference" in job.file.inputs
    if cached:
        reference_folder, pairs = job.input("reference"), job.input("data")
        train_rows = with_reference(train_rows, reference_folder, pairs, "train")
        test_rows = with_reference(test_rows, reference_folder, pairs, "test")
    job.emit("data", rows=len(train_rows), test_rows=len(test_rows), tokens=tokens)

    # the heavy imports come here, when everything that can be refused has been
    import torch
    from preference_trainer import PreferenceTrainer
    from transformers import set_seed
    from trl import DPOConfig

    torch.set_num_threads(job.hardware.threads)
    set_seed(config.seed)
    own = {"beta": config.beta, "loss_type": [config.loss_type], "precompute_ref_log_probs": cached, "sync_ref_model": False}
    arguments = train_config.trainer_arguments(job, config, DPOConfig, own)
    tokenizer = load_model.load_tokenizer(job, config, "model")
    # Both always from the dSFT model, on a resume as well: the trainer then loads the checkpoint into the policy alone.
    # A trainer built from a checkpoint would take the half-trained policy for its reference, without a word.
    model = load_model.load_model(job, config, job.input("model"))
    reference = load_model.load_reference(job, config, job.input("model")) if config.lora is None and not cached else None
    work = step_work(tokens, seen, len(train_rows), config.global_batch, 0 if cached else 1)
    callbacks = [training.watch(job, work), pairs_stay_apart()]
    if cached:
        callbacks.append(reference_is_of_this_model(train_rows))
    trainer = training.trainer_class(job, config, PreferenceTrainer)(
        model=model,
        ref_model=reference,
        args=arguments,
        train_dataset=train_rows,
        eval_dataset=test_rows if len(test_rows) > 0 else None,
        processing_class=tokenizer,
        callbacks=callbacks,
        peft_config=load_model.lora_config(config),
    )
    training.train(job, config, trainer, resume, {"rows": len(train_rows), "tokens": tokens, "attention": pair_attention.kernel(job.hardware.device, config.dtype)})


if __name__ == "__main__":
    run("ddpo", Config, main, many_ranks=True)
