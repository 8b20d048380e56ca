"""Acknowledgments whose time is learned: quick at first, later carried by answers (RFC 5681 §4.2 leaves room)."""

from __future__ import annotations

from dataclasses import replace

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, FIN, PSH, SYN

SEGMENT = bytes(1000)
ADAPTIVE = replace(PLAIN, adaptive_acks=True)
#: Segments of 1000 bytes are not worth their memory, so each one makes the window smaller.
SHRINKING = replace(ADAPTIVE, quick_acks=1, window_rule="up", window_space_measured=True, initial_receive_buffer=60_000)


def _acks(peer: Peer) -> list[int]:
    return [(segment.ack - peer.isn) & 0xFFFFFFFF for segment in peer.ignores()]


def _is_quick(us: Us) -> bool:
    return us.tcb.quick_ack_mode


def _sends(us: Us, peer: Peer, count: int, *, every: float = 0.01) -> None:
    for _ in range(count):
        us.waits(every)
        peer.sends(ACK | PSH, data=SEGMENT)


def test_the_first_ones_are_not_delayed() -> None:
    us, peer = established(replace(ADAPTIVE, quick_acks=4), round_trip=0.1)
    _sends(us, peer, 4)
    assert _acks(peer) == [1001, 2001, 3001, 4001]
    _sends(us, peer, 1)
    peer.hears_nothing(during=0.02)


def test_there_are_no_more_quick_ones_than_half_the_window_has_segments() -> None:
    us, peer = established(replace(ADAPTIVE, receive_buffer=6_000), round_trip=0.1)
    _sends(us, peer, 4)
    assert _acks(peer) == [1001, 2001, 3001]  # three segments are half of it, and the fourth waits
    peer.hears_nothing(during=0.02)


def test_every_second_segment_only_if_the_window_does_not_shrink_by_it() -> None:
    for settings, answers in ((SHRINKING, [1001]), (replace(ADAPTIVE, quick_acks=1), [1001, 3001])):
        us, peer = established(settings, round_trip=0.1)
        _sends(us, peer, 3)
        assert _acks(peer) == answers


def test_reading_all_of_a_pushed_segment_is_a_reason() -> None:
    us, peer = established(replace(ADAPTIVE, quick_acks=1), round_trip=0.1)
    _sends(us, peer, 1)
    us.reads()
    peer.ignores()
    _sends(us, peer, 1)
    us.reads(500)
    peer.hears_nothing()
    us.reads(500)
    peer.receives(ACK, ack=2001)


def test_a_late_timer_is_not_waited_for() -> None:
    """Less than a quarter of the delay is left: the acknowledgment of the next segment need not wait for that."""
    us, peer = established(SHRINKING, round_trip=0.1)
    _sends(us, peer, 4)
    assert _acks(peer) == [1001]
    _sends(us, peer, 1)
    assert _acks(peer) == [5001]


def test_answers_carry_them() -> None:
    us, peer = established(ADAPTIVE, round_trip=0.1)
    _sends(us, peer, 1)
    peer.receives(ACK, ack=1001)
    us.sends(b"answer")
    peer.receives(ACK, ack=1001, data=b"answer")
    peer.sends(ACK | PSH, data=b"more")
    peer.hears_nothing(during=0.03)
    us.sends(b"again")
    peer.sends(ACK, ack=7)
    peer.receives(ACK, ack=1005, data=b"again")


def test_an_application_that_stops_to_answer_is_not_waited_for() -> None:
    us, peer = established(ADAPTIVE, round_trip=0.1)
    _sends(us, peer, 1)
    us.sends(b"answer")
    peer.ignores()
    peer.sends(ACK | PSH, ack=7, data=b"more")
    peer.receives(ACK, ack=1005, after=0.04)
    us.waits(1)
    peer.sends(ACK | PSH, ack=7, data=b"and more")
    peer.receives(ACK, ack=1013)


def test_disorder_ends_the_delay() -> None:
    us, peer = established(replace(ADAPTIVE, quick_acks=1), round_trip=0.1)
    _sends(us, peer, 1)
    peer.ignores()
    peer.sends(ACK, seq=1, data=SEGMENT)
    peer.receives(ACK, ack=1001)
    _sends(us, peer, 1)
    assert _acks(peer) == []  # the one for the duplicate was it
    us.waits(1)
    peer.ignores()
    peer.sends(ACK, seq=1, data=SEGMENT)
    _sends(us, peer, 1, every=0.5)
    assert _acks(peer) == [2001, 3001]


def test_a_fin_behind_data_waits_for_ours() -> None:
    us, peer = established(ADAPTIVE, round_trip=0.1)
    _sends(us, peer, 1)
    peer.receives(ACK, ack=1001)
    peer.sends(FIN | ACK)
    peer.hears_nothing(during=0.03)
    us.closes()
    peer.receives(FIN | ACK, ack=1002)


def test_a_fin_alone_is_acknowledged_at_once() -> None:
    _, peer = established(ADAPTIVE, round_trip=0.1)
    peer.sends(FIN | ACK)
    peer.receives(ACK, ack=2)


def test_more_than_three_duplicates_are_joined() -> None:
    _, peer = established(replace(ADAPTIVE, delayed_sacks=2), sack=True, round_trip=0.1)
    for i in range(4):
        peer.sends(ACK, seq=2001 + 1000 * i, data=SEGMENT)
    assert _acks(peer) == [1, 1, 1]
    peer.sends(ACK, seq=6001, data=SEGMENT)
    peer.receives(ACK, ack=1, blocks=[(2001, 7001)], after=0.001)


def test_not_more_of_them_than_the_setting_says() -> None:
    _, peer = established(replace(ADAPTIVE, delayed_sacks=2), sack=True, round_trip=0.1)
    for i in range(6):
        peer.sends(ACK, seq=2001 + 1000 * i, data=SEGMENT)
    assert _acks(peer) == [1, 1, 1, 1]


def test_the_application_can_ask_for_quick_ones() -> None:
    us, peer = established(replace(ADAPTIVE, quick_acks=1), round_trip=0.1)
    us.tcb.quick_ack(False)
    assert _is_quick(us) is False
    peer.sends(ACK | PSH, data=SEGMENT)
    peer.hears_nothing(during=0.03)
    us.reads()
    peer.hears_nothing()
    us.tcb.quick_ack(True)
    assert _is_quick(us) is True
    us.settle()
    peer.receives(ACK, ack=1001)


def test_where_data_will_follow_the_syn_ack_is_not_acknowledged_by_itself() -> None:
    us, peer = meet(ADAPTIVE)
    us.connects()
    us.tcb.quick_ack(False)
    peer.receives(SYN)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK, ack=1, after=0.2)


def test_without_learning_the_application_can_ask_too() -> None:
    us, peer = established()
    peer.sends(ACK, data=b"x")
    peer.hears_nothing()
    us.tcb.quick_ack(True)
    us.settle()
    peer.receives(ACK, ack=2)
    assert us.tcb.quick_ack_mode


def test_every_second_segment_by_number() -> None:
    _, peer = established(Settings(timestamps=False, acks_by_segments=True))
    peer.sends(ACK, data=b"a")
    peer.hears_nothing(during=0.03)
    peer.sends(ACK, data=b"b")
    peer.receives(ACK, ack=3)
    peer.sends(ACK, data=bytes(1461))
    peer.receives(ACK, ack=1464)
