"""What a plot shows is what happened: connections in virtual time, and numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.observe.scenes import SCENES
from usertcp.observe.plot.curves import Bar, Curves, Direction, NothingToPlot, Point, curves
from usertcp.tcp.events import Joined, Lost, Opened, Retransmitted, SegmentIn, SegmentOut, TraceEvent
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, NO_OPTIONS, SYN, Options

OURS, THEIRS = 4_294_967_000, 1_000_000


def opened(conn: int = 1) -> Opened:
    return Opened(100.0, conn, bytes([192, 0, 2, 2]), 80, bytes([192, 0, 2, 1]), 4000, "passive")


def goes(
    time: float,
    seq: int,
    length: int,
    flags: int = ACK,
    ack: int = 1,
    window: int = 1000,
) -> SegmentOut:
    """A segment of ours; numbers count from the two initial sequence numbers."""
    at = (OURS + seq) % 2**32, THEIRS + ack
    return SegmentOut(100.0 + time, 1, *at, flags, window, length, None, None, NO_OPTIONS, 1)


def comes(
    time: float, ack: int, *, seq: int = 1, length: int = 0, window: int = 1000, sack: tuple[tuple[int, int], ...] = ()
) -> SegmentIn:
    blocks = tuple(((OURS + left) % 2**32, (OURS + right) % 2**32) for left, right in sack)
    at = THEIRS + seq, (OURS + ack) % 2**32
    return SegmentIn(100.0 + time, 1, *at, ACK, window, length, None, None, Options(sack=blocks))


def at_times(points: list[Point]) -> list[tuple[float, float]]:
    return [(round(point.time, 6), point.value) for point in points]


def bars(given: list[Bar]) -> list[tuple[float, int, int]]:
    return [(round(bar.time, 6), bar.start, bar.end) for bar in given]


def test_numbers_count_from_the_first_one_and_go_on_where_those_on_the_wire_begin_anew() -> None:
    drawn = curves([opened(), goes(0, 0, 0, SYN), goes(1, 1, 400), goes(2, 401, 100), comes(3, 501)])
    assert bars(drawn.segments) == [(1, 1, 401), (2, 401, 501)]
    assert at_times(drawn.acks) == [(3, 501)]
    assert at_times(drawn.edges) == [(3, 1501)]
    assert (drawn.started, round(drawn.ended, 6), drawn.bytes_sent) == (100.0, 3.0, 500)
    assert [(mark.value, mark.text) for mark in drawn.marks] == [(0, "SYN")]


def test_what_was_sent_again_is_known_by_the_event_before_it() -> None:
    again = Retransmitted(102.0, 1, (OURS + 1) % 2**32, 100, "retransmission timeout", 1)
    drawn = curves([opened(), goes(0, 0, 0, SYN), goes(1, 1, 100), again, goes(2, 1, 100), goes(3, 101, 10)])
    assert bars(drawn.segments) == [(1, 1, 101), (3, 101, 111)]
    assert bars(drawn.repeats) == [(2, 1, 101)]


def test_a_sack_block_is_drawn_when_it_says_something_new() -> None:
    drawn = curves(
        [
            opened(), goes(0, 0, 0, SYN), goes(1, 1, 500),
            comes(2, 1, sack=((101, 201),)), comes(3, 1, sack=((101, 301),)), comes(4, 1, sack=((101, 301),)),
            comes(5, 301), comes(6, 301, sack=((401, 501), (1, 101))), comes(7, 301, sack=((401, 900),)),
        ]
    )  # fmt: skip
    assert bars(drawn.held) == [(2, 101, 201), (3, 201, 301), (6, 401, 501)], "no DSACK, and nothing that was not sent"
    assert at_times(drawn.acks) == [(2, 1), (5, 301)]
    assert at_times(drawn.duplicates) == [(3, 1), (4, 1), (6, 301), (7, 301)]


def test_a_super_segment_counts_as_many_and_a_fin_is_no_duplicate_acknowledgment() -> None:
    fin = comes(3, 1)._replace(flags=FIN | ACK)
    drawn = curves([opened(), goes(0, 0, 0, SYN), goes(1, 1, 500)._replace(segments=5), comes(2, 1), fin])
    assert drawn.segments_sent == 5
    assert at_times(drawn.duplicates) == []


def test_an_old_or_a_false_acknowledgment_moves_nothing() -> None:
    drawn = curves([opened(), goes(0, 0, 0, SYN), goes(1, 1, 500), comes(2, 301), comes(3, 101), comes(4, 9000)])
    assert at_times(drawn.acks) == [(2, 301)]
    assert at_times(drawn.edges) == [(2, 1301)]


def test_the_direction_with_more_data_is_drawn_if_none_is_asked_for() -> None:
    told: list[TraceEvent] = [opened(), goes(0, 0, 0, SYN), comes(1, 1, length=50), goes(2, 1, 900)]
    assert curves(told).direction is Direction.OUT
    drawn = curves(told, direction=Direction.IN)
    assert (drawn.direction, drawn.bytes_sent) == (Direction.IN, 50)
    assert drawn.title == "connection 1: peer 192.0.2.1:4000 → usertcp 192.0.2.2:80"


def test_a_connection_that_was_joined_has_its_numbers() -> None:
    sockets = bytes([192, 0, 2, 2]), 80, bytes([192, 0, 2, 1]), 4000
    joined = Joined(100.0, 1, *sockets, "passive", State.ESTABLISHED, OURS, THEIRS)
    drawn = curves([joined, goes(1, 5001, 100), comes(2, 5101)])
    assert bars(drawn.segments) == [(1, 5001, 5101)]
    assert [span.what for span in drawn.states] == ["ESTABLISHED"]


def test_what_is_missing_is_said() -> None:
    drawn = curves([Lost(100.0, 0, 7), opened(), goes(0, 0, 0, SYN), goes(1, 1, 5)])
    assert drawn.left_out == 7
    with pytest.raises(NothingToPlot, match="no segment of connection 3"):
        curves([opened()], conn=3)
    with pytest.raises(NothingToPlot, match="no segment of any connection"):
        curves([])


def _of(name: str) -> Curves:
    return curves(SCENES[name](), direction=Direction.OUT)


def test_a_timeout_is_seen_in_every_panel() -> None:
    drawn = _of("retransmission_timeout")
    assert drawn.repeats, "something was sent again"
    assert any(span.what == "loss" for span in drawn.trouble)
    assert max(point.value for point in drawn.rto) >= 2 * min(point.value for point in drawn.rto), "it was doubled"
    assert min(point.value for point in drawn.cwnd) < max(point.value for point in drawn.cwnd)
    assert drawn.ssthresh


def test_sack_recovery_shows_what_was_held_and_the_recovery() -> None:
    drawn = _of("sack_recovery")
    assert [span.what for span in drawn.trouble] == ["recovery"]
    span = drawn.trouble[0]
    assert all(span.start <= bar.time <= span.end for bar in drawn.repeats)
    assert drawn.held
    assert all(bar.start > drawn.repeats[0].start for bar in drawn.held), "what is held lies behind the gap"


def test_what_the_peer_sends_behind_a_gap_is_marked() -> None:
    drawn = curves(SCENES["out_of_order"](), direction=Direction.IN)
    assert drawn.early
    assert drawn.repeats, "and what fills the gap, too"


def test_states_follow_one_another_without_a_hole() -> None:
    drawn = _of("close_by_us")
    names = [span.what for span in drawn.states]
    assert names[:3] == ["CLOSED", "LISTEN", "SYN-RECEIVED"]
    assert names[3:6] == ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2"]
    for before, after in zip(drawn.states, drawn.states[1:], strict=False):
        assert before.end == after.start


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_every_scene_can_be_drawn_both_ways(scene: Callable[[], list[TraceEvent]]) -> None:
    told = scene()
    for direction in Direction:
        try:
            drawn = curves(told, direction=direction)
        except NothingToPlot:
            sent = SegmentOut if direction is Direction.OUT else SegmentIn
            assert all(event.flags == ACK and not event.length for event in told if isinstance(event, sent))
            continue
        ends = [bar for bar in (*drawn.segments, *drawn.repeats, *drawn.early) if bar.end <= bar.start]
        assert not ends
        assert all(0 <= point.time <= drawn.ended for point in drawn.acks)
        acked = [point.value for point in drawn.acks]
        assert acked == sorted(acked), "the line of acknowledgments never falls"


def test_a_fin_stands_behind_the_data_that_it_came_with() -> None:
    drawn = curves([opened(), goes(0, 0, 0, SYN), goes(1, 1, 100, FIN | ACK), comes(2, 102)])
    assert [(mark.value, mark.text) for mark in drawn.marks] == [(0, "SYN"), (101, "FIN")]
    assert at_times(drawn.acks) == [(2, 102)]
