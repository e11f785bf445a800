"""What the tasks of lm-eval ask of a model: asked in batches that checkpoints cut, then handed back to the harness."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

from exits import JobError
from harness_tasks import SHOTS_SEED, Benchmark
from records import Records

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

# what the harness gets for a question that was not asked because it does not fit; its row counts for nothing
UNASKED: dict[str, Any] = {"loglikelihood": (0.0, False), "generate_until": ""}


@dataclasses.dataclass(frozen=True)
class Request:
    """One text to score or to go on with. Equal ones are asked once."""

    key: str
    instance: Instance
    chat: bool
    # tokens that must fit into the context: prompt and continuation, or prompt and room for the answer
    tokens: int
    # requests whose model inputs are equal, such as the letters of one question: one pass of the model answers all
    pass_key: str


@dataclasses.dataclass
class Requests:
    # by key, in the order of the benchmarks
    asked: dict[str, Request] = dataclasses.field(default_factory=dict)
    # tokens by task and row, of the rows that do not fit into the context
    too_long: dict[tuple[str, int], int] = dataclasses.field(default_factory=dict)

    def batches(self, size: int) -> list[list[Request]]:
        """
        At most `size` passes of the model in each, the longest ones first as in the harness; answers that end by other rules are
        not mixed. The same batches whenever it runs: padding shows in the last digits.
        """
        passes: dict[str, list[Request]] = {}
        for request in self.asked.values():
            passes.setdefault(request.pass_key, []).append(request)
        kinds: dict[str, list[list[Request]]] = {}
        for group in sorted(passes.values(), key=lambda group: (-group[0].tokens, group[0].key)):
            kinds.setdefault(kind_of(group[0]), []).append(group)
        return [
            [request for group in groups[start : start + size] for request in group]
            for _, groups in sorted(kinds.items())
            for start in range(0, len(groups), size)
        ]


def kind_of(request: Request) -> str:
    arguments = request.instance.args
    return json.dumps([request.chat, request.instance.request_type, arguments[1] if is_generation(request.instance) else None], sort_keys=True)


def is_generation(instance: Instance) -> bool:
    return str(instance.request_type) == "generate_until"


def request_key(instance: Instance, chat: bool) -> str:
    return hashlib.sha256(json.dumps([chat, instance.request_type, *instance.args], sort_keys=True).encode()).hexdigest()


def seed_everything() -> None:
    """As the harness's own command line does by default."""
    import numpy
    import torch

    random.seed(0)
    numpy.random.seed(SHOTS_SEED)
    torch.manual_seed(SHOTS_SEED)


def collect(benchmarks: list[Benchmark], lm: HFLM) -> Requests:
    """
    Every request of every task. A row of which one request does not fit into the context is not asked at all: the harness
    would cut it from the left, examples and then the question, and report a number.
    """
    found = Requests()
    for benchmark in benchmarks:
        chat = benchmark.file.chat
        begin_texts(lm, chat)
        for task in benchmark.tasks.values():
            task.set_fewshot_seed(SHOTS_SEED)
            task.build_all_requests(limit=benchmark.asked.limit, **rendering(lm, chat))
            rows: dict[int, list[Request]] = {}
            for instance in task.instances:
                if instance.request_type not in UNASKED:
                    raise JobError(f'Cannot ask for "{instance.request_type}" as "{task.config.task}" does, expected one of {", ".join(UNASKED)}')
                rows.setdefault(int(instance.doc_id or 0), []).append(measured(instance, chat, lm))
            for row, requests in rows.items():
                longest = max(request.tokens for request in requests)
                if longest > lm.max_length:
                    found.too_long[(str(task.config.task), row)] = longest
                else:
                    found.asked |= {request.key: request for request in requests if request.key not in found.asked}
    return found


def begin_texts(lm: HFLM, chat: bool) -> None:
    """A rendered dialogue begins as the recipe's template says, any other text as the tokenizer has it."""
    lm.add_bos_token = False if chat else None


def rendering(lm: HFLM, chat: bool) -> dict[str, Any]:
    if not chat:
        return {"apply_chat_template": False}
    return {"apply_chat_template": True, "fewshot_as_multiturn": True, "chat_template": lm.apply_chat_template}


def measured(instance: Instance, chat: bool, lm: HFLM) -> Request:
    key = request_key(instance, chat)
    if is_generation(instance):
        prompt, rules = instance.args
        return Request(key, instance, chat, len(lm.tok_encode(prompt)) + int(rules["max_gen_toks"]), key)
    context, continuation = lm._encode_pair(*instance.args)
    # the last token is predicted and never read
    read = [*context, *continuation][:-1]
    return Request(key, instance, chat, len(read), hashlib.sha256(json.dumps([chat, read]).encode()).hexdigest())


def ask(batch: list[Request], lm: HFLM) -> Records:
    """Sums of log-probabilities (nats) and whether greedy decoding would say the same, or the text of an answer."""
    begin_texts(lm, batch[0].chat)
    instances = [request.instance for request in batch]
    keys = [request.key for request in batch]
    if is_generation(instances[0]):
        texts = lm.generate_until(instances, disable_tqdm=True)
        return [{"request": key, "text": text} for key, text in zip(keys, texts, strict=True)]
    scores = lm.loglikelihood(instances, disable_tqdm=True)
    return [{"request": key, "logprob": logprob, "greedy": greedy} for key, (logprob, greedy) in zip(keys, scores, strict=True)]


class Answered:
    """In place of a model for lm-eval's `evaluate`: hands out the records. Throws for a request that was never collected."""

    rank, world_size = 0, 1

    def __init__(self, lm: HFLM, requests: Requests, records: Records, chat: bool) -> None:
        self.lm, self.requests, self.chat = lm, requests, chat
        self.records = {record["request"]: record for record in records}

    def apply_chat_template(self, *arguments: Any, **named: Any) -> str:
        return str(self.lm.apply_chat_template(*arguments, **named))

    def loglikelihood(self, instances: list[Instance]) -> list[Any]:
        return [self.answer(instance) for instance in instances]

    generate_until = loglikelihood

    def answer(self, instance: Instance) -> Any:
        if (instance.task_name, instance.doc_id) in self.requests.too_long:
            return UNASKED[instance.request_type]
        record = self.records.get(request_key(instance, self.chat))
        if record is None:
            raise RuntimeError(f"Cannot score {instance.task_name}, row {instance.doc_id}: its prompt is another one than was asked")
        return record["text"] if is_generation(instance) else (record["logprob"], record["greedy"])
