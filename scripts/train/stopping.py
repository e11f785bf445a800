"""Being told to stop: a signal ends the process at once, or waits for a loop that can save first."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from exits import INTERRUPTED, Interrupted

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
    """Whether a signal ends the process right away (the default) or waits for whoever looks at `stop_asked`."""
    _stop["at_once"] = at_once
    if at_once and _stop["asked"]:
        raise Interrupted
