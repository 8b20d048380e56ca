"""What goes wrong before a packet is made."""

from __future__ import annotations


class Unbuildable(Exception):
    """A script's packet says what no packet can: ``reason`` is one line, without the line's number."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownPart(Unbuildable):
    """It may well make sense, but not to us: a header, an option or a word of ICMP that we do not know."""
