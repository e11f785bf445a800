"""Makes the rows that dsft.py and ddpo.py train on: filter, render, tokenise, pack. No GPU is held meanwhile.

Which rows are taken, and in which order, depends on the seed and each row's id alone (HMAC-SHA256), so that a row more
or less in a source moves no other row.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy

import job as jobs
from job import BAD_DATA, Job, JobError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]
Message = dict[str, str]
# columns of one training row
Tokens = dict[str, "numpy.ndarray"]
Counter = collections.Counter[str]
# rows rendered and tokenised at once
CHUNK = 1000


@dataclasses.dataclass(frozen=True)
class Filters:
    truecase: bool
    drop_refusals: bool


@dataclasses.dataclass(frozen=True)
class Source:
    input: str
    train: str
    test: str | None
    # of the training split
    fraction: float
    # split -> rows it must have: published sets were rewritten in place
    rows: dict[str, int] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    kind: Literal["sft", "prefs"]
    template: str
    system: Literal["empty", "none"]
    max_length: int
    seed: int
    sources: list[Source]
    # sft
    packing: bool | None = None
    loss_tokens: Literal["all", "assistant"] | None = None
    filters: Filters | None = None
    test_rows: int | None = None
    # prefs
    max_prompt_length: int | None = None


def main(job: Job, config: Config) -> None:
    check(config)
    tokenizer = job.tokenizer("tokenizer", config.template)
    # only the length of the rows counts here, not what the tokenizer's own config thinks of it
    tokenizer.model_max_length = 10**9
    listed = listed_prompts(job) if "decontaminate" in job.file.inputs else None
    report: dict[str, Any] = {"sources": [], "splits": {}}
    chosen: dict[str, list[Row]] = {"train": [], "test": []}
    for source in config.sources:
        counts: dict[str, int] = {}
        for role, split in (("train", source.train), ("test", source.test)):
            if split is not None:
                rows = read_split(job.input(source.input), source, split, config.kind)
                counts[split] = len(rows)
                taken = rows if role == "test" else select(rows, config.seed, source.fraction)
                chosen[role] += taken
        report["sources"].append({"input": source.input, "rows": counts})
    cut_test_rows(config, chosen)

    for role, rows in chosen.items():
        # both splits lie in the order of their draws, so a source does not come in one piece
        rows.sort(key=lambda row: jobs.hmac_uniform(config.seed, "order", row["_id"]))
        counter: Counter = collections.Counter()
        make = sft_rows if config.kind == "sft" else preference_rows
        made = list(make(job, config, tokenizer, rows, counter, listed if role == "train" else None))
        documents = len(made)
        if config.kind == "sft" and config.packing:
            made = pack(made, config.max_length)
        tokens = sum(len(ids) for row in made for name, ids in row.items() if name.endswith("_ids"))
        dropped = {name[5:]: count for name, count in sorted(counter.items()) if name.startswith("drop ")}
        noticed = {name: count for name, count in sorted(counter.items()) if not name.startswith("drop ")}
        report["splits"][role] = {
            "read": len(rows), "kept": documents, "dropped": dropped, "noticed": noticed, "rows": len(made), "tokens": tokens,
        }  # fmt: skip
        if role == "train" and not made:
            raise JobError(f"Cannot train on nothing: of {len(rows)} rows, {dropped or 'none'} were dropped", BAD_DATA)
        write_parquet(job.out / f"{role}.parquet", made, config)
        job.emit("data", rows=len(made), split=role, read=len(rows), tokens=tokens)
    jobs.write_json(job.out / "report.json", report)
    train = report["splits"]["train"]
    metrics = {"rows": train["rows"], "test_rows": report["splits"]["test"]["rows"], "tokens": train["tokens"], "dropped": train["dropped"]}
    job.finish(1, 1, metrics)


def check(config: Config) -> None:
    """The two kinds share a config: each has fields of its own, none may be missing or in vain."""
    own = {"sft": ("packing", "loss_tokens", "filters"), "prefs": ("max_prompt_length",)}
    foreign = "prefs" if config.kind == "sft" else "sft"
    for name in own[config.kind]:
        if getattr(config, name) is None:
            raise JobError(f'Cannot read config, expected a key "{name}" with kind "{config.kind}"')
    for name in (*own[foreign], *(("test_rows",) if foreign == "sft" else ())):
        if getattr(config, name) is not None:
            raise JobError(f'Cannot use the key "{name}" in config with kind "{config.kind}"')
    if config.max_prompt_length is not None and config.max_prompt_length >= config.max_length:
        raise JobError(f"Cannot leave no room for an answer, expected max_prompt_length below {config.max_length}")
    if not config.sources:
        raise JobError("Cannot prepare nothing, expected at least one source")


# --- reading and choosing -----------------------------------------------------------------------------------------


def split_files(folder: Path, split: str) -> list[Path]:
    """Where `datasets` would find the split: data/SPLIT-00000-of-00001.parquet, SPLIT.jsonl and the like."""
    name = re.compile(rf"{re.escape(split)}(-\d.*)?\.(parquet|jsonl)")
    return sorted(path for path in folder.rglob("*") if name.fullmatch(path.name) and ".cache" not in path.parts)


def read_file(path: Path) -> tuple[list[str], list[Row]]:
    """Columns and rows."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as parquet

        table = parquet.read_table(path)
        return table.column_names, table.to_pylist()
    import json

    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    return sorted({name for row in rows for name in row}), rows


def read_split(folder: Path, source: Source, split: str, kind: str) -> list[Row]:
    expected = ("messages",) if kind == "sft" else ("prompt", "chosen", "rejected")
    paths = split_files(folder, split)
    if not paths:
        found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())[:20]
        raise JobError(f'Cannot find the split "{split}" in the dataset "{source.input}", found {", ".join(found) or "no file"}', BAD_DATA)
    rows: list[Row] = []
    for path in paths:
        columns, part = read_file(path)
        missing = [name for name in expected if name not in columns]
        if missing:
            raise JobError(
                f'Cannot use the split "{split}" of the dataset "{source.input}": found the columns {", ".join(columns)}, '
                f'expected {", ".join(expected)}', BAD_DATA
            )  # fmt: skip
        rows += [{**{name: row.get(name) for name in expected}, "_id": row_id(row)} for row in part]
    wanted = None if source.rows is None else source.rows.get(split)
    if wanted is not None and wanted != len(rows):
        raise JobError(f'Cannot use the split "{split}" of the dataset "{source.input}": found {len(rows)} rows, expected {wanted}', BAD_DATA)
    return rows


def row_id(row: Row) -> str:
    named = row.get("prompt_id")
    return named if isinstance(named, str) and named else hashlib.sha256(jobs.canonical_json(row).encode("utf-8", "surrogatepass")).hexdigest()


def select(rows: list[Row], seed: int, fraction: float) -> list[Row]:
    return rows if fraction >= 1 else [row for row in rows if jobs.hmac_uniform(seed, "select", row["_id"]) < fraction]


def cut_test_rows(config: Config, chosen: dict[str, list[Row]]) -> None:
    """`test_rows`: a test split is cut down to so many rows, or made of so many rows of the training split."""
    if config.test_rows is None:
        return
    held_out = bool(chosen["test"])
    pool = chosen["test"] if held_out else chosen["train"]
    pool.sort(key=lambda row: jobs.hmac_uniform(config.seed, "test", row["_id"]))
    chosen["test"], rest = pool[: config.test_rows], pool[config.test_rows :]
    if not held_out:
        chosen["train"] = rest


# --- dialogues ----------------------------------------------------------------------------------------------------


def sft_rows(
    job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, rows: list[Row], counter: Counter, listed: Listed | None
) -> Iterator[Tokens]:
    for start in range(0, len(rows), CHUNK):
        job.emit("progress", step=0, max_steps=1, metrics={"rows": start, "of": len(rows)})
        dialogues = [messages for row in rows[start : start + CHUNK] if (messages := kept_dialogue(row, config, counter, listed)) is not None]
        if not dialogues:
            continue
        # a chunk at once, so that the tokenizer can use its threads
        encoded = tokenizer.apply_chat_template(
            dialogues, return_dict=True, return_assistant_tokens_mask=config.loss_tokens == "assistant"
        )
        for index, ids in enumerate(encoded["input_ids"]):
            made = {"input_ids": numpy.asarray(ids, dtype=numpy.int32)}
            if config.loss_tokens == "assistant":
                counts = numpy.asarray(encoded["assistant_masks"][index], dtype=bool)
                made["labels"] = numpy.where(counts, made["input_ids"], numpy.int32(-100))
            if len(ids) > config.max_length:
                counter["longer than a row"] += 1
                if not config.packing:
                    made = {name: values[: config.max_length] for name, values in made.items()}
            if "labels" in made and (made["labels"] == -100).all():
                counter["drop no answer within the row"] += 1
                continue
            yield made


def kept_dialogue(row: Row, config: Config, counter: Counter, listed: Listed | None) -> list[Message] | None:
    """The messages to render; None, and a count of the reason, for a row to drop."""
    assert config.filters is not None
    messages = clean_messages(row["messages"])
    if messages is None:
        counter["drop malformed"] += 1
        return None
    if config.filters.drop_refusals and any(is_disclaimer(message["content"]) for message in messages if message["role"] == "assistant"):
        counter["drop disclaimer"] += 1
        return None
    if listed is not None and any(holds_listed(message["content"], listed) for message in messages):
        counter["drop contaminated"] += 1
        return None
    if config.filters.truecase:
        cased = [{**message, "content": truecase(message["content"])} for message in messages]
        counter["truecased"] += cased != messages
        messages = cased
    return with_system(messages, config.system)


def clean_messages(messages: Any) -> list[Message] | None:
    """System turn if any, then user and assistant in turn, the assistant last; None for anything else."""
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        return None
    cleaned = [{"role": message.get("role"), "content": message.get("content")} for message in messages]
    if not all(isinstance(message["content"], str) for message in cleaned):
        return None
    turns = cleaned[1:] if cleaned and cleaned[0]["role"] == "system" else cleaned
    if not turns or len(turns) % 2 or any(message["role"] != ("user", "assistant")[index % 2] for index, message in enumerate(turns)):
        return None
    return cleaned if all(message["content"].strip() for message in turns) else None


def with_system(messages: list[Message], system: str) -> list[Message]:
    """alignment-handbook v0.3 put an empty system turn before dialogues that had none."""
    if system == "none" or messages[0]["role"] == "system":
        return messages
    return [{"role": "system", "content": ""}, *messages]


# What an assistant says of itself, rather than of the matter: "As an AI, I do not have personal opinions".
DISCLAIMER = re.compile(
    r"\bi (?:do not|don't|cannot|can't|am not able to|am unable to|am not capable of)(?: (?:really|actually|personally))?"
    r" (?:have|having|hold|possess|experience|experiencing|feel|feeling|form|forming|express|expressing|offer|provide|share|give)\b"
    r"[^.!?\n]{0,40}?\b(?:emotions?|feelings?|opinions?)\b"
)


def is_disclaimer(text: str) -> bool:
    """Whether an assistant disclaims emotions or opinions: "As an AI language model, I don't have personal opinions"."""
    return DISCLAIMER.search(text.lower().replace("’", "'")) is not None


ABBREVIATIONS = {"e.g", "i.e", "etc", "vs", "cf", "no", "fig", "mr", "mrs", "ms", "dr", "prof", "st", "approx", "al", "inc", "jr", "sr"}
SENTENCE_END = re.compile(r"([.!?])([\"')\]]*)(\s+)(?=[a-z])")


def truecase(text: str) -> str:
    """
    Repairs casing by one simple rule. Text without any capital letter, or in capitals throughout (at least four words),
    is set in lower case with "I"; in any text each sentence then begins with a capital, unless it follows an
    abbreviation or begins with a word that has a capital, a digit or a mark in it. Text with code in it is left alone.
    """
    if "`" in text or re.search(r"[{}]|://|^\s{4}\S", text, re.MULTILINE):
        return text
    letters = [letter for letter in text if letter.isalpha()]
    shouted = len(text.split()) >= 4 and all(not letter.islower() for letter in letters)
    if letters and (shouted or not any(letter.isupper() for letter in letters)):
        text = re.sub(r"\bi(?=['’]|\b)(?!\.)", "I", text.lower())
    pieces, last = [], 0
    for match in SENTENCE_END.finditer(text):
        before = re.findall(r"[\w.]+$", text[: match.start()])
        word = before[0].lower() if before else ""
        if match[1] == "." and (word in ABBREVIATIONS or len(word) == 1 or word.endswith(".")):
            continue
        pieces.append(text[last : match.end()])
        last = match.end()
    pieces.append(text[last:])
    return "".join(capitalised(piece) for piece in pieces)


def capitalised(sentence: str) -> str:
    first = re.match(r"\s*[\"'(\[]*([a-z][^\s]*)", sentence)
    if first is None or not re.fullmatch(r"[a-z][a-z'’-]*[.,;:!?\"')\]]*", first[1]):
        return sentence
    return sentence[: first.start(1)] + sentence[first.start(1)].upper() + sentence[first.start(1) + 1 :]


# --- decontamination ----------------------------------------------------------------------------------------------


def normalised(text: str) -> str:
    """Lower case, words and numbers only, one space between, one at each end."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.lower())) + " "


@dataclasses.dataclass(frozen=True)
class Listed:
    """Normalised texts to keep out of training; the longer ones also by their first five words."""

    texts: set[str]
    by_start: dict[tuple[str, ...], list[str]]


def listed_prompts(job: Job) -> Listed:
    """From every file of the input `decontaminate`."""
    texts: set[str] = set()
    for path in sorted(job.input("decontaminate").rglob("*")):
        if path.suffix in (".parquet", ".jsonl"):
            columns, rows = read_file(path)
            column = next((name for name in ("prompt", "question", "instruction", "text", "messages") if name in columns), None)
            if column is None:
                raise JobError(
                    f'Cannot read prompts from the dataset "decontaminate": found the columns {", ".join(columns)}, '
                    f"expected prompt, question, instruction, text or messages", BAD_DATA
                )  # fmt: skip
            texts |= {normalised(row[column][0]["content"] if column == "messages" else row[column]) for row in rows}
    texts.discard("  ")
    by_start: dict[tuple[str, ...], list[str]] = {}
    for text in sorted(texts):
        words = text.split()
        if len(words) >= 5:
            by_start.setdefault(tuple(words[:5]), []).append(text)
    return Listed(texts, by_start)


def holds_listed(text: str, listed: Listed) -> bool:
    """Whether a message holds a listed text as a whole; one of fewer than five words only if the message is nothing else."""
    body = normalised(text)
    if body in listed.texts:
        return True
    words, position = body.split(), 0
    for index, word in enumerate(words):
        if any(body.startswith(wanted, position) for wanted in listed.by_start.get(tuple(words[index : index + 5]), ())):
            return True
        # `position` is that of the space before the word
        position += len(word) + 1
    return False


# --- preferences --------------------------------------------------------------------------------------------------


def preference_rows(
    job: Job, config: Config, tokenizer: PreTrainedTokenizerBase, rows: list[Row], counter: Counter, listed: Listed | None
) -> Iterator[Tokens]:
    for index, row in enumerate(rows):
        if index % CHUNK == 0:
            job.emit("progress", step=0, max_steps=1, metrics={"rows": index, "of": len(rows)})
        chosen, rejected = clean_messages(row["chosen"]), clean_messages(row["rejected"])
        if chosen is None or rejected is None:
            counter["drop malformed"] += 1
            continue
        if chosen[:-1] != rejected[:-1]:
            counter["drop different prompts"] += 1
            continue
        if listed is not None and any(holds_listed(message["content"], listed) for message in chosen):
            counter["drop contaminated"] += 1
            continue
        prompt_ids, chosen_ids = prompt_and_answer(tokenizer, with_system(chosen, config.system))
        other_ids, rejected_ids = prompt_and_answer(tokenizer, with_system(rejected, config.system))
        if prompt_ids != other_ids:
            # the tokenizer merged the last token of the prompt with the first of an answer
            counter["drop ambiguous boundary"] += 1
            continue
        made = truncate(prompt_ids, chosen_ids, rejected_ids, config, counter)
        if numpy.array_equal(made["chosen_ids"], made["rejected_ids"]):
            counter["drop equal answers"] += 1
            continue
        yield made


def prompt_and_answer(tokenizer: PreTrainedTokenizerBase, messages: list[Message]) -> tuple[list[int], list[int]]:
    """
    Tokens up to and with the last assistant marker, and of the answer with its end token. Tokenised as one text: a
    tokenizer may put a space before whatever it takes for the beginning of a text.
    """
    prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    text = prompt + messages[-1]["content"] + tokenizer.eos_token
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = list(encoded["input_ids"])
    cut = next((index for index, (_, end) in enumerate(encoded["offset_mapping"]) if end > len(prompt)), len(ids))
    return ids[:cut], ids[cut:]


def truncate(prompt: list[int], chosen: list[int], rejected: list[int], config: Config, counter: Counter) -> Tokens:
    """
    As DPOTrainer of TRL 0.7 to 0.12 did under alignment-handbook v0.3 (truncation_mode keep_end): only if the prompt and
    the longer answer exceed `max_length` does the prompt lose its beginning, down to `max_prompt_length`; if that is not
    enough, the answers lose their end.
    """
    assert config.max_prompt_length is not None
    longer = max(len(chosen), len(rejected))
    if len(prompt) + longer > config.max_length:
        if len(prompt) > config.max_prompt_length:
            counter["prompt cut"] += 1
            prompt = prompt[-config.max_prompt_length :]
        if len(prompt) + longer > config.max_length:
            counter["answer cut"] += 1
            room = config.max_length - config.max_prompt_length
            chosen, rejected = chosen[:room], rejected[:room]
    made = {"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected}
    return {name: numpy.asarray(ids, dtype=numpy.int32) for name, ids in made.items()}


# --- packing ------------------------------------------------------------------------------------------------------


def pack(documents: Iterable[Tokens], max_length: int) -> list[Tokens]:
    """
    Rows of whole documents with their lengths (`seq_lengths`), by best fit decreasing. A document longer than a row is
    cut into pieces that count as documents: no token is lost, as with the packing of v0.3, but none sees another document.
    """
    pieces = [
        {name: values[start : start + max_length] for name, values in document.items()}
        for document in documents
        for start in range(0, len(document["input_ids"]), max_length)
    ]
    # a piece in which no token counts teaches nothing
    pieces = [piece for piece in pieces if "labels" not in piece or (piece["labels"] != -100).any()]
    order = sorted(range(len(pieces)), key=lambda index: -len(pieces[index]["input_ids"]))
    bins: list[list[int]] = []
    # bins by free room, and the rooms of which there is a bin as bits of one number: the best fit is the lowest bit from there
    by_room: list[list[int]] = [[] for _ in range(max_length + 1)]
    rooms = 0
    for index in order:
        length = len(pieces[index]["input_ids"])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            target = by_room[room].pop()
            if not by_room[room]:
                rooms &= ~(1 << room)
        else:
            room, target = max_length, len(bins)
            bins.append([])
        bins[target].append(index)
        if room > length:
            by_room[room - length].append(target)
            rooms |= 1 << (room - length)
    return [
        {
            **{name: numpy.concatenate([pieces[index][name] for index in members]) for name in pieces[members[0]]},
            "seq_lengths": numpy.asarray([len(pieces[index]["input_ids"]) for index in members], dtype=numpy.int32),
        }
        for members in bins
    ]


def write_parquet(path: Path, rows: list[Tokens], config: Config) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    if config.kind == "prefs":
        names = ["prompt_ids", "chosen_ids", "rejected_ids"]
    else:
        names = ["input_ids", *(["labels"] if config.loss_tokens == "assistant" else []), *(["seq_lengths"] if config.packing else [])]
    kind = pyarrow.list_(pyarrow.int32())
    table = pyarrow.table({name: pyarrow.array([row[name] for row in rows], type=kind) for name in names})
    parquet.write_table(table, path, compression="zstd")


if __name__ == "__main__":
    jobs.run("prepare", Config, main)
