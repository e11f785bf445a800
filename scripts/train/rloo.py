"""
Reinforcement learning from a reward model by TRL's RLOOTrainer (Ahmadian et al. 2024): the second half of the baseline that the
article compares direct preference optimization with. Prompts are those of the pairs, as prepare.py has tokenised them.
"""

from __future__ import annotations

import dataclasses

import attention
import load_model
import reward_head
import rl_prompts
import train_config
import training
from job import Job
from run_job import run
from throughput import StepWork


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(train_config.TrainConfig):
    # weight of the distance to the model that it starts from, in the reward
    beta: float
    # answers to a prompt, each of which is compared with the mean of the others
    generations: int
    # tokens of an answer
    max_new_tokens: int
    temperature: float


def main(job: Job, config: Config) -> None:
    train_config.check(job, config)
    rl_prompts.check_groups(config.global_batch, config.generations)
    resume = training.checkpoint_to_resume(job, config)
    prompts = rl_prompts.read_prompts(job, config.max_length - config.max_new_tokens, config.global_batch // config.generations)
    job.emit("data", rows=len(prompts.train), test_rows=len(prompts.test), too_long=prompts.too_long)

    # the heavy imports come here, when everything that can be refused has been
    import torch
    from reward_trainer import Arguments, RewardedTrainer, unmetered
    from transformers import set_seed

    torch.set_num_threads(job.hardware.threads)
    set_seed(config.seed)
    own = {
        "beta": config.beta, "num_generations": config.generations, "num_generations_eval": 1, "num_iterations": 1,
        "max_completion_length": config.max_new_tokens, "temperature": config.temperature, "top_p": 1.0,
        "mask_truncated_completions": True, "disable_dropout": True, "sync_ref_model": False, "eval_strategy": "no",
    }  # fmt: skip
    arguments = train_config.trainer_arguments(job, config, Arguments, own)
    tokenizer = load_model.load_tokenizer(job, config, "model")
    score_dtype = "float32" if job.hardware.device == "cpu" else config.dtype
    watch = training.watch(job, StepWork(0, 0))
    trainer = training.trainer_class(job, config, RewardedTrainer)(
        model=load_model.load_model(job, config, job.input("model")),
        ref_model=load_model.load_reference(job, config, job.input("model")) if config.lora is None else None,
        score=reward_head.load_to_score(job.input("reward"), str(rl_prompts.device_of(job)), score_dtype, job.hardware.micro_batch),
        args=arguments,
        train_dataset=prompts.train,
        eval_dataset=prompts.test if len(prompts.test) > 0 else None,
        processing_class=tokenizer,
        callbacks=[watch, unmetered(watch)],
        peft_config=load_model.lora_config(config),
    )
    metrics = {
        "rows": len(prompts.train), "too_long": prompts.too_long,
        "attention": attention.resolve(config.attention, job.hardware.device, config.dtype),
    }  # fmt: skip
    training.train(job, config, trainer, resume, metrics)


if __name__ == "__main__":
    run("rloo", Config, main, many_ranks=True)
