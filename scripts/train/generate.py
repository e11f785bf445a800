"""A model answers prompts: completions for judging, the answers of an exam and of benchmarks.

A prompt is a row with `prompt_id` and `prompt` or `messages`. It may bring a `temperature` of its own, and `followups`: what
the user says next, turn by turn, to the model's own answers.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from chat_tokenizer import Bos, load_tokenizer, tell_replaced_template, use_template
from checkpoint import checkpoint_to_resume
from decode import GREEDY, Row, decode
from exits import BAD_DATA, JobError
from job import Job
from json_lines import read_json_lines, write_json_lines
from records import Records, work_through
from run_job import run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COMPLETIONS = "completions.jsonl"
TOO_LONG = "too_long"


@dataclasses.dataclass(frozen=True)
class Config:
    template: str
    # of one answer, and never more than the model's context has room for
    max_new_tokens: int
    # of prompts that bring none; below 0.0001 the likeliest token each time
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
    # a prompt that leaves no room in the context for an answer: an error, or a record that says so in place of an answer
    too_long: Literal["refuse", "mark"] = "refuse"


@dataclasses.dataclass(frozen=True)
class Prompt:
    prompt_id: str
    # what is said up to the first answer
    turns: list[dict[str, Any]]
    followups: list[str]
    temperature: float | None
    # the turns, rendered up to the assistant's marker
    ids: list[int]


class Answer(Protocol):
    """Continues the rows of one batch: token ids without the end token, and why they end."""

    def __call__(self, rows: list[Row]) -> list[tuple[list[int], str]]: ...


def main(job: Job, config: Config) -> None:
    check(config)
    resume = checkpoint_to_resume(job)
    tokenizer = load_tokenizer(job, "model")
    tell_replaced_template(job, "model", tokenizer, config.template, config.bos)
    use_template(tokenizer, config.template, config.bos)
    prompts = read_prompts(job.input("prompts"), config.prompts_file, tokenizer, config.system)
    context = context_of(job.input("model"))
    check_prompts(config, prompts, context)
    # like lengths together, so that little is padded; the same batches whenever and wherever it runs
    prompts.sort(key=lambda prompt: (len(prompt.ids), prompt.prompt_id))
    batches = [prompts[start : start + config.batch_size] for start in range(0, len(prompts), config.batch_size)]
    job.emit("data", rows=len(prompts), batches=len(batches))
    answer = load_vllm(job, config) if config.engine == "vllm" else load_transformers(job, config, tokenizer)
    asking = Asking(config, tokenizer, context, answer)
    records = work_through(job, batches, resume, asking.records_of, "completions")
    records.sort(key=lambda record: (record["prompt_id"], record["sample"], record.get("turn", 1)))
    write_json_lines(job.out / COMPLETIONS, records)
    job.finish(len(batches), len(batches), metrics_of(records))


def metrics_of(records: Records) -> dict[str, Any]:
    ends = collections.Counter(record["finish_reason"] for record in records)
    metrics = {"completions": len(records), "tokens": sum(record["tokens"] for record in records), "finished": ends["stop"]}
    return metrics | ({TOO_LONG: ends[TOO_LONG]} if ends[TOO_LONG] else {})


def check(config: Config) -> None:
    if config.samples < 1 or config.batch_size < 1 or config.max_new_tokens < 1:
        raise JobError("Cannot generate nothing, expected samples, batch_size and max_new_tokens above 0")
    if not (config.temperature >= 0 and 0 < config.top_p <= 1):
        raise JobError(f"Cannot sample at temperature {config.temperature} and top_p {config.top_p}, expected 0 or more, and above 0 to 1")


def check_prompts(config: Config, prompts: list[Prompt], context: int | None) -> None:
    greedy = [prompt.prompt_id for prompt in prompts if temperature_of(config, prompt) < GREEDY]
    if greedy and config.samples > 1:
        raise JobError(f"Cannot draw {config.samples} samples at temperature 0, expected 1 or a higher temperature: {some(greedy)}")
    if config.too_long == "refuse" and context is not None:
        refuse([(prompt.prompt_id, len(prompt.ids)) for prompt in prompts if len(prompt.ids) >= context], context)


def refuse(long: list[tuple[str, int]], context: int) -> None:
    """Throws where there are prompts of so many tokens, by their ids, that no answer has room behind them."""
    if long:
        named = some([f"{prompt_id} ({length} tokens)" for prompt_id, length in long])
        raise JobError(f"Cannot answer prompts in a context of {context} tokens, expected shorter ones: {named}", BAD_DATA)


def some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def temperature_of(config: Config, prompt: Prompt) -> float:
    return config.temperature if prompt.temperature is None else prompt.temperature


def context_of(model: Path) -> int | None:
    """Tokens that the model has positions for, prompt and answer together; None where its config names no such bound."""
    from transformers import AutoConfig

    most = getattr(AutoConfig.from_pretrained(model).get_text_config(), "max_position_embeddings", None)
    return most if isinstance(most, int) and most > 0 else None


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
    prompts = [read_prompt(row, tokenizer, system) for row in rows]
    if len({prompt.prompt_id for prompt in prompts}) != len(prompts):
        raise JobError("Cannot tell prompts apart, expected every prompt_id once", BAD_DATA)
    return prompts


def read_prompt(row: dict[str, Any], tokenizer: PreTrainedTokenizerBase, system: str) -> Prompt:
    messages = row["messages"] if row.get("messages") else [{"role": "user", "content": row.get("prompt")}]
    prompt_id = row.get("prompt_id")
    if not isinstance(prompt_id, str) or not isinstance(messages[-1].get("content"), str):
        raise JobError(f"Cannot use a prompt with the columns {', '.join(row)}, expected prompt_id and prompt or messages", BAD_DATA)
    # an answer that is given already is not part of the question
    asked = messages[:-1] if messages[-1]["role"] == "assistant" else messages
    turns: list[dict[str, Any]] = [{"role": message["role"], "content": message["content"]} for message in asked]
    if system == "empty" and turns[0]["role"] != "system":
        turns = [{"role": "system", "content": ""}, *turns]
    temperature, followups = row.get("temperature"), row.get("followups") or []
    if temperature is not None and (isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 <= temperature < math.inf):
        raise JobError(f'Cannot answer prompt "{prompt_id}" at temperature {json.dumps(temperature)}, expected 0 or more', BAD_DATA)
    if not isinstance(followups, list) or not all(isinstance(each, str) for each in followups):
        raise JobError(f'Cannot use the followups of prompt "{prompt_id}", expected a list of what the user says next', BAD_DATA)
    return Prompt(prompt_id, turns, followups, temperature, render(tokenizer, turns))


def render(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, Any]]) -> list[int]:
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def answer_seed(seed: int, prompt_id: str, sample: int, turn: int = 1) -> int:
    """Of one answer: the same draws whichever prompts are answered beside it, so that more prompts change no other answer."""
    named = f"{seed}\0{prompt_id}\0{sample}" + (f"\0{turn}" if turn > 1 else "")
    return int.from_bytes(hashlib.sha256(named.encode()).digest()[:6], "big")


@dataclasses.dataclass
class Talk:
    """One sample of the answers to a prompt and what the user says next."""

    prompt: Prompt
    sample: int
    turns: list[dict[str, Any]]
    ids: list[int]


@dataclasses.dataclass(frozen=True)
class Asking:
    """Asks the prompts of a batch, then what follows each, turn by turn."""

    config: Config
    tokenizer: PreTrainedTokenizerBase
    context: int | None
    answer: Answer

    def records_of(self, batch: list[Prompt]) -> Records:
        talks = [Talk(prompt, sample, prompt.turns, prompt.ids) for prompt in batch for sample in range(self.config.samples)]
        records: Records = []
        turn = 1
        while talks:
            records += (answered := self.turn_of(talks, turn))
            talks = [
                self.go_on(talk, record["text"], talk.prompt.followups[turn - 1])
                for talk, record in zip(talks, answered, strict=True)
                if len(talk.prompt.followups) >= turn
            ]
            turn += 1
        return records

    def turn_of(self, talks: list[Talk], turn: int) -> Records:
        """A record for each; `turn` is in it where the prompt has several."""
        limits = [self.room(talk) for talk in talks]
        if self.context is not None and self.config.too_long == "refuse":
            named = [(f"{talk.prompt.prompt_id}, turn {turn}", len(talk.ids)) for talk in talks]
            refuse([name for name, limit in zip(named, limits, strict=True) if limit == 0], self.context)
        rows = [
            Row(talk.ids, temperature_of(self.config, talk.prompt), limit, answer_seed(self.config.seed, talk.prompt.prompt_id, talk.sample, turn))
            for talk, limit in zip(talks, limits, strict=True)
            if limit > 0
        ]  # fmt: skip
        found = iter(self.answer(rows) if rows else [])
        answers = [next(found) if limit > 0 else ([], TOO_LONG) for limit in limits]
        return [
            {"prompt_id": talk.prompt.prompt_id, "sample": talk.sample, **({"turn": turn} if talk.prompt.followups else {}),
             "text": self.tokenizer.decode(ids, skip_special_tokens=True), "finish_reason": reason, "tokens": len(ids)}
            for talk, (ids, reason) in zip(talks, answers, strict=True)
        ]  # fmt: skip

    def room(self, talk: Talk) -> int:
        """Tokens that an answer may have; 0 where the prompt fills the context."""
        most = self.config.max_new_tokens
        return most if self.context is None else max(0, min(most, self.context - len(talk.ids)))

    def go_on(self, talk: Talk, text: str, followup: str) -> Talk:
        turns = [*talk.turns, {"role": "assistant", "content": text}, {"role": "user", "content": followup}]
        return dataclasses.replace(talk, turns=turns, ids=render(self.tokenizer, turns))


# --- engines ------------------------------------------------------------------------------------------------------


def load_transformers(job: Job, config: Config, tokenizer: PreTrainedTokenizerBase) -> Answer:
    """The model's own generation defaults are none of the recipe's, so its `generate` is not asked."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(job.hardware.threads)
    # "auto": what the model was saved in
    model: Any = AutoModelForCausalLM.from_pretrained(job.input("model"), dtype="auto", attn_implementation="sdpa", use_safetensors=True)
    model = model.to(job.hardware.device).eval()
    return lambda rows: decode(model, rows, config.top_p, tokenizer.eos_token_id)


def load_vllm(job: Job, config: Config) -> Answer:
    try:
        from vllm import LLM, SamplingParams
    except ImportError as error:
        raise JobError(f'Cannot use the engine "vllm": {error}; expected it in the image, or the engine "transformers"') from error
    # "vllm": no defaults from the model's generation_config.json
    engine = LLM(model=str(job.input("model")), seed=config.seed, dtype="auto", generation_config="vllm")

    def answer(rows: list[Row]) -> list[tuple[list[int], str]]:
        sampling = [
            SamplingParams(
                temperature=row.temperature if row.temperature >= GREEDY else 0,
                top_p=config.top_p,
                max_tokens=row.limit,
                seed=row.seed % 2**31,
            )
            for row in rows
        ]
        outputs: list[Any] = engine.generate([{"prompt_token_ids": row.ids} for row in rows], sampling, use_tqdm=False)
        ended = [output.outputs[0] for output in outputs]
        # vllm keeps the end token among the ids when that is what ended the answer
        return [(list(each.token_ids)[: -1 if each.finish_reason == "stop" else None], each.finish_reason) for each in ended]

    return answer


if __name__ == "__main__":
    run("generate", Config, main)
