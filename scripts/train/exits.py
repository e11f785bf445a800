"""How a job ends other than well: its exit codes, what a program throws to end with one, and being told to stop."""

from __future__ import annotations

import errno
import shutil
import signal
import sys
from collections.abc import Callable

# 64 to 78 but for 75: the config or the data is at fault, and running the job again would not help
BAD_CONFIG, BAD_DATA, NO_DISK, INTERRUPTED = 64, 65, 74, 75


class JobError(Exception):
    """A fault of the config or the data: running the job again would end the same way."""

    def __init__(self, message: str, code: int = BAD_CONFIG) -> None:
        super().__init__(message)
        self.code = code


class Interrupted(Exception):
    """The job was told to stop, and has; what it saved is enough to go on from."""


def is_disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        # safetensors, torch and datasets pass on the text of the error or not even that
        if any(words in str(error) for words in ("No space left", "os error 28", "Not enough disk space")):
            return True
        if "file write failed" in str(error) and shutil.disk_usage(".").free < 2**24:
            return True
        error = error.__cause__ or error.__context__
    return False


# A signal ends the process at once, or waits for a loop that can save first.
_stop = {"asked": False, "at_once": True}


def listen(last_words: Callable[[str], None]) -> None:
    """Has SIGTERM and SIGINT ask for a stop; `last_words` gets the name of one that ends the process at once."""

    def stop(number: int, _frame: object) -> None:
        _stop["asked"] = True
        if _stop["at_once"]:
            last_words(signal.Signals(number).name)
            # should a library swallow this, the training loop still finds `asked`
            sys.exit(INTERRUPTED)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


def stop_asked() -> bool:
    return _stop["asked"]


def mark_stopped() -> None:
    """For a rank that hears from another one that the job is to stop."""
    _stop["asked"] = True


def stop_at_once(at_once: bool) -> None:
    """Whether a signal ends the process right away (the default) or waits for a loop that looks at `stop_asked`."""
    _stop["at_once"] = at_once
    if at_once and _stop["asked"]:
        raise Interrupted
