"""Repairs the casing of text by one simple rule."""

from __future__ import annotations

import re

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
