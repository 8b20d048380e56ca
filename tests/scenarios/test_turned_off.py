"""Features that settings turn off, and numbers that they choose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, established, meet
from usertcp.wire import icmp
from usertcp.wire.tcp import ACK, CWR, ECE, SYN


@pytest.mark.parametrize("reports", [True, False])
def test_what_came_twice(reports: bool) -> None:
    """RFC 2883 §4."""
    _us, peer = established(replace(PLAIN, sack=True, dsack=reports), sack=True)
    for _ in range(2):
        peer.sends(ACK, seq=1, ack=1, data=b"hello")
        answers = peer.ignores()
    assert bool(answers and answers[-1].options.sack) == reports


@pytest.mark.parametrize("grows", [True, False])
def test_a_receive_buffer_that_grows(grows: bool) -> None:
    us, peer = established(replace(PLAIN, initial_receive_buffer=10_000, grow_receive_buffer=grows))
    seq = 1
    for _ in range(20):
        peer.sends(ACK, seq=seq, ack=1, data=bytes(1000))
        seq += 1000
        us.reads()
        us.waits(0.1)
        peer.ignores()
    assert (us.tcb.rcv_buf > 10_000) == grows


@pytest.mark.parametrize("again", [0, 1, 3])
def test_repeated_syns_may_ask_for_ecn(again: int) -> None:
    """RFC 3168 §6.1.1.1."""
    us, peer = meet(replace(PLAIN, ecn="on", ecn_syn_retries=again))
    us.connects()
    asking = SYN | ECE | CWR
    peer.receives(asking)
    for repetition in range(5):
        peer.receives(asking if repetition < again else SYN, after=2**repetition)


@pytest.mark.parametrize(("family", "expected"), [(4, 300), (6, 400)])
def test_the_mss_of_who_does_not_say(family: int, expected: int) -> None:
    """RFC 9293 §3.7.1 (MUST-15)."""
    us, _peer = established(replace(PLAIN, default_mss=300, default_mss_ipv6=400), mss=None, family=family)
    assert us.tcb.snd_mss == expected


@pytest.mark.parametrize(("least", "expected"), [(552, 552), (256, 300)])
def test_the_least_path_mtu(least: int, expected: int) -> None:
    us, peer = established(replace(PLAIN, min_path_mtu=least))
    us.sends(bytes(1000))
    peer.receives(ACK)
    assert peer.last is not None
    peer.reports(icmp.PacketTooBig(300, bytes(peer.last.packet[:28])))
    assert us.tcb.path_mtu == expected
