"""The connections that wait out 2 MSL: found by their sockets, ended in the order of their ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from math import inf

from usertcp.stack import numbers
from usertcp.stack.keys import sockets_of
from usertcp.tcp.time_wait import TimeWait
from usertcp.wire.buffer import Buffer
from usertcp.wire.frame import FrameTemplate
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, NO_OPTIONS


class TimeWaits(dict[bytes, TimeWait]):
    """By demultiplexing key.  Remove an entry with ``del``; the queue finds out by itself."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        super().__init__()
        self._queue: deque[TimeWait] = deque()

    def begin(self, waiting: TimeWait) -> None:
        """One more."""
        self[waiting.key] = waiting
        self._queue.append(waiting)

    def next_end(self) -> float:
        """When the next one ends, ``inf`` for never.

        They end in the order in which they began, but for those that a retransmitted FIN began anew: these
        go to the end of the queue when they come to its head.
        """
        queue = self._queue
        while queue and self.get(queue[0].key) is not queue[0]:
            queue.popleft()
        while len(queue) > 1 and queue[0].due > queue[1].due:
            queue.append(queue.popleft())
        return queue[0].due if queue else inf

    def overdue(self, now: float) -> Iterator[TimeWait]:
        """Each one that has waited long enough; the caller ends it (RFC 9293 §3.10.8)."""
        while self.next_end() <= now:
            yield self._queue.popleft()


def acknowledgment(waiting: TimeWait, ts_val: int | None, secret: bytes, *, offload: bool) -> tuple[Buffer, ...]:
    """The packet <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, made from the numbers that were kept."""
    remote, remote_port, local, local_port = sockets_of(waiting.key)
    seq, ack = waiting.snd_nxt & MASK, waiting.rcv_nxt & MASK
    there = (local, remote, local_port, remote_port)
    label = numbers.flow_label(secret, *there)
    template = FrameTemplate(*there, ttl=waiting.settings.ttl, flow_label=label, offload=offload)
    tos = waiting.traffic_class
    return template.build(seq, ack, ACK, waiting.window, 0, ts_val, waiting.ts_recent, NO_OPTIONS, b"", 1, tos)
