"""Makes a virtual environment that holds what is pinned: `python make.py FOLDER SCRATCH [--on PYTHON] REQUIREMENTS...`.

With `--on` it extends the environment of that interpreter, which must be of the version that runs this: a .pth file shows it
the packages that are there, and pip adds those that are missing or pinned otherwise. What the pins do not name stays as it is
there. A bake.py beside the requirements is run at the end, to lay down what a program would else fetch when it runs.

It says what it does as JSON Lines on stdout, keeps pip's own log in SCRATCH.log, and holds SCRATCH.lock while it works, which
the kernel frees with the last process that works on it. The stamp in FOLDER is written last: without one the work goes on where
it was cut off. With `check` for SCRATCH it only tells by its exit status whether all is there. It runs before any package is
installed, so it needs the standard library alone.
"""

from __future__ import annotations

import dataclasses
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
SEEN = "zephyr-base.pth"
PYTHON = ".".join(map(str, sys.version_info[:3]))
# what pip says of a registry that does not answer; pip, _internal/utils/retry and urllib3's own errors
AWAY = re.compile(
    r"Connection(?:Error)?\b.*(?:refused|reset|broken|timed out|unreachable)|NewConnectionError|ConnectTimeoutError"
    r"|ReadTimeoutError|NameResolutionError|name resolution|ProxyError|IncompleteRead|Max retries exceeded|\b(?:502|503|504) \w+ Error"
)
# what another environment holds: where its packages lie, and their versions as far as a constraint can say them
ASK = """
import importlib.metadata as metadata, json, os, sys, sysconfig
own = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
own |= {os.path.join(path, "lib-dynload") for path in own}
paths = [os.path.realpath(path) for path in sys.path if os.path.isdir(path)]
print(json.dumps({
    "prefix": os.path.realpath(sys.prefix),
    "paths": [path for path in dict.fromkeys(paths) if path not in own],
    "packages": {each.name: each.version for each in reversed(list(metadata.distributions())) if each.name},
}))
"""
VERSION = re.compile(r"\d+(?:\.\d+)*(?:(?:a|b|rc)\d+)?(?:\.post\d+)?(?:\.dev\d+)?(?:\+[\w.]+)?")
# an environment brings those of its own
INSTALLERS = ("pip", "setuptools", "wheel")
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


@dataclasses.dataclass(frozen=True)
class Base:
    """An environment that another one extends."""

    prefix: Path
    # where its packages lie, in the order in which they are looked for
    paths: list[str]
    packages: dict[str, str]


def base_of(python: str) -> Base:
    asked = subprocess.run([python, "-I", "-c", ASK], capture_output=True, text=True, check=True)
    told = json.loads(asked.stdout)
    return Base(Path(told["prefix"]), told["paths"], told["packages"])


def site_of(folder: Path) -> Path:
    return folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def shown(base: Base | None) -> str:
    return "".join(f"{path}\n" for path in base.paths) if base else ""


def is_ready(folder: Path, requirements: list[Path], base: Base | None) -> bool:
    """Whether all of it was installed, maybe with more, and the interpreter is still the one that it was installed for."""
    try:
        stamp = json.loads((folder / STAMP).read_text())
        sees = base is None or (site_of(folder) / SEEN).read_text() == shown(base)
        return sees and set(digests(requirements)) <= set(stamp["requirements"]) and stamp["python"] == version_of(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def show(folder: Path, base: Base) -> None:
    """Lets an environment see the packages of another, and the files that were baked into that."""
    (site_of(folder) / SEEN).write_text(shown(base))
    kernels = folder / "kernels"
    kernels.unlink(missing_ok=True)
    kernels.symlink_to(base.prefix / "kernels")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def keep(base: Base, requirements: list[Path], file: Path) -> list[str]:
    """Arguments that hold pip to what is there, but for what the requirements pin themselves."""
    lines = [line for path in requirements for line in path.read_text().splitlines()]
    pinned = {normal(match[0]) for line in lines if (match := re.match(r"[A-Za-z0-9][\w.-]*", line.strip()))}
    kept = {name: version for name, version in base.packages.items() if normal(name) not in {*pinned, *INSTALLERS}}
    file.write_text("".join(f"{name}=={version}\n" for name, version in sorted(kept.items()) if VERSION.fullmatch(version)))
    return ["--constraint", str(file)]


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


def install(folder: Path, requirements: list[Path], log: Path, constraints: list[str]) -> None:
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar=off", *constraints, *(part for file in requirements for part in ("-r", str(file)))]
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


def bake(folder: Path, program: Path) -> None:
    say(doing="bake")
    ended = subprocess.run([folder / "bin" / "python", program], stdin=subprocess.DEVNULL, capture_output=True, text=True, close_fds=False)
    if ended.returncode != 0:
        said = [line for line in f"{ended.stdout}\n{ended.stderr}".splitlines() if line.strip()]
        fail("away" if AWAY.search(ended.stderr) else "other", said[-1] if said else f"bake.py ended with {ended.returncode}")


def main(folder: Path, scratch: Path, requirements: list[Path], base: Base | None) -> None:
    if is_ready(folder, requirements, base):
        return
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with lock(scratch.with_name(f"{scratch.name}.lock")):
        if is_ready(folder, requirements, base):
            return
        (folder / STAMP).unlink(missing_ok=True)
        # cut off early there is an interpreter without pip; another one cannot load what an environment of this version holds
        there = version_of(folder, "import pip")
        if there is None or (base is not None and there != PYTHON):
            say(doing="venv", python=PYTHON)
            venv.create(folder, clear=True, symlinks=True, with_pip=True)
        if base is not None:
            show(folder, base)
        constraints = keep(base, requirements, scratch.with_name(f"{scratch.name}.kept")) if base is not None else []
        install(folder, requirements, scratch.with_name(f"{scratch.name}.log"), constraints)
        baking = requirements[0].with_name("bake.py")
        if baking.exists():
            bake(folder, baking)
        stamp = folder / f"{STAMP}.tmp"
        stamp.write_text(json.dumps({"python": version_of(folder), "requirements": digests(requirements)}))
        stamp.replace(folder / STAMP)


if __name__ == "__main__":
    target, rest = Path(sys.argv[1]), sys.argv[3:]
    extended = None
    if rest[0] == "--on":
        try:
            extended, rest = base_of(rest[1]), rest[2:]
        except (OSError, ValueError, KeyError, subprocess.CalledProcessError) as error:
            fail("other", f"the environment that it extends does not answer: {error}")
    files = [Path(each) for each in rest]
    if sys.argv[2] == "check":
        sys.exit(not is_ready(target, files, extended))
    # a group of its own, which `stop` ends; a terminal's Ctrl-C goes to whoever started this, who stops it
    os.setpgrp()
    signal.signal(signal.SIGTERM, stop)
    try:
        main(target, Path(sys.argv[2]), files, extended)
    except OSError as error:
        if error.errno in REFUSED:
            fail("refused", f'"{error.filename}" cannot be written: {os.strerror(error.errno).lower()}')
        fail("full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "other", str(error))
    except subprocess.CalledProcessError as error:
        fail("other", f"the virtual environment could not be made: {error}")
