"""JSON as dataclasses: what a job file may hold is what the types of its fields say."""

from __future__ import annotations

import dataclasses
import difflib
import json
import types
import typing
from typing import Any, TypeVar

from exits import JobError

T = TypeVar("T")


def parse(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind` (a dataclass, Literal, union, list, dict or plain type); anything else is a `JobError`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is typing.Literal:
        if any(value == option and type(value) is type(option) for option in arguments):
            return value
        raise JobError(f'Cannot use {where} = {json.dumps(value)}, expected one of {", ".join(map(json.dumps, arguments))}')
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        options = [option for option in arguments if option is not type(None)]
        if len(options) > 1 and all(map(dataclasses.is_dataclass, options)):
            return parse_fields(told_apart(options, value, where), value, where)
        for option in options[:-1]:
            try:
                return parse(option, value, where)
            except JobError:
                continue
        return parse(options[-1], value, where)
    if dataclasses.is_dataclass(kind):
        return parse_fields(typing.cast(type, kind), value, where)
    if origin is list and isinstance(value, list):
        return [parse(arguments[0], member, f"{where}[{index}]") for index, member in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: parse(arguments[1], member, f"{where}.{key}") for key, member in value.items()}
    if kind is float and type(value) in (int, float):
        return float(value)
    # JSON written by JavaScript has no 1.0, but other writers do
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    if type(value) is kind:
        return value
    raise JobError(f"Cannot use {where} = {json.dumps(value)}, expected {getattr(kind, '__name__', kind)}")


def told_apart(options: list[Any], value: Any, where: str) -> Any:
    """Of several dataclasses the one whose field `kind` may have the text that it has in `value`."""
    kinds = {kind: option for option in options for kind in typing.get_args(typing.get_type_hints(option)["kind"])}
    given = value.get("kind") if isinstance(value, dict) else None
    return kinds[parse(typing.Literal[tuple(kinds)], given, f"{where}.kind")]


def parse_fields(kind: type[T], value: Any, where: str) -> T:
    if not isinstance(value, dict):
        raise JobError(f"Cannot use {where} = {json.dumps(value)}, expected an object")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    refuse_unknown(value, fields, where)
    types_by_name = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for name, field in fields.items():
        if name in value:
            given[name] = parse(types_by_name[name], value[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise JobError(f'Cannot read {where}, expected a key "{name}"')
    return kind(**given)


def refuse_unknown(given: typing.Iterable[str], known: typing.Iterable[str], where: str) -> None:
    known = list(known)
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise JobError(f'Cannot use the unknown key "{key}" in {where}' + (f', did you mean "{near[0]}"' if near else ""))
