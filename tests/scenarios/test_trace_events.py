"""What a watcher is told, kind by kind: when, with which reason, and when not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from tests.scenarios.driver import OUR_PORT, OURS, PLAIN, THEIR_PORT, THEIRS, Peer, Us, established, meet
from tests.scenarios.test_segment_windows import PACED
from tests.scenarios.test_syn_flood import flooded
from usertcp.stack.counters import NAMES
from usertcp.stack.host import HostConfig
from usertcp.stack.strays import SECTIONS
from usertcp.tcp.events import (
    Acknowledged,
    Congestion,
    Cwnd,
    Deleted,
    Dropped,
    Dsack,
    Estimated,
    Handshake,
    HeldBack,
    Opened,
    Probe,
    Retransmitted,
    SegmentIn,
    SegmentOut,
    StrayIn,
    StrayOut,
    Timer,
    TraceEvent,
    WindowChanged,
    read,
)
from usertcp.tcp.settings import Settings
from usertcp.wire.codepoint import CE, ECT_0
from usertcp.wire.tcp import ACK, CWR, ECE, FIN, RST, SYN, URG, Options

MSS = 1460
ROUND_TRIP = 0.1

Form = TypeVar("Form", bound=TraceEvent)


def told(us: Us, form: type[Form]) -> list[Form]:
    """The events of one kind since the last :func:`forget`."""
    return [event for event in map(read, us.events) if isinstance(event, form)]


def forget(us: Us) -> None:
    us.events.clear()


def order(us: Us, *forms: type[TraceEvent]) -> list[type[TraceEvent]]:
    """The kinds of events in the order in which they came, of those ``forms``."""
    return [type(event) for event in map(read, us.events) if isinstance(event, forms)]


def sent(segments: int, settings: Settings = PLAIN, *, sack: bool = True) -> tuple[Us, Peer]:
    """So many full-sized segments are outstanding; what was told before is forgotten."""
    us, peer = established(settings, sack=sack, round_trip=ROUND_TRIP)
    us.sends(bytes(segments * MSS))
    peer.ignores()
    forget(us)
    return us, peer


# -- Segments ------------------------------------------------------------------------------------------


def test_segments_have_everything_that_is_in_their_headers() -> None:
    us, peer = meet(Settings(ecn="on", receive_buffer=1 << 20, initial_receive_buffer=1 << 20))
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0, wscale=3, sack=True, ts=(70, 0))
    peer.receives(SYN | ACK | ECE, ack=1)
    peer.sends(ACK | URG, seq=1, ack=1, data=b"abc", window=1000, urgent=2, ts=(71, 5), ecn=CE)
    syn, urgent = told(us, SegmentIn)
    assert (syn.window, syn.scale, syn.options.window_scale, syn.ts_val) == (65535, 0, 3, 70)
    assert (urgent.window, urgent.scale, urgent.urgent, urgent.ecn, urgent.length) == (8000, 3, 2, CE, 3)
    assert urgent.flags == ACK | URG
    us.tcb = us.accepts()
    forget(us)
    us.sends(b"hello")
    (out,) = told(us, SegmentOut)
    assert (out.length, out.ecn, out.segments) == (5, ECT_0, 1)
    assert out.scale == us.tcb.rcv_wscale > 0
    assert out.window % (1 << out.scale) == 0


def test_an_urgent_pointer_that_we_send() -> None:
    us, _ = established(PLAIN)
    forget(us)
    us.tcb.send(b"abc", us.now, urgent=True)
    us.settle()
    (out,) = told(us, SegmentOut)
    assert out.flags & URG
    assert out.urgent == 3


def test_a_segment_for_a_closed_port_and_the_reset_that_answers_it() -> None:
    us, peer = meet(PLAIN)
    peer.sends(SYN, seq=0, data=b"x", to_port=81)
    (came,), (dropped,), (left,) = told(us, StrayIn), told(us, Dropped), told(us, StrayOut)
    assert order(us, StrayIn, Dropped, StrayOut) == [StrayIn, Dropped, StrayOut]
    sockets = (0, OURS[4], 81, THEIRS[4], THEIR_PORT)
    assert came[1:6] == left[1:6] == sockets
    assert (came.flags, came.length, came.options.mss) == (SYN, 1, 1460)
    assert (dropped.reason, dropped.section) == ("no-connection", "3.10.7.1")
    assert (left.flags, left.ack, left.reason) == (RST | ACK, (came.seq + 2) % 2**32, "reset")


def test_a_connection_that_begins_with_a_syn_cookie() -> None:
    us, peer = flooded()
    forget(us)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    (came,), (left,) = told(us, StrayIn), told(us, StrayOut)
    assert came[1:6] == left[1:6] == (0, OURS[4], OUR_PORT, THEIRS[4], THEIR_PORT)
    assert (left.flags, left.ack, left.reason) == (SYN | ACK, came.seq + 1, "syn-cookie")
    assert not told(us, Opened)
    peer.sends(ACK, seq=1, ack=1)
    assert order(us, Opened, Handshake, SegmentIn) == [Opened, Handshake, SegmentIn]
    assert [event.section for event in told(us, Handshake)] == ["RFC 4987 §3.6"]


def test_fast_open_is_told_to_the_server_s_watcher() -> None:
    us, peer = meet(PLAIN)
    us.listens(fast_open=8)
    peer.sends(SYN, seq=0, fast_open=b"")
    cookie = peer.receives(SYN | ACK, seq=0, ack=1).options.fast_open
    peer.sends(RST, seq=1)
    assert ["gets a cookie" in event.what for event in told(us, Handshake)] == [True]
    forget(us)
    peer.sends(SYN, seq=10, data=b"GET /", fast_open=bytes(8))
    peer.sends(RST, seq=11)
    assert "wrong, or too old" in told(us, Handshake)[0].what
    forget(us)
    peer.sends(SYN, seq=20, data=b"GET /", fast_open=cookie)
    assert ["5 bytes are taken" in event.what for event in told(us, Handshake)] == [True]


def test_every_packet_that_is_dropped_names_a_reason_and_a_section() -> None:
    assert set(SECTIONS) <= set(NAMES)
    assert all(SECTIONS.values())
    us, _ = meet(PLAIN)
    us.host.packet_arrives(b"", us.now)
    us.host.packet_arrives(b"\x45" + bytes(30), us.now)
    us.host.packet_arrives(b"\x60" + bytes(10), us.now)
    assert [(event.conn, event.reason, bool(event.section)) for event in told(us, Dropped)] == [
        (0, "ipv4-header-truncated", True),
        (0, "ipv4-total-length", True),
        (0, "ipv6-header-truncated", True),
    ]


def test_text_that_our_closed_window_refuses_is_dropped() -> None:
    us, peer = established(replace(PLAIN, receive_buffer=2000))
    peer.sends(ACK, data=bytes(1000))
    peer.sends(ACK, data=bytes(1000))
    forget(us)
    peer.sends(ACK, data=b"x")
    assert [(event.reason, event.length) for event in told(us, Dropped)] == [("window-closed", 1)]


def test_text_beyond_our_window_is_dropped_and_the_rest_is_not() -> None:
    us, peer = established(replace(PLAIN, receive_buffer=2000))
    forget(us)
    peer.sends(ACK, data=bytes(2100))
    (event,) = told(us, Dropped)
    assert (event.reason, event.seq, event.length) == ("text-beyond-window", peer.isn + 2001, 100)
    assert len(us.reads()) == 2000


# -- Acknowledgments -----------------------------------------------------------------------------------


def verdicts(us: Us) -> list[tuple[str, int, int]]:
    return [(event.verdict, event.acked, event.sacked) for event in told(us, Acknowledged)]


def test_an_acknowledgment_is_accepted() -> None:
    us, peer = sent(3)
    peer.sends(ACK, ack=1 + 2 * MSS)
    (event,) = told(us, Acknowledged)
    assert (event.verdict, event.acked, event.in_flight, event.section) == ("accepted", 2 * MSS, MSS, "3.10.7.4")
    assert event.ack == (us.tcb.iss + 1 + 2 * MSS) % 2**32


def test_duplicates_and_a_partial_acknowledgment_without_sack() -> None:
    us, peer = sent(6, sack=False)
    for _ in range(3):
        peer.sends(ACK, ack=1)
    assert verdicts(us) == [("duplicate", 0, 0)] * 3
    assert {event.section for event in told(us, Acknowledged)} == {"RFC 5681 §2"}
    assert [event.rule for event in told(us, Retransmitted)] == ["fast retransmit"]
    # what is told of the segment comes before what follows from it
    assert order(us, Acknowledged, Congestion)[-2:] == [Acknowledged, Congestion]
    forget(us)
    peer.sends(ACK, ack=1 + 2 * MSS)
    assert verdicts(us) == [("partial", 2 * MSS, 0)]
    forget(us)
    peer.sends(ACK, ack=1 + 6 * MSS)
    assert verdicts(us) == [("accepted", 4 * MSS, 0)]


def test_of_a_bulk_transfer_accepted_ones_are_told_together() -> None:
    us, peer = established(Settings(), sack=True, round_trip=ROUND_TRIP, offload=True)
    us.waits(0.01)
    us.tcb.congestion.cwnd = 100 * MSS
    us.sends(bytes(90 * MSS))
    peer.ignores()
    forget(us)
    for number in range(1, 40):
        peer.sends(ACK, ack=1 + number * MSS)
    assert verdicts(us) == [("accepted", MSS, 0)]
    us.waits(0.002)
    peer.sends(ACK, ack=1 + 40 * MSS)
    assert verdicts(us) == [("accepted", MSS, 0), ("accepted", 39 * MSS, 0)]


def test_what_was_not_told_comes_before_a_duplicate() -> None:
    us, peer = established(Settings(), sack=True, round_trip=ROUND_TRIP, offload=True)
    us.waits(0.01)
    us.tcb.congestion.cwnd = 100 * MSS
    us.sends(bytes(90 * MSS))
    peer.ignores()
    forget(us)
    for number in (1, 2, 3):
        peer.sends(ACK, ack=1 + number * MSS)
    peer.sends(ACK, ack=1 + 3 * MSS, blocks=[(1 + 4 * MSS, 1 + 5 * MSS)])
    assert verdicts(us) == [("accepted", MSS, 0), ("accepted", 2 * MSS, 0), ("duplicate", 0, MSS)]
    first, second, _ = told(us, Acknowledged)
    assert second.ack - first.ack == 2 * MSS


def test_a_duplicate_says_how_much_more_is_held() -> None:
    us, peer = sent(5)
    peer.sends(ACK, ack=1, blocks=[(1 + 2 * MSS, 1 + 3 * MSS)])
    peer.sends(ACK, ack=1, blocks=[(1 + 2 * MSS, 1 + 5 * MSS)])
    assert verdicts(us) == [("duplicate", 0, MSS), ("duplicate", 0, 2 * MSS)]


@pytest.mark.parametrize(("ack", "section"), [(2, "3.10.7.4"), (-70_000, "RFC 5961 §5"), (0, "3.10.7.4")])
def test_acknowledgments_that_are_ignored(ack: int, section: str) -> None:
    us, peer = established(PLAIN)
    forget(us)
    peer.sends(ACK, seq=1, ack=ack)
    (event,) = told(us, Acknowledged)
    assert (event.verdict, event.acked, event.section) == ("ignored", 0, section)
    assert event.reason


def test_what_only_repeats_an_acknowledgment_is_not_told() -> None:
    us, peer = established(PLAIN)
    forget(us)
    for _ in range(5):
        peer.sends(ACK, data=bytes(MSS))
    assert not told(us, Acknowledged)


# -- Windows -------------------------------------------------------------------------------------------


def windows(us: Us, side: str) -> list[tuple[str, int]]:
    return [(event.what, event.window) for event in told(us, WindowChanged) if event.side == side]


def test_the_peer_s_window_is_told_when_it_is_worth_it() -> None:
    us, peer = established(PLAIN)
    forget(us)
    for window in (64000, 60000, 50000, 48000, 49000, 30000, 0, 20, 0, 65535):
        peer.sends(ACK, window=window)
    assert windows(us, "theirs") == [
        ("shrank", 64000),
        ("shrank", 60000),
        ("shrank", 50000),
        ("shrank", 48000),
        ("shrank", 30000),
        ("closed", 0),
        ("opened", 20),
        ("closed", 0),
        ("opened", 65535),
    ]
    assert all("moved left" in event.reason for event in told(us, WindowChanged)[:6])


def test_a_window_that_slides_is_not_told() -> None:
    us, peer = established(PLAIN)
    peer.sends(ACK, window=60000)
    forget(us)
    for number in range(1, 20):
        us.sends(bytes(MSS))
        peer.ignores()
        peer.sends(ACK, ack=1 + number * MSS, window=60000 - number * 100)
    assert not windows(us, "theirs")
    us.sends(bytes(MSS))
    peer.ignores()
    peer.sends(ACK, ack=1 + 20 * MSS, window=40000)
    assert windows(us, "theirs") == [("shrank", 40000)]
    (event,) = told(us, WindowChanged)
    assert "has not read" in event.reason
    assert event.edge == (us.tcb.iss + 1 + 20 * MSS + 40000) % 2**32


def test_our_window_closes_and_opens_and_says_why() -> None:
    us, peer = established(replace(PLAIN, receive_buffer=10_000))
    peer.sends(ACK, data=bytes(100))
    us.waits(1)
    forget(us)
    peer.sends(ACK, data=bytes(6000))
    peer.sends(ACK, data=bytes(3900))
    us.waits(1)
    assert windows(us, "ours") == [("shrank", 3900), ("closed", 0)]
    assert "10000 bytes wait to be read" in told(us, WindowChanged)[-1].reason
    us.reads()
    assert windows(us, "ours")[-1] == ("opened", 10_000)
    assert told(us, WindowChanged)[-1].reason == "the application has read"


def test_the_handshake_is_no_change_of_our_window() -> None:
    """A SYN's window is not scaled, so the first one that is looks very different."""
    us, peer = meet(Settings(receive_buffer=1 << 20, initial_receive_buffer=1 << 20))
    us.listens()
    peer.sends(SYN, seq=0, wscale=7)
    peer.receives(SYN | ACK, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    peer.sends(ACK, data=b"hello")
    us.waits(1)
    assert not windows(us, "ours")


# -- Timers --------------------------------------------------------------------------------------------


def timers(us: Us, *names: str) -> list[tuple[str, str]]:
    return [(event.timer, event.what) for event in told(us, Timer) if not names or event.timer in names]


def test_the_retransmission_timer_is_armed_fires_and_stops() -> None:
    us, peer = established(PLAIN, round_trip=ROUND_TRIP)
    forget(us)
    us.sends(b"hello")
    peer.receives(ACK, seq=1)
    (armed,) = told(us, Timer)
    assert (armed.timer, armed.what, armed.due) == ("retransmission", "armed", us.tcb.retransmit_due)
    peer.receives(ACK, seq=1, after=armed.due - us.now if armed.due else 0)
    peer.sends(ACK, ack=6)
    assert timers(us) == [
        ("retransmission", "armed"),
        ("retransmission", "fired"),
        ("retransmission", "armed"),
        ("retransmission", "stopped"),
    ]
    assert order(us, Timer, Congestion, Retransmitted)[:5] == [Timer, Timer, Congestion, Retransmitted, Timer]
    (again,) = told(us, Retransmitted)
    assert (again.rule, again.attempt, again.length) == ("retransmission timeout", 1, 5)


def test_a_timer_that_only_moves_is_not_told() -> None:
    us, peer = sent(6)
    for number in range(1, 6):
        us.waits(0.01)
        peer.sends(ACK, ack=1 + number * MSS)
    assert not timers(us, "retransmission")


def test_the_delayed_acknowledgment() -> None:
    us, peer = established(PLAIN)
    forget(us)
    peer.sends(ACK, data=b"hello")
    peer.receives(ACK, ack=6, after=0.04)
    assert timers(us) == [("delayed-ack", "armed"), ("delayed-ack", "fired")]
    forget(us)
    peer.sends(ACK, data=b"hello")
    us.sends(b"answer")
    assert timers(us, "delayed-ack") == [("delayed-ack", "armed"), ("delayed-ack", "stopped")]


def test_time_wait_begins_and_ends() -> None:
    us, peer = established(PLAIN)
    us.closes()
    peer.receives(FIN | ACK, seq=1)
    forget(us)
    peer.sends(FIN | ACK, seq=1, ack=2)
    us.waits(PLAIN.time_wait)
    begun, ended = (event for event in told(us, Timer) if event.timer == "time-wait")
    assert (begun.what, ended.what) == ("armed", "fired")
    assert begun.due == ended.due == begun.time + PLAIN.time_wait
    assert order(us, Deleted, Timer)[-2:] == [Timer, Deleted]


def test_nothing_is_told_of_timers_behind_the_end() -> None:
    us, peer = sent(2)
    peer.sends(RST, seq=1)
    assert isinstance(read(us.events[-1]), Deleted)
    us.settle()
    assert isinstance(read(us.events[-1]), Deleted)


def test_fin_wait_2_does_not_wait_for_ever() -> None:
    us, peer = established(PLAIN)
    us.releases()
    peer.receives(FIN | ACK, seq=1)
    forget(us)
    peer.sends(ACK, seq=1, ack=2)
    us.waits(PLAIN.fin_wait_2_timeout)
    assert timers(us, "fin-wait-2") == [("fin-wait-2", "armed"), ("fin-wait-2", "fired")]


# -- Congestion and estimates --------------------------------------------------------------------------


def test_the_first_acknowledgment_tells_the_initial_window_and_the_estimates() -> None:
    us, _ = established(PLAIN, round_trip=ROUND_TRIP)
    (cwnd,), (estimate,) = told(us, Cwnd), told(us, Estimated)
    assert (cwnd.cwnd, cwnd.in_flight) == (10 * MSS, 0)
    assert (estimate.srtt, estimate.rttvar, estimate.latest) == pytest.approx((0.1, 0.05, 0.1))
    assert estimate.rto == pytest.approx(us.tcb.rtt.rto)


def test_a_window_that_grows_is_told_in_steps() -> None:
    us, peer = sent(10)
    for number in range(1, 11):
        peer.sends(ACK, ack=1 + number * MSS)
    windows_told = [event.cwnd for event in told(us, Cwnd)]
    assert windows_told == [(10 + number) * MSS for number in range(1, 11)]  # slow start
    us.tcb.congestion.ssthresh = 0
    forget(us)
    us.sends(bytes(60 * MSS))
    peer.ignores()
    for number in range(11, 31):
        peer.sends(ACK, ack=1 + number * MSS)
        peer.ignores()
    assert [event.cwnd for event in told(us, Cwnd)] == [21 * MSS]  # one segment in a round trip
    assert not told(us, Congestion)


def test_the_state_of_recovery_and_what_it_does_to_the_window() -> None:
    us, peer = sent(10)
    us.waits(ROUND_TRIP)
    for number in range(2, 6):
        peer.sends(ACK, ack=1, blocks=[(1 + MSS, 1 + number * MSS)])
    peer.sends(ACK, ack=1 + 10 * MSS)
    events = told(us, Congestion)
    assert [event.state for event in events] == ["disorder", "recovery", "open"]
    assert events[1].ssthresh == 5 * MSS
    assert events[1].cwnd > events[1].in_flight > 0
    assert events[2].in_flight == 0


def test_a_timeout_tells_the_doubled_timer() -> None:
    us, peer = sent(1, replace(PLAIN, tlp=False))
    us.waits(2)
    rtos = [event.rto for event in told(us, Estimated)]
    assert len(rtos) >= 2
    assert rtos[1] == pytest.approx(2 * rtos[0])
    assert [event.backoffs for event in told(us, Estimated)][:2] == [1, 2]
    assert told(us, Congestion)[0].state == "loss"
    peer.ignores()


def test_estimates_that_hardly_move_are_not_told() -> None:
    us, peer = established(PLAIN, round_trip=ROUND_TRIP)
    for number in range(1, 30):
        us.sends(b"x")
        peer.ignores()
        us.waits(ROUND_TRIP)
        peer.sends(ACK, ack=1 + number)
    assert len(told(us, Estimated)) == 1
    us.sends(b"x")
    peer.ignores()
    us.waits(2.5 * ROUND_TRIP)
    peer.sends(ACK, ack=31)
    assert [event.latest for event in told(us, Estimated)] == pytest.approx([ROUND_TRIP, 2.5 * ROUND_TRIP])


# -- Why no more was sent ------------------------------------------------------------------------------


def reasons(us: Us) -> list[str]:
    return [event.reason for event in told(us, HeldBack)]


def test_the_congestion_window() -> None:
    us, peer = established(PLAIN, round_trip=ROUND_TRIP)
    us.sends(bytes(30 * MSS))
    (event,) = told(us, HeldBack)
    assert (event.reason, event.unsent, event.room, event.section) == ("cwnd", 20 * MSS, 0, "RFC 5681 §3.1")
    peer.sends(ACK, ack=1 + MSS)
    assert len(told(us, HeldBack)) == 1  # the same again
    for number in range(2, 31):
        peer.ignores()
        peer.sends(ACK, ack=1 + number * MSS)
    assert reasons(us) == ["cwnd", "nothing-to-send"]


def test_the_peer_s_window_and_probes_of_it() -> None:
    us, peer = established(PLAIN)
    peer.sends(ACK, window=2 * MSS + 100)
    us.sends(bytes(5 * MSS))
    assert (told(us, HeldBack)[-1].reason, told(us, HeldBack)[-1].room) == ("window", 100)
    peer.ignores()
    peer.sends(ACK, ack=1 + 2 * MSS, window=0)
    forget(us)
    us.waits(10)
    probes = told(us, Probe)
    assert [(event.purpose, event.attempt, event.section) for event in probes[:2]] == [
        ("zero-window", 1, "3.8.6.1"),
        ("zero-window", 2, "3.8.6.1"),
    ]
    assert timers(us)[:2] == [("persist", "fired"), ("persist", "armed")]
    assert order(us, Timer, Probe, SegmentOut)[:3] == [Timer, Probe, SegmentOut]
    peer.ignores()


def test_a_silly_window() -> None:
    us, peer = established(PLAIN)
    peer.sends(ACK, window=100)
    us.sends(bytes(5 * MSS))
    assert reasons(us) == ["silly-window"]
    assert told(us, HeldBack)[0].room == 100
    assert ("silly-window", "armed") in timers(us)
    us.waits(1)
    assert ("silly-window", "fired") in timers(us)
    peer.ignores()


def test_nagle_and_a_cork() -> None:
    us, peer = established(PLAIN)
    us.sends(b"one")
    us.sends(b"two")
    assert reasons(us) == ["nagle"]
    peer.ignores()
    peer.sends(ACK, ack=4)
    assert reasons(us) == ["nagle", "nothing-to-send"]
    us.tcb.corked = True
    us.sends(b"three")
    assert reasons(us)[2:] in (["cork"], ["nagle", "cork"])


def test_pacing() -> None:
    us, _ = established(replace(PLAIN, paced=True), round_trip=ROUND_TRIP)
    us.sends(bytes(8 * MSS))
    assert reasons(us) == ["pacing"]
    us.waits(0.09)
    assert reasons(us) == ["pacing", "nothing-to-send"]
    assert not [event for event in told(us, Timer) if event.timer == "pacing"]


def test_data_before_the_handshake_is_over() -> None:
    us, peer = meet(PLAIN)
    us.connects()
    us.sends(b"hello")
    assert reasons(us) == ["handshake"]
    peer.receives(SYN, seq=0)
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert reasons(us) == ["handshake", "nothing-to-send"]


def test_one_segment_a_round_trip_is_too_much() -> None:
    """RFC 3168 §6.1.2: the window is one segment, and still marks come."""
    us, peer = meet(replace(PLAIN, ecn="passive"))
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0)
    peer.receives(SYN | ACK | ECE)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.tcb.congestion.cwnd = MSS
    us.sends(bytes(3 * MSS))
    peer.ignores()
    forget(us)
    peer.sends(ACK | ECE, ack=1 + MSS)
    assert reasons(us) == ["ecn"]
    assert "congestion mark" in told(us, Congestion)[0].what


def test_a_super_segment_waits_to_become_larger() -> None:
    settings = replace(PACED, tso_window_divisor=3)
    us, peer = established(settings, sack=True, round_trip=ROUND_TRIP, offload=True)
    us.sends(bytes(30 * MSS))
    peer.ignores()
    us.waits(ROUND_TRIP)
    peer.sends(ACK, ack=1, blocks=[(1 + MSS, 1 + 2 * MSS)])
    assert reasons(us) == ["cwnd"]
    peer.ignores()
    peer.sends(ACK, ack=1, blocks=[(1 + MSS, 1 + 3 * MSS)])
    peer.hears_nothing()
    assert reasons(us) == ["cwnd", "burst"]


def test_nothing_waits_behind_a_fin() -> None:
    us, peer = established(PLAIN)
    us.sends(b"bye")
    us.closes()
    peer.ignores()
    peer.sends(ACK, ack=5)
    peer.sends(FIN | ACK, ack=5)
    assert not [event for event in told(us, HeldBack) if event.unsent < 0 or event.reason != "nothing-to-send"]


# -- Probes and duplicates -----------------------------------------------------------------------------


def test_keep_alives() -> None:
    settings = replace(PLAIN, keepalive=True, keepalive_idle=60, keepalive_interval=10, keepalive_probes=2)
    us, peer = established(settings)
    us.waits(60)
    us.waits(10)
    assert [(event.purpose, event.attempt) for event in told(us, Probe)] == [("keep-alive", 1), ("keep-alive", 2)]
    assert timers(us, "keep-alive")[:3] == [("keep-alive", what) for what in ("armed", "fired", "armed")]
    peer.ignores()


def test_a_tail_loss_probe_and_the_duplicate_that_it_makes() -> None:
    us, peer = sent(2)
    us.waits(0.2)
    assert [event.purpose for event in told(us, Probe)] == ["tail-loss"]
    assert [event.rule for event in told(us, Retransmitted)] == ["tail loss probe"]
    assert timers(us, "tail-loss") == [("tail-loss", "fired")]
    peer.ignores()
    peer.sends(ACK, ack=1 + 2 * MSS)
    forget(us)
    peer.sends(ACK, ack=1 + 2 * MSS, blocks=[(1 + MSS, 1 + 2 * MSS)])
    iss = us.tcb.iss
    assert [event[2:] for event in told(us, Dsack)] == [("theirs", iss + 1 + MSS, iss + 1 + 2 * MSS)]


def test_we_tell_the_peer_of_a_duplicate() -> None:
    us, peer = established(PLAIN, sack=True)
    peer.sends(ACK, seq=1, data=b"hello")
    peer.sends(ACK, seq=1, data=b"hello")
    ((*_, side, start, end),) = told(us, Dsack)
    assert (side, start, end) == ("ours", peer.isn + 1, peer.isn + 6)
    assert order(us, Dsack, SegmentOut)[-2:] == [Dsack, SegmentOut]


# -- Nobody watches ------------------------------------------------------------------------------------


def test_a_watcher_who_comes_late_is_told_from_then_on() -> None:
    us, peer = established(PLAIN, config=HostConfig(settings=PLAIN))
    watch, us.host.trace = us.host.trace, None
    forget(us)
    us.sends(bytes(20 * MSS))
    peer.ignores()
    peer.sends(ACK, ack=1 + MSS)
    assert not us.events
    us.host.trace = watch
    peer.sends(ACK, ack=1 + 2 * MSS)
    assert verdicts(us) == [("accepted", MSS, 0)]
    assert reasons(us) == ["cwnd"]
    assert ("retransmission", "armed") in timers(us)


def test_what_is_told_of_a_bulk_transfer_does_not_grow_with_more_than_its_packets() -> None:
    us, peer = established(Settings(), offload=True, round_trip=0.01)
    forget(us)
    us.sends(bytes(1 << 20))
    for _ in range(200):
        arrivals: Sequence[object] = peer.ignores()
        if not arrivals:
            break
        us.waits(0.005)
        peer.sends(ACK, ack=us.tcb.snd_nxt - us.tcb.iss, options=Options())
    packets = len(told(us, SegmentIn)) + len(told(us, SegmentOut))
    assert packets > 20
    assert len(us.events) <= 4 * packets
