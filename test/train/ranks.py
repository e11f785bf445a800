"""Several ranks of one job, as torchrun would start them, forked from the server that has imported everything."""

from __future__ import annotations

import socket
from typing import Any

from conftest import JobFolder


def start_ranks(job: JobFolder, count: int, hold: tuple[str, int] | None = None) -> list[Any]:
    """One process a rank; gloo on the loopback."""
    if count == 1:
        return [job.start(hold=hold)]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    return [job.start({"RANK": str(rank), "LOCAL_RANK": str(rank), "GLOO_SOCKET_IFNAME": "lo", **shared}, hold) for rank in range(count)]


def codes(ranks: list[Any]) -> list[int]:
    for rank in ranks:
        rank.join()
    return [rank.exitcode for rank in ranks]


def notes_of_resuming(job: JobFolder) -> list[str]:
    """What a job said about ranks that differ from those of its checkpoint."""
    return [event["message"] for event in job.events("note") if event["message"].startswith("resumed")]
