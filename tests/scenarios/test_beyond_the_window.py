"""While a probe of ours lies beyond the peer's closed window, what else we say must still be heard.

RFC 9293 §3.10.7.4, first: with a window of zero only SEG.SEQ = RCV.NXT is acceptable, and kernels are as strict
with the RST and ACK bits of a segment as with its text.
"""

from __future__ import annotations

from tests.scenarios.driver import Peer, Us, established
from usertcp.wire.tcp import ACK, FIN, PSH, RST


def probing() -> tuple[Us, Peer]:
    """The peer has taken 100 bytes, and no more; a first probe of one byte was sent to it."""
    us, peer = established(window=100)
    us.sends(bytes(300))
    peer.receives(ACK, seq=1, length=100)
    peer.sends(ACK, ack=101, window=0)
    us.waits(1)
    peer.receives(ACK, seq=101, length=1)
    peer.ignores()
    return us, peer


def test_an_acknowledgment() -> None:
    _, peer = probing()
    peer.sends(ACK | PSH, ack=101, window=0, data=b"x" * 3000)
    peer.receives(ACK, seq=101, ack=3001, length=0)


def test_a_reset() -> None:
    us, peer = probing()
    us.aborts()
    peer.receives(RST, seq=101)


def test_a_probe_that_is_the_fin() -> None:
    us, peer = established(window=100)
    us.sends(bytes(100))
    us.closes()
    peer.receives(ACK, seq=1, length=100)
    peer.sends(ACK, ack=101, window=0)
    us.waits(1)
    peer.receives(ACK | FIN, seq=101)
    peer.ignores()
    us.aborts()
    peer.receives(RST, seq=101)


def test_with_room_in_the_window_it_is_snd_nxt() -> None:
    us, peer = established()
    us.sends(bytes(300))
    peer.receives(ACK, seq=1, length=300)
    us.aborts()
    peer.receives(RST, seq=301)
