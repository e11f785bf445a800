"""A model answers prompts: completions for judging, and the answers of an exam."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from chat_tokenizer import Bos, load_tokenizer, tell_replaced_template, use_template
from checkpoint import checkpoint_to_resume
from exits import BAD_DATA, JobError
from job import Job
from json_lines import read_json_lines, write_json_lines
from records import Records, work_through
from run_job import run

if TYPE_CHECKING:
    from transformers import LogitsProcessor, PreTrainedTokenizerBase

COMPLETIONS = "completions.jsonl"


@dataclasses.dataclass(frozen=True)
class Config:
    template: str
    max_new_tokens: int
    # 0: the likeliest token each time
    temperature: float
    top_p: float
    samples: int
    batch_size: int
    seed: int
    engine: Literal["transformers", "vllm"]
    # as the model was trained, see prepare.py
    system: Literal["empty", "none"]
    bos: Bos = "keep"
    # in the input `prompts`; without one prompts.jsonl or prompts.parquet
    prompts_file: str | None = None


@dataclasses.dataclass(frozen=True)
class Prompt:
    prompt_id: str
    ids: list[int]


class Answer(Protocol):
    """Answers the prompts of one batch, `samples` times each: token ids without the end token, and why they end."""

    def __call__(self, prompts: list[Prompt]) -> list[list[tuple[list[int], str]]]: ...


def main(job: Job, config: Config) -> None:
    check(config)
    resume = checkpoint_to_resume(job)
    tokenizer = load_tokenizer(job, "model")
    tell_replaced_template(job, "model", tokenizer, config.template, config.bos)
    use_template(tokenizer, config.template, config.bos)
    prompts = read_prompts(job.input("prompts"), config.prompts_file, tokenizer, config.system)
    # like lengths together, so that little is padded; the same batches whenever and wherever it runs
    prompts.sort(key=lambda prompt: (len(prompt.ids), prompt.prompt_id))
    batches = [prompts[start : start + config.batch_size] for start in range(0, len(prompts), config.batch_size)]
    job.emit("data", rows=len(prompts), batches=len(batches))
    answer = load_vllm(job, config) if config.engine == "vllm" else load_transformers(job, config, tokenizer)

    def records_of(batch: list[Prompt]) -> Records:
        return [
            {"prompt_id": prompt.prompt_id, "sample": number, "text": tokenizer.decode(ids, skip_special_tokens=True),
             "finish_reason": reason, "tokens": len(ids)}
            for prompt, samples in zip(batch, answer(batch), strict=True)
            for number, (ids, reason) in enumerate(samples)
        ]  # fmt: skip

    records = work_through(job, batches, resume, records_of, "completions")
    records.sort(key=lambda record: (record["prompt_id"], record["sample"]))
    write_json_lines(job.out / COMPLETIONS, records)
    finished = sum(record["finish_reason"] == "stop" for record in records)
    metrics = {"completions": len(records), "tokens": sum(record["tokens"] for record in records), "finished": finished}
    job.finish(len(batches), len(batches), metrics)


def check(config: Config) -> None:
    if config.samples < 1 or config.batch_size < 1 or config.max_new_tokens < 1:
        raise JobError("Cannot generate nothing, expected samples, batch_size and max_new_tokens above 0")
    if config.temperature == 0 and config.samples > 1:
        raise JobError(f"Cannot draw {config.samples} samples at temperature 0, expected 1 or a higher temperature")


def read_prompts(folder: Path, name: str | None, tokenizer: PreTrainedTokenizerBase, system: str) -> list[Prompt]:
    """Rows with a prompt or messages, rendered up to the assistant's marker. Ids must differ."""
    names = [name] if name is not None else ["prompts.jsonl", "prompts.parquet"]
    path = next((folder / each for each in names if (folder / each).is_file()), None)
    if path is None:
        raise JobError(f'Cannot find the prompts, expected {" or ".join(map(json.dumps, names))} in the input "prompts"', BAD_DATA)
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        rows = parquet.read_table(path).to_pylist()
    else:
        rows = [row for _, row in read_json_lines(path)]
    prompts = []
    for row in rows:
        messages = row["messages"] if row.get("messages") else [{"role": "user", "content": row.get("prompt")}]
        if not isinstance(row.get("prompt_id"), str) or not isinstance(messages[-1].get("content"), str):
            raise JobError(f'Cannot use a prompt with the columns {", ".join(row)}, expected prompt_id and prompt or messages', BAD_DATA)
        # an answer that is given already is not part of the question
        asked = messages[:-1] if messages[-1]["role"] == "assistant" else messages
        turns = [{"role": message["role"], "content": message["content"]} for message in asked]
        if system == "empty" and turns[0]["role"] != "system":
            turns = [{"role": "system", "content": ""}, *turns]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        prompts.append(Prompt(row["prompt_id"], list(tokenizer(text, add_special_tokens=False)["input_ids"])))
    if len({prompt.prompt_id for prompt in prompts}) != len(prompts):
        raise JobError("Cannot tell prompts apart, expected every prompt_id once", BAD_DATA)
    return prompts


def answer_seed(seed: int, prompt_id: str, sample: int) -> int:
    """Of one answer: the same draws whichever prompts are answered beside it, so that more prompts change no other answer."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{prompt_id}\0{sample}".encode()).digest()[:6], "big")


# --- engines ------------------------------------------------------------------------------------------------------


def load_transformers(job: Job, config: Config, tokenizer: PreTrainedTokenizerBase) -> Answer:
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig, LogitsProcessorList

    torch.set_num_threads(job.hardware.threads)
    # "auto": what the model was saved in
    model: Any = AutoModelForCausalLM.from_pretrained(job.input("model"), dtype="auto", attn_implementation="sdpa", use_safetensors=True)
    model = model.to(job.hardware.device).eval()
    eos = tokenizer.eos_token_id
    # the model's own generation defaults are none of the recipe's
    model.generation_config = GenerationConfig(
        max_new_tokens=config.max_new_tokens, eos_token_id=eos, pad_token_id=eos, bos_token_id=tokenizer.bos_token_id
    )

    def answer(prompts: list[Prompt]) -> list[list[tuple[list[int], str]]]:
        width = max(len(prompt.ids) for prompt in prompts)
        ids = torch.tensor([[eos] * (width - len(prompt.ids)) + prompt.ids for prompt in prompts], device=job.hardware.device)
        mask = torch.tensor([[0] * (width - len(prompt.ids)) + [1] * len(prompt.ids) for prompt in prompts], device=job.hardware.device)
        own = [own_draws(config, prompts, width)] if config.temperature > 0 else []
        with torch.inference_mode():
            rows = model.generate(
                input_ids=ids.repeat_interleave(config.samples, 0),
                attention_mask=mask.repeat_interleave(config.samples, 0),
                logits_processor=LogitsProcessorList(own),
            )
        answers = [up_to_end(row[width:], eos) for row in rows.tolist()]
        return [answers[start : start + config.samples] for start in range(0, len(answers), config.samples)]

    return answer


def own_draws(config: Config, prompts: list[Prompt], width: int) -> LogitsProcessor:
    """Samples each row by draws of its own, where `generate` would take all rows' from one generator.

    Greedy search takes the token that is left: the one in whose share of the probability the row's draw of this step falls.
    """
    import torch
    from transformers import LogitsProcessor, TopPLogitsWarper

    seeds = [answer_seed(config.seed, prompt.prompt_id, sample) for prompt in prompts for sample in range(config.samples)]
    draws = torch.stack(
        [torch.rand(config.max_new_tokens, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in seeds]
    )
    keep_likely = TopPLogitsWarper(config.top_p) if config.top_p < 1 else None

    class OwnDraws(LogitsProcessor):
        def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
            scaled = scores.float() / config.temperature
            if keep_likely is not None:
                scaled = keep_likely(input_ids, scaled)
            upto = scaled.double().softmax(-1).cumsum(-1)
            draw = draws[:, input_ids.shape[1] - width, None].to(upto.device) * upto[:, -1:]
            token = torch.searchsorted(upto, draw, right=True)
            return cast(torch.FloatTensor, torch.full_like(scores, float("-inf")).scatter(1, token, 0.0))

    return OwnDraws()


def up_to_end(ids: list[int], eos: int) -> tuple[list[int], str]:
    return (ids[: ids.index(eos)], "stop") if eos in ids else (ids, "length")


def load_vllm(job: Job, config: Config) -> Answer:
    try:
        from vllm import LLM, SamplingParams
    except ImportError as error:
        raise JobError(f'Cannot use the engine "vllm": {error}; expected it in the image, or the engine "transformers"') from error
    engine = LLM(model=str(job.input("model")), seed=config.seed, dtype="auto")

    def answer(prompts: list[Prompt]) -> list[list[tuple[list[int], str]]]:
        fields = {"n": config.samples, "temperature": config.temperature, "top_p": config.top_p, "max_tokens": config.max_new_tokens}
        sampling = [SamplingParams(**fields, seed=answer_seed(config.seed, prompt.prompt_id, 0) % 2**31) for prompt in prompts]
        outputs: list[Any] = engine.generate([{"prompt_token_ids": prompt.ids} for prompt in prompts], sampling, use_tqdm=False)
        # vllm keeps the end token among the ids when that is what ended the answer
        return [[(list(sample.token_ids)[: -1 if sample.finish_reason == "stop" else None], sample.finish_reason) for sample in output.outputs] for output in outputs]  # fmt: skip

    return answer


if __name__ == "__main__":
    run("generate", Config, main)
