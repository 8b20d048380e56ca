"""RFC 7323: timestamps, and PAWS, which keeps old segments out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import Peer, Us, meet
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

SETTINGS = Settings(window_scaling=False, congestion_control="reno")
NOW = 5_000_000  # the peer's clock


def _established() -> tuple[Us, Peer, int]:
    """With timestamps; the last item is ours."""
    us, peer = meet(SETTINGS)
    us.listens()
    peer.sends(SYN, seq=0, ts=(NOW, 0))
    answer = peer.receives(SYN | ACK)
    assert answer.ts_ecr == NOW
    assert answer.ts_val is not None
    peer.sends(ACK, seq=1, ack=1, ts=(NOW + 1, answer.ts_val))
    us.tcb = us.accepts()
    return us, peer, answer.ts_val


def test_both_must_offer_them() -> None:
    """RFC 7323 §3.2."""
    us, peer = meet(SETTINGS)
    us.listens()
    peer.sends(SYN, seq=0)
    assert peer.receives(SYN | ACK).ts_val is None
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(b"x")
    assert peer.receives(ACK).ts_val is None


def test_our_syn_offers_them_and_echoes_nothing() -> None:
    """RFC 7323 §3.2: "When the ACK bit is not set, the TSecr field must be zero"."""
    us, peer = meet(SETTINGS)
    us.connects()
    syn = peer.receives(SYN)
    assert syn.ts_val is not None
    assert syn.ts_ecr == 0


def test_the_clock_ticks_in_milliseconds() -> None:
    """RFC 7323 §5.4: between 1 ms and 1 s a tick."""
    us, peer, ours = _established()
    us.waits(2.5)
    us.sends(b"x")
    assert peer.receives(ACK).ts_val == (ours + 2500) & 0xFFFFFFFF


def test_the_echo_is_that_of_the_last_segment_in_order() -> None:
    """RFC 7323 §4.3."""
    _us, peer, ours = _established()
    peer.sends(ACK, seq=1, data=b"abc", ts=(NOW + 10, ours))
    peer.sends(ACK, seq=10, data=b"later", ts=(NOW + 20, ours))
    assert peer.receives(ACK, ack=4).ts_ecr == NOW + 10


def test_the_echo_of_a_delayed_acknowledgment_is_the_earliest() -> None:
    """RFC 7323 §4.3 (A): the peer's round trip then includes our delay."""
    us, peer, ours = _established()
    peer.sends(ACK, seq=1, data=bytes(1000), ts=(NOW + 10, ours))
    us.waits(0.01)
    peer.sends(ACK, seq=1001, data=bytes(1000), ts=(NOW + 20, ours))
    assert peer.receives(ACK, ack=2001).ts_ecr == NOW + 10


def test_paws_drops_old_segments_and_acknowledges_them() -> None:
    """RFC 7323 §5.3, R1."""
    us, peer, ours = _established()
    peer.sends(ACK, data=b"new", ts=(NOW + 10, ours))
    us.waits(1)
    peer.ignores()
    peer.sends(ACK, seq=4, data=b"old", ts=(NOW + 9, ours))
    peer.receives(ACK, ack=4)
    assert us.reads() == b"new"
    assert us.counted("paws") == 1
    peer.sends(ACK, seq=4, data=b"next", ts=(NOW + 10, ours))
    assert us.reads() == b"next"


def test_paws_over_the_wrap_of_the_clock() -> None:
    """RFC 7323 §5.2: timestamps are compared modulo 2**32."""
    us, peer = meet(SETTINGS)
    us.listens()
    peer.sends(SYN, seq=0, ts=(0xFFFFFFFE, 0))
    ours = peer.receives(SYN | ACK).ts_val
    assert ours is not None
    peer.sends(ACK, seq=1, ack=1, ts=(0xFFFFFFFF, ours))
    peer.sends(ACK, seq=1, ack=1, data=b"after", ts=(3, ours))
    us.tcb = us.accepts()
    assert us.reads() == b"after"
    peer.sends(ACK, seq=6, ack=1, data=b"before", ts=(0xFFFFFFFF, ours))
    assert us.reads() == b""


def test_paws_is_not_for_resets() -> None:
    """RFC 7323 §5.3, R1: "and the RST bit is not set"."""
    us, peer, ours = _established()
    peer.sends(RST, ts=(NOW - 1000, ours))
    assert us.state is State.CLOSED


def test_a_segment_outside_the_window_does_not_set_the_clock() -> None:
    """RFC 7323 §5.3: R2 comes before R3.  Otherwise one forged segment, for which no number must be guessed,
    would have all that follow dropped as old."""
    us, peer, ours = _established()
    peer.sends(ACK, seq=-1_000_000, data=b"forged", ts=(NOW + 1_000_000, ours))
    peer.sends(ACK, seq=-1_000_000, ts=(NOW + 1_000_000, ours))
    peer.ignores()
    peer.sends(ACK, seq=1, data=b"true", ts=(NOW + 10, ours))
    assert us.reads() == b"true"
    assert us.counted("paws") == 0


def test_a_retransmission_is_timed_by_its_echo() -> None:
    """RFC 7323 §4.1: no retransmission makes the echo ambiguous."""
    us, peer, _ = _established()
    us.sends(b"x")
    peer.receives(ACK)
    again = peer.receives(ACK, after=0.2)
    us.waits(0.05)
    peer.sends(ACK, ts=(NOW + 300, again.ts_val or 0))
    assert us.tcb.status().rto < 0.4
    srtt = us.tcb.status().srtt
    assert srtt is not None
    assert 0.005 < srtt < 0.01  # 1/8 of 50 ms


def test_an_echo_of_nothing_of_ours_is_not_believed() -> None:
    """RFC 7323 §4.1: a peer that echoes nonsense must not give us round trips of weeks."""
    us, peer, ours = _established()
    us.sends(b"x")
    peer.receives(ACK)
    peer.receives(ACK, after=0.2)
    peer.sends(ACK, ts=(NOW + 300, (ours - 500_000_000) & 0xFFFFFFFF))
    assert (us.tcb.status().srtt or 0) < 1


def test_what_was_not_agreed_on_means_nothing() -> None:
    """RFC 7323 §3.2: "the TSopt MUST be ignored and the packet processed normally"."""
    us, peer = meet(SETTINGS)
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1, data=b"new", ts=(NOW, 1))
    us.tcb = us.accepts()
    peer.sends(ACK, seq=4, ack=1, data=b" and old", ts=(NOW - 1000, 1))
    assert us.reads() == b"new and old"
    assert peer.receives(ACK, after=0.04).ts_val is None


def test_a_segment_without_them_does_not_end_the_connection() -> None:
    """RFC 7323 §3.2: "MUST NOT abort a TCP connection because any segment lacks an expected TSopt"."""
    us, peer, ours = _established()
    peer.sends(ACK, data=b"bare")
    assert us.state is State.ESTABLISHED
    peer.sends(ACK, seq=1, data=b"bare", ts=(NOW + 1, ours))
    peer.sends(ACK, seq=5, data=b" and not", ts=(NOW + 2, ours))
    assert us.reads() == b"bare and not"


@pytest.mark.parametrize("answered", [True, False])
def test_the_echo_of_a_segment_without_ack_means_nothing(answered: bool) -> None:
    """RFC 7323 §3.2: "the receiver MUST ignore the value of the TSecr field"."""
    us, peer = meet(SETTINGS)
    if answered:
        us.connects()
        ours = peer.receives(SYN).ts_val
        assert ours is not None
        us.waits(0.5)
        peer.sends(SYN, seq=0, ts=(NOW, ours))
    else:
        us.listens()
        peer.sends(SYN, seq=0, ts=(NOW, 12345))
    assert us.state is State.SYN_RECEIVED
    assert us.tcb.status().srtt is None


def test_every_segment_has_them_but_a_reset() -> None:
    """RFC 7323 §3.2: "the TSopt MUST be sent in every non-<RST> segment for the duration of the connection"."""
    us, peer, ours = _established()
    us.tcb.settings = replace(SETTINGS, keepalive_idle=60)
    sent = []
    us.sends(b"data")
    us.waits(1)  # and again
    peer.sends(ACK, seq=20, data=b"out of order", ts=(NOW + 2, ours))
    peer.sends(ACK, seq=1, ack=5, data=b"x" * 19, ts=(NOW + 2, ours))
    peer.sends(ACK, seq=32, ack=5, ts=(NOW + 2, ours), window=0)
    us.sends(b"probe")
    us.waits(3)
    peer.sends(ACK, seq=32, ack=peer.rcv_nxt, ts=(NOW + 3, ours), window=65535)
    us.waits(1)
    sent += peer.ignores()
    peer.sends(ACK, seq=32, ack=peer.rcv_nxt, ts=(NOW + 4, ours))
    us.tcb.set_keepalive(True, us.now)
    us.waits(61)
    peer.sends(SYN, seq=32, ts=(NOW + 5, ours))  # challenged
    us.closes()
    sent += peer.ignores()
    peer.sends(FIN | ACK, seq=32, ack=peer.rcv_nxt, ts=(NOW + 6, ours))
    assert us.state is State.TIME_WAIT
    peer.sends(FIN | ACK, seq=32, ack=peer.rcv_nxt, ts=(NOW + 6, ours))
    sent += peer.ignores()
    assert len(sent) >= 10
    assert us.counted("window-probes") >= 1
    assert us.counted("keepalives-sent") >= 1
    assert us.counted("challenge-acks") == 1
    assert all(segment.ts_val is not None for segment in sent)


def test_an_echo_that_acknowledges_nothing_is_no_round_trip() -> None:
    """RFC 7323 §4.1: "only if the segment advances the left edge of the send window"."""
    us, peer, _ = _established()
    us.sends(b"x")
    ours = peer.receives(ACK).ts_val
    assert ours is not None
    before = us.tcb.status()
    us.waits(0.1)
    peer.sends(ACK, ack=1, ts=(NOW + 2, ours))
    peer.sends(ACK, ack=1, data=b"abc", ts=(NOW + 3, ours))
    assert us.tcb.status().srtt == before.srtt
    peer.sends(ACK, ack=2, ts=(NOW + 4, ours))
    assert us.tcb.status().srtt != before.srtt


def test_the_clock_of_another_pair_of_hosts_begins_elsewhere() -> None:
    """RFC 7323 §5.4, §7.1: nobody learns how long we have been up, nor what other peers see."""
    clocks = set()
    for family in (4, 6):
        us, peer = meet(SETTINGS, family=family)
        us.connects()
        clocks.add(peer.receives(SYN).ts_val)
    assert len(clocks) == 2


def test_the_echo_of_what_fills_a_hole_is_its_own() -> None:
    """RFC 7323 §4.3 (C): "the timestamp from the latest segment (which filled the hole) MUST be echoed"."""
    us, peer, ours = _established()
    peer.sends(ACK, seq=1, data=b"abc", ts=(NOW + 10, ours))
    us.waits(1)
    peer.sends(ACK, seq=10, data=b"later", ts=(NOW + 20, ours))
    peer.ignores()
    peer.sends(ACK, seq=4, data=b"filler", ts=(NOW + 30, ours))
    assert peer.receives(ACK, ack=15).ts_ecr == NOW + 30


def test_after_24_days_of_silence_the_clock_may_have_wrapped() -> None:
    """RFC 7323 §5.5: TS.Recent says nothing then, or a connection would never come back to life."""
    for days, taken in ((23, b""), (25, b"back")):
        us, peer, ours = _established()
        us.waits(days * 86400)
        peer.sends(ACK, data=b"back", ts=((NOW + 1 - 1000) & 0xFFFFFFFF, ours))
        assert us.reads() == taken
