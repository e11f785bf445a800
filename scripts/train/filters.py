"""What the recipe may ask for before a row is rendered: listed texts and disclaimers kept out, casing repaired."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from dataset_reader import load_files
from exits import BAD_DATA, JobError
from job import Job
from messages import Unusable
from row_shapes import as_turns

ABBREVIATIONS = {"e.g", "i.e", "etc", "vs", "cf", "no", "fig", "mr", "mrs", "ms", "dr", "prof", "st", "approx", "al", "inc", "jr", "sr"}
SENTENCE_END = re.compile(r"([.!?])([\"')\]]*)(\s+)(?=[a-z])")
# What an assistant says of itself, rather than of the matter: "As an AI, I do not have personal opinions".
DISCLAIMER = re.compile(
    r"\bi (?:do not|don't|cannot|can't|am not able to|am unable to|am not capable of)(?: (?:really|actually|personally))?"
    r" (?:have|having|hold|possess|experience|experiencing|feel|feeling|form|forming|express|expressing|offer|provide|share|give)\b"
    r"[^.!?\n]{0,40}?\b(?:emotions?|feelings?|opinions?)\b"
)


def normalised(text: str) -> str:
    """Lower case, words and numbers only, one space between, one at each end."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.lower())) + " "


@dataclasses.dataclass(frozen=True)
class Listed:
    """Normalised texts to keep out of training; the longer ones also by their first five words."""

    texts: set[str]
    by_start: dict[tuple[str, ...], list[str]]


def listed_prompts(job: Job, scratch: Path) -> Listed:
    """From every file of the input `decontaminate`."""
    texts: set[str] = set()
    for rows in load_files(job.input("decontaminate"), "decontaminate", scratch):
        column = next((name for name in ("prompt", "question", "instruction", "text", "messages") if name in rows.column_names), None)
        if column is None:
            raise JobError(
                f'Cannot read prompts from the dataset "decontaminate": found the columns {", ".join(rows.column_names)}, '
                f"expected prompt, question, instruction, text or messages", BAD_DATA
            )  # fmt: skip
        for value in rows[column]:
            try:
                texts |= {normalised(turn["content"]) for turn in as_turns(value, "user")[:1]}
            except Unusable as reason:
                raise JobError(f'Cannot read prompts from the column "{column}" of the dataset "decontaminate": {reason}', BAD_DATA) from reason
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


def is_disclaimer(text: str) -> bool:
    """Whether an assistant disclaims emotions or opinions: "As an AI language model, I don't have personal opinions"."""
    return DISCLAIMER.search(text.lower().replace("’", "'")) is not None


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
