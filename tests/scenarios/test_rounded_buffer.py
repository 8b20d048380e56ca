"""A receive buffer of whole segments, and the windows that follow from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, established, meet
from usertcp.wire.tcp import ACK, SYN

ROUNDED = replace(
    PLAIN,
    window_scaling=True,
    window_rule="exact",
    initial_receive_buffer=65536,
    receive_buffer=2 << 20,
    round_receive_buffer=True,
)


@pytest.mark.parametrize(("mss", "buffer"), [(1460, 65700), (1000, 66000), (536, 65928), (65535, 65700)])
def test_rounded_up_to_what_a_segment_carries(mss: int, buffer: int) -> None:
    """The smaller of what the peer and the path take: 1460 on Ethernet."""
    us, _peer = established(ROUNDED, mss=mss)
    assert us.tcb.rcv_buf == buffer


def test_a_client_offers_it_with_its_first_acknowledgment() -> None:
    us, peer = meet(ROUNDED)
    us.connects()
    assert peer.receives(SYN).window == 65535
    peer.sends(SYN | ACK, seq=0, ack=1, wscale=6)
    assert peer.receives(ACK).window == 65700 >> us.tcb.rcv_wscale


def test_a_small_buffer_stays() -> None:
    us, _peer = established(replace(ROUNDED, initial_receive_buffer=1000))
    assert us.tcb.rcv_buf == 1000
