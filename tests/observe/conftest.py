"""Hand-written event streams: what the core would emit for a connection that we know by heart."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from usertcp.tcp.events import (
    Deleted,
    Dropped,
    Opened,
    OutOfOrder,
    Retransmitted,
    SegmentIn,
    SegmentOut,
    TraceEvent,
    Transitioned,
)
from usertcp.tcp.states import Event, State, step
from usertcp.wire.tcp import ACK, FIN, NO_OPTIONS, PSH, RST, SYN, Options

S, E = State, Event


class Script:
    """Writes the events of one connection; sequence numbers are relative to the initial ones."""

    our_isn = 1774102233
    peer_isn = 2954113876
    their_options = Options(mss=1460, window_scale=7, sack_permitted=True)
    our_options = Options(mss=1460, window_scale=8, sack_permitted=True)

    def __init__(self, role: str = "passive", conn: int = 1, start: float = 1000.0) -> None:
        self.conn = conn
        self.time = start
        self.state = S.CLOSED
        self.events: list[TraceEvent] = []
        sockets = bytes([192, 0, 2, 2]), 80, bytes([192, 0, 2, 1]), 43210 + conn
        self.events.append(Opened(self.time, conn, *sockets, role))
        self.moves(E.PASSIVE_OPEN if role == "passive" else E.ACTIVE_OPEN)

    def _tick(self) -> float:
        self.time += 0.0001
        return self.time

    def comes(self, flags: int, seq: int, ack: int = 0, length: int = 0, options: Options = NO_OPTIONS) -> SegmentIn:
        absolute = (self.our_isn + ack) % 2**32 if flags & ACK else 0
        event = SegmentIn(
            self._tick(),
            self.conn,
            (self.peer_isn + seq) % 2**32,
            absolute,
            flags,
            64256,
            length,
            7,
            8,
            options,
        )
        self.events.append(event)
        return event

    def goes(
        self,
        flags: int,
        seq: int,
        ack: int = 0,
        length: int = 0,
        options: Options = NO_OPTIONS,
        segments: int = 1,
    ) -> SegmentOut:
        absolute = (self.peer_isn + ack) % 2**32 if flags & ACK else 0
        at = (self.our_isn + seq) % 2**32
        event = SegmentOut(self._tick(), self.conn, at, absolute, flags, 65535, length, 8, 7, options, segments)
        self.events.append(event)
        return event

    def moves(self, event: Event) -> None:
        taken = step(self.state, event)
        self.events.append(Transitioned(self._tick(), self.conn, self.state, event, *taken))
        self.state = taken.next_state

    def handshake(self) -> None:
        self.comes(SYN, 0, options=self.their_options)
        self.moves(E.RCV_SYN)
        self.goes(SYN | ACK, 0, 1, options=self.our_options)
        self.comes(ACK, 1, 1)
        self.moves(E.RCV_ACK)

    def request(self) -> None:
        self.comes(PSH | ACK, 1, 1, length=73)
        self.goes(ACK, 1, 74)
        self.goes(PSH | ACK, 1, 74, length=154)
        self.comes(ACK, 74, 155)

    def close(self, seq: int = 74, ack: int = 155) -> None:
        """The peer closes first."""
        self.comes(FIN | ACK, seq, ack)
        self.moves(E.RCV_FIN)
        self.goes(ACK, ack, seq + 1)
        self.moves(E.CLOSE)
        self.goes(FIN | ACK, ack, seq + 1)
        self.comes(ACK, seq + 1, ack + 1)
        self.moves(E.RCV_ACK_OF_FIN)
        self.delete()

    def bulk(self, count: int, start: int = 155) -> int:
        """``count`` super-segments of 14,600 bytes, each acknowledged; returns where they end."""
        for _ in range(count):
            self.goes(ACK, start, 74, length=14600, segments=10)
            start += 14600
            self.comes(ACK, 74, start)
        return start

    def resends(self, seq: int, length: int = 1460, attempt: int = 1) -> None:
        at = (self.our_isn + seq) % 2**32
        self.events.append(Retransmitted(self._tick(), self.conn, at, length, "retransmission timeout", attempt))
        self.goes(ACK, seq, 74, length=length)

    def drops(self, reason: str = "old-duplicate") -> None:
        self.events.append(Dropped(self._tick(), self.conn, reason, "3.10.7.4", self.peer_isn + 1, 10))

    def keeps(self, seq: int, length: int, held: int) -> None:
        self.comes(ACK, seq, 1, length=length)
        self.events.append(OutOfOrder(self._tick(), self.conn, self.peer_isn + seq, length, held))

    def resets(self) -> None:
        self.comes(RST, 74)
        self.moves(E.RCV_RST)
        self.delete("connection reset by the peer")

    def delete(self, error: str = "") -> None:
        self.events.append(Deleted(self._tick(), self.conn, error))


@pytest.fixture
def script() -> Callable[..., Script]:
    return Script


@pytest.fixture
def visit() -> Script:
    """A whole connection: handshake, request, answer, close."""
    made = Script()
    made.handshake()
    made.request()
    made.close()
    return made
