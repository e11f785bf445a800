#!/usr/bin/env bash
# datasets 5.0.1, load_dataset of a local folder (Python 3.11, pyarrow 26.0.1): rows come twice, without a word, when
#
#   1. a folder inside the folder of a split has the split's name too, as in `train/train-a/rows.jsonl`;
#   2. the card lists two patterns for one split, and a file fits both.
#
# Why: the files of a split are those of each of its patterns, one list after another (DataFilesList.from_patterns in
# datasets/data_files.py); nobody asks whether a file is taken already. In 1. it is found by `**/train/**` and by
# `**/train[-._ 0-9/]*/**`. The same file directly in `train/` comes once.
#
# Seen on 2026-11-30:
#   one file in train/:            2 rows
#   the same file in train/train-a: 4 rows
#   two patterns of a card:        4 rows
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check datasets==5.0.1 pyarrow==26.0.1 huggingface_hub==1.33.0
export HF_HOME="$work/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"$work/venv/bin/python" - "$work" <<'PYTHON'
import pathlib
import sys

import datasets

work = pathlib.Path(sys.argv[1])
ROWS = '{"prompt": "How deep is a pond?"}\n{"prompt": "What is mulch?"}\n'


def rows(name: str, files: dict[str, str]) -> list[str]:
    folder = work / name
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return datasets.load_dataset(str(folder), split="train")["prompt"][:]


CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: ['a*.jsonl', '*1.jsonl']\n---\n"
TEST = {"test/rows.jsonl": '{"prompt": "held out"}\n'}
once = rows("once", {"train/rows.jsonl": ROWS, **TEST})
nested = rows("nested", {"train/train-a/rows.jsonl": ROWS, **TEST})
listed = rows("listed", {"README.md": CARD, "a1.jsonl": ROWS})
print(f"datasets {datasets.__version__}")
print(f"one file in train/:             {len(once)} rows")
print(f"the same file in train/train-a: {len(nested)} rows")
print(f"two patterns of a card:         {len(listed)} rows")
assert len(once) == 2, once
assert nested == once + once, "changed: the file in a folder of the split's name now comes another number of times"
assert listed == once + once, "changed: the file that two patterns name now comes another number of times"
PYTHON
echo "as described"
