"""RFC 7323: timestamps, and PAWS, which keeps old segments out."""

from __future__ import annotations

from tests.scenarios.driver import Peer, Us, meet
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, RST, SYN

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
