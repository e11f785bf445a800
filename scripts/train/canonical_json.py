"""One text for one value, shared with base/canonical-json.ts."""

from __future__ import annotations

import json
import math
from typing import Any

from exits import JobError


def canonical_json(value: Any) -> str:
    """What `canonicalJson` of base/canonical-json.ts gives for the same value."""
    if isinstance(value, dict):
        # JavaScript keeps keys that look like array indices first and in numeric order, whatever order they came in
        index = [key for key in value if key.isascii() and key.isdigit() and str(int(key)) == key and int(key) < 2**32 - 1]
        names = sorted(index, key=int) + sorted(set(value) - set(index), key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{canonical_json(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if type(value) in (int, float):
        return ecmascript_number(float(value))
    return json.dumps(value, ensure_ascii=False)


def ecmascript_number(number: float) -> str:
    """Number::toString of ECMA-262: 0.00002 rather than 2e-05, 5e-7 rather than 5e-07, 1 rather than 1.0."""
    if not math.isfinite(number):
        raise JobError(f"Cannot write {number} as JSON")
    if number == 0:
        return "0"
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # the value is 0.DIGITS x 10^point
    point = int(exponent or 0) + (len(whole) if whole != "0" else len(digits) - len(fraction))
    digits = digits.rstrip("0")
    sign = "-" if number < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{point - 1:+d}"
