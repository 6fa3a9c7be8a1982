"""The processes of a Ray cluster on this machine."""

from __future__ import annotations

import psutil


def running(title: str) -> list[int]:
    """The processes below this one whose title has this part; an actor of Ray bears its class and the method that it runs."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if title in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            # Gone meanwhile.
            continue
    return found
