"""RFC 9293 §3.9.1.8: what an application is told while nothing has ended yet."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from tests.scenarios.driver import OUR_PORT, OURS, THEIRS, Peer, Us, established, meet
from tests.scenarios.wire import Wire
from usertcp.runtime.stack import open_stack
from usertcp.stack.host import Host
from usertcp.tcp.errors import ConnectionTimedOut
from usertcp.tcp.states import State
from usertcp.tcp.wakeup import REPORTED
from usertcp.wire import icmp
from usertcp.wire.tcp import ACK, SYN


def _unreachable(peer: Peer) -> icmp.Message:
    assert peer.last is not None
    return icmp.Unreachable(icmp.V4_HOST, peer.last.packet[:28])


def _sent(us: Us, peer: Peer) -> None:
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    us.tcb.pending = 0


def test_an_icmp_error_is_reported() -> None:
    """RFC 9293 §3.9.1.8 (MUST-47), §3.9.2.2 (SHLD-25): without the connection's end."""
    us, peer = established()
    assert us.tcb.status().soft_error == ""
    _sent(us, peer)
    peer.reports(_unreachable(peer))
    assert us.tcb.pending & REPORTED
    assert us.tcb.status().soft_error == "no route: ICMP host unreachable"
    assert us.state is State.ESTABLISHED
    peer.receives(ACK, data=b"x", after=0.2)


def test_one_that_cannot_be_true_is_not() -> None:
    """RFC 5927 §4.1."""
    us, peer = established()
    _sent(us, peer)
    peer.sends(ACK)
    peer.reports(_unreachable(peer))
    assert us.tcb.pending & REPORTED == 0
    assert us.tcb.status().soft_error == ""


def test_r1_is_reported() -> None:
    """RFC 9293 §3.8.3 (SHLD-9): when R1 is reached and before R2."""
    us, peer = established()
    _sent(us, peer)
    us.waits(1.3)  # two of them, after 0.2 and 0.6 s
    assert us.tcb.pending & REPORTED == 0
    us.waits(0.2)
    assert us.tcb.pending & REPORTED
    assert us.tcb.status().soft_error == "no acknowledgment after 3 retransmissions"
    assert us.state is State.ESTABLISHED
    peer.ignores()


def test_r1_of_a_syn_is_reported() -> None:
    """RFC 9293 §3.8.3 (MUST-22): in the general way, "including notification of the application layer"."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.reports(_unreachable(peer))
    us.waits(7.1)
    assert us.tcb.status().soft_error == ("no acknowledgment after 3 retransmissions: no route: ICMP host unreachable")
    assert us.state is State.SYN_SENT
    peer.ignores()


def test_the_end_is_not_blamed_on_what_was_overcome() -> None:
    us, peer = established()
    _sent(us, peer)
    peer.reports(_unreachable(peer))
    us.waits(1)
    peer.ignores()
    peer.sends(ACK)
    us.waits(100)
    us.tcb.user_timeout = 0.5
    us.sends(b"y")
    us.waits(10)
    with pytest.raises(ConnectionTimedOut) as caught:
        us.reads()
    assert "ICMP" not in str(caught.value)
    peer.ignores()


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_stream_hands_reports_to_whoever_asks_for_them(
    wanted: bool, autojump_clock: trio.testing.MockClock
) -> None:
    """RFC 9293 §3.9.1.8 (MUST-47, SHLD-20): asynchronously, and not at all unless asked for."""
    other = Host([THEIRS[4]], secret=bytes(16))
    other.listen(OUR_PORT)
    wire = Wire(other)
    reports: list[str] = []
    address = ".".join(map(str, THEIRS[4]))
    ours = ".".join(map(str, OURS[4]))
    async with open_stack(wire, addresses=[f"{ours}/24"], grace=0) as stack:
        stream = await stack.open_stream(address, OUR_PORT)
        if wanted:
            stream.error_report = reports.append
        wire.is_cut = True
        await stream.send_all(b"into the void")
        await trio.sleep(30)
        assert stream.status().state is State.ESTABLISHED
        stream.abort()
    assert reports == (["no acknowledgment after 3 retransmissions"] if wanted else [])
