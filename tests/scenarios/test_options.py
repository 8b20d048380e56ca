"""RFC 9293 §3.1, §3.2: options on the wire, byte by byte, in the segments of a connection."""

from __future__ import annotations

from dataclasses import replace
from struct import pack

import pytest

from tests.scenarios.driver import OUR_PORT, OURS, PLAIN, THEIR_PORT, THEIRS, Peer, Us, established, meet
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.checksum import finish, ones_sum, pseudo_header_sum
from usertcp.wire.tcp import ACK, FIN, SYN

#: Kind 253 is for experiments (RFC 4727): nobody knows it.
UNKNOWN = bytes.fromhex("fd06c0ffee00")
MSS_700 = bytes.fromhex("020402bc")


def sends_options(peer: Peer, flags: int, options: bytes, *, seq: int, ack: int = 0, data: bytes = b"") -> None:
    """A segment whose options are exactly ``options``, padded with zeros."""
    options += bytes(-len(options) % 4)
    length = 20 + len(options) + len(data)
    head = pack(
        "!HHIIHHHH",
        THEIR_PORT,
        OUR_PORT,
        (peer.isn + seq) & 0xFFFFFFFF,
        (peer.our_isn + ack) & 0xFFFFFFFF if flags & ACK else 0,
        (20 + len(options)) << 10 | flags,
        65535,
        0,
        0,
    )
    total = pseudo_header_sum(THEIRS[4], OURS[4], 6, length) + ones_sum(head + options) + ones_sum(data)
    peer.puts_on_wire(6, head[:16] + finish(total).to_bytes(2, "big") + head[18:] + options + data)


def _handshake(options: bytes) -> tuple[Us, Peer]:
    us, peer = meet()
    us.listens()
    sends_options(peer, SYN, options, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    return us, peer


def _segment_size(us: Us, peer: Peer) -> int:
    us.sends(bytes(2800))
    return len(peer.receives(ACK, seq=1).payload)


def test_the_options_that_everybody_must_know() -> None:
    """RFC 9293 §3.1 (MUST-4): MSS between No-Operations, and End of Option List, behind which nothing counts."""
    us, peer = _handshake(b"\1" + MSS_700 + b"\1\0" + bytes.fromhex("020400ff"))
    assert _segment_size(us, peer) == 700


@pytest.mark.parametrize("in_front", range(1, 5))
def test_options_need_no_alignment(in_front: int) -> None:
    """RFC 9293 §3.1 (MUST-64)."""
    us, peer = _handshake(b"\1" * in_front + MSS_700)
    assert _segment_size(us, peer) == 700


def test_unknown_options_are_passed_over_in_every_segment() -> None:
    """RFC 9293 §3.1 (MUST-5, MUST-6): "ignore without error", what comes behind them counts."""
    us, peer = _handshake(UNKNOWN + MSS_700)
    assert _segment_size(us, peer) == 700
    peer.ignores()
    sends_options(peer, ACK, UNKNOWN, seq=1, ack=2801)
    assert us.tcb.snd_una == us.tcb.snd_nxt
    sends_options(peer, ACK, UNKNOWN, seq=1, ack=2801, data=b"data")
    assert us.reads() == b"data"
    sends_options(peer, FIN | ACK, UNKNOWN * 6, seq=5, ack=2801)
    assert us.state is State.CLOSE_WAIT


def test_unknown_options_on_a_syn_ack() -> None:
    """RFC 9293 §3.1 (MUST-5, MUST-6)."""
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    sends_options(peer, SYN | ACK, UNKNOWN + MSS_700, seq=0, ack=1)
    assert us.state is State.ESTABLISHED
    peer.receives(ACK)
    assert _segment_size(us, peer) == 700


def test_the_mss_option_counts_in_a_syn_only() -> None:
    """RFC 9293 §3.2 (MUST-65): we do not send it in other segments, and do not take it from there."""
    us, peer = _handshake(MSS_700)
    sends_options(peer, ACK, bytes.fromhex("02040064"), seq=1, ack=1)
    us.sends(bytes(2000))
    us.closes()
    segments = peer.ignores()
    assert [len(segment.payload) for segment in segments] == [700, 700, 600]
    assert all(segment.options.mss is None for segment in segments)


def test_the_window_is_unsigned() -> None:
    """RFC 9293 §3.1 (MUST-1): 40,000 is no negative number."""
    us, peer = established(replace(PLAIN, initial_window=100), window=40_000)
    us.sends(bytes(60_000))
    assert sum(len(segment.payload) for segment in peer.ignores()) == 40_000 // 1460 * 1460


def test_window_scale_counts_in_a_syn_only() -> None:
    """RFC 7323 §2.2: "A Window Scale option in a segment without a SYN bit MUST be ignored"."""
    us, peer = meet(Settings(timestamps=False))
    us.listens()
    sends_options(peer, SYN, bytes.fromhex("030302"), seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1, window=1000)
    us.tcb = us.accepts()
    sends_options(peer, ACK, bytes.fromhex("030307"), seq=1, ack=1)
    peer.sends(ACK, seq=1, ack=1, window=1000)
    assert us.tcb.status().snd_wnd == 1000 << 2


@pytest.mark.parametrize("fast_open", ["2202", "220a0011223344556677", "220b001122334455667788", "220400aa"])
def test_fast_open_counts_in_a_syn_only_and_with_a_length_that_is_possible(fast_open: str) -> None:
    """RFC 7413 §4.1.1: "Options with invalid Length values or without the SYN flag set MUST be ignored"."""
    option = bytes.fromhex(fast_open)
    us, peer = meet(replace(PLAIN, fast_open=True))
    us.listens(fast_open=10)
    possible = len(option) in (2, 10)
    sends_options(peer, SYN, option, seq=0)
    assert (peer.receives(SYN | ACK).options.fast_open is not None) is possible
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    sends_options(peer, ACK, option, seq=1, ack=1, data=b"data")
    assert us.reads() == b"data"
    assert us.counted("fast-open-cookies-sent") == possible
