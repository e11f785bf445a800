"""Jobs in the Python environment `lm-eval`, for tests that run in that of training."""

from __future__ import annotations

import functools
import os
import subprocess

import pytest
from conftest import ENVIRONMENT, SCRIPTS, JobFolder


@functools.cache
def python() -> str | None:
    """The interpreter of the environment, if that is whole."""
    root = SCRIPTS.parents[1]
    node = root / "node_modules" / "node" / "bin" / "node"
    asked = subprocess.run([node, root / "scripts" / "make-environment.mjs", "--where", "lm-eval"], capture_output=True, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else None


def start(job: JobFolder) -> subprocess.Popen[str]:
    """Skips the test where there is no such environment."""
    interpreter = python()
    if interpreter is None:
        pytest.skip("no Python environment lm-eval: node scripts/make-environment.mjs lm-eval")
    with open(job.folder / "log.txt", "w") as log:
        command = [interpreter, f"code/{job.program}.py", "job.json"]
        return subprocess.Popen(command, cwd=job.folder, env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log, text=True)


def run(job: JobFolder) -> JobFolder:
    assert start(job).wait() == 0, job.log()[-3000:]
    return job
