"""Distilled supervised fine-tuning: TRL's SFTTrainer on rows that prepare.py has tokenised and packed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Literal

import attention
import load_model
import train_config
import training
from exits import BAD_DATA, JobError
from job import Job
from run_job import run
from throughput import seen_in_documents, step_work
from training_rows import document_lengths, read_rows, token_count

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(train_config.TrainConfig):
    packing: bool
    loss_tokens: Literal["all", "assistant"]


def main(job: Job, config: Config) -> None:
    train_config.check(job, config)
    if config.packing and config.attention not in attention.PACKED:
        raise JobError(
            f'Cannot pack with the attention "{config.attention}", in which documents may see each other; '
            f'expected one of {", ".join(attention.PACKED)}'
        )
    resume = training.checkpoint_to_resume(job, config)
    train_rows, test_rows = (read_rows(job.input("data"), split) for split in ("train", "test"))
    expected = {"input_ids"} | ({"labels"} if config.loss_tokens == "assistant" else set()) | ({"seq_lengths"} if config.packing else set())
    if set(train_rows.column_names) != expected or len(train_rows) == 0:
        raise JobError(
            f'Cannot train on {len(train_rows)} rows with the columns {", ".join(train_rows.column_names)}, '
            f'expected rows of {", ".join(sorted(expected))} (packing {config.packing}, loss on {config.loss_tokens} tokens)', BAD_DATA
        )  # fmt: skip
    tokens = token_count(train_rows, ["input_ids"])
    job.emit("data", rows=len(train_rows), test_rows=len(test_rows), tokens=tokens)

    # the heavy imports come here, when everything that can be refused has been
    import torch
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(job.hardware.threads)
    set_seed(config.seed)
    # the rows are ready: no packing, no tokenising, no second opinion on the columns
    own: dict[str, Any] = {"packing": False, "padding_free": False, "dataset_kwargs": {"skip_prepare_dataset": True}}
    # TRL's loss by pieces reads the weights of the head past an adapter on it, and is refused
    if config.lora is not None and "lm_head" in config.lora.targets and "loss_type" not in config.trl:
        own["loss_type"] = "nll"
    arguments = train_config.trainer_arguments(job, config, SFTConfig, own)
    attention_name = attention.settle(job, config)
    tokenizer = load_model.load_tokenizer(job, config, "base")
    model = load_model.load_model(job, config, job.input("base"))
    documents = document_lengths(train_rows, "seq_lengths" if config.packing else None)
    callbacks = [training.watch(job, step_work(tokens, seen_in_documents(documents), len(train_rows), config.global_batch))]
    if config.packing:
        callbacks.append(documents_stay_apart())
    trainer = training.trainer_class(job, config, SFTTrainer)(
        model=model,
        args=arguments,
        train_dataset=train_rows,
        eval_dataset=test_rows if len(test_rows) > 0 else None,
        processing_class=tokenizer,
        data_collator=packed_collator(attention_name, tokenizer.pad_token_id) if config.packing else None,
        callbacks=callbacks,
        peft_config=load_model.lora_config(config),
    )
    training.train(job, config, trainer, resume, {"rows": len(train_rows), "tokens": tokens, "attention": attention_name})


def packed_collator(attention_name: str, pad_token_id: int) -> Any:
    """
    Rows of several documents, told apart by position ids that start again at 0. There is no attention mask on purpose:
    transformers looks for packed documents only where it gets none. Padding counts as documents of one token each.
    """
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    flat = attention_name in attention.FLASH_ATTENTION
    collate = DataCollatorForLanguageModeling(pad_token_id=pad_token_id, padding_free=flat, return_position_ids=True)

    def packed(rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = collate(rows)
        batch.pop("attention_mask", None)
        # no document predicts the first token of the next
        batch["labels"][batch["position_ids"] == 0] = -100
        return batch

    return packed


def documents_stay_apart() -> TrainerCallback:
    """Asks the model itself, before the first step: a change in one document must not move a logit of the next."""
    import torch
    from transformers import TrainerCallback

    class DocumentsStayApart(TrainerCallback):
        def on_train_begin(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
        ) -> None:
            ids = torch.arange(16, device=args.device).unsqueeze(0) % 7
            other = ids.clone()
            other[0, :8] = 7
            positions = torch.arange(8, device=args.device).repeat(2).unsqueeze(0)
            training_mode = model.training
            model.eval()
            # all ranks are here, and must be: each needs the others for a layer that is sharded
            with torch.no_grad(), torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
                logits = [model(input_ids=row, position_ids=positions, use_cache=False).logits[0, 8:] for row in (ids, other)]
            model.train(training_mode)
            if not torch.allclose(logits[0].float(), logits[1].float(), atol=1e-3):
                raise JobError("Cannot pack: with this model and attention, packed documents see each other")

    return DocumentsStayApart()


if __name__ == "__main__":
    run("dsft", Config, main, many_ranks=True)
