"""Makes a virtual environment that holds what is pinned: `python make.py FOLDER SCRATCH REQUIREMENTS...`.

It says what it does as JSON Lines on stdout, keeps pip's own log in SCRATCH.log, and holds SCRATCH.lock while it works, which
the kernel frees with the last process that works on it. The stamp in FOLDER is written last: without one the work goes on where
it was cut off. With `check` for SCRATCH it only tells by its exit status whether all is there. It runs before any package is
installed, so it needs the standard library alone.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import IO, Never

STAMP = "zephyr.json"
PYTHON = ".".join(map(str, sys.version_info[:3]))
# what pip says of a registry that does not answer; pip, _internal/utils/retry and urllib3's own errors
AWAY = re.compile(
    r"Connection(?:Error)?\b.*(?:refused|reset|broken|timed out|unreachable)|NewConnectionError|ConnectTimeoutError"
    r"|ReadTimeoutError|NameResolutionError|name resolution|ProxyError|IncompleteRead|Max retries exceeded|\b(?:502|503|504) \w+ Error"
)
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
FULL = re.compile(r"No space left on device|Disk quota exceeded")
UNFIT = re.compile(r"No matching distribution found|requires a different Python")


def say(**members: object) -> None:
    """One line for whoever started this; that it is gone is no reason to stop."""
    try:
        print(json.dumps(members), flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def fail(reason: str, message: str) -> Never:
    say(failed=reason, message=message)
    sys.exit(1)


def digests(files: list[Path]) -> list[str]:
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def is_ready(folder: Path, requirements: list[Path]) -> bool:
    """Whether all of it was installed, maybe with more, and the interpreter is still the one that it was installed for."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
        return set(digests(requirements)) <= set(stamp["requirements"]) and stamp["python"] == version_of(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def version_of(folder: Path, needed: str = "") -> str | None:
    """The version of the environment's interpreter, if that runs from where the environment is."""
    code = f"{needed}\nimport sys; print('.'.join(map(str, sys.version_info[:3])), sys.prefix)"
    try:
        answer = subprocess.run([folder / "bin" / "python", "-I", "-c", code], capture_output=True, text=True)
    except OSError:
        return None
    version, _, prefix = answer.stdout.strip().partition(" ")
    return version if answer.returncode == 0 and Path(prefix).resolve() == folder.resolve() else None


def stop(*_: object) -> Never:
    """Ends pip, or what brings it, as well: left alone it would write into the folder that the next one clears."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    sys.exit(143)


def lock(path: Path) -> IO[str]:
    file = path.open("w")
    # pip inherits it, so that pip alone keeps it too
    os.set_inheritable(file.fileno(), True)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(doing="wait")
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def install(folder: Path, requirements: list[Path], log: Path) -> None:
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar=off", *(part for file in requirements for part in ("-r", str(file)))]
    total = sum(bool(re.match(r"\s*[A-Za-z0-9]", line)) for file in requirements for line in file.read_text().splitlines())
    found = 0
    # pip adds to it, and says there alone why an index did not answer
    log.unlink(missing_ok=True)
    command += ["--log", str(log)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, close_fds=False) as pip:
        assert pip.stdout is not None
        lines = []
        for line in pip.stdout:
            lines.append(line.strip())
            if match := re.match(r"\s*(?:Collecting|Requirement already satisfied:) (\S+)", line):
                found += 1
                say(doing="fetch", what=match[1], done=min(found, total), total=total)
            elif match := re.match(r"\s*Downloading \S*?([^/\s]+\.whl)\S* \((\d+\.?\d* [MG]B)\)", line):
                say(doing="download", what=match[1], size=match[2], done=min(found, total), total=total)
            elif line.startswith("Installing collected packages"):
                say(doing="install", total=total)
            elif "Retrying (Retry" in line:
                say(doing="retry")
    if pip.returncode == 0:
        return
    text = log.read_text(errors="replace") if log.exists() else "\n".join(lines)
    said = next((line for line in reversed(lines) if line.startswith("ERROR:")), lines[-1] if lines else "it said nothing")
    reason = "full" if FULL.search(text) else "away" if AWAY.search(text) else "unfit" if UNFIT.search(text) else "other"
    fail(reason, said.removeprefix("ERROR: "))


def main(folder: Path, scratch: Path, requirements: list[Path]) -> None:
    if is_ready(folder, requirements):
        return
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with lock(scratch.with_name(f"{scratch.name}.lock")):
        if is_ready(folder, requirements):
            return
        (folder / STAMP).unlink(missing_ok=True)
        # cut off early there is an interpreter without pip
        if version_of(folder, "import pip") is None:
            say(doing="venv", python=PYTHON)
            venv.create(folder, clear=True, symlinks=True, with_pip=True)
        install(folder, requirements, scratch.with_name(f"{scratch.name}.log"))
        stamp = folder / f"{STAMP}.tmp"
        stamp.write_text(json.dumps({"python": version_of(folder), "requirements": digests(requirements)}))
        stamp.replace(folder / STAMP)


if __name__ == "__main__":
    target, files = Path(sys.argv[1]), [Path(each) for each in sys.argv[3:]]
    if sys.argv[2] == "check":
        sys.exit(not is_ready(target, files))
    # a group of its own, which `stop` ends; a terminal's Ctrl-C goes to whoever started this, who stops it
    os.setpgrp()
    signal.signal(signal.SIGTERM, stop)
    try:
        main(target, Path(sys.argv[2]), files)
    except OSError as error:
        if error.errno in REFUSED:
            fail("refused", f'"{error.filename}" cannot be written: {os.strerror(error.errno).lower()}')
        fail("full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "other", str(error))
    except subprocess.CalledProcessError as error:
        fail("other", f"the virtual environment could not be made: {error}")
