"""Folders of data as people have them: the rows that `datasets.load_dataset` gives, or a refusal that names what there is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPTS, Json

FIXTURES = Path(__file__).parents[1] / "fixtures"
sys.path[:0] = [str(SCRIPTS), str(FIXTURES)]
from dataset_reader import load_split  # noqa: E402
from exits import BAD_DATA, JobError  # noqa: E402
from layouts import without_nulls, write  # noqa: E402

LAYOUTS: list[Json] = json.loads((FIXTURES / "layouts.json").read_text(encoding="utf-8"))["layouts"]


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout["name"] for layout in LAYOUTS])
def test_a_layout_is_read_as_datasets_reads_it_or_refused(layout: Json, tmp_path: Path) -> None:
    folder = tmp_path / "beds"
    write(layout["files"], folder)
    theirs = as_datasets_reads(folder, layout, tmp_path)
    assert theirs == layout.get("rows")
    expected = layout.get("ours", layout)
    try:
        rows = load_split(folder, "beds", layout["config"], layout["split"], tmp_path).to_list()
    except JobError as error:
        assert error.code == BAD_DATA and "refused" in expected, str(error)
        assert '"beds"' in str(error) and str(tmp_path) not in str(error) and "\n" not in str(error)
    else:
        assert without_nulls(rows) == expected.get("rows")


def as_datasets_reads(folder: Path, layout: Json, tmp_path: Path) -> Any:
    """The rows, None where it raises."""
    import datasets

    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(str(folder), layout["config"], split=layout["split"], cache_dir=str(tmp_path / "cache"))
    except Exception:
        return None
    return without_nulls(rows.to_list())
