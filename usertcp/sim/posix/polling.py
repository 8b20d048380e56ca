"""Who waits for files to become ready."""

from __future__ import annotations

from typing import Protocol


class Watcher(Protocol):
    """Wants to hear of a file's wake-ups."""

    def woken(self, key: int) -> None:
        """The file may be ready for ``key`` (poll's bits; 0: for anything)."""
        ...
