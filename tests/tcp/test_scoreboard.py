"""The scoreboard against a model that knows when each segment was sent and how often; and what it costs.

What it knows of single sequence numbers, and of ragged edges, is shown in ``test_retransmission.py``.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from usertcp.tcp.retransmission import Delivery, Record, RetransmissionQueue

MSS = 100
FIRST = 1


@dataclass
class Cell:
    """What the model knows of one segment."""

    lost: bool = False
    sacked: bool = False
    sent_at: int = 0
    times_sent: int = 1


class Scoreboard(RuleBasedStateMachine):
    """Numbers are in segments for the model, in bytes for the queue."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = RetransmissionQueue()
        self.cells: dict[int, Cell] = {}
        self.una = 0
        self.nxt = 0
        self.clock = 0

    def _now(self) -> int:
        self.clock += 1
        return self.clock

    @staticmethod
    def _at(number: int) -> int:
        return FIRST + number * MSS

    def _numbers(self, record: Record) -> range:
        return range((record.seq - FIRST) // MSS, (record.end - FIRST) // MSS)

    # -- What may happen ------------------------------------------------------------------------------

    @rule(segments=st.integers(1, 8))
    def send(self, segments: int) -> None:
        now = self._now()
        self.queue.add(Record(self._at(self.nxt), self._at(self.nxt + segments), now))
        for number in range(self.nxt, self.nxt + segments):
            self.cells[number] = Cell(sent_at=now)
        self.nxt += segments

    @precondition(lambda self: self.una < self.nxt)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        ack = data.draw(st.integers(self.una + 1, self.nxt))
        delivery = Delivery()
        self.queue.acknowledge(self._at(ack), delivery)
        gone = [self.cells.pop(number) for number in range(self.una, ack)]
        self.una = ack
        arrived = [cell for cell in gone if not cell.sacked]
        assert delivery.cumulative == len(gone) * MSS
        self._check_delivery(delivery, arrived)

    @precondition(lambda self: self.una < self.nxt)
    @rule(data=st.data(), ragged=st.booleans())
    def sack(self, data: st.DataObject, ragged: bool) -> None:
        """``ragged``: an edge in the middle of a segment, which then does not count."""
        left = data.draw(st.integers(self.una, self.nxt - 1))
        right = data.draw(st.integers(left + 1, self.nxt))
        delivery = Delivery()
        self.queue.sack(self._at(left) - (7 if ragged and left > self.una else 0), self._at(right), MSS, delivery)
        arrived = []
        for number in range(left, right):
            cell = self.cells[number]
            if not cell.sacked:
                arrived.append(Cell(cell.lost, cell.sacked, cell.sent_at, cell.times_sent))
                cell.sacked, cell.lost = True, False
        self._check_delivery(delivery, arrived)

    def _check_delivery(self, delivery: Delivery, arrived: list[Cell]) -> None:
        assert delivery.length == len(arrived) * MSS
        assert delivery.first_time == any(cell.times_sent == 1 for cell in arrived)
        assert delivery.repeated == any(cell.times_sent > 1 for cell in arrived)
        if arrived:
            assert delivery.newest is not None
            assert delivery.newest.sent_at == max(cell.sent_at for cell in arrived)

    @precondition(lambda self: self.queue.oldest is not None)
    @rule(steps=st.integers(0, 5))
    def lose_one_in_the_network(self, steps: int) -> None:
        record = self.queue.oldest
        assert record is not None
        while steps and record.newer is not None:
            record, steps = record.newer, steps - 1
        for number in self._numbers(record):
            self.cells[number].lost = True
        self.queue.mark_lost(record)

    @precondition(lambda self: bool(self.queue) and not self.queue.first.sacked)
    @rule()
    def lose_the_first(self) -> None:
        self.queue.mark_front_lost(MSS)
        for number in self._numbers(self.queue.first):
            self.cells[number].lost = True

    @rule()
    def lose_everything(self) -> None:
        self.queue.mark_all_lost()
        for cell in self.cells.values():
            cell.lost = not cell.sacked

    @rule()
    def forgive(self) -> None:
        self.queue.forgive_lost()
        for cell in self.cells.values():
            cell.lost = False

    @rule()
    def renege(self) -> None:
        self.queue.forget_sacked()
        for record in self.queue:
            for number in self._numbers(record):
                cell = self.cells[number]
                if cell.sacked:
                    # When each was sent was forgotten when the peer was believed to hold them.
                    self.cells[number] = Cell(lost=True, sent_at=record.sent_at, times_sent=record.times_sent)

    @rule(most=st.integers(1, 4))
    def resend_what_is_lost(self, most: int) -> None:
        record = self.queue.next_lost(most * MSS)
        lost = [number for number, cell in self.cells.items() if cell.lost]
        if record is None:
            assert not lost
            return
        assert record.seq == self._at(min(lost)), "the lowest first"
        assert record.end - record.seq <= most * MSS
        self._resent(record)

    @precondition(lambda self: bool(self.queue) and not self.queue.last.sacked)
    @rule()
    def probe(self) -> None:
        record = self.queue.last_segment(MSS)
        assert (record.seq, record.end) == (self._at(self.nxt - 1), self._at(self.nxt))
        self._resent(record)

    def _resent(self, record: Record) -> None:
        now = self._now()
        self.queue.resent(record, now)
        cells = [self.cells[number] for number in self._numbers(record)]
        times_sent = 1 + max(cell.times_sent for cell in cells)
        for cell in cells:
            assert not cell.sacked
            cell.lost, cell.sent_at, cell.times_sent = False, now, times_sent

    # -- What always holds ----------------------------------------------------------------------------

    @invariant()
    def the_records_cover_what_is_outstanding(self) -> None:
        at = self._at(self.una)
        for record in self.queue:
            assert record.seq == at
            assert record.end > record.seq
            assert self.queue.covering(record.seq) is record
            assert self.queue.covering(record.end - 1) is record
            for number in self._numbers(record):
                cell = self.cells[number]
                assert (record.lost, record.sacked) == (cell.lost, cell.sacked), number
                if not record.sacked:
                    assert (record.sent_at, record.times_sent) == (cell.sent_at, cell.times_sent)
            at = record.end
        assert at == self._at(self.nxt)
        assert self.queue.covering(at) is None

    @invariant()
    def the_counts_are_the_sums(self) -> None:
        assert self.queue.lost == MSS * sum(cell.lost for cell in self.cells.values())
        assert self.queue.sacked == MSS * sum(cell.sacked for cell in self.cells.values())

    @invariant()
    def what_is_in_the_network_is_linked_in_the_order_of_sending(self) -> None:
        linked = []
        record, before = self.queue.oldest, None
        while record is not None:
            assert record.older is before
            linked.append(record)
            record, before = record.newer, record
        times = [record.sent_at for record in linked]
        assert times == sorted(times)
        in_network = [record for record in self.queue if not record.lost and not record.sacked]
        assert {id(record) for record in linked} == {id(record) for record in in_network}
        assert len(linked) == len(in_network)

    @invariant()
    def neighbours_that_the_peer_holds_are_one_record(self) -> None:
        flags = [record.sacked for record in self.queue]
        assert not any(here and there for here, there in pairwise(flags))


TestScoreboard = Scoreboard.TestCase
TestScoreboard.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


# -- Cost ----------------------------------------------------------------------------------------------


class Counting(list):  # type: ignore[type-arg]
    """The list of records: how often one of its items is looked at."""

    looks = 0

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, int):
            Counting.looks += 1
        return super().__getitem__(index)


def _looks_per_acknowledgment(window: int) -> float:
    """Every fourth of ``window`` segments is lost; the others are reported one after the other."""
    queue = RetransmissionQueue()
    queue._records = Counting()
    for number in range(window):
        queue.add(Record(FIRST + number * MSS, FIRST + (number + 1) * MSS, number))
    Counting.looks = 0
    acknowledgments = 0
    for number in range(1, window):
        if number % 4:
            start = number - number % 4 + 1
            queue.sack(FIRST + start * MSS, FIRST + (number + 1) * MSS, MSS, Delivery())
            acknowledgments += 1
    assert queue.sacked == acknowledgments * MSS
    return Counting.looks / acknowledgments


def test_what_an_acknowledgment_costs_does_not_grow_with_the_window() -> None:
    """But for the steps of a few searches by bisection."""
    small, large = _looks_per_acknowledgment(100), _looks_per_acknowledgment(4000)
    assert small <= 20
    assert large - small <= 2 * math.log2(4000 / 100)


def test_a_block_that_grows_costs_the_same_each_time() -> None:
    """RFC 2018: each acknowledgment repeats the whole block, which is one record here."""
    for window in (100, 4000):
        queue = RetransmissionQueue()
        queue._records = Counting()
        for number in range(window):
            queue.add(Record(FIRST + number * MSS, FIRST + (number + 1) * MSS, number))
        Counting.looks = 0
        for number in range(2, window + 1):
            queue.sack(FIRST + MSS, FIRST + number * MSS, MSS, Delivery())
        assert Counting.looks <= 30 * window
        assert len(queue) == 2


def test_the_next_lost_record_is_found_at_once_whatever_was_marked_before() -> None:
    """Each entry of the heap is looked at once for being put there."""
    window = 1000
    queue = RetransmissionQueue()
    for number in range(window):
        queue.add(Record(FIRST + number * MSS, FIRST + (number + 1) * MSS, number))
    numbers = list(range(window))
    random.Random(7).shuffle(numbers)
    for number in numbers:
        record = queue.covering(FIRST + number * MSS)
        assert record is not None
        queue.mark_lost(record)
    assert len(queue._lost) == window
    found = []
    for _ in range(window):
        record = queue.next_lost(MSS)
        assert record is not None
        found.append(record.seq)
        queue.resent(record, window)
    assert found == sorted(found)
    assert queue.next_lost(MSS) is None
    assert not queue._lost


# -- Single cases --------------------------------------------------------------------------------------


def test_the_newest_of_what_arrived_at_the_same_moment_is_the_last() -> None:
    """RFC 8985 §6.2, step 2: RACK_sent_after goes by the end where the times are equal."""
    queue = RetransmissionQueue()
    queue.add(Record(0, 100, 1.0))
    queue.add(Record(100, 200, 1.0))
    queue.add(Record(200, 300, 0.5))
    delivery = Delivery()
    queue.acknowledge(300, delivery)
    assert delivery.newest is not None
    assert delivery.newest.end == 200
