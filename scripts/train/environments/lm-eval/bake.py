"""Lays down NLTK's rules for English sentences and its list of stop words, which the checks of IFEval and IFBench would fetch.

They come out of a wheel that carries them (MIT), so that they are found wherever packages are, and land where NLTK looks first
in an environment. Run by this environment's own interpreter.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEELS = Path(__file__).with_name("wheels.txt")
SHA256 = "caa7d9c5ac9b13dc33400cf8d5e92e689b6d1e4497eb9bfa50d6f52ca2eb22a1"
INSIDE = "llama_index/core/_static/nltk_cache/"
WANTED = ("tokenizers/punkt_tab/english/", "corpora/stopwords/english")

with tempfile.TemporaryDirectory() as folder:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--dest", folder, "--requirement", str(WHEELS)], check=True)
    [wheel] = Path(folder).iterdir()
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{wheel.name} is not the one of sha256 {SHA256}")
    with zipfile.ZipFile(wheel) as packed:
        for name in packed.namelist():
            path = name.removeprefix(INSIDE)
            if path.startswith(WANTED) and not path.endswith("/"):
                target = Path(sys.prefix) / "nltk_data" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(packed.read(name))
