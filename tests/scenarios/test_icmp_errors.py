"""RFC 9293 §3.9.2.2, RFC 5461, RFC 5927: what ICMP errors do to a connection, and which are believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, in_state, meet
from usertcp.tcp.errors import ConnectionTimedOut, HostUnreachable
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import Event, State
from usertcp.wire import icmp
from usertcp.wire.tcp import ACK, SYN

HARD = [
    (4, icmp.Unreachable(icmp.V4_PROTOCOL, b"")),
    (4, icmp.Unreachable(icmp.V4_PORT, b"")),
    (6, icmp.Unreachable(icmp.V6_ADMINISTRATIVELY_PROHIBITED, b"")),
    (6, icmp.Unreachable(icmp.V6_PORT, b"")),
]
SOFT = [
    (4, icmp.Unreachable(icmp.V4_NET, b"")),
    (4, icmp.Unreachable(icmp.V4_HOST, b"")),
    (4, icmp.Unreachable(icmp.V4_SOURCE_ROUTE_FAILED, b"")),
    (4, icmp.TimeExceeded(icmp.HOP_LIMIT, b"")),
    (4, icmp.TimeExceeded(icmp.REASSEMBLY, b"")),
    (4, icmp.ParameterProblem(0, 20, b"")),
    (6, icmp.Unreachable(icmp.V6_NO_ROUTE, b"")),
    (6, icmp.Unreachable(icmp.V6_ADDRESS, b"")),
    (6, icmp.TimeExceeded(icmp.HOP_LIMIT, b"")),
    (6, icmp.ParameterProblem(icmp.V6_ERRONEOUS_HEADER, 40, b"")),
]


def _quoting(message: icmp.Message, peer: Peer, *, seq: int | None = None) -> icmp.Message:
    """``message`` about the last packet that the peer took from us; ``seq``: with this number instead."""
    assert peer.last is not None
    packet = bytearray(peer.last.packet)
    if seq is not None:
        at = 24 if peer.family == 4 else 44
        packet[at : at + 4] = ((peer.our_isn + seq) & 0xFFFFFFFF).to_bytes(4, "big")
    assert not isinstance(message, icmp.Echo | icmp.Other)
    return message._replace(quoted=bytes(packet[: 28 if peer.family == 4 else 48]))


@pytest.mark.parametrize(("family", "message"), HARD, ids=str)
def test_a_hard_error_ends_an_attempt_to_connect(family: int, message: icmp.Message) -> None:
    """RFC 9293 §3.9.2.2 (SHLD-26)."""
    us, peer = meet(family=family)
    us.connects()
    peer.receives(SYN)
    peer.reports(_quoting(message, peer))
    assert us.path[-1] == (State.SYN_SENT, Event.ICMP_HARD_ERROR, State.CLOSED)
    assert us.gone
    with pytest.raises(HostUnreachable, match="ICMP"):
        us.reads()
    peer.hears_nothing(during=300)


@pytest.mark.parametrize(("family", "message"), HARD, ids=str)
def test_a_hard_error_is_soft_for_an_open_connection(family: int, message: icmp.Message) -> None:
    """RFC 5461 §4.1, RFC 9293 §3.9.2.2: an established connection has shown that the peer can be reached."""
    us, peer = established(family=family)
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.reports(_quoting(message, peer))
    assert us.state is State.ESTABLISHED
    assert us.counted("icmp-errors-received") == 1
    peer.receives(ACK, data=b"x", after=0.2)


@pytest.mark.parametrize(("family", "message"), SOFT, ids=str)
def test_a_soft_error_does_not_abort(family: int, message: icmp.Message) -> None:
    """RFC 9293 §3.9.2.2 (MUST-56); the application learns of it if nothing better comes (SHLD-25)."""
    us, peer = meet(family=family)
    us.connects()
    peer.receives(SYN)
    peer.reports(_quoting(message, peer))
    assert us.state is State.SYN_SENT
    us.waits(300)
    assert us.state is State.CLOSED
    with pytest.raises(ConnectionTimedOut, match="ICMP"):
        us.reads()
    peer.ignores()


def test_a_connection_survives_a_soft_error() -> None:
    """RFC 9293 §3.9.2.2 (MUST-56)."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_HOST, b""), peer))
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert us.state is State.ESTABLISHED


@pytest.mark.parametrize("seq", [-1, 1, 2, 1 << 31])
def test_a_number_that_is_not_outstanding_is_not_believed(seq: int) -> None:
    """RFC 5927 §4.1: SND.UNA =< SEG.SEQ < SND.NXT."""
    us, peer = in_state(State.SYN_SENT)
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_PORT, b""), peer, seq=seq))
    assert us.state is State.SYN_SENT
    assert us.counted("icmp-not-outstanding") == 1


def test_an_acknowledged_segment_is_not_outstanding() -> None:
    """RFC 5927 §4.1."""
    us, peer = established()
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.sends(ACK)
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_PORT, b""), peer))
    assert us.counted("icmp-not-outstanding") == 1


def test_a_hard_error_for_a_half_open_child() -> None:
    """RFC 9293 §3.9.2.2: our SYN,ACK did not get through; the listener goes on."""
    us, peer = meet()
    listener = us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_PORT, b""), peer))
    assert us.state is State.CLOSED
    assert not listener.half_open
    assert not listener.pending
    assert listener.open


def test_source_quench_is_discarded_silently() -> None:
    """RFC 9293 §3.9.2.2 (MUST-55)."""
    us, peer = established()
    us.sends(b"x")
    peer.receives(ACK)
    before = us.tcb.status()
    peer.reports(icmp.Other(4, 0))
    assert us.tcb.status() == before
    assert us.counted("icmp-ignored") == 1


def test_in_time_wait_nothing_is_outstanding() -> None:
    """RFC 5927 §4.1."""
    us, peer = in_state(State.TIME_WAIT)
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_PORT, b""), peer))
    assert us.state is State.TIME_WAIT
    assert us.counted("icmp-no-connection") == 1


# -- As hosts may choose -------------------------------------------------------------------------------

EAGER = replace(PLAIN, icmp_ends_opening="any")


@pytest.mark.parametrize(("family", "message"), [*HARD, *SOFT], ids=str)
def test_any_error_may_end_an_attempt_to_connect(family: int, message: icmp.Message) -> None:
    us, peer = meet(EAGER, family=family)
    us.connects()
    peer.receives(SYN)
    peer.reports(_quoting(message, peer))
    assert us.gone
    with pytest.raises(HostUnreachable, match="ICMP"):
        us.reads()


@pytest.mark.parametrize(("family", "message"), [*HARD, *SOFT], ids=str)
def test_an_open_connection_survives_all_of_them(family: int, message: icmp.Message) -> None:
    us, peer = established(EAGER, family=family)
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.reports(_quoting(message, peer))
    assert us.state is State.ESTABLISHED


@pytest.mark.parametrize(
    ("family", "message", "ends"),
    [
        (4, icmp.Unreachable(icmp.V4_NET, b""), True),
        (4, icmp.Unreachable(icmp.V4_HOST, b""), True),
        (4, icmp.TimeExceeded(icmp.HOP_LIMIT, b""), True),
        (4, icmp.Unreachable(icmp.V4_PORT, b""), False),
        (4, icmp.Unreachable(icmp.V4_SOURCE_ROUTE_FAILED, b""), False),
        (6, icmp.Unreachable(icmp.V6_PORT, b""), True),
        (6, icmp.Unreachable(icmp.V6_NO_ROUTE, b""), False),
    ],
    ids=str,
)
def test_of_a_half_open_child_those_that_show_that_it_cannot_be_reached(
    family: int, message: icmp.Message, ends: bool
) -> None:
    us, peer = meet(EAGER, family=family)
    listener = us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.reports(_quoting(message, peer))
    assert not listener.half_open if ends else listener.half_open
    assert us.gone is ends


def backed_off(settings: Settings = PLAIN) -> tuple[Us, Peer]:
    """Two timeouts: 0.2 s and 0.4 s after what went before."""
    us, peer = established(settings, round_trip=0.001)
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.receives(ACK, data=b"x", after=0.201)
    peer.receives(ACK, data=b"x", after=0.402)
    us.waits(0.1)
    return us, peer


def test_no_route_may_take_back_a_doubling_of_the_timer() -> None:
    """RFC 6069 §4.2: the next timeout counts from the last retransmission."""
    us, peer = backed_off(replace(PLAIN, revert_backoff=True))
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_HOST, b""), peer))
    assert us.counted("backoffs-reverted") == 1
    peer.receives(ACK, data=b"x", after=0.302)
    peer.receives(ACK, data=b"x", after=0.804)


def test_late_news_of_it_let_the_timer_go_off_at_once() -> None:
    us, peer = backed_off(replace(PLAIN, revert_backoff=True))
    us.waits(0.4)
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_NET, b""), peer))
    peer.receives(ACK, data=b"x", after=0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PLAIN, icmp.Unreachable(icmp.V4_HOST, b"")),
        (replace(PLAIN, revert_backoff=True), icmp.Unreachable(icmp.V4_PORT, b"")),
        (replace(PLAIN, revert_backoff=True), icmp.TimeExceeded(icmp.HOP_LIMIT, b"")),
    ],
    ids=["off", "port", "time"],
)
def test_otherwise_the_timer_stays(settings: Settings, message: icmp.Message) -> None:
    us, peer = backed_off(settings)
    peer.reports(_quoting(message, peer))
    assert us.counted("backoffs-reverted") == 0
    peer.receives(ACK, data=b"x", after=0.704)


FORBIDDEN = [icmp.V4_NET_PROHIBITED, icmp.V4_HOST_PROHIBITED, icmp.V4_ADMINISTRATIVELY_PROHIBITED]


@pytest.mark.parametrize(("rule", "ends"), [("hard", False), ("refusals", True), ("none", False)])
@pytest.mark.parametrize("code", FORBIDDEN)
def test_somebody_on_the_way_forbids_it(rule: str, code: int, ends: bool) -> None:
    us, peer = meet(replace(PLAIN, icmp_ends_opening=rule))
    us.connects()
    peer.receives(SYN)
    peer.reports(_quoting(icmp.Unreachable(code, b""), peer))
    assert us.gone == ends


@pytest.mark.parametrize(("rule", "ends"), [("refusals", True), ("none", False)])
@pytest.mark.parametrize(("family", "message"), HARD, ids=str)
def test_hard_errors_by_other_rules(rule: str, family: int, message: icmp.Message, ends: bool) -> None:
    us, peer = meet(replace(PLAIN, icmp_ends_opening=rule), family=family)
    us.connects()
    peer.receives(SYN)
    peer.reports(_quoting(message, peer))
    assert us.gone == ends


def test_refusals_are_about_our_own_attempts() -> None:
    us, peer = meet(replace(PLAIN, icmp_ends_opening="refusals"))
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.reports(_quoting(icmp.Unreachable(icmp.V4_PORT, b""), peer))
    peer.sends(ACK, seq=1, ack=1)
    assert us.accepts().state is State.ESTABLISHED
