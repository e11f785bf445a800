"""A model talks: one JSON line a request on stdin, one JSON line a token on stdout, until stdin ends.

No job: nobody resumes it, it writes no file, and it ends with the command that started it. What comes in:

    {"model": FOLDER, "device": "cpu" | "cuda", "threads": N}             first, once
    {"id": N, "messages": [{"role", "content"}], "max_tokens": N | null, "temperature": T | null, "top_p": P | null, "seed": N}
    {"stop": N}                                                           the answer to request N ends where it is

and what goes out, `id` that of the request:

    {"ready": {"context": N | null, "temperature": T}}                    tokens of prompt and answer together; T as the model has it
    {"failed": WHY}                                                       and the program ends
    {"id", "prompt_tokens": N}, {"id", "text": PIECE} ..., {"id", "end": "stop" | "length" | "context" | "stopped", "tokens": N}
    {"id", "too_long": N}                                                 tokens of a prompt that leaves no room: it is not cut
    {"id", "refused": WHY}
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Literal

from exits import JobError
from typed_json import parse

# as transformers' pipeline samples where the model's generation_config.json says nothing
TEMPERATURE, TOP_P = 0.7, 0.95
# below it the likeliest token is taken each time, as in generate.py
GREEDY = 1e-4


@dataclasses.dataclass(frozen=True)
class Opening:
    model: str
    device: Literal["cpu", "cuda"]
    threads: int


@dataclasses.dataclass(frozen=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclasses.dataclass(frozen=True)
class Request:
    id: int
    messages: list[Message]
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    seed: int


class Lines:
    """The other side: requests in the order in which they came, and the numbers of those that are to stop."""

    def __init__(self) -> None:
        # what libraries print goes to stderr, so that stdout holds the protocol alone
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
        os.dup2(2, 1)
        self.requests: queue.Queue[Any] = queue.Queue()
        self.stopped: set[int] = set()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            value = json.loads(line)
            if "stop" in value:
                self.stopped.add(value["stop"])
            else:
                self.requests.put(value)
        # whoever talked has gone: there is nothing to put in order, in the middle of a load neither
        os._exit(0)

    def say(self, **members: Any) -> None:
        self._out.write(json.dumps(members, ensure_ascii=False) + "\n")
        self._out.flush()


def main() -> None:
    # Ctrl-C in the terminal is for the command, which asks by a line of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines = Lines()
    try:
        talker = Talker(parse(Opening, lines.requests.get(), "the opening"), lines)
    except (JobError, OSError, ValueError, RuntimeError, ImportError) as error:
        lines.say(failed=str(error).strip().splitlines()[0])
        sys.exit(1)
    lines.say(ready={"context": talker.context, "temperature": talker.temperature(None)})
    while True:
        talker.answer(parse(Request, lines.requests.get(), "a request"))


class Talker:
    """A model in memory that answers one request after another."""

    def __init__(self, opening: Opening, lines: Lines) -> None:
        import torch
        from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

        torch.set_num_threads(opening.threads)
        folder = Path(opening.model)
        if opening.device == "cuda" and not torch.cuda.is_available():
            raise JobError("PyTorch sees no GPU, expected one or hardware.device cpu in the target")
        self.lines, self.device = lines, opening.device
        self.tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
        # "auto": what the model was saved in
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", attn_implementation="sdpa", use_safetensors=True)
        self.model = model.to(opening.device).eval()
        config = folder / "generation_config.json"
        # what transformers fills in for itself is no wish of the model's author
        self.own: dict[str, Any] = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
        ends = self.model.generation_config.eos_token_id
        self.ends = {*(ends if isinstance(ends, list) else [ends]), self.tokenizer.eos_token_id} - {None}
        self.context: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    def temperature(self, asked: float | None) -> float:
        """The one that is asked for, or the model's own, or that of a pipeline; 0 where the model's author wants the likeliest token."""
        if asked is not None:
            return asked
        if self.own.get("do_sample") is False:
            return 0.0
        return float(self.own.get("temperature") or (1.0 if self.own.get("do_sample") else TEMPERATURE))

    def answer(self, request: Request) -> None:
        import torch

        turns = [dataclasses.asdict(message) for message in request.messages]
        try:
            text = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except Exception as error:
            # somebody else's template may throw anything, such as that it knows no system turn
            self.lines.say(id=request.id, refused=f"the model's chat template does not render it: {error}")
            return
        prompt = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        room = None if self.context is None else self.context - len(prompt)
        if room is not None and room < 1:
            self.lines.say(id=request.id, too_long=len(prompt))
            return
        self.lines.say(id=request.id, prompt_tokens=len(prompt))
        try:
            self.generate(request, prompt, room)
        except torch.OutOfMemoryError:
            self.lines.say(id=request.id, refused=f"the GPU has no memory left for {len(prompt)} tokens and an answer")

    def generate(self, request: Request, prompt: list[int], room: int | None) -> None:
        import torch
        from transformers import StoppingCriteriaList

        ids: list[int] = []
        wanted = min((most for most in (request.max_tokens, room) if most is not None), default=None)
        config = copy.deepcopy(self.model.generation_config)
        temperature = self.temperature(request.temperature)
        sampled = {"do_sample": True, "temperature": temperature, "top_p": self.top_p(request.top_p)}
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        config.update(
            **(greedy if temperature < GREEDY else sampled),
            max_length=None,
            # a model without an end of its positions stops at its end token, or when it is told to
            max_new_tokens=wanted or 2**20,
            eos_token_id=sorted(self.ends),
            pad_token_id=min(self.ends),
        )
        torch.manual_seed(request.seed)
        tensor = torch.tensor([prompt], device=self.device)
        with torch.inference_mode():
            self.model.generate(
                input_ids=tensor,
                attention_mask=torch.ones_like(tensor),
                generation_config=config,
                streamer=self.pieces(request.id, ids),
                stopping_criteria=StoppingCriteriaList([lambda rows, _scores, **_: self.halted(request.id, rows)]),
            )
        self.lines.say(id=request.id, end=self.end_of(request, ids, room), tokens=len(ids))

    def top_p(self, asked: float | None) -> float:
        own = self.own.get("top_p")
        return asked if asked is not None else float(own) if own is not None else 1.0 if self.own.get("do_sample") else TOP_P

    def halted(self, request: int, rows: Any) -> Any:
        import torch

        return torch.full((rows.shape[0],), request in self.lines.stopped, device=rows.device)

    def end_of(self, request: Request, ids: list[int], room: int | None) -> str:
        if ids and ids[-1] in self.ends:
            return "stop"
        if request.id in self.lines.stopped:
            return "stopped"
        return "context" if len(ids) == room else "length"

    def pieces(self, request: int, ids: list[int]) -> Any:
        """A streamer that says each piece of text as soon as its characters are whole, and collects the tokens."""
        from tokenizers.decoders import DecodeStream
        from transformers.generation.streamers import BaseStreamer

        lines, tokenizer, decoder = self.lines, self.tokenizer._tokenizer, DecodeStream(skip_special_tokens=True)

        class Pieces(BaseStreamer):
            def __init__(self) -> None:
                self.is_prompt = True

            def put(self, value: Any) -> None:
                if self.is_prompt:
                    self.is_prompt = False
                    return
                for token in value.flatten().tolist():
                    ids.append(token)
                    piece = decoder.step(tokenizer, token)
                    if piece:
                        lines.say(id=request, text=piece)

            def end(self) -> None:
                pass

        return Pieces()


if __name__ == "__main__":
    main()
