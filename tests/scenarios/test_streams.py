"""What an application can choose for its connection, by the stream that it has (RFC 9293 §3.9.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from tests.scenarios.driver import OUR_PORT, OURS, THEIRS
from tests.scenarios.wire import Wire
from usertcp.runtime.stack import Stack, open_stack
from usertcp.runtime.stream import TcpStream
from usertcp.stack.host import Host
from usertcp.tcp.connection import Connection
from usertcp.wire import ipv4, tcp

MSS = 1460


class Ends:
    """Our stream, the wire, and the connection at its other end."""

    def __init__(self, stack: Stack, stream: TcpStream, wire: Wire) -> None:
        self.stack = stack
        self.stream = stream
        self.wire = wire
        (self.theirs,) = wire.other.connections.values()
        wire.carried.clear()

    def sent(self) -> list[tuple[ipv4.Header, int]]:
        """The IP header of each packet of ours since the last time, and how much data it has."""
        packets, self.wire.carried[:] = list(self.wire.carried), []
        return [_parsed(packet) for packet in packets]


def _parsed(packet: bytes) -> tuple[ipv4.Header, int]:
    header = ipv4.parse(packet)
    assert isinstance(header, ipv4.Header)
    segment = tcp.parse(packet[header.header_length :])
    assert isinstance(segment, tcp.Segment)
    return header, len(segment.payload)


@asynccontextmanager
async def connected() -> AsyncIterator[Ends]:
    other = Host([THEIRS[4]], secret=bytes(16))
    other.listen(OUR_PORT)
    wire = Wire(other)
    ours, theirs = (".".join(map(str, address[4])) for address in (OURS, THEIRS))
    async with open_stack(wire, addresses=[f"{ours}/24"], grace=0) as stack:
        stream = await stack.open_stream(theirs, OUR_PORT)
        yield Ends(stack, stream, wire)
        stream.abort()


async def test_nagles_algorithm(autojump_clock: trio.testing.MockClock) -> None:
    """RFC 9293 §3.7.4 (MUST-17): "there MUST be a way for an application to disable the Nagle algorithm on an
    individual connection".  Streams begin so."""
    async with connected() as ends:
        assert ends.stream.nodelay
        for _ in range(3):
            await ends.stream.send_all(b"x")
        assert [length for _, length in ends.sent()] == [1, 1, 1]
        await trio.sleep(1)
        ends.wire.carried.clear()
        ends.stream.nodelay = False
        for _ in range(3):
            await ends.stream.send_all(b"x")
        assert [length for _, length in ends.sent()] == [1]
        ends.stream.nodelay = True
        assert [length for _, length in ends.sent()] == [2]


async def test_keepalives(autojump_clock: trio.testing.MockClock) -> None:
    """RFC 9293 §3.8.4 (MUST-24): "the application MUST be able to turn them on or off for each TCP connection"."""
    async with connected() as ends:
        await trio.sleep(7300)
        assert ends.sent() == []
        ends.stream.keepalive = True
        await trio.sleep(7300)
        assert len(ends.sent()) == 1
        ends.stream.keepalive = False
        await trio.sleep(7300)
        assert ends.sent() == []


@pytest.mark.parametrize("seconds", [5.0, 50.0])
async def test_the_user_timeout(autojump_clock: trio.testing.MockClock, seconds: float) -> None:
    """RFC 9293 §3.8.3 (MUST-21): "an application MUST be able to set the value for R2 for a particular
    connection"."""
    async with connected() as ends:
        ends.stream.user_timeout = seconds
        ends.wire.is_cut = True
        await ends.stream.send_all(b"into the void")
        began = trio.current_time()
        with pytest.raises(trio.BrokenResourceError):
            await ends.stream.receive_some()
        assert seconds <= trio.current_time() - began <= 1.5 * seconds


async def test_the_traffic_class(autojump_clock: trio.testing.MockClock) -> None:
    """RFC 9293 §3.9.1.9 (MUST-48, SHLD-21): for each connection, and as long as it lasts."""
    async with connected() as ends:
        for value in (0xB8, 0x28, 0):
            ends.stream.traffic_class = value
            await ends.stream.send_all(b"x")
            assert [header.tos for header, _ in ends.sent()] == [value]
            await trio.sleep(1)
            ends.wire.carried.clear()
        for wrong in (-4, 0xB9, 0x100):
            with pytest.raises(ValueError, match="a traffic class is"):
                ends.stream.traffic_class = wrong


async def test_what_is_there_is_processed_before_it_is_acknowledged(autojump_clock: trio.testing.MockClock) -> None:
    """RFC 9293 §3.10.7.4 (MUST-59): "the TCP endpoint MUST process the entire queue before sending any ACK"."""
    async with connected() as ends:
        theirs: Connection = ends.theirs
        theirs.nodelay = True
        theirs.send(bytes(7 * MSS), trio.current_time())
        ends.wire.bring()
        await trio.sleep(0.001)
        assert [length for _, length in ends.sent()] == [0]
        assert theirs.status().snd_una == theirs.status().snd_nxt
