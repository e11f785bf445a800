"""Benchmarks of lm-eval (https://github.com/EleutherAI/lm-evaluation-harness) as zephyr runs them: a file of `tasks` names
the harness's own task files, whose prompts and metrics hold, and what is pinned beyond them; rows come from the job's inputs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_reader import load_split
from exits import BAD_DATA, JobError
from job import Job
from json_lines import read_json_lines

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

    from datasets import Dataset

FOLDER = Path(__file__).parent / "tasks"
# seed of the draws of examples, as on the harness's own command line
SHOTS_SEED = 1234
# tokens of an answer where neither our task file nor the harness's says it: the default of lm-eval's HFLM
MAX_TOKENS = 256
# beyond what a task says; the checkpoint's own generation config may name others, which the harness would obey
GREEDY = {"do_sample": False, "temperature": 0.0, "repetition_penalty": 1.0, "num_beams": 1}


@dataclasses.dataclass(frozen=True)
class Asked:
    """A benchmark of a job's config."""

    # name of a file in `tasks`
    name: str
    # input with its rows, and what that input is, as the plan names it; null: rows beside the task file
    data: str | None = None
    source: str | None = None
    # the first rows of each of its tasks alone
    limit: int | None = None
    # those of its tasks alone whose names end so
    subjects: list[str] | None = None


@dataclasses.dataclass(frozen=True)
class TaskFile:
    title: str
    # METRIC or METRIC,FILTER of the harness: the value, and by what name it is shown
    metric: str
    task: dict[str, Any] = dataclasses.field(default_factory=dict)
    called: str | None = None
    # further metrics by the name that shows them
    figures: dict[str, str] = dataclasses.field(default_factory=dict)
    # files of the harness's folder of tasks, as patterns
    tasks: list[str] = dataclasses.field(default_factory=list)
    # a file beside this one, each row with its split
    rows: str | None = None
    # rendered by the recipe's chat template
    chat: bool = False
    max_tokens: int | None = None
    # what errors are reckoned over: each row, or rows of one subject together
    cluster: str = "row"


@dataclasses.dataclass(frozen=True)
class Benchmark:
    asked: Asked
    file: TaskFile
    # by subject; "" where there is but one task
    tasks: dict[str, ConfigurableTask]

    @property
    def first(self) -> ConfigurableTask:
        return next(iter(self.tasks.values()))


def load_benchmark(job: Job, asked: Asked, scratch: Path) -> Benchmark:
    """Its tasks with their rows, in Arrow files under `scratch`. A `JobError` (65) where the rows are not what the tasks read."""
    file = read_task_file(asked.name)
    if "ifeval" in asked.name:
        need_sentence_splitter()
    paths = upstream_files(asked, file)
    tasks = {subject: load_task(Rows(job, asked, file, scratch), path) for subject, path in paths.items()}
    return Benchmark(asked, file, tasks)


def read_task_file(name: str) -> TaskFile:
    import yaml

    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise JobError(f'Cannot evaluate on "{name}", expected one of {", ".join(sorted(each.stem for each in FOLDER.glob("*.yaml")))}')
    return TaskFile(**yaml.safe_load(path.read_text(encoding="utf-8")))


def upstream_files(asked: Asked, file: TaskFile) -> dict[str, Path | None]:
    """Files of the harness by subject; of several, a subject is what their names do not share."""
    import lm_eval.tasks

    if not file.tasks:
        return {"": None}
    root = Path(lm_eval.tasks.__file__).parent
    paths = sorted(path for pattern in file.tasks for path in root.glob(pattern))
    if len(paths) == 1:
        return {"": paths[0]}
    prefix = Path(file.tasks[0]).name.removesuffix("*.yaml")
    found: dict[str, Path | None] = {path.stem.removeprefix(prefix): path for path in paths}
    unknown = sorted(set(asked.subjects or []) - set(found))
    if unknown:
        raise JobError(f'Cannot evaluate on {unknown[0]} of "{asked.name}", expected one of {", ".join(found)}')
    return {subject: path for subject, path in found.items() if asked.subjects is None or subject in asked.subjects}


@dataclasses.dataclass(frozen=True)
class Rows:
    """Where the rows of a benchmark are."""

    job: Job
    asked: Asked
    file: TaskFile
    scratch: Path

    def read(self, subset: str | None, split: str) -> Dataset:
        from datasets import Dataset

        if self.file.rows is not None:
            rows = [row for _, row in read_json_lines(FOLDER / self.file.rows)]
            return Dataset.from_list([{name: value for name, value in row.items() if name != "split"} for row in rows if row["split"] == split])
        name = self.asked.name
        if self.asked.data is None:
            raise JobError(f'Cannot evaluate on "{name}", expected the input that holds its rows')
        found = read_split(self.job.input(self.asked.data), self.asked.data, subset, split, self.scratch)
        try:
            return COLUMNS.get(name, lambda rows: rows)(found)
        except (KeyError, TypeError, ValueError) as error:
            raise JobError(f'Cannot read the rows of "{name}", split "{split}", as its task wants them: {error!r}', BAD_DATA) from error


@functools.cache
def read_split(folder: Path, data: str, subset: str | None, split: str, scratch: Path) -> Dataset:
    """Subjects of one benchmark may share their rows."""
    return load_split(folder, data, subset, split, scratch)


def load_task(rows: Rows, path: Path | None) -> ConfigurableTask:
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    asked, file = rows.asked, rows.file
    own = {} if path is None else load_yaml(path)
    config: dict[str, Any] = {**own, **file.task, "task": asked.name if path is None else path.stem}
    for member in ("tag", "group", "task_alias", "training_split", "validation_split", "dataset_kwargs"):
        config.pop(member, None)
    splits = {split for member in ("test_split", "fewshot_split") if (split := config.get(member)) is not None}
    subset = config.pop("dataset_name", None)
    found = {split: rows.read(subset, split) for split in sorted(splits)}
    config |= {"dataset_path": asked.name, "custom_dataset": lambda **_: found}
    if config.get("output_type", "generate_until") == "generate_until":
        said = config.get("generation_kwargs", {})
        tokens = file.max_tokens or said.get("max_gen_toks", MAX_TOKENS)
        config["generation_kwargs"] = {"until": said.get("until", []), **GREEDY, "max_gen_toks": tokens}
    task = ConfigurableTask(config=config)
    leaks = task.config.num_fewshot and (config.get("fewshot_split") in (None, config["test_split"]))
    if leaks:
        raise JobError(f'Cannot draw examples for "{config["task"]}": its task file names no split but the one that is asked')
    return task


def arc_columns(rows: Dataset) -> Dataset:
    """The harness's template finds these two by an expression in braces, whose text it then reads as Python."""
    return rows.map(lambda row: {"options": row["choices"]["text"], "gold": row["choices"]["label"].index(row["answerKey"])})


def truthfulqa_columns(rows: Dataset) -> Dataset:
    return rows.map(lambda row: {"options": row["mc2_targets"]["choices"]})


# columns that tasks name bare, by benchmark
COLUMNS: dict[str, Callable[[Dataset], Dataset]] = {"arc-challenge": arc_columns, "truthfulqa": truthfulqa_columns}


def need_sentence_splitter() -> None:
    """The harness fetches it while it is imported, and dies in the middle where there is no network."""
    import nltk

    try:
        nltk.data.find("tokenizers/punkt_tab/english")
    except LookupError as error:
        raise JobError(
            'Cannot check IFEval\'s answers: NLTK\'s "punkt_tab" is not in the Python environment, expected nltk_data/tokenizers/'
            f"punkt_tab/english in one of {', '.join(nltk.data.path)}"
        ) from error
