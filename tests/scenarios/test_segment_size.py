"""RFC 9293 §3.7.1: the MSS option, both ways."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, SYN

WITH_TIMESTAMPS = Settings(window_scaling=False, congestion_control="reno")


def _established_with_timestamps(mss: int, family: int = 4) -> tuple[Us, Peer]:
    us, peer = meet(WITH_TIMESTAMPS, family=family)
    us.listens()
    peer.sends(SYN, seq=0, mss=mss, ts=(1, 0))
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1, ts=(2, 0))
    us.tcb = us.accepts()
    return us, peer


@pytest.mark.parametrize(("family", "mtu", "mss"), [(4, 1500, 1460), (6, 1500, 1440), (4, 576, 536), (4, 9000, 8960)])
@pytest.mark.parametrize("active", [True, False])
def test_our_syn_says_the_mtu_less_the_fixed_headers(family: int, mtu: int, mss: int, active: bool) -> None:
    """RFC 9293 §3.7.1 (MUST-14, SHLD-5, MUST-67): options are not subtracted (RFC 6691)."""
    us, peer = meet(Settings(), family=family, mtu=mtu)
    if active:
        us.connects()
        segment = peer.receives(SYN)
    else:
        us.listens()
        peer.sends(SYN, seq=0, ts=(1, 0))
        segment = peer.receives(SYN | ACK)
    assert segment.options.mss == mss


@pytest.mark.parametrize("active", [True, False])
def test_an_application_may_want_smaller_segments(active: bool) -> None:
    """RFC 9293 §3.7.1: in both directions, as TCP_MAXSEG has it."""
    us, peer = meet(replace(PLAIN, user_mss=1000))
    if active:
        us.connects()
        segment = peer.receives(SYN)
        peer.sends(SYN | ACK, seq=0, ack=1)
        peer.receives(ACK)
    else:
        us.listens()
        peer.sends(SYN, seq=0)
        segment = peer.receives(SYN | ACK)
        peer.sends(ACK, seq=1, ack=1)
        us.tcb = us.accepts()
    assert segment.options.mss == 1000
    us.sends(bytes(2000))
    peer.receives(ACK, length=1000)
    peer.receives(ACK, length=1000)


@pytest.mark.parametrize(("family", "default"), [(4, 536), (6, 1220)])
def test_without_the_option(family: int, default: int) -> None:
    """RFC 9293 §3.7.1 (MUST-15)."""
    us, peer = established(PLAIN, mss=None, family=family)
    us.sends(bytes(4000))
    peer.receives(ACK, length=default)


def test_the_peers_mss_is_kept() -> None:
    """RFC 9293 §3.7.1 (MUST-16)."""
    us, peer = established(PLAIN, mss=700)
    us.sends(bytes(1500))
    peer.receives(ACK, length=700)
    peer.receives(ACK, length=700)


def test_the_path_is_the_limit_where_it_is_smaller() -> None:
    """RFC 9293 §3.7.1 (MUST-16): min(SendMSS, MMS_S)."""
    us, peer = established(PLAIN, mss=8960, mtu=1500)
    us.sends(bytes(3000))
    peer.receives(ACK, length=1460)


def test_options_are_counted() -> None:
    """RFC 9293 §3.7.1, RFC 6691 §2: the data shrinks by the 12 bytes of the timestamps, the packet does not grow."""
    us, peer = _established_with_timestamps(1460)
    us.sends(bytes(3000))
    segment = peer.receives(ACK, length=1448)
    assert segment.ts_val is not None
    assert peer.last is not None
    assert len(peer.last.packet) == 1500
    assert us.tcb.status().snd_mss == 1448


def test_options_are_counted_in_ipv6() -> None:
    """RFC 9293 §3.7.1."""
    us, peer = _established_with_timestamps(1440, family=6)
    us.sends(bytes(3000))
    peer.receives(ACK, length=1428)
    assert peer.last is not None
    assert len(peer.last.packet) == 1500


def test_a_tiny_mss_is_not_believed() -> None:
    """RFC 9293 §3.7.1 has no lower bound; a peer that says 1 would only have us burn CPU."""
    us, peer = established(PLAIN, mss=1)
    us.sends(bytes(1000))
    assert len(peer.receives(ACK).payload) == us.tcb.settings.min_mss
    assert us.counted("tiny-mss-raised") == 1


def test_an_mss_of_zero() -> None:
    """RFC 9293 §3.7.1."""
    us, peer = _established_with_timestamps(0)
    us.sends(bytes(1000))
    assert len(peer.receives(ACK).payload) > 0


def test_a_super_segment_is_a_whole_number_of_segments() -> None:
    """RFC 9293 §3.7: the device cuts it; what is cut off must be full-sized except at the end of the data."""
    us, peer = established(PLAIN, mss=1000, offload=True)
    us.sends(bytes(9500))
    peer.receives(ACK, seq=1, length=9000)
    peer.sends(ACK, ack=9001)
    peer.receives(ACK, seq=9001, length=500)


def test_a_super_segment_stays_below_64_kilobytes() -> None:
    """RFC 791 §3.1: total length is 16 bits."""
    us, peer = meet(Settings(timestamps=False), offload=True)
    us.listens()
    peer.sends(SYN, seq=0, wscale=7)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1, window=65535)
    us.tcb = us.accepts()
    us.tcb.congestion.cwnd = 1 << 20
    us.sends(bytes(200_000))
    lengths = [len(segment.payload) for segment in peer.ignores()]
    assert sum(lengths) == 200_000 - 200_000 % 1460
    assert max(lengths) <= 65535 - 40
    assert all(length % 1460 == 0 for length in lengths)
