"""What goes wrong before a packet is made."""

from __future__ import annotations


class Unbuildable(Exception):
    """A script's packet says what no packet can: ``reason`` is one line, without the line's number."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
