"""
Proximal policy optimization from a reward model, as the article has it in its comparison, by the PPOTrainer of TRL 1.12.0: the last
one, since 1.13 has none. Its environment is frozen; nothing else is made there. One process alone, since that trainer knows no shares.
"""

from __future__ import annotations

import dataclasses
import math
import os

import attention
import load_model
import reward_head
import rl_prompts
import train_config
import training
from job import Job
from run_job import run
from throughput import StepWork

ENVIRONMENT = "ppo"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(train_config.TrainConfig):
    # weight of the distance to the model that it starts from, in the reward of each token
    beta: float
    # tokens of an answer
    max_new_tokens: int
    temperature: float


def main(job: Job, config: Config) -> None:
    train_config.check(job, config)
    resume = training.checkpoint_to_resume(job, config)
    prompts = rl_prompts.read_prompts(job, config.max_length - config.max_new_tokens, config.global_batch)
    job.emit("data", rows=len(prompts.train), test_rows=len(prompts.test), too_long=prompts.too_long)

    # its accelerator is told of no arguments
    os.environ["ACCELERATE_MIXED_PRECISION"] = "bf16" if config.dtype == "bfloat16" else "no"
    import torch
    from ppo_trainer import Arguments, Ending, ResumedPPO
    from transformers import set_seed

    torch.set_num_threads(job.hardware.threads)
    set_seed(config.seed)
    steps = config.max_steps or math.ceil((config.epochs or 1) * len(prompts.train) / config.global_batch)
    own = {
        "kl_coef": config.beta, "response_length": config.max_new_tokens, "temperature": config.temperature, "stop_token": "eos",
        # what TRL's own recipe takes from an answer that was cut, which it cannot leave out
        "missing_eos_penalty": 1.0, "num_ppo_epochs": 4, "num_mini_batches": 1, "num_sample_generations": 0,
        "total_episodes": steps * config.global_batch, "local_rollout_forward_batch_size": job.hardware.micro_batch, "eval_strategy": "no",
    }  # fmt: skip
    arguments = train_config.trainer_arguments(job, config, Arguments, own)
    tokenizer = load_model.load_tokenizer(job, config, "model")
    reward_head.use_padding(tokenizer)
    # the value of an answer begins as its reward, as in InstructGPT (Ouyang et al. 2022, appendix C.4)
    rewards, values = (reward_head.load_trained(job.input("reward"), "float32")[0] for _ in range(2))
    watch = training.watch(job, StepWork(0, 0))
    # an adapter is not all that is trained: the values are, and their weights are as large as the model's
    whole = dataclasses.replace(config, lora=None)
    trainer = training.trainer_class(job, whole, ResumedPPO)(
        model=load_model.load_model(job, config, job.input("model")),
        ref_model=load_model.load_reference(job, config, job.input("model")) if config.lora is None else None,
        reward_model=rewards.requires_grad_(False),
        value_model=values,
        args=arguments,
        train_dataset=prompts.train,
        held_out=prompts.test,
        processing_class=tokenizer,
        callbacks=[watch, Ending(watch)],
        peft_config=load_model.lora_config(config),
    )
    metrics = {
        "rows": len(prompts.train), "too_long": prompts.too_long,
        "attention": attention.resolve(config.attention, job.hardware.device, config.dtype),
    }  # fmt: skip
    training.train(job, config, trainer, resume, metrics)


if __name__ == "__main__":
    run("ppo", Config, main)
