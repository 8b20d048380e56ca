"""Our stack as a target, in virtual time."""

from __future__ import annotations

from errno import EINVAL
from math import inf

import pytest

from usertcp.drill.options import Options
from usertcp.drill.profiles import profile
from usertcp.drill.runner import virtual_target
from usertcp.drill.target import Endpoint, NotPossible
from usertcp.drill.virtual import EPOCH, TimeStandsStill, VirtualTarget
from usertcp.sim.posix import SocketAddress
from usertcp.sim.posix.constants import AF_INET, IPPROTO_TCP, SOCK_NONBLOCK, SOCK_STREAM

PEER = SocketAddress(AF_INET, bytes([192, 0, 2, 1]), 8080)


@pytest.fixture
def target() -> VirtualTarget:
    return virtual_target(profile("usertcp"), Options())


def connecting(target: VirtualTarget, kind: int = SOCK_STREAM | SOCK_NONBLOCK) -> int:
    fd = target.start("socket", (AF_INET, kind, IPPROTO_TCP)).value
    target.start("connect", (fd, PEER))
    assert isinstance(fd, int)
    return fd


def test_time_begins_at_zero_and_goes_where_it_is_told(target: VirtualTarget) -> None:
    assert target.now == 0.0
    assert target.epoch == EPOCH
    target.wait(3.5)
    assert target.now == 3.5
    target.wait(1.0)
    assert target.now == 3.5


def test_nothing_to_wait_for(target: VirtualTarget) -> None:
    assert target.quiet()
    target.wait(inf)
    assert target.now == 0.0
    connecting(target)
    assert not target.quiet()


def test_a_packet_ends_the_wait_and_bears_its_time(target: VirtualTarget) -> None:
    connecting(target)
    assert [sent.time for sent in target.sent()] == [0.0]
    target.wait(100.0)  # until the SYN is sent again
    assert target.now == 1.0
    assert [sent.time for sent in target.sent()] == [1.0]
    assert target.sent() == []


def test_what_happened_before_ends_the_wait_at_once(target: VirtualTarget) -> None:
    connecting(target)
    target.wait(100.0)
    assert target.now == 0.0
    target.sent()


def test_a_timer_that_is_due_at_the_end_of_the_wait_goes_off_later(target: VirtualTarget) -> None:
    connecting(target)
    target.sent()
    target.wait(1.0)
    assert target.now == 1.0
    assert target.sent() == []
    target.wait(1.001)
    assert [sent.time for sent in target.sent()] == [1.0]


def test_a_call_that_sleeps_returns_later_and_ends_the_wait(target: VirtualTarget) -> None:
    poll = target.start("poll", ([], 500))
    assert not poll.done
    target.wait(100.0)
    assert target.now == 0.5
    assert poll.done
    assert (poll.ended, poll.value, poll.error) == (0.5, [], None)


def test_errors_are_results(target: VirtualTarget) -> None:
    fd = target.start("socket", (AF_INET, SOCK_STREAM, IPPROTO_TCP)).value
    call = target.start("shutdown", (fd, 77))
    assert call.done
    assert call.error == EINVAL


@pytest.mark.parametrize("name", ["frobnicate", "settle", "_go_on", "host"])
def test_only_system_calls_can_be_started(target: VirtualTarget, name: str) -> None:
    with pytest.raises(NotPossible, match=name):
        target.start(name, ())


def test_states(target: VirtualTarget) -> None:
    fd = connecting(target)
    local = target.start("getsockname", (fd,)).value
    here, there = Endpoint(local.address, local.port), Endpoint(PEER.address, PEER.port)
    assert target.state(here, there) == "SYN-SENT"
    assert target.state(there, here) is None
    target.start("close", (fd,))
    assert target.state(here, there) is None


def test_the_next_initial_sequence_number(target: VirtualTarget) -> None:
    target.next_isn(12345)
    connecting(target)
    packet = target.sent()[0].packet
    assert int.from_bytes(packet[24:28], "big") == 12345


def test_information(target: VirtualTarget) -> None:
    assert len(target.info(connecting(target))) > 200
    with pytest.raises(OSError, match="EBADF"):
        target.info(99)
    target.close()


def test_a_timer_that_never_ends_is_found(target: VirtualTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    # No timer of ours does this; one that did would hang every run.
    monkeypatch.setattr(target.machine, "deadline", lambda: EPOCH)
    monkeypatch.setattr(target.machine, "advance", lambda now: None)
    with pytest.raises(TimeStandsStill):
        target.wait(1.0)
