"""How a job ends other than well: its exit codes, and what a program throws to end with one."""

from __future__ import annotations

import errno
import shutil

# 64 to 78 but for 75: the config or the data is at fault, to run the job again is in vain
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
