"""What the kernel says of its end over sock_diag, segment by segment, and that what is inferred agrees with it."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

import usertcp
from tests.kernel.clients import KERNEL, curl, dial, read_all, until, url
from usertcp import Stack, TcpStream
from usertcp.observe.peer import Peer
from usertcp.observe.recorder import Recorder
from usertcp.runtime.device import PacketDevice
from usertcp.runtime.kernel_view import KernelViewDevice
from usertcp.services.registry import handler, parse_binding
from usertcp.tcp.events import Opened, PeerSeen, SegmentIn, SegmentOut, TraceEvent
from usertcp.tcp.states import State
from usertcp.wire.tcp import FIN

families = pytest.mark.parametrize("family", [4, 6])
offloads = pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])
S = State
#: SO_LINGER of zero seconds: close() sends a RST.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@asynccontextmanager
async def watched(recorder: Recorder | None, *bindings: str, offload: bool = True) -> AsyncIterator[Stack]:
    """A stack whose TUN asks the kernel, as the command line has it."""
    views: list[KernelViewDevice] = []

    def wrap(device: PacketDevice) -> PacketDevice:
        views.append(KernelViewDevice(device))
        return views[0]

    async with usertcp.open_stack(trace=recorder, wrap=wrap, offload=offload) as stack, trio.open_nursery() as nursery:
        views[0].tell(stack.host)
        for binding in map(parse_binding, bindings):
            serve = handler(binding.service, stack.stats)
            nursery.start_soon(trio.serve_listeners, serve, [await stack.open_listener(binding.port)])
        yield stack
        nursery.cancel_scope.cancel()


def readings(recorder: Recorder) -> list[PeerSeen]:
    return [event for event in recorder.events() if isinstance(event, PeerSeen)]


def told(events: list[TraceEvent], *, read: bool) -> list[State]:
    """The peer's states of connection 1: as its kernel says them, or inferred from the segments alone."""
    peer, states = Peer(next(event.role for event in events if isinstance(event, Opened))), []
    for event in events:
        match event:
            case SegmentIn():
                before, after = peer.received_from(event)
                steps = before + after
            case SegmentOut():
                steps = peer.sent_to(event)
            case PeerSeen() if read:
                steps = peer.read(event)
            case _:
                continue
        states += [step.next_state for step in steps]
    return states


@pytest.mark.rootless
@families
@offloads
async def test_a_client_that_closes_first(family: int, offload: bool) -> None:
    recorder = Recorder()
    async with watched(recorder, "80", offload=offload) as stack:
        await curl(url(family))
        await until(lambda: not stack.host.connections)
    events = list(recorder.events())
    expected = [S.SYN_SENT, S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2, S.TIME_WAIT]
    assert told(events, read=True) == told(events, read=False) == expected
    first, *_, last = readings(recorder)
    assert first.after == "segment-in"
    assert first.srtt is None
    assert first.timer == "retransmission"
    assert events.index(first) == 1  # directly after `opened`: it is about the SYN
    assert last.after == "segment-out"
    assert last.timer == "time-wait"
    assert last.cwnd is None
    assert last.timer_left is not None
    assert 59 < last.timer_left <= 60


async def test_an_answer_that_is_ahead_of_what_was_read_is_passed_over() -> None:
    """It would put the kernel's FIN before data that was sent before it."""
    recorder = Recorder()
    async with watched(recorder, "7"), await dial(7) as client:
        # Both are in the TUN's queue before the stack has read either.
        os.write(client.socket.fileno(), b"hello")
        client.socket.shutdown(socket.SHUT_WR)
        assert await read_all(client) == b"hello"
    events = list(recorder.events())
    first = next(
        number for number, event in enumerate(events) if isinstance(event, PeerSeen) and event.state is S.FIN_WAIT_1
    )
    following = next(event for event in events[first:] if isinstance(event, SegmentIn))
    assert following.flags & FIN
    assert following.length == 0


@families
async def test_what_it_knows_of_an_established_connection(family: int) -> None:
    recorder = Recorder()
    async with watched(recorder, "7"), await dial(7, family) as client:
        await client.send_all(b"hello")
        assert await client.receive_some() == b"hello"
        # Nobody reads this answer, and so it waits there.
        await client.send_all(b"world")
        await until(lambda: readings(recorder)[-1].unread == 5)
        seen = readings(recorder)[-1]
        assert seen.after == "segment-out"
        assert seen.mss
        assert seen.cwnd
        assert seen.cwnd >= 10 * seen.mss
        assert seen.ssthresh is None
        assert seen.congestion == "open"
        assert seen.retransmitted == 0
        assert seen.srtt
        assert seen.rttvar
        assert seen.rto
        assert 0.2 <= seen.rto < 2
        assert seen.unacked == 0
        assert seen.queued == 0


async def test_a_service_that_closes_first() -> None:
    recorder = Recorder()
    async with watched(recorder, "13"), await dial(13) as client:
        await read_all(client)
        await client.aclose()
        await until(lambda: readings(recorder)[-1].state is S.CLOSED)
    events = list(recorder.events())
    expected = [S.SYN_SENT, S.ESTABLISHED, S.CLOSE_WAIT, S.LAST_ACK, S.CLOSED]
    assert told(events, read=True) == told(events, read=False) == expected


@asynccontextmanager
async def kernel_listener(family: int) -> AsyncIterator[tuple[trio.SocketListener, int]]:
    listener = trio.socket.socket(trio.socket.AF_INET if family == 4 else trio.socket.AF_INET6)
    await listener.bind(("", 0))
    listener.listen(1)
    async with trio.SocketListener(listener) as listening:
        yield listening, listener.getsockname()[1]


@families
async def test_a_server_of_the_kernels_listens_before_we_come(family: int) -> None:
    recorder = Recorder()
    async with watched(recorder) as stack, kernel_listener(family) as (listener, port):
        async with await stack.open_stream(KERNEL[family], port):
            served = await listener.accept()
        await served.aclose()
        await until(lambda: readings(recorder)[-1].state is S.CLOSED)
    states = [seen.state for seen in readings(recorder)]
    assert list(dict.fromkeys(states)) in (
        [S.LISTEN, S.SYN_RECEIVED, S.ESTABLISHED, S.CLOSE_WAIT, S.LAST_ACK, S.CLOSED],
        [S.LISTEN, S.SYN_RECEIVED, S.ESTABLISHED, S.LAST_ACK, S.CLOSED],  # its application was quicker than we
    )
    assert readings(recorder)[0].after == "open"
    events = list(recorder.events())
    assert told(events, read=True) == told(events, read=False)


async def test_nobody_listens_and_nothing_is_told() -> None:
    """The RST of a closed port comes from no socket."""
    recorder = Recorder()
    async with watched(recorder) as stack:
        with pytest.raises(ConnectionRefusedError):
            await stack.open_stream(KERNEL[4], 9)
    assert readings(recorder) == []


async def aborted_by_us(client: trio.SocketStream, stream: TcpStream) -> None:
    stream.abort()


async def aborted_by_it(client: trio.SocketStream, stream: TcpStream) -> None:
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    client.socket.close()


@pytest.mark.parametrize("abort", [aborted_by_us, aborted_by_it])
async def test_a_reset_leaves_nothing(abort: Callable[[trio.SocketStream, TcpStream], Awaitable[None]]) -> None:
    recorder = Recorder()
    async with (
        watched(recorder) as stack,
        await stack.open_listener(7) as listener,
        await dial(7) as client,
        await listener.accept() as stream,
    ):
        await abort(client, stream)
        await until(lambda: readings(recorder)[-1].state is S.CLOSED)
    events = list(recorder.events())
    assert told(events, read=True) == told(events, read=False) == [S.SYN_SENT, S.ESTABLISHED, S.CLOSED]


async def test_bulk_is_asked_after_seldom() -> None:
    recorder = Recorder()
    async with watched(recorder, "80", offload=False) as stack:
        started = trio.current_time()
        await curl(url(4, "/bytes/10000000"), "-o", "/dev/null")
        taken = trio.current_time() - started
        await until(lambda: not stack.host.connections)
    segments = sum(isinstance(event, SegmentIn | SegmentOut) for event in recorder.events())
    assert segments > 5000
    assert len(readings(recorder)) <= 2 * 32 + taken / 0.01 + 10
    assert readings(recorder)[-1].state is S.TIME_WAIT


async def test_whoever_begins_to_watch_in_the_midst_of_a_connection() -> None:
    recorder = Recorder()
    async with watched(None, "7") as stack, await dial(7) as client:
        await client.send_all(b"hello")
        assert await client.receive_some() == b"hello"
        stack.attach(recorder)
        await client.send_all(b"hello")
        assert await client.receive_some() == b"hello"
        assert {seen.state for seen in readings(recorder)} == {S.ESTABLISHED}
        stack.detach(recorder)
        await client.send_eof()
        await read_all(client)
    assert {seen.state for seen in readings(recorder)} == {S.ESTABLISHED}
