"""RFC 2018, RFC 2883: selective acknowledgments, as we give them and as we take them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, SYN

MSS = 1460
#: Without tail loss probes: what is sent again is what the scoreboard says.
NO_PROBES = replace(PLAIN, tlp=False)


def segment(number: int) -> tuple[int, int]:
    """Where our ``number``th full-sized segment begins and ends."""
    return 1 + (number - 1) * MSS, 1 + number * MSS


def _sends_holding(peer: Peer, *starts: int) -> None:
    """100 bytes at each of ``starts``; what we say to it is not looked at."""
    for start in starts:
        peer.sends(ACK, seq=start, data=bytes(100))
    peer.ignores()


# -- Whether -----------------------------------------------------------------------------------------


def test_both_must_permit_it() -> None:
    """RFC 2018 §2: "MUST NOT be sent" without the option in the peer's SYN."""
    _us, peer = established()
    peer.sends(ACK, seq=101, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[])


def test_our_syn_ack_permits_it_where_the_peer_did() -> None:
    """RFC 2018 §2."""
    for offered in (False, True):
        us, peer = meet()
        us.listens()
        peer.sends(SYN, seq=0, sack=offered)
        assert peer.receives(SYN | ACK).options.sack_permitted is offered


def test_our_syn_permits_it() -> None:
    """RFC 2018 §2."""
    us, peer = meet()
    us.connects()
    assert peer.receives(SYN).options.sack_permitted


def test_it_can_be_switched_off() -> None:
    us, peer = meet(replace(PLAIN, sack=False))
    us.listens()
    peer.sends(SYN, seq=0, sack=True)
    assert not peer.receives(SYN | ACK).options.sack_permitted
    peer.sends(ACK, seq=1, ack=1)
    peer.sends(ACK, seq=101, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[])


# -- What we tell ------------------------------------------------------------------------------------


def test_the_most_recent_block_comes_first() -> None:
    """RFC 2018 §4: the first block is that of the segment which triggered the acknowledgment, the others
    repeat what was reported before."""
    _us, peer = established(sack=True)
    peer.sends(ACK, seq=301, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(301, 401)])
    peer.sends(ACK, seq=101, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(101, 201), (301, 401)])
    peer.sends(ACK, seq=501, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(501, 601), (101, 201), (301, 401)])
    peer.sends(ACK, seq=401, data=bytes(50))
    peer.receives(ACK, ack=1, blocks=[(301, 451), (501, 601), (101, 201)])


def test_adjacent_blocks_are_merged() -> None:
    """RFC 2018 §3: each block is a contiguous and isolated range."""
    _us, peer = established(sack=True)
    _sends_holding(peer, 101, 301)
    peer.sends(ACK, seq=201, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(101, 401)])


def test_what_is_acknowledged_is_no_block() -> None:
    """RFC 2018 §3."""
    _us, peer = established(sack=True)
    _sends_holding(peer, 101, 301)
    peer.sends(ACK, seq=1, data=bytes(100))
    peer.receives(ACK, ack=201, blocks=[(301, 401)])
    peer.sends(ACK, seq=201, data=bytes(100))
    peer.receives(ACK, ack=401, blocks=[])


def test_as_many_blocks_as_there_is_room_for() -> None:
    """RFC 2018 §3: four fit in 40 bytes of options."""
    _us, peer = established(sack=True)
    _sends_holding(peer, 101, 301, 501, 701)
    peer.sends(ACK, seq=901, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(901, 1001), (701, 801), (501, 601), (301, 401)])


def test_timestamps_leave_room_for_three() -> None:
    """RFC 2018 §3."""
    us, peer = meet(replace(PLAIN, timestamps=True))
    us.listens()
    peer.sends(SYN, seq=0, sack=True, ts=(1, 0))
    ours = peer.receives(SYN | ACK).ts_val or 0
    peer.sends(ACK, seq=1, ack=1, ts=(1, ours))
    for start in (101, 301, 501):
        peer.sends(ACK, seq=start, data=bytes(100), ts=(1, ours))
    peer.ignores()
    peer.sends(ACK, seq=701, data=bytes(100), ts=(1, ours))
    peer.receives(ACK, ack=1, blocks=[(701, 801), (501, 601), (301, 401)])


def test_old_blocks_come_back_when_newer_ones_are_gone() -> None:
    """RFC 2018 §4: as many as fit, also of those that had no room before."""
    _us, peer = established(sack=True)
    _sends_holding(peer, 901, 101, 301, 501, 701)
    peer.sends(ACK, seq=1, data=bytes(500))
    # The first one is a duplicate: 101 up to 201 had come before (RFC 2883 §4).
    peer.receives(ACK, ack=601, blocks=[(101, 201), (701, 801), (901, 1001)])


def test_a_duplicate_is_reported_first_and_once() -> None:
    """RFC 2883 §4, §4.1.1: below the cumulative acknowledgment."""
    _us, peer = established(sack=True)
    peer.sends(ACK, seq=1, data=bytes(200))
    _sends_holding(peer, 301)
    peer.sends(ACK, seq=1, data=bytes(200))
    peer.receives(ACK, ack=201, blocks=[(1, 201), (301, 401)])
    peer.sends(ACK, seq=401, data=bytes(100))
    peer.receives(ACK, ack=201, blocks=[(301, 501)])


def test_a_duplicate_of_what_is_held() -> None:
    """RFC 2883 §4.1.3: above the cumulative acknowledgment the second block is the one it lies in."""
    _us, peer = established(sack=True)
    _sends_holding(peer, 301, 401)
    peer.sends(ACK, seq=301, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(301, 401), (301, 501)])
    peer.sends(ACK, seq=501, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(301, 601)])


def test_of_a_partial_duplicate_the_duplicate_part_is_reported() -> None:
    """RFC 2883 §4.2.1, example 4."""
    _us, peer = established(sack=True)
    peer.sends(ACK, seq=1, data=bytes(500))
    _sends_holding(peer, 1501)
    peer.sends(ACK, seq=1, data=bytes(1000))
    peer.receives(ACK, ack=1001, blocks=[(1, 501), (1501, 1601)])


def test_of_two_duplicate_parts_the_first_is_reported() -> None:
    """RFC 2883 §4.2.3, example 6: the rest of that segment was new, and is none."""
    us, peer = established(sack=True)
    _sends_holding(peer, 3001, 1001)
    peer.sends(ACK, seq=1101, data=bytes(100))
    peer.sends(ACK, seq=1401, data=bytes(100))
    peer.ignores()
    peer.sends(ACK, seq=901, data=bytes(1000))
    peer.receives(ACK, ack=1, blocks=[(1001, 1201), (901, 1901), (3001, 3101)])
    peer.sends(ACK, seq=1801, data=bytes(200))
    peer.receives(ACK, ack=1, blocks=[(1801, 1901), (901, 2001), (3001, 3101)])
    assert us.tcb.status().out_of_order == 1100 + 100


def test_what_there_is_no_memory_for_is_no_duplicate() -> None:
    """RFC 2883 §4: it was not received before, and is not held now."""
    us, peer = established(replace(PLAIN, max_gaps=1), sack=True)
    _sends_holding(peer, 101)
    peer.sends(ACK, seq=301, data=bytes(100))
    peer.receives(ACK, ack=1, blocks=[(101, 201)])
    assert us.counted("too-many-gaps") == 1


# -- What we are told --------------------------------------------------------------------------------


def _ten_segments_sent(settings: Settings = NO_PROBES) -> tuple[Us, Peer]:
    us, peer = established(settings, sack=True, round_trip=0.1)
    us.sends(bytes(10 * MSS))
    for number in range(1, 11):
        peer.receives(ACK, seq=segment(number)[0], length=MSS)
    us.waits(0.1)
    return us, peer


def test_only_the_holes_are_sent_again() -> None:
    """RFC 2018 §5: segments 1, 4 and 8 were lost, and all go out in one round trip."""
    us, peer = _ten_segments_sent()
    held = [(segment(9)[0], segment(10)[1]), (segment(5)[0], segment(7)[1]), (segment(2)[0], segment(3)[1])]
    peer.sends(ACK, ack=1, blocks=held)
    peer.receives(ACK, seq=segment(1)[0], length=MSS)
    peer.receives(ACK, seq=segment(4)[0], length=MSS)
    peer.receives(ACK, seq=segment(8)[0], length=MSS)
    peer.hears_nothing()
    assert us.tcb.status().sacked == 7 * MSS
    us.waits(0.1)
    peer.sends(ACK, ack=segment(10)[1])
    peer.hears_nothing(during=100)
    assert us.counted("retransmissions") == 3
    assert us.counted("retransmission-timeouts") == 0


def test_after_a_timeout_too() -> None:
    """RFC 2018 §5.1, RFC 6675 §5.1: what the peer holds is not sent again after a timeout."""
    us, peer = _ten_segments_sent(replace(NO_PROBES, frto=False))
    peer.sends(ACK, ack=1, blocks=[segment(10)])
    us.waits(0.3)
    peer.ignores()
    for _ in range(20):
        us.waits(0.1)
        peer.sends(ACK, ack=peer.rcv_nxt if us.tcb.snd_una > 1 else segment(1)[1], blocks=[segment(10)])
        if us.tcb.snd_una == us.tcb.snd_nxt:
            break
        for again in peer.ignores():
            assert (again.seq - peer.our_isn) & 0xFFFFFFFF != segment(10)[0]


def test_a_peer_may_renege() -> None:
    """RFC 2018 §8: after a timeout the peer is no longer believed where what it acknowledges shows that it
    has thrown away what it held.  Here it had segments 2 to 4, then acknowledges 1 and nothing else."""
    us, peer = _ten_segments_sent(replace(NO_PROBES, frto=False))
    peer.sends(ACK, ack=1, blocks=[(segment(2)[0], segment(4)[1])])
    peer.receives(ACK, seq=segment(1)[0], length=MSS)
    us.waits(0.1)
    peer.ignores()
    peer.sends(ACK, ack=segment(1)[1])
    peer.ignores()
    assert us.tcb.status().sacked == 3 * MSS
    peer.receives(ACK, seq=segment(2)[0], length=MSS, after=us.tcb.status().rto)
    assert us.counted("sack-reneged") == 1
    assert us.tcb.status().sacked == 0
    us.waits(0.1)
    peer.sends(ACK, ack=segment(2)[1])
    peer.receives(ACK, seq=segment(3)[0], length=MSS)
    peer.receives(ACK, seq=segment(4)[0], length=MSS)


@pytest.mark.parametrize(
    "block",
    [(segment(9)[0], segment(11)[1]), (segment(4)[1], segment(4)[0]), segment(3)[:1] * 2, (-5000, -3000)],
    ids=["of what was never sent", "its right edge left of its left", "empty", "from before our SYN"],
)
def test_blocks_that_make_no_sense_are_passed_over(block: tuple[int, int]) -> None:
    """RFC 2018 §3, RFC 2883 §5: nobody vouches for what a segment says."""
    us, peer = _ten_segments_sent()
    peer.sends(ACK, ack=1, blocks=[block])
    peer.hears_nothing()
    status = us.tcb.status()
    assert (status.sacked, status.lost, status.snd_una) == (0, 0, us.tcb.iss + 1 & 0xFFFFFFFF)
    peer.sends(ACK, ack=segment(10)[1])
    assert us.counted("dsacks-received") == 0


def test_a_segment_held_in_part_is_not_held() -> None:
    """RFC 6675 §3: what is not held entirely will be sent again entirely."""
    us, peer = _ten_segments_sent()
    peer.sends(ACK, ack=1, blocks=[(segment(2)[0] + 10, segment(4)[0] + 10)])
    assert us.tcb.status().sacked == MSS


def test_blocks_of_a_peer_without_sack_say_nothing() -> None:
    """RFC 2018 §2."""
    us, peer = established(NO_PROBES)
    us.sends(bytes(10 * MSS))
    peer.ignores()
    peer.sends(ACK, ack=1, blocks=[(segment(2)[0], segment(10)[1])])
    assert us.tcb.status().sacked == 0
    peer.hears_nothing()


def test_an_old_acknowledgment_still_tells_what_is_held_but_takes_nothing_back() -> None:
    """RFC 2018 §5: a block once reported stays, also where a later acknowledgment had no room for it."""
    us, peer = _ten_segments_sent()
    peer.sends(ACK, ack=1, blocks=[segment(6)])
    peer.sends(ACK, ack=1, blocks=[segment(9)])
    assert us.tcb.status().sacked == 2 * MSS


def test_a_duplicate_that_the_peer_reports_is_counted_and_marks_nothing() -> None:
    """RFC 2883 §5: the first block lies below the acknowledgment, or in the second block."""
    us, peer = _ten_segments_sent()
    peer.sends(ACK, ack=segment(3)[1], blocks=[segment(2)])
    assert us.counted("dsacks-received") == 1
    assert us.tcb.status().sacked == 0
    peer.sends(ACK, ack=segment(3)[1], blocks=[segment(6), (segment(5)[0], segment(7)[1])])
    assert us.counted("dsacks-received") == 2
    assert us.tcb.status().sacked == 3 * MSS
    peer.sends(ACK, ack=segment(3)[1], blocks=[segment(6), segment(5)])
    assert us.counted("dsacks-received") == 2


def test_an_old_acknowledgment_tells_what_is_held() -> None:
    """RFC 6675 §5: "upon the receipt of any ACK containing SACK information, the scoreboard MUST be updated"."""
    us, peer = _ten_segments_sent()
    peer.sends(ACK, ack=segment(3)[1])
    peer.sends(ACK, ack=1, blocks=[(segment(5)[0], segment(6)[1])])  # sent before the other
    assert us.tcb.status().sacked == 2 * MSS
    peer.hears_nothing()
    peer.sends(ACK, ack=1, blocks=[(segment(5)[0], segment(7)[1])])
    peer.receives(ACK, seq=segment(4)[0], length=MSS)


def test_an_old_acknowledgment_is_compared_with_itself() -> None:
    """RFC 2883 §5: not with SND.UNA, or acknowledgments that change places would look like duplicates."""
    us, peer = _ten_segments_sent()
    peer.sends(ACK, ack=segment(5)[1])
    peer.sends(ACK, ack=1, blocks=[segment(3)])  # sent before the other
    assert us.counted("dsacks-received") == 0
    assert us.tcb.status().sacked == 0


def test_what_is_held_beyond_a_recovery_is_known_after_it() -> None:
    """RFC 6675 §5: "SHOULD NOT be cleared when leaving the loss recovery phase"."""
    us, peer = established(NO_PROBES, sack=True, round_trip=0.1)
    us.sends(bytes(20 * MSS))
    peer.ignores()
    us.waits(0.1)
    peer.sends(ACK, ack=1, blocks=[(segment(2)[0], segment(4)[1])])
    peer.receives(ACK, seq=1)
    for last in range(5, 11):
        peer.sends(ACK, ack=1, blocks=[(segment(2)[0], segment(last)[1])])
    assert peer.rcv_nxt > segment(12)[0]
    us.waits(0.1)
    peer.ignores()
    peer.sends(ACK, ack=segment(10)[1], blocks=[segment(12)])
    assert us.tcb.status().sacked == MSS
    assert peer.receives(ACK, seq=segment(11)[0], length=MSS)
    assert segment(12)[0] not in [(again.seq - peer.our_isn) & 0xFFFFFFFF for again in peer.ignores()]
