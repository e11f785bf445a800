"""A branch on a Hub to which one process alone writes, whatever becomes of the answers to its commits."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from httpx import HTTPError
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

disable_progress_bars()
T = TypeVar("T")
Operations = list[CommitOperationAdd | CommitOperationDelete]
# what huggingface_hub throws where the Hub, or the store of its large files, does not answer or says no
TROUBLE = (HTTPError, LocalEntryNotFoundError, ConnectionError, RuntimeError)
# the Hub says that it has no such thing, or that this token may not have it: asking again would not help
REFUSED = (401, 403, 404)
# another commit came first, or the branch is gone
OVERTAKEN = (404, 409, 412)
PATIENCE_SECONDS = 3600.0
LONGEST_PAUSE_SECONDS = 60.0


class TakenAway(Exception):
    """The branch has a commit that is not ours: the attempt belongs to another process, or is over."""


class Branch:
    """Commits with a parent commit: one that is not the head is refused, so nothing of another process is ever undone."""

    def __init__(self, kind: str, name: str, branch: str, head: str) -> None:
        self.kind, self.name, self.branch, self.head = kind, name, branch, head
        self.api = HfApi()
        # the commit whose answer is not there: its mark, and what holds once it has landed
        self._unsure: tuple[str, Callable[[], None]] | None = None

    def commit(self, what: str, operations: Operations, landed: Callable[[], None]) -> None:
        """
        Calls `landed` when the commit is on the branch. Throws `TakenAway` where another one is, and one of `TROUBLE` where
        that is unknown: then `find_out` comes before the next one.
        """
        mark = secrets.token_hex(8)
        self._unsure = (mark, landed)
        try:
            made = self.api.create_commit(
                self.name, operations, commit_message=f"zephyr: {what} {mark}",
                repo_type=self.kind, revision=self.branch, parent_commit=self.head,
            )  # fmt: skip
        except HfHubHTTPError as error:
            if error.response.status_code in OVERTAKEN:
                self.find_out()
            raise
        self._settle(made.oid)

    def find_out(self) -> None:
        """Whether the last commit landed, if its answer was lost. Throws as `commit` does."""
        if self._unsure is None:
            return
        try:
            newest = self.api.list_repo_commits(self.name, repo_type=self.kind, revision=self.branch)[0]
        except HfHubHTTPError as error:
            if error.response.status_code == 404:
                raise TakenAway from error
            raise
        if newest.commit_id == self.head:
            self._unsure = None
        elif self._unsure[0] in newest.title:
            self._settle(newest.commit_id)
        else:
            raise TakenAway

    def _settle(self, head: str) -> None:
        if self._unsure is not None:
            self.head, (_, landed), self._unsure = head, self._unsure, None
            landed()


def patiently(attempt: Callable[[], T], hopeless: tuple[int, ...] = ()) -> T:
    """Again and again for an hour, but for answers of a status that is hopeless."""
    pause, deadline = 1.0, time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return attempt()
        except TROUBLE as error:
            is_hopeless = isinstance(error, HfHubHTTPError) and error.response.status_code in hopeless
            if is_hopeless or time.monotonic() > deadline:
                raise
            tell(pause, error)
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def tell(pause: float, error: BaseException) -> None:
    print(f"hub_job: the Hub is asked again in {pause:.0f} s: {error}", file=sys.stderr)
