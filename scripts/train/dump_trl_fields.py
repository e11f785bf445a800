"""Writes configs/schema/trl-sft.json and trl-dpo.json: the fields that a recipe's `trl` passage may name.

    python scripts/train/dump_trl_fields.py configs/schema

Run it with the pinned packages after a bump of TRL; the files are committed, so that zephyr can refuse an unknown key
without starting Python.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import typing
from pathlib import Path
from typing import Any


def fields_of(kind: type) -> dict[str, dict[str, Any]]:
    hints = typing.get_type_hints(kind)
    fields = {}
    for field in sorted(dataclasses.fields(kind), key=lambda field: field.name):
        described: dict[str, Any] = {"type": type_name(hints[field.name])}
        default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        if default is not dataclasses.MISSING:
            described["default"] = default.value if isinstance(default, enum.Enum) else default
        fields[field.name] = described
    return fields


def type_name(hint: Any) -> str:
    if isinstance(hint, type) and not typing.get_args(hint):
        # an option of an enumeration is given by its text
        return "str" if issubclass(hint, enum.Enum) else "None" if hint is type(None) else hint.__name__
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (list, dict):
        return f"{typing.get_origin(hint).__name__}[{', '.join(map(type_name, arguments))}]"
    return " | ".join(dict.fromkeys(type_name(argument) for argument in arguments)) if arguments else str(hint)


def main(folder: Path) -> None:
    import trl

    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in (("sft", trl.SFTConfig), ("dpo", trl.DPOConfig)):
        text = json.dumps({"trl": trl.__version__, "fields": fields_of(kind)}, indent=2, ensure_ascii=False)
        (folder / f"trl-{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
