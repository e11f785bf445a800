"""Prints src/stages/generated/programs.ts: what zephyr has to know of the programs of a folder, as TypeScript.

    python scripts/describe_programs.py scripts/train

The sources are read by Python's own parser and not imported, so any Python will do and no package is needed. A program is a
file that calls `run("NAME", Config, main)`; `Config` is a dataclass, or a union of dataclasses, there or in a file beside it.
One that needs other packages than training does says so by `ENVIRONMENT = "NAME"`: the pins are in environments/NAME.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PLAIN = {"str": "string", "int": "number", "float": "number", "bool": "boolean", "Any": "Json", "None": "null"}
# tuples of texts that a recipe offers as well
SHARED = ("MASKED_ATTENTION", "FLASH_ATTENTION")
# what a program renders with that has `template` in its config
TEMPLATE = "templates/zephyr.jinja"


@dataclass
class Module:
    """A file of the folder, with the definitions and the imports at its top level by name."""

    tree: ast.Module
    classes: dict[str, ast.ClassDef]
    values: dict[str, ast.expr]
    # name -> file beside it that the name comes from
    origins: dict[str, str]


class Folder:
    """The Python files of a folder that import one another by their bare names."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules = {file.stem: self.read(file) for file in sorted(path.glob("*.py"))}

    def read(self, file: Path) -> Module:
        tree = ast.parse(file.read_text(encoding="utf-8"), file.name)
        module = Module(tree, {}, {}, {})
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                module.classes[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                module.values[node.targets[0].id] = node.value
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                module.origins |= {alias.name: node.module for alias in node.names}
        return module

    def files(self, name: str) -> list[str]:
        """The program, all files beside it that it imports, itself or through another, and the template if it renders with one."""
        found, open_names = set[str](), [name]
        while open_names:
            if (each := open_names.pop()) in self.modules and each not in found:
                found.add(each)
                for node in ast.walk(self.modules[each].tree):
                    if isinstance(node, ast.Import):
                        open_names += [alias.name for alias in node.names]
                    elif isinstance(node, ast.ImportFrom) and node.module is not None:
                        open_names.append(node.module)
        renders = self.has_field(name, ast.Name("Config"), "template")
        return [f"{each}.py" for each in sorted(found)] + ([TEMPLATE] if renders else [])

    def environment(self, name: str) -> str:
        """The Python environment that a program says it runs in, a folder of `environments`, else that of training."""
        value = self.modules[name].values.get("ENVIRONMENT")
        return "train" if value is None else str(ast.literal_eval(value))

    def find(self, module: str, node: ast.expr) -> tuple[str, str]:
        """The module and the name of a definition: of `Name` here or imported, or of `module.Name`."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return node.value.id, node.attr
        if not isinstance(node, ast.Name):
            raise TypeError(f"Cannot describe {ast.unparse(node)} in {module}.py, expected the name of a dataclass")
        while (origin := self.modules[module].origins.get(node.id)) in self.modules:
            module = str(origin)
        return module, node.id

    def bases(self, module: str, node: ast.expr) -> tuple[str, list[ast.expr]]:
        """Of a dataclass those that it extends, of a union those that it is made of, and the module that says so."""
        home, name = self.find(module, node)
        alias = self.modules[home].values.get(name)
        return home, self.modules[home].classes[name].bases if alias is None else options_of(alias)

    def has_field(self, module: str, node: ast.expr, field: str) -> bool:
        home, bases = self.bases(module, node)
        own = self.modules[home].classes.get(self.find(module, node)[1])
        return (own is not None and field in fields_of(own)) or any(self.has_field(home, base, field) for base in bases)

    def extended(self, module: str, node: ast.expr) -> list[tuple[str, str]]:
        """Every dataclass that this one, or one in this union, extends: its module and name."""
        home, bases = self.bases(module, node)
        is_union = self.find(module, node)[1] in self.modules[home].values
        return [found for base in bases for found in ([] if is_union else [self.find(home, base)]) + self.extended(home, base)]

    def type(self, module: str, node: ast.expr) -> str:
        """The TypeScript type that has the same values as JSON."""
        if isinstance(node, ast.Constant) and node.value is None:
            return "null"
        if isinstance(node, ast.BinOp):
            return " | ".join(self.type(module, option) for option in options_of(node))
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if node.value.id == "Literal":
                return " | ".join(repr(ast.literal_eval(argument)) for argument in arguments)
            of = self.type(module, arguments[-1])
            return f"readonly ({of})[]" if node.value.id == "list" else f"{{ readonly [name: string]: {of} }}"
        if isinstance(node, ast.Name) and node.id in PLAIN:
            return PLAIN[node.id]
        home, name = self.find(module, node)
        if (alias := self.modules[home].values.get(name)) is not None:
            return self.type(home, alias)
        return " & ".join([*(self.find(home, base)[1] for base in self.bases(module, node)[1]), self.members(home, name)])

    def members(self, module: str, name: str) -> str:
        """What a dataclass has beyond the one that it extends."""
        lines = [
            f"readonly\xa0{field}{'' if each.value is None else '?'}: {self.type(module, each.annotation)};"
            for field, each in fields_of(self.modules[module].classes[name]).items()
        ]
        return "{ " + " ".join(lines) + " }"


def fields_of(definition: ast.ClassDef) -> dict[str, ast.AnnAssign]:
    return {each.target.id: each for each in definition.body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)}


def options_of(node: ast.expr) -> list[ast.expr]:
    """A, B and C of `A | B | C`."""
    return [*options_of(node.left), *options_of(node.right)] if isinstance(node, ast.BinOp) else [node]


def program_name(module: Module) -> str | None:
    """The first argument of the call of `run` by which a program begins."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id="run"), args=[ast.Constant(value=str(name)), *_]):
                return name
    return None


def main(path: Path) -> None:
    folder = Folder(path)
    names = [name for module in folder.modules.values() if (name := program_name(module)) is not None]
    config = ast.Name("Config")
    say("// Written by scripts/generate.mjs from the programs of scripts/train: change those, and run it again.")
    say("import type { Json } from '../../base/canonical-json.ts';\n")
    for module, name in dict.fromkeys(base for program in names for base in folder.extended(program, config)):
        say(f"type {name} = {folder.type(module, ast.Name(name))};\n")
    say("/** The config of each program's job, as the dataclass that the program reads it into. */")
    say("export type ProgramConfigs = {", *(f"  readonly {name}: {folder.type(name, config)};" for name in names), "};\n")
    say("/** The files of scripts/train that each program reads: itself, what it imports, the chat template. */")
    say("export const PROGRAM_FILES = {", *(f"  {name}: {text_list(folder.files(name))}," for name in names))
    say("} satisfies Readonly<Record<keyof ProgramConfigs, readonly string[]>>;\n")
    say("/** The Python environment of each program, a folder of scripts/train/environments. */")
    say("export const PROGRAM_ENVIRONMENTS = {", *(f"  {name}: '{folder.environment(name)}'," for name in names))
    say("} satisfies Readonly<Record<keyof ProgramConfigs, string>>;\n")
    for each in folder.modules.values():
        for name in SHARED:
            if name in each.values:
                say(f"export const {name} = {text_list(ast.literal_eval(each.values[name]))} as const;")


def text_list(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(repr, texts)) + "]"


def say(*lines: str) -> None:
    for line in lines:
        # where a line may not end there is a space that does not break
        text = textwrap.fill(line, 128, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        print(text.replace("\xa0", " "), end="\n" * (1 + line.endswith("\n")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
