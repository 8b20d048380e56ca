"""Options of streams have the kernel's meaning, and may be changed at any time."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.simulated import SERVER, Ends, connected, read_all
from usertcp import Settings
from usertcp.tcp.congestion.registry import NAMES
from usertcp.tcp.options import LEAST_RECEIVE_BUFFER, LEAST_SEND_BUFFER
from usertcp.tcp.states import State
from usertcp.testing import Conditions, Opener
from usertcp.wire import tcp

#: Windows are said in units of 256 bytes, rounded up.
SCALED = 512
FIXED = Settings(initial_receive_buffer=20_000, receive_buffer=20_000, send_buffer=20_000)


def payloads(ends: Ends) -> list[int]:
    """The lengths of the data segments that our side has sent."""
    found = []
    for tapped in ends.packets:
        if tapped.sender == "client":
            segment = tcp.parse(memoryview(tapped.packet)[20:])
            assert isinstance(segment, tcp.Segment)
            found.append(len(segment.payload))
    return [length for length in found if length]


async def fill(stream: Any) -> int:
    """Send until nothing is taken any more; returns how much was."""
    before = stream.info().bytes_acked + stream.info().in_flight + stream.info().unsent
    with trio.move_on_after(100):
        while True:
            await stream.send_all(bytes(1000))
    info = stream.info()
    return int(info.bytes_acked + len(stream.connection.send_buffer) - before)


async def test_nodelay(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """TCP_NODELAY: off, small segments wait for acknowledgments; set, what waits leaves."""
    async with connected(usertcp_network) as ends:
        assert ends.ours.nodelay
        ends.ours.nodelay = False
        for _ in range(3):
            await ends.ours.send_all(b"x")
        await trio.sleep(0.001)
        assert payloads(ends) == [1]
        ends.ours.nodelay = True
        await trio.sleep(0.001)
        assert payloads(ends) == [1, 2]


async def test_keepalive_times(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT."""
    async with connected(usertcp_network) as ends:
        ours = ends.ours
        assert (ours.keepalive, ours.keepalive_idle, ours.keepalive_interval, ours.keepalive_probes) == (
            False, 7200, 75, 9,
        )  # fmt: skip
        ours.keepalive = True
        ours.keepalive_idle, ours.keepalive_interval, ours.keepalive_probes = 60, 5, 3
        await trio.sleep(150)
        assert [tapped.sender for tapped in ends.packets] == ["client", "server"] * 2
        ends.link.partition()
        with pytest.raises(trio.BrokenResourceError, match="after 3 tries in ESTABLISHED") as caught:
            await ours.receive_some()
        assert "the peer was silent for 75 s" in str(caught.value)
        # Others on the host have their own.
        assert ends.theirs.keepalive_idle == 7200


async def test_the_user_timeout_and_linger(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        assert ends.ours.user_timeout is None
        assert ends.ours.linger is None
        ends.ours.linger = 0
        await ends.ours.send_all(b"lost")
        await ends.ours.aclose()
        with pytest.raises(trio.BrokenResourceError, match="reset by peer in ESTABLISHED"):
            await read_all(ends.theirs)
    async with connected(usertcp_network) as ends:
        ends.link.partition()
        ends.ours.linger = 3
        await ends.ours.send_all(b"lost")
        await ends.ours.aclose()
        assert ends.ours.info().state is State.FIN_WAIT_1
        await trio.sleep(3.1)
        assert ends.ours.info().state is State.CLOSED


async def test_the_send_buffer(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """SO_SNDBUF: how much is taken while nothing is acknowledged; who waits for room has it when there is more."""
    async with connected(usertcp_network, FIXED) as ends, trio.open_nursery() as nursery:
        assert ends.ours.send_buffer == 20_000
        ends.link.partition()
        assert await fill(ends.ours) == 20_000
        nursery.start_soon(ends.ours.send_all, bytes(5000))
        await trio.sleep(1)
        ends.ours.send_buffer = 30_000
        await trio.sleep(1)
        assert len(ends.ours.connection.send_buffer) == 25_000
        ends.ours.send_buffer = 10_000  # what is in it stays
        assert len(ends.ours.connection.send_buffer) == 25_000
        with trio.move_on_after(1) as patience:
            await ends.ours.send_all(b"x")
        assert patience.cancelled_caught
        ends.ours.send_buffer = 1
        assert ends.ours.send_buffer == LEAST_SEND_BUFFER


async def test_the_receive_buffer_grows_until_it_is_set(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """SO_RCVBUF turns auto-tuning off."""

    async def grown(size: int | None) -> int:
        async with connected(usertcp_network, conditions=Conditions(delay=0.05)) as ends:
            if size is not None:
                ends.theirs.receive_buffer = size
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ends.ours.send_all, bytes(10_000_000))
                for _ in range(10_000_000 // 1000):
                    left = 1000
                    while left:
                        left -= len(await ends.theirs.receive_some(left))
            return ends.theirs.receive_buffer

    assert await grown(None) > 1_000_000
    assert await grown(100_000) == 100_000


async def test_a_smaller_receive_buffer_takes_no_promise_back(
    usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    """RFC 9293 §3.8.6 (SHLD-14): the window's right edge never moves left, and all that it promised is taken."""
    async with connected(usertcp_network, Settings(send_buffer=1 << 20)) as ends:
        promised = ends.ours.info().snd_wnd
        edge = ends.theirs.connection.rcv_adv
        ends.theirs.receive_buffer = 5000
        await fill(ends.ours)
        assert promised <= ends.theirs.info().unread <= promised + SCALED
        assert edge <= ends.theirs.connection.rcv_adv <= edge + SCALED
        while ends.theirs.info().unread > 10_000:
            await ends.theirs.receive_some(5000)
        assert ends.theirs.connection.rcv_adv <= edge + SCALED
        received = 0
        with trio.move_on_after(1000):
            while True:
                received += len(await ends.theirs.receive_some())
                assert ends.theirs.info().rcv_wnd <= 5000 + SCALED
        assert received > 500_000
        ends.theirs.receive_buffer = 1
        assert ends.theirs.receive_buffer == LEAST_RECEIVE_BUFFER


async def test_a_larger_receive_buffer_is_offered_at_once(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network, Settings(initial_receive_buffer=20_000)) as ends:
        await fill(ends.ours)
        assert 0 <= ends.theirs.info().unread - 20_000 <= SCALED
        ends.theirs.receive_buffer = 50_000
        await trio.sleep(0.05)
        assert abs(ends.theirs.info().unread - 50_000) <= 1460  # but for the silly window


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
async def test_another_congestion_control_in_mid_transfer(
    before: str, after: str, usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    """TCP_CONGESTION, also in the midst of a loss recovery."""
    settings = Settings(congestion_control=before)
    path = Conditions(delay=0.02, rate=20e6, queue=30, loss=0.01)
    data = bytes(range(256)) * 8000
    async with connected(usertcp_network, settings, path) as ends, trio.open_nursery() as nursery:
        ours = ends.ours
        states = set()

        async def switch() -> None:
            for name in (after, before) * 20:
                window = ours.info().cwnd
                ours.congestion_control = name
                assert ours.congestion_control == ours.info().congestion_control == name
                assert ours.info().cwnd == window
                states.add(ours.info().ca_state)
                await trio.sleep(0.0371)
                # A link of 20 Mbit/s and 40 ms holds 100 kB, its queue 45 kB.
                assert ours.info().cwnd < 1_000_000

        async def send() -> None:
            await ours.send_all(data)
            await ours.send_eof()

        nursery.start_soon(send)
        nursery.start_soon(switch)
        assert await read_all(ends.theirs) == data
        assert "recovery" in states
        nursery.cancel_scope.cancel()


async def test_a_congestion_control_that_there_is_not(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        with pytest.raises(ValueError, match="no congestion control 'vegas'; there are: cubic, reno, bbr, dctcp"):
            ends.ours.congestion_control = "vegas"
        assert ends.ours.congestion_control == "cubic"
        with pytest.raises(ValueError, match="there are: cubic"):
            await ends.client.open_stream(SERVER, 7, settings=Settings(congestion_control="vegas"))


@pytest.mark.parametrize(
    ("option", "wrong"),
    [
        ("keepalive_idle", 0),
        ("keepalive_idle", math.inf),
        ("keepalive_interval", -1),
        ("keepalive_interval", math.nan),
        ("keepalive_probes", 0),
        ("user_timeout", 0),
        ("user_timeout", math.nan),
        ("linger", -1),
        ("linger", math.nan),
        ("send_buffer", 0),
        ("receive_buffer", -1),
        ("traffic_class", 3),
    ],
)
async def test_values_that_make_no_sense(
    option: str, wrong: float, usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with connected(usertcp_network) as ends:
        before = getattr(ends.ours, option)
        with pytest.raises(ValueError, match=r"\w"):
            setattr(ends.ours, option, wrong)
        assert getattr(ends.ours, option) == before


async def test_options_of_a_connection_that_has_ended(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """They can be set, and nothing comes of it."""
    async with connected(usertcp_network) as ends:
        ends.theirs.abort()
        await trio.sleep(1)
        ends.packets.clear()
        for option, value in (
            ("nodelay", False), ("keepalive", True), ("keepalive_idle", 1), ("keepalive_interval", 1),
            ("keepalive_probes", 1), ("user_timeout", 1), ("linger", 1), ("send_buffer", 10_000),
            ("receive_buffer", 10_000), ("congestion_control", "reno"), ("traffic_class", 0),
        ):  # fmt: skip
            setattr(ends.ours, option, value)
            assert getattr(ends.ours, option) == value
        assert ends.client.stack.host.deadline() == math.inf
        await trio.sleep(10_000)
        assert ends.packets == []


@pytest.mark.parametrize("name", ["keepalive_probes", "send_buffer", "receive_buffer"])
async def test_counts_are_whole_numbers(usertcp_network: Opener, autojump_clock: MockClock, name: str) -> None:
    async with connected(usertcp_network) as ends:
        before = getattr(ends.ours, name)
        for value in (1.5, math.nan, math.inf, "1"):
            with pytest.raises(TypeError):
                setattr(ends.ours, name, value)
        assert getattr(ends.ours, name) == before


async def test_switches_are_on_or_off(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """As with setsockopt, any number is one of them."""
    async with connected(usertcp_network) as ends:
        for name in ("nodelay", "keepalive"):
            for value in (2, 0):
                setattr(ends.ours, name, value)
                assert getattr(ends.ours, name) is bool(value)
