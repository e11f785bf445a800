"""The checks of IFBench (Pyatkin et al. 2025, https://github.com/allenai/IFBench) as the package if-verifiable has them.

It skips an instruction that it does not know, draws at random what a row leaves out, and fetches data of NLTK while it is
imported. Here the first two are errors, and nothing is fetched.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from exits import BAD_DATA, JobError

# what checks read of NLTK's data, by instruction
NEEDED = {"ratio:stop_words": "corpora/stopwords", "words:start_verb": "taggers/averaged_perceptron_tagger_eng"}
# for those that cut texts into words
SPLITTER = "tokenizers/punkt_tab/english"


@dataclasses.dataclass(frozen=True)
class Instruction:
    """A name of IFBench such as `count:numbers`, with what its row says of it."""

    name: str
    arguments: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Followed:
    """Of each instruction of a prompt whether the answer follows it: to the letter, and with lines and marks left out."""

    strict: list[bool]
    loose: list[bool]
    # checks that failed on a text, which then counts as one that does not follow
    failed: list[str]


class Checks:
    """All checks of the package. `missing`: instructions that cannot be checked here, with the data of NLTK that they lack."""

    def __init__(self) -> None:
        import nltk

        # there is no network in a job, and waiting for one helps nobody; what is missing is looked for below
        nltk.download = lambda *_, **__: False
        from if_verifiable.ifbench import INSTRUCTION_DICT

        self.known: dict[str, Any] = dict(INSTRUCTION_DICT)
        if not is_there(SPLITTER):
            raise JobError(
                f"Cannot check IFBench's answers: NLTK's \"punkt_tab\" is not in the Python environment, expected nltk_data/{SPLITTER} "
                f"in one of {', '.join(nltk.data.path)}"
            )
        self.missing = {name: path.rpartition("/")[2] for name, path in NEEDED.items() if not is_there(path)}

    def refuse_unknown(self, row: str, instructions: list[Instruction]) -> None:
        """Throws a `JobError` (65) that names instruction and row for one that is unknown, or whose arguments are not its own."""
        for instruction in instructions:
            name, given = instruction.name, sorted(instruction.arguments)
            if name not in self.known:
                raise JobError(f'Cannot check row "{row}": "{name}" is none of the {len(self.known)} instructions of IFBench', BAD_DATA)
            parameters = inspect.signature(self.known[name].build_description).parameters.values()
            wanted = sorted(each.name for each in parameters if each.kind is not each.VAR_KEYWORD and each.name != "self")
            if given != wanted:
                said, expected = (", ".join(names) or "nothing" for names in (given, wanted))
                raise JobError(f'Cannot check row "{row}": its kwargs for "{name}" say {said}, expected {expected}', BAD_DATA)

    def check(self, instructions: list[Instruction], prompt: str, answer: str) -> Followed:
        """An answer without a word follows nothing. What was thought before `</think>` does not count (if-verifiable)."""
        from if_verifiable.common import evaluate_instructions

        failed: list[str] = []
        registry = {each.name: guarded(self.known[each.name], failed) for each in instructions}
        results, _ = evaluate_instructions(answer, [each.name for each in instructions], [each.arguments for each in instructions], prompt, registry)
        if not results:
            nothing = [False] * len(instructions)
            return Followed(nothing, nothing, failed)
        if [result.instruction_id for result in results] != [each.name for each in instructions]:
            raise RuntimeError(f"if-verifiable checked {len(results)} of {len(instructions)} instructions")
        return Followed([each.strict_pass for each in results], [each.loose_pass for each in results], sorted(set(failed)))


def guarded(checker: Any, failed: list[str]) -> Any:
    """`format:quote_unquote` reads the last letter of a text that may have none; a check that fails so says that nothing is followed."""

    class Guarded(checker):  # type: ignore[misc]
        def check_following(self, value: str) -> bool:
            try:
                return bool(super().check_following(value))
            except Exception as error:
                failed.append(f"{self.id}: {error!r}")
                return False

    return Guarded


def is_there(path: str) -> bool:
    import nltk

    try:
        nltk.data.find(path)
    except LookupError:
        return False
    return True
