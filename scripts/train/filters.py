"""What the recipe may ask for before a row is rendered: listed texts and disclaimers kept out, casing repaired."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from dataset_reader import load_files
from exits import BAD_DATA, JobError
from job import Job
from messages import Unusable
from row_shapes import as_turns

ABBREVIATIONS = {"e.g", "i.e", "etc", "vs", "cf", "no", "fig", "mr", "mrs", "ms", "dr", "prof", "st", "approx", "al", "inc", "jr", "sr"}
SENTENCE_END = re.compile(r"([.!?])([\"')\]]*)(\s+)(?=[a-z])")
# Solutions of HumanEval that v0.3 lets pass. It names a fourth, by a mistyped text that equals none.
TOO_COMMON = ("return x + y", "return len(string)", "return n**2")
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
    """
    What to keep out of training: normalised prompts, the longer ones also by their first five words; and pieces of code
    problems, in lower case with one space between their words.
    """

    texts: set[str]
    by_start: dict[tuple[str, ...], list[str]]
    code: list[str] = dataclasses.field(default_factory=list)


def read_listed(job: Job, scratch: Path) -> Listed:
    """From every file of the input `decontaminate`: code problems as HumanEval has them, or prompts."""
    texts: set[str] = set()
    code: dict[str, None] = {}
    for rows in load_files(job.input("decontaminate"), "decontaminate", scratch):
        if {"prompt", "canonical_solution"} <= set(rows.column_names):
            for prompt, solution in zip(rows["prompt"], rows["canonical_solution"], strict=True):
                code |= dict.fromkeys(code_of_problem(prompt, solution))
            continue
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
    return Listed(texts, by_start, list(code))


def code_of_problem(prompt: Any, solution: Any) -> list[str]:
    """
    Docstring and solution of a problem, as alignment-handbook v0.3 looks for them (its decontaminate.py): the docstring of the
    last of two functions, and no solution that anybody might write.
    """
    prompt = str(prompt)
    quote = '"""' if '"""' in prompt else "'''"
    parts = prompt.split(quote)
    if len(parts) not in (3, 5) or not isinstance(solution, str):
        raise JobError(
            f'Cannot read a problem from the dataset "decontaminate": expected a solution and a prompt with one docstring, or two, got '
            f"the prompt {prompt[:80]!r}", BAD_DATA
        )  # fmt: skip
    texts = [parts[-2].strip(), solution.strip()]
    return [folded(text) for text in texts if text not in ("", *TOO_COMMON)]


def folded(text: str) -> str:
    return " ".join(text.lower().split())


def holds_code(text: str, listed: Listed) -> bool:
    """Whether a message holds a piece of a listed code problem, wherever it begins."""
    if not listed.code:
        return False
    body = folded(text)
    return any(piece in body for piece in listed.code)


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
