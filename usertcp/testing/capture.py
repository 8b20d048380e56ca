"""A network's packets as a pcapng file, each with why it was sent and what became of it."""

from __future__ import annotations

import trio

from usertcp.observe.pcapng import Packet, PcapngWriter, Source, Stream
from usertcp.testing.tap import Tapped


class Capture:
    """A tap that writes to ``stream``; times count from when it is made.  Raises what writing raises."""

    def __init__(self, stream: Stream) -> None:
        self._writer = PcapngWriter(stream, Source("network"))
        self._began = trio.current_time()

    def __call__(self, tapped: Tapped) -> None:
        comments = [f"{tapped.sender} to {tapped.receiver or 'nobody'}", *([tapped.fate] if tapped.fate else [])]
        comments += tapped.reasons
        nanoseconds = round((tapped.time - self._began) * 1e9)
        self._writer.packet(Packet(tapped.packet, nanoseconds, comments=comments))
        self._writer.flush()  # a test that hangs leaves what came before
