"""Why a host sends what it sends."""

from __future__ import annotations

from usertcp.observe.annotation import Annotator
from usertcp.observe.packet_log import PacketLog
from usertcp.runtime.stack import Stack


class Reasons:
    """Listens to what happens on a host from now on."""

    def __init__(self, stack: Stack) -> None:
        self._log = PacketLog()
        self._log.host = stack.host
        stack.attach(self._log)
        self._annotator = Annotator(offload=False)

    def of(self, packet: bytes, now: float) -> tuple[str, ...]:
        """What there is to say of a packet that the host sends ``now``, a line each: what happened on its connection
        since the one before, and what the connection has in mind."""
        self._log.left(now, (packet,))
        *_, annotated = self._annotator.feed(self._log.take(len(self._log)))
        return tuple(annotated.comments)
