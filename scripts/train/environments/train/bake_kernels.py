"""Lays the kernels of kernels.txt below `sys.prefix`, where attention.py finds them: a job has no network to fetch them.

`python bake_kernels.py` is run by the build of an image, or by hand with the Python that a target of bare processes names.
A kernel that has no build for this PyTorch and CUDA, or cannot be fetched, is left out with a word; without any, the exit
status is 1.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

BAKED = Path(sys.prefix) / "kernels"


def bake(repo: str, revision: str) -> bool:
    kernels = importlib.import_module("kernels")
    try:
        # .../snapshots/COMMIT/build/VARIANT
        variant = Path(kernels.install_kernel(repo, revision=revision))
    except Exception as error:
        print(f"bake_kernels: {repo} is left out: {str(error).splitlines()[0]}", file=sys.stderr, flush=True)
        return False
    folder = BAKED / repo
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(variant, folder / "build" / variant.name)
    commit = variant.parents[1].name
    (folder / "revision.txt").write_text(f"{commit}\n", encoding="utf-8")
    print(f"bake_kernels: {repo} at {commit}, {variant.name}", flush=True)
    return True


def main() -> None:
    lines = Path(__file__).with_name("kernels.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    laid = [bake(repo, revision) for repo, revision in pins]
    if not any(laid):
        sys.exit("bake_kernels: there is none to lay down; an image without: --build-arg FLASH_KERNELS=none")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache:
        # read when the package is imported; what is downloaded is copied, and the cache of the Hub would double it
        os.environ["KERNELS_CACHE"] = cache
        main()
