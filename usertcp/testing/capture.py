"""A network's packets as a pcapng file, each with what became of it."""

from __future__ import annotations

from typing import BinaryIO

import trio

from usertcp.observe.pcapng import PcapngWriter
from usertcp.testing.tap import Tapped


class Capture:
    """A tap that writes to ``stream``; times count from when it is made.  Raises what writing raises."""

    def __init__(self, stream: BinaryIO) -> None:
        self._writer = PcapngWriter(stream, interface="network")
        self._began = trio.current_time()

    def __call__(self, tapped: Tapped) -> None:
        comments = [f"{tapped.sender} to {tapped.receiver or 'nobody'}", *([tapped.fate] if tapped.fate else [])]
        nanoseconds = round((tapped.time - self._began) * 1e9)
        self._writer.packet(tapped.packet, nanoseconds, comments=comments)
