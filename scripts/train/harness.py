"""A model on benchmarks of lm-eval: log-likelihoods of given answers, or answers that a rule checks."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from chat_tokenizer import Bos, load_tokenizer, tell_replaced_template, use_template
from checkpoint import Checkpoint, checkpoint_to_resume
from exits import JobError
from harness_requests import Answered, Requests, ask, collect, rendering, seed_everything
from harness_scores import write_scored
from harness_tasks import SHOTS_SEED, Asked, Benchmark, load_benchmark
from job import Job
from records import Records, work_through
from run_job import run

if TYPE_CHECKING:
    from lm_eval.models.huggingface import HFLM
    from transformers import PreTrainedTokenizerBase

ENVIRONMENT = "lm-eval"


@dataclasses.dataclass(frozen=True)
class Config:
    template: str
    # as the model was trained, see prepare.py
    system: Literal["empty", "none"]
    benchmarks: list[Asked]
    # passes of the model at once
    batch_size: int
    bos: Bos = "keep"


def main(job: Job, config: Config) -> None:
    resume = checkpoint_to_resume(job)
    quiet_libraries()
    tokenizer = load_tokenizer(job, "model")
    tell_replaced_template(job, "model", tokenizer, config.template, config.bos)
    use_template(tokenizer, config.template, config.bos)
    # rows lie in files that are mapped into memory, beside the other files of the job and gone with them
    with tempfile.TemporaryDirectory(prefix="rows-", dir=job.folder, ignore_cleanup_errors=True) as folder:
        benchmarks = [load_benchmark(job, asked, Path(folder)) for asked in config.benchmarks]
        answer_all(job, config, tokenizer, benchmarks, resume)


def answer_all(job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, benchmarks: list[Benchmark], resume: Checkpoint | None) -> None:
    lm = load_model(job, config, tokenizer, stop_tokens(tokenizer, benchmarks))
    seed_everything()
    requests = collect(benchmarks, lm)
    tell_too_long(job, lm, requests)
    batches = requests.batches(config.batch_size)
    job.emit("data", rows=len(requests.asked), batches=len(batches))
    records = work_through(job, batches, resume, lambda batch: ask(batch, lm), "requests")
    metrics = write_scored(job, config, lm, requests, [(benchmark, evaluate(benchmark, lm, requests, records)) for benchmark in benchmarks])
    job.finish(len(batches), len(batches), metrics)


def quiet_libraries() -> None:
    import logging

    import datasets

    # the harness says a line for each task and request that it finds unusual; what of it matters is looked at by us
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    datasets.disable_progress_bars()


def load_model(job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, stops: list[int]) -> HFLM:
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, GenerationConfig

    torch.set_num_threads(job.hardware.threads)
    model: Any = AutoModelForCausalLM.from_pretrained(job.input("model"), dtype="auto", attn_implementation="sdpa", use_safetensors=True)
    model = model.to(job.hardware.device).eval()
    # greedy means greedy: penalties and beams of the checkpoint's own generation config are none of the benchmark's
    model.generation_config = GenerationConfig(eos_token_id=stops, pad_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id)

    class Model(HFLM):  # type: ignore[misc]
        def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            if config.system == "empty" and chat_history[0]["role"] != "system":
                chat_history = [{"role": "system", "content": ""}, *chat_history]
            return str(super().apply_chat_template(chat_history, add_generation_prompt))

    return Model(pretrained=model, tokenizer=tokenizer, batch_size=config.batch_size)


def stop_tokens(tokenizer: PreTrainedTokenizerBase, benchmarks: list[Benchmark]) -> list[int]:
    """
    Tokens that end an answer: the end of a turn, and stop strings that are special tokens. As text they are dropped before the
    harness looks for them, so that what comes after the stop would count wherever another row of the batch goes on.
    """
    named = {stop for benchmark in benchmarks for task in benchmark.tasks.values() for stop in (task.config.generation_kwargs or {}).get("until", [])}
    special = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    eos = tokenizer.eos_token_id
    assert isinstance(eos, int)
    return [eos, *sorted(special[stop] for stop in named if stop in special and special[stop] != eos)]


def tell_too_long(job: Job, lm: HFLM, requests: Requests) -> None:
    if not requests.too_long:
        return
    (task, row), tokens = next(iter(requests.too_long.items()))
    count = f"{len(requests.too_long)} row{'' if len(requests.too_long) == 1 else 's'}"
    job.emit("note", message=f"{count} longer than the context of {lm.max_length} tokens, left out: row {row} of {task} with {tokens} and others")


def evaluate(benchmark: Benchmark, lm: HFLM, requests: Requests, records: Records) -> dict[str, Any]:
    """What lm-eval makes of the answers: its results with samples."""
    from lm_eval import evaluator

    for task in benchmark.tasks.values():
        task.set_fewshot_seed(SHOTS_SEED)
    named = {name: value for name, value in rendering(lm, benchmark.file.chat).items() if name != "chat_template"}
    found: dict[str, Any] | None = evaluator.evaluate(
        lm=Answered(lm, requests, records, benchmark.file.chat),
        task_dict={"tasks": {str(task.config.task): task for task in benchmark.tasks.values()}, "groups": {}, "group_map": {}},
        limit=benchmark.asked.limit,
        # standard errors of means need no draws, and others are reckoned by zephyr
        bootstrap_iters=1,
        log_samples=True,
        **named,
    )
    if found is None:
        raise JobError(f'Cannot score "{benchmark.asked.name}": the harness gave no result')
    return found


if __name__ == "__main__":
    run("harness", Config, main)
