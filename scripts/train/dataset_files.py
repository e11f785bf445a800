"""Which files of a folder belong to a config and a split: what `datasets` says, or a refusal; nothing is ever mixed."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exits import BAD_DATA, JobError

if TYPE_CHECKING:
    from datasets import DatasetBuilder

# packaged modules of `datasets` that give rows of text
FORMATS = {"json": "JSON Lines", "parquet": "Parquet", "csv": "CSV", "text": "plain text", "arrow": "Arrow"}
READ = "expected Parquet, JSON Lines, JSON or CSV"
ENDINGS = {
    ".parquet": "parquet", ".jsonl": "json", ".ndjson": "json", ".json": "json", ".csv": "csv", ".tsv": "csv",
}  # fmt: skip
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
# words in the names of files and folders by which `datasets` tells splits apart
WORDS = {"train": ("train", "training"), "validation": ("validation", "valid", "dev", "val"), "test": ("test", "testing", "eval", "evaluation")}
# as the branch refs/convert/parquet of a dataset lays them: CONFIG/SPLIT/0000.parquet
CONVERTED = re.compile(r"([^/]+)/([^/]+)/\d{4}\.\w+(\.\w+)?")
# one level: a card's first lines between rulers
CARDS = ("README.md", ".huggingface.yaml")


@dataclasses.dataclass(frozen=True)
class Found:
    """The files of a split, and the builder of `datasets` that reads them."""

    # name and folder of the dataset
    name: str
    root: Path
    builder: DatasetBuilder
    files: list[Path]
    # rows that the card promises
    promised: int | None

    def called(self, path: Path) -> str:
        """What messages call a file."""
        return f'"{path.relative_to(self.root).as_posix()}" of the dataset "{self.name}"'


def find_split(folder: Path, name: str, config: str | None, split: str, scratch: Path) -> Found:
    """
    As `load_dataset(folder, config, split=split)` of datasets 5 finds them. Beyond that, where no card says otherwise: a
    split by the name that its files carry (train_sft.jsonl), and a config by its folder in the layout of
    refs/convert/parquet. A `JobError` (65) names what there is instead; it is raised too for a file that would count twice
    and for rows of two configs that would be mixed.
    """
    root = without_mark(folder.absolute(), scratch)
    if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
        raise JobError(f'Cannot read the dataset "{name}" as save_to_disk writes it, {READ}, as to_parquet writes it', BAD_DATA)
    is_free = not has_configs(root, name)
    converted = converted_files(root) if is_free else {}
    if is_free and config is not None and config != "default" and config in converted:
        return by_name(root, name, split, converted[config].get(split, []), scratch)
    builder = open_builder(root, name, config, scratch)
    splits = {str(key): [Path(file) for file in files] for key, files in builder.config.data_files.items()}
    files = splits.get(split)
    if files is None:
        # train, validation and test are what `datasets` says they are
        is_free = is_free and split not in WORDS
        own = own_files(root, split) or [path for splits_of in converted.values() for path in splits_of.get(split, [])] if is_free else []
        if not own:
            raise no_split(root, name, builder, split, list(splits))
        files = own
    refuse_mixing(root, name, split, files, splits, converted)
    if split not in splits:
        return by_name(root, name, split, files, scratch)
    kind = type(builder).__module__.rsplit(".", 1)[-1]
    if kind not in FORMATS:
        raise JobError(f'Cannot read the dataset "{name}", which `datasets` takes for the format "{kind}", {READ}', BAD_DATA)
    known = (builder.info.splits or {}).get(split)
    return Found(name, root, builder, files, known.num_examples if known is not None else None)


def open_builder(root: Path, name: str, config: str | None, scratch: Path) -> DatasetBuilder:
    from datasets import get_dataset_config_names, load_dataset_builder

    try:
        builder = load_dataset_builder(str(root), name=config, cache_dir=str(scratch / "cache"))
    except Exception as error:
        said = str(error)
        if isinstance(error, ValueError) and ("Config name is missing" in said or "BuilderConfig" in said):
            names = ", ".join(get_dataset_config_names(str(root)))
            asked = f'has no config "{config}"' if config is not None else "has several configs and the recipe names none"
            raise JobError(f'Cannot choose rows of the dataset "{name}": it {asked}, expected config to be one of {names}', BAD_DATA) from error
        first = next((line for line in said.splitlines() if line.strip()), type(error).__name__).replace(f"{root}/", "").replace(str(root), "the folder")
        raise JobError(f'Cannot find files of the dataset "{name}", {READ}; found {listed(root)}: {first}', BAD_DATA) from error
    if not builder.config.data_files:
        raise JobError(f'Cannot find files of the dataset "{name}", {READ}; found {listed(root)}', BAD_DATA)
    return builder


def by_name(root: Path, name: str, split: str, files: list[Path], scratch: Path) -> Found:
    """A split that `datasets` does not know by this name."""
    from datasets import load_dataset_builder

    kinds = {kind_of(path) for path in files}
    if len(kinds) != 1:
        what = "no file" if not files else "files of several formats"
        raise JobError(f'Cannot read the split "{split}" of the dataset "{name}": it has {what}, found {listed(root)}', BAD_DATA)
    [kind] = kinds
    # the builder is handed these files again when they are read, under a name that every split's name fits
    builder = load_dataset_builder(str(kind), data_files={"rows": [str(path) for path in files]}, cache_dir=str(scratch / "cache"))
    return Found(name, root, builder, files, None)


def own_files(root: Path, split: str) -> list[Path]:
    """SPLIT.jsonl, SPLIT-00000-of-00001.parquet and the like, wherever they lie."""
    wanted = re.compile(rf"{re.escape(split)}([-.]\d.*)?")
    return [path for path in data_files(root) if wanted.fullmatch(stem_of(path))]


def converted_files(root: Path) -> dict[str, dict[str, list[Path]]]:
    """Files by config and split."""
    found: dict[str, dict[str, list[Path]]] = {}
    for path in data_files(root):
        parts = CONVERTED.fullmatch(path.relative_to(root).as_posix())
        if parts is not None:
            found.setdefault(parts[1], {}).setdefault(parts[2], []).append(path)
    return found


def refuse_mixing(
    root: Path, name: str, split: str, files: list[Path], splits: dict[str, list[Path]], converted: dict[str, dict[str, list[Path]]]
) -> None:
    def refuse(why: str) -> JobError:
        return JobError(f'Cannot read the split "{split}" of the dataset "{name}": {why}', BAD_DATA)

    outside = next((path for path in files if not path.is_relative_to(root) or ".." in path.parts or "://" in str(path)), None)
    if outside is not None:
        raise refuse(f'its card names "{outside}", expected files of the dataset itself')
    if len(set(files)) != len(files):
        twice = next(path for path in files if files.count(path) > 1)
        raise refuse(f'"{twice.relative_to(root)}" would be read twice, by two patterns')
    meant = words_of(split)
    for other, theirs in splits.items():
        is_other = other != split and (split in splits or (bool(meant) and other in WORDS and other not in meant))
        shared = next((path for path in files if is_other and path in theirs), None)
        if shared is not None:
            raise refuse(f'"{shared.relative_to(root)}" belongs to the split "{other}" as well')
    configs = [config for config, theirs in converted.items() if any(path in files for paths in theirs.values() for path in paths)]
    if len(configs) > 1:
        raise refuse(f'it would mix rows of the configs {", ".join(configs)}, expected config to be one of them')
    folders = sorted({path.parent.relative_to(root).as_posix() for path in files})
    if split not in splits and len(folders) > 1:
        raise refuse(f'its files lie in {", ".join(folders)}, expected one folder or a card that tells')


def words_of(split: str) -> set[str]:
    """The splits that the words in a name stand for: train for train_sft."""
    beside = "[-._ 0-9]"
    return {word for word, names in WORDS.items() if any(re.search(rf"(^|{beside}){name}({beside}|$)", split) for name in names)}


def no_split(root: Path, name: str, builder: DatasetBuilder, split: str, splits: list[str]) -> JobError:
    of = "" if builder.config.name == "default" else f', config "{builder.config.name}"'
    return JobError(
        f'Cannot find the split "{split}" in the dataset "{name}"{of}: it has the split{"" if len(splits) == 1 else "s"} '
        f'{", ".join(splits)}, found {listed(root)}', BAD_DATA
    )  # fmt: skip


def has_configs(root: Path, name: str) -> bool:
    """Whether a card says which files belong to which config."""
    from huggingface_hub import metadata_load

    for card in CARDS:
        path = root / card
        if not path.is_file():
            continue
        try:
            if card.endswith(".md"):
                members: Any = metadata_load(path)
            else:
                import yaml

                members = yaml.safe_load(path.read_text(encoding="utf-8"))
        except Exception as error:
            raise JobError(f'Cannot read "{card}" of the dataset "{name}", expected YAML: {" ".join(str(error).split())}', BAD_DATA) from error
        if isinstance(members, dict) and members.get("configs"):
            return True
    return False


def without_mark(root: Path, scratch: Path) -> Path:
    """`datasets` does not see the head of a card that begins with a byte order mark: then a folder of links with one that does not."""
    card = root / "README.md"
    if not card.is_file() or not card.read_bytes().startswith(b"\xef\xbb\xbf"):
        return root
    copy = scratch / "without-mark" / root.name
    if not copy.exists():
        for path in root.rglob("*"):
            if path.is_file() and path != card:
                link = copy / path.relative_to(root)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path)
        copy.mkdir(parents=True, exist_ok=True)
        (copy / "README.md").write_text(card.read_text(encoding="utf-8-sig"), encoding="utf-8")
    return copy


def data_files(root: Path) -> list[Path]:
    """
    Files in a format that is read, but for hidden ones, in the order of their paths. Beside other data a .json is most
    often a report or a manifest.
    """
    paths = (path for path in root.rglob("*") if path.is_file() and kind_of(path) is not None)
    shown = sorted(path for path in paths if not any(part.startswith((".", "__")) for part in path.relative_to(root).parts))
    return [path for path in shown if path.suffix != ".json"] or shown


def kind_of(path: Path) -> str | None:
    suffixes = path.suffixes
    while suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return ENDINGS.get(suffixes[-1]) if suffixes else None


def stem_of(path: Path) -> str:
    """The name without its endings: train_sft for train_sft.jsonl.gz."""
    name = path.name
    while Path(name).suffix in COMPRESSED or Path(name).suffix in ENDINGS:
        name = Path(name).stem
    return name


def listed(root: Path) -> str:
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return ", ".join(paths[:20]) + (f" and {len(paths) - 20} more" if len(paths) > 20 else "") or "no file"
