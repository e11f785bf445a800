"""Finds answers in which an assistant disclaims emotions or opinions."""

from __future__ import annotations

import re

# What an assistant says of itself, rather than of the matter: "As an AI, I do not have personal opinions".
DISCLAIMER = re.compile(
    r"\bi (?:do not|don't|cannot|can't|am not able to|am unable to|am not capable of)(?: (?:really|actually|personally))?"
    r" (?:have|having|hold|possess|experience|experiencing|feel|feeling|form|forming|express|expressing|offer|provide|share|give)\b"
    r"[^.!?\n]{0,40}?\b(?:emotions?|feelings?|opinions?)\b"
)


def is_disclaimer(text: str) -> bool:
    """Whether an assistant disclaims emotions or opinions: "As an AI language model, I don't have personal opinions"."""
    return DISCLAIMER.search(text.lower().replace("’", "'")) is not None
