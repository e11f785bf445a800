"""What the programs of this folder share: job.json in, events.jsonl and result.json out, exit codes, checkpoints.

Nothing here imports torch or transformers before it must: the signal handlers are in place within milliseconds of the
start, so a job that is told to stop while it is still importing says so with exit 75.
"""

from __future__ import annotations

import dataclasses
import difflib
import errno
import hashlib
import hmac
import json
import math
import os
import shutil
import signal
import sys
import threading
import time
import traceback
import types
import typing
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BAD_CONFIG, BAD_DATA, NO_DISK, INTERRUPTED = 64, 65, 74, 75
PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "safetensors", "pyarrow", "vllm")
MANIFEST = "manifest.json"
RANK = int(os.environ.get("RANK", "0"))
T = TypeVar("T")


class JobError(Exception):
    """A fault of the config or the data: running the job again would end the same way."""

    def __init__(self, message: str, code: int = BAD_CONFIG) -> None:
        super().__init__(message)
        self.code = code


class Interrupted(Exception):
    """The job was told to stop, and has; what it saved is enough to go on from."""


@dataclasses.dataclass(frozen=True)
class Hardware:
    device: typing.Literal["cpu", "cuda"]
    processes: int
    micro_batch: int
    accumulation: int
    threads: int


@dataclasses.dataclass(frozen=True)
class Cadence:
    save_steps: int
    log_steps: int
    heartbeat_s: float


@dataclasses.dataclass(frozen=True)
class JobFile:
    version: typing.Literal[1]
    program: str
    labels: dict[str, Any]
    config: dict[str, Any]
    inputs: dict[str, str]
    hardware: Hardware
    cadence: Cadence
    resume: str | None


# --- reading job.json ---------------------------------------------------------------------------------------------


def parse(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind` (a dataclass, Literal, union, list, dict or plain type); anything else is a `JobError`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is typing.Literal:
        if any(value == option and type(value) is type(option) for option in arguments):
            return value
        raise JobError(f'Cannot use {where} = {json.dumps(value)}, expected one of {", ".join(map(json.dumps, arguments))}')
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        options = [option for option in arguments if option is not type(None)]
        for option in options[:-1]:
            try:
                return parse(option, value, where)
            except JobError:
                continue
        return parse(options[-1], value, where)
    if dataclasses.is_dataclass(kind):
        return parse_fields(typing.cast(type, kind), value, where)
    if origin is list and isinstance(value, list):
        return [parse(arguments[0], member, f"{where}[{index}]") for index, member in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: parse(arguments[1], member, f"{where}.{key}") for key, member in value.items()}
    if kind is float and type(value) in (int, float):
        return float(value)
    # JSON written by JavaScript has no 1.0, but other writers do
    if kind is int and type(value) is float and value.is_integer():
        return int(value)
    if type(value) is kind:
        return value
    raise JobError(f"Cannot use {where} = {json.dumps(value)}, expected {getattr(kind, '__name__', kind)}")


def parse_fields(kind: type[T], value: Any, where: str) -> T:
    if not isinstance(value, dict):
        raise JobError(f"Cannot use {where} = {json.dumps(value)}, expected an object")
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, kind))}
    refuse_unknown(value, fields, where)
    types_by_name = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for name, field in fields.items():
        if name in value:
            given[name] = parse(types_by_name[name], value[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise JobError(f'Cannot read {where}, expected a key "{name}"')
    return kind(**given)


def refuse_unknown(given: typing.Iterable[str], known: typing.Iterable[str], where: str) -> None:
    known = list(known)
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            raise JobError(f'Cannot use the unknown key "{key}" in {where}' + (f', did you mean "{near[0]}"' if near else ""))


# --- one text for one value, shared with base/canonical-json.ts ---------------------------------------------------


def canonical_json(value: Any) -> str:
    """What `canonicalJson` of base/canonical-json.ts gives for the same value."""
    if isinstance(value, dict):
        # JavaScript keeps keys that look like array indices first and in numeric order, whatever order they came in
        index = [key for key in value if key.isascii() and key.isdigit() and str(int(key)) == key and int(key) < 2**32 - 1]
        names = sorted(index, key=int) + sorted(set(value) - set(index), key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{canonical_json(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if type(value) in (int, float):
        return ecmascript_number(float(value))
    return json.dumps(value, ensure_ascii=False)


def ecmascript_number(number: float) -> str:
    """Number::toString of ECMA-262: 0.00002 rather than 2e-05, 5e-7 rather than 5e-07, 1 rather than 1.0."""
    if not math.isfinite(number):
        raise JobError(f"Cannot write {number} as JSON")
    if number == 0:
        return "0"
    mantissa, _, exponent = f"{abs(number)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # the value is 0.DIGITS x 10^point
    point = int(exponent or 0) + (len(whole) if whole != "0" else len(digits) - len(fraction))
    digits = digits.rstrip("0")
    sign = "-" if number < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}{'.' if len(digits) > 1 else ''}{digits[1:]}e{point - 1:+d}"


def hmac_uniform(seed: int, purpose: str, item: str) -> float:
    """A number in [0, 1) drawn as base/hmac-choice.ts draws it: it depends on seed, purpose and item alone."""
    digest = hmac.digest(str(seed).encode(), f"{purpose}\0{item}".encode("utf-8", "surrogatepass"), "sha256")
    return int.from_bytes(digest[:6], "big") / 2**48


# --- the running job ----------------------------------------------------------------------------------------------


class Job:
    """The job of this process. Rank 0 alone writes events and results."""

    def __init__(self, file: JobFile, folder: Path) -> None:
        self.file, self.folder = file, folder
        self.hardware, self.cadence = file.hardware, file.cadence
        self.out, self.checkpoints = folder / "out", folder / "checkpoints"
        self.config_sha256 = hashlib.sha256(canonical_json(file.config).encode()).hexdigest()
        self.versions = installed_versions()
        # reentrant: the signal handler may interrupt the main thread inside `emit`
        self._lock, self._seq = threading.RLock(), 0
        self._events = os.open(folder / "events.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if RANK == 0 else None

    def emit(self, type: str, **members: Any) -> None:
        """Appends one line to events.jsonl with one write, so that no reader sees half of it unless the disk is full."""
        if self._events is None:
            return
        with self._lock:
            line = {"seq": self._seq, "t": round(time.time(), 3), "type": type, **members}
            self._seq += 1
            os.write(self._events, (json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace"))

    def input(self, name: str) -> Path:
        """Folder of an input, relative to the job folder so that no absolute path ends up in an artifact."""
        if name not in self.file.inputs:
            raise JobError(f'Cannot find the input "{name}" in job.json, expected one of {", ".join(self.file.inputs)}')
        if not (self.folder / self.file.inputs[name]).is_dir():
            raise JobError(f'Cannot read the input "{name}", expected a folder at "{self.file.inputs[name]}"', BAD_DATA)
        return Path(self.file.inputs[name])

    def template(self, name: str) -> str:
        path = Path(__file__).parent / "templates" / f"{name}.jinja"
        if not path.is_file():
            raise JobError(f'Cannot find the chat template "{name}", expected a file "templates/{name}.jinja" beside the program')
        return path.read_text(encoding="utf-8")

    def tokenizer(self, name: str, template: str | None) -> PreTrainedTokenizerBase:
        """
        Of the model in an input, with the chat template put in. Read by the generic class from tokenizer.json, which needs
        no torch and renders the same whatever class the model's author had in mind.
        """
        from transformers import PreTrainedTokenizerFast

        folder = self.input(name)
        if not (folder / "tokenizer.json").is_file():
            raise JobError(f'Cannot read the tokenizer of the input "{name}", expected a "tokenizer.json" in it', BAD_DATA)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        if tokenizer.eos_token is None:
            raise JobError(f'Cannot end a turn, expected an end-of-sequence token in the tokenizer of the input "{name}"', BAD_DATA)
        if template is not None:
            tokenizer.chat_template = self.template(template)
        return tokenizer

    def save_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Into the artifact, under the class name that transformers 4, vLLM and the like know as well."""
        tokenizer.save_pretrained(self.out)
        path = self.out / "tokenizer_config.json"
        members = json.loads(path.read_text(encoding="utf-8"))
        for left_by_loading in ("is_local", "local_files_only"):
            members.pop(left_by_loading, None)
        write_json(path, {**members, "tokenizer_class": "PreTrainedTokenizerFast"})

    def vouch_for(self, folder: Path, step: int) -> None:
        """Writes the last file of a checkpoint, its manifest, and announces it. Call it when all ranks have written theirs."""
        files = []
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST):
            sync(path)
            files.append({"path": path.relative_to(folder).as_posix(), "size": path.stat().st_size, "sha256": digest(path)})
        sync(folder)
        members = {"step": step, "world_size": self.hardware.processes, "config_sha256": self.config_sha256, "files": files}
        write_json(folder / MANIFEST, {"version": 1, **members})
        sync(folder.parent)
        self.emit("save", step=step, path=folder.relative_to(self.folder).as_posix())

    def checkpoint_to_resume(self) -> Path | None:
        """
        The checkpoint named by job.json, verified by every rank. Later ones in `checkpoints/` were left by an attempt that
        nobody vouches for: they are removed, so that they neither count as one of the two kept nor lend files to a new one.
        """
        resume = None if self.file.resume is None else (self.folder / self.file.resume).resolve()
        step = 0 if resume is None else verify_checkpoint(resume, self.config_sha256, self.hardware.processes)
        if RANK == 0:
            for folder in self.checkpoints.glob("checkpoint-*"):
                if folder.resolve() != resume and int(folder.name.split("-")[1]) >= step:
                    shutil.rmtree(folder)
        return resume

    def finish(self, global_step: int, max_steps: int, metrics: dict[str, Any]) -> None:
        """Writes result.json, the only proof of success; call it last and on rank 0."""
        for path in self.out.rglob("*"):
            # safetensors makes files that nobody else may read
            path.chmod(0o755 if path.is_dir() else 0o644)
        result = {"version": 1, "global_step": global_step, "max_steps": max_steps, "metrics": metrics, "versions": self.versions}
        write_json(self.folder / "result.json", result)
        self.emit("final", step=global_step, max_steps=max_steps)


def verify_checkpoint(folder: Path, config_sha256: str, world_size: int) -> int:
    """Step of the checkpoint; throws a `JobError` (65) unless it is whole and of this config on as many ranks."""

    def refuse(why: str) -> JobError:
        return JobError(f'Cannot resume from "{folder.name}": {why}', BAD_DATA)

    if not (folder / MANIFEST).is_file():
        raise refuse(f"expected a {MANIFEST} in it")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["config_sha256"] != config_sha256:
            raise refuse(f"it was made by the config {manifest['config_sha256'][:12]}, expected {config_sha256[:12]}")
        if manifest["world_size"] != world_size:
            raise refuse(f"it was made by {manifest['world_size']} processes, expected {world_size}")
        for entry in manifest["files"]:
            path = folder / entry["path"]
            if not path.is_file():
                raise refuse(f'the file "{entry["path"]}" is missing')
            if path.stat().st_size != entry["size"] or digest(path) != entry["sha256"]:
                raise refuse(f'the file "{entry["path"]}" is not the one that {MANIFEST} lists')
        return int(manifest["step"])
    except (KeyError, TypeError, ValueError) as error:
        raise refuse(f"{MANIFEST} cannot be read: {error!r}") from error


_stop = {"asked": False, "at_once": True}


def stop_asked() -> bool:
    return _stop["asked"]


def mark_stopped() -> None:
    """For a rank that hears from another one that the job is to stop."""
    _stop["asked"] = True


def stop_at_once(at_once: bool) -> None:
    """Whether a signal ends the process right away (the default) or waits for whoever looks at `stop_asked`."""
    _stop["at_once"] = at_once
    if at_once and _stop["asked"]:
        raise Interrupted


def run(program: str, config_type: type[T], main: Callable[[Job, T], None], many_ranks: bool = False) -> NoReturn:
    """Runs `main` on the job file named on the command line and exits as the contract says."""
    job: Job | None = None

    def stop(number: int, _frame: object) -> None:
        _stop["asked"] = True
        if _stop["at_once"]:
            if job is not None:
                job.emit("note", message=f"stopped by {signal.Signals(number).name} outside of the training loop")
            # should a library swallow this, the training loop still finds `asked`
            sys.exit(INTERRUPTED)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    code = 0
    try:
        path = Path(sys.argv[1] if len(sys.argv) > 1 else "job.json").absolute()
        if not path.is_file():
            raise JobError(f'Cannot read "{path.name}", expected the path of a job file')
        (path.parent / "result.json").unlink(missing_ok=True)
        file = parse(JobFile, json.loads(path.read_text(encoding="utf-8")), "job.json")
        if file.program != program:
            raise JobError(f'Cannot run the program "{file.program}", this is {program}.py')
        os.chdir(path.parent)
        prepare_process(file)
        job = Job(file, path.parent)
        job.emit("boot", program=program, versions=job.versions)
        threading.Thread(target=heartbeat, args=(job, file.cadence.heartbeat_s), daemon=True).start()
        ranks = int(os.environ.get("WORLD_SIZE", "1"))
        if ranks != file.hardware.processes or (ranks > 1 and not many_ranks):
            raise JobError(f"Cannot run {program} in {ranks} processes, expected {file.hardware.processes if many_ranks else 1}")
        config = parse(config_type, file.config, "config")
        for folder in (job.out, job.checkpoints):
            folder.mkdir(exist_ok=True)
        main(job, config)
    except JobError as error:
        code = fail(job, str(error), error.code)
    except Interrupted:
        code = INTERRUPTED
    except json.JSONDecodeError as error:
        code = fail(job, f"Cannot read job.json, expected JSON: {error}", BAD_CONFIG)
    except Exception as error:
        traceback.print_exc()
        # 1: a crash, which may be tried again
        code = fail(job, "Cannot write, expected free space on the disk of the job folder", NO_DISK) if is_disk_full(error) else 1
    sys.exit(code)


def fail(job: Job | None, message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    try:
        # a job file that cannot be read leaves no Job; its folder is still where a reader looks
        line = {"seq": 0, "t": time.time(), "type": "error", "message": message, "code": code}
        if job is not None:
            job.emit("error", message=message, code=code)
        elif len(sys.argv) > 1 and Path(sys.argv[1]).is_file() and RANK == 0:
            with open(Path(sys.argv[1]).absolute().parent / "events.jsonl", "a", encoding="utf-8") as events:
                events.write(json.dumps(line) + "\n")
    except OSError:
        print("error: the event could not be written", file=sys.stderr)
    return code


def is_disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        # safetensors and torch pass on the text of the error or not even that
        if "No space left" in str(error) or "os error 28" in str(error):
            return True
        if "file write failed" in str(error) and shutil.disk_usage(".").free < 2**24:
            return True
        error = error.__cause__ or error.__context__
    return False


def installed_versions() -> dict[str, str]:
    versions = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def heartbeat(job: Job, every_s: float) -> None:
    while True:
        time.sleep(every_s)
        try:
            job.emit("heartbeat")
        except OSError:
            # the disk is full: the main thread runs into it too and can say so
            continue


def prepare_process(file: JobFile) -> None:
    """Settings that libraries read while they are imported."""
    threads = str(file.hardware.threads)
    os.environ.update(
        HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1", TQDM_DISABLE="1",
        OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, RAYON_NUM_THREADS=threads,
        # prepare.py alone tokenises by the batch; elsewhere threads would only be in the way of forks
        TOKENIZERS_PARALLELISM="true" if file.program == "prepare" else "false",
    )  # fmt: skip
    if file.hardware.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


# --- files --------------------------------------------------------------------------------------------------------


def write_json(path: Path, value: Any) -> None:
    """Replaces a file as a whole and durably."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync(path.parent)


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
