"""``stream.info()``: what a connection knows of itself, and that it is true."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
import trio
from trio.testing import MockClock

from tests.runtime.simulated import DELAY, connected, read_all
from usertcp import Settings, Status
from usertcp.tcp.congestion.base import UNLIMITED
from usertcp.tcp.states import State
from usertcp.testing import Conditions, Nth, Opener

DATA = bytes(range(250)) * 400


async def test_of_an_idle_connection(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        info = ends.ours.info()
        assert info == ends.ours.status() == ends.ours.connection.status()
        assert info.state is State.ESTABLISHED
        assert (info.opened_passively, ends.theirs.info().opened_passively) == (False, True)
        assert (info.local_port, info.remote_port) == (ends.ours.local[1], 7)
        assert info.srtt == info.min_rtt == pytest.approx(2 * DELAY)
        assert info.rttvar == pytest.approx(DELAY)
        assert info.rto == pytest.approx(0.22)
        assert (info.congestion_control, info.cwnd, info.ssthresh) == ("cubic", 10 * info.snd_mss, UNLIMITED)
        assert (info.snd_mss, info.own_mss, info.path_mtu) == (1448, 1460, 1500)
        assert (info.timestamps, info.sack, info.window_scaling, info.ecn) == (True, True, True, False)
        assert (info.snd_wscale, info.rcv_wscale) == (8, 8)
        assert info.timers == {}
        assert (info.error, info.soft_error, info.fast_open) == ("", "", "NONE")
        with pytest.raises(FrozenInstanceError):
            info.cwnd = 1  # type: ignore[misc]


async def test_both_ends_say_what_they_agreed_on(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    settings = Settings(timestamps=False, sack=False, window_scaling=False, ecn="on")
    async with connected(usertcp_network, settings) as ends:
        for info in (ends.ours.info(), ends.theirs.info()):
            assert (info.timestamps, info.sack, info.window_scaling, info.ecn) == (False, False, False, True)
            assert (info.snd_wscale, info.rcv_wscale) == (0, 0)


async def test_what_was_sent_and_received_adds_up(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    """Nothing is lost on the way: then both ends count the same, and what is counted is what was on the wire."""
    async with connected(usertcp_network) as ends, trio.open_nursery() as nursery:
        nursery.start_soon(ends.ours.send_all, DATA)
        await trio.sleep(1.5 * DELAY)
        info = ends.ours.info()
        assert info.in_flight == info.bytes_sent == 10 * info.snd_mss
        assert info.unsent == len(DATA) - info.bytes_sent
        assert set(info.timers) == {"retransmission", "tail loss probe"}
        assert all(moment > trio.current_time() for moment in info.timers.values())
        await trio.sleep(1)
        ours, theirs = ends.ours.info(), ends.theirs.info()
        assert ours.bytes_sent == ours.bytes_acked == theirs.bytes_received == theirs.unread == len(DATA)
        assert ours.in_flight == ours.unsent == ours.retransmitted_bytes == 0
        assert ours.segments_sent == theirs.segments_received
        assert ours.data_segments_sent == theirs.data_segments_received
        assert ours.last_sent_at is not None
        assert trio.current_time() - 1 < ours.last_sent_at < trio.current_time()
        assert await ends.theirs.receive_some() == DATA
        assert ends.theirs.info().unread == 0


async def test_a_loss(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        ends.link.there.conditions = Conditions(delay=DELAY, drop=(Nth("data", 3),))
        await ends.ours.send_all(DATA[:20_000])
        await trio.sleep(1.5 * DELAY)
        assert ends.theirs.info().out_of_order > 0
        await ends.ours.aclose()
        assert await read_all(ends.theirs) == DATA[:20_000]
        await trio.sleep(1)
        info = ends.ours.info()
        assert (info.retransmissions, info.retransmitted_segments, info.retransmitted_bytes) == (1, 1, 1448)
        assert info.bytes_sent == info.bytes_acked == 20_000
        assert info.ssthresh < UNLIMITED
        assert ends.theirs.info().out_of_order_segments > 0


async def test_after_the_end(usertcp_network: Opener, autojump_clock: MockClock) -> None:
    async with connected(usertcp_network) as ends:
        await ends.ours.send_all(b"last words")
        await trio.sleep(1)
        ends.theirs.abort()
        await trio.sleep(1)
        info = ends.ours.info()
        assert (info.state, info.error) == (State.CLOSED, "reset by peer in ESTABLISHED")
        assert info.bytes_acked == 10
        assert info.timers == {}
        assert {type(getattr(info, each.name)) for each in fields(Status)} <= {
            State, bool, bytes, dict, float, int, str, type(None),
        }  # fmt: skip
