"""Choices that the seed and the thing itself decide, whatever else there is to choose from."""

from __future__ import annotations

import hmac


def hmac_uniform(seed: int, purpose: str, item: str) -> float:
    """A number in [0, 1) drawn as base/hmac-choice.ts draws it: it depends on seed, purpose and item alone."""
    digest = hmac.digest(str(seed).encode(), f"{purpose}\0{item}".encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:6], "big") / 2**48
