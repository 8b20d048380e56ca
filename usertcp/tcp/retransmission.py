"""The retransmission queue and the SACK scoreboard (RFC 9293 §3.4, RFC 2018 §5, RFC 6675 §3).

One record stands for one write, which may be a super-segment of many segments.  It is cut only where a
part of it is acknowledged, lost or sent again, always at a multiple of the mss.  Neighbours that the
peer holds are one record, so that what an acknowledgment costs does not grow with the window.

Records are found in two orders: by sequence number (a list, searched by bisection), and by the time of
their last sending (linked), which is the order in which RACK looks for losses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import heappop, heappush
from operator import attrgetter
from typing import Final

_by_seq = attrgetter("seq")


class Record:
    """The sequence numbers ``seq`` up to ``end`` as they were last sent at ``sent_at`` (seconds).

    ``syn`` and ``fin`` say that the first or the last number is a control bit.  ``lost`` means: not in
    the network any more, and to be sent again; ``sacked``: the peer holds it.  ``delivered`` and
    ``delivered_at`` are what had been delivered when it was sent, for measuring the delivery rate.
    """

    __slots__ = (
        "app_limited", "delivered", "delivered_at", "end", "fin", "first_sent_at", "lost", "newer", "older",
        "order", "push", "repairs", "sacked", "sent_at", "seq", "syn", "times_sent", "was_lost", "window_sent_at",
    )  # fmt: skip

    def __init__(self, seq: int, end: int, now: float, *, syn: bool = False, fin: bool = False) -> None:
        self.seq = seq
        self.end = end
        self.sent_at = now
        self.first_sent_at = now
        self.times_sent = 1
        #: Tells apart what left at the same moment (see :class:`OrderedQueue`); 0: only the numbers do.
        self.order = 0
        self.syn = syn
        self.fin = fin
        #: It bore PSH.
        self.push = False
        #: It was taken for lost; its last sending was because of that, and is in the network.
        self.was_lost = False
        self.repairs = False
        self.lost = False
        self.sacked = False
        self.older: Record | None = None
        self.newer: Record | None = None
        self.delivered = 0
        self.delivered_at = now
        self.window_sent_at = now
        self.app_limited = False

    def part(self, end: int) -> Record:
        """A record like this one that ends at ``end``."""
        front = Record(self.seq, end, self.sent_at, syn=self.syn)
        front.first_sent_at = self.first_sent_at
        front.times_sent = self.times_sent
        front.order = self.order
        front.lost = self.lost
        front.was_lost, front.repairs = self.was_lost, self.repairs
        front.delivered = self.delivered
        front.delivered_at = self.delivered_at
        front.window_sent_at = self.window_sent_at
        front.app_limited = self.app_limited
        return front


class Delivery:
    """What one acknowledgment newly says has arrived.

    ``length`` counts sequence numbers, acknowledged or held by the peer; ``newest`` is the record among
    them that was sent last; ``first_time`` says whether one of them was never sent again (so that what
    arrived was the original), ``repeated`` whether one was.  ``highest`` is the highest number, and
    ``lowest_first_time`` the lowest end of a record that was sent once (for RACK's reordering check).
    """

    __slots__ = (
        "came_twice", "cumulative", "cumulative_repeated", "first_time", "highest", "last_cumulative", "length",
        "lowest_first_time", "lowest_start", "newest", "oldest", "repeated", "rtt_of",
    )  # fmt: skip

    def __init__(self) -> None:
        self.length = 0
        self.cumulative = 0
        #: Whether something repeated is acknowledged cumulatively; bytes that a DSACK says came twice.
        self.cumulative_repeated = False
        self.came_twice = 0
        self.newest: Record | None = None
        #: Of what was sent once, the last, and the first.
        self.rtt_of: Record | None = None
        self.oldest: Record | None = None
        #: Of what is acknowledged cumulatively, the last that the peer had not held before.
        self.last_cumulative: Record | None = None
        self.first_time = False
        self.repeated = False
        self.highest = -1
        self.lowest_first_time: int | None = None
        self.lowest_start = 0

    def note(self, record: Record) -> None:
        """``record`` has arrived."""
        newest = self.newest
        if newest is None or record.sent_at > newest.sent_at or (
            record.sent_at == newest.sent_at and (record.order, record.end) > (newest.order, newest.end)
        ):
            self.newest = record
        if record.times_sent > 1:
            self.repeated = True
        else:
            self.first_time = True
            self.rtt_of = record
            if self.oldest is None:
                self.oldest = record
            if self.lowest_first_time is None or record.end < self.lowest_first_time:
                self.lowest_first_time = record.end
                self.lowest_start = record.seq
        if record.end > self.highest:
            self.highest = record.end


#: The records of a queue without any; each queue begins a list of its own.
_NONE: Final[list[Record]] = []


class RetransmissionQueue:
    """Everything sent and not acknowledged.

    ``lost`` and ``sacked`` count the sequence numbers of records so marked.
    """

    __slots__ = ("_head", "_lost", "_newest", "_oldest", "_records", "_serial", "ever_lost", "lost", "sacked")

    def __init__(self) -> None:
        self._records = _NONE
        self._head = 0  # records before it are acknowledged
        self._oldest: Record | None = None
        self._newest: Record | None = None
        #: A heap of (seq, serial, record); entries that are lost no more are passed over.  None while nothing was.
        self._lost: list[tuple[int, int, Record]] | None = None
        self._serial = 0
        self.lost = 0
        self.sacked = 0
        #: Sequence numbers that were ever marked lost, also those that turned out not to be.
        self.ever_lost = 0

    def __bool__(self) -> bool:
        return len(self._records) > self._head

    def __len__(self) -> int:
        return len(self._records) - self._head

    def __iter__(self) -> Iterator[Record]:
        """By sequence number."""
        return iter(self._records[self._head :])

    @property
    def first(self) -> Record:
        """The record with the lowest sequence number."""
        return self._records[self._head]

    @property
    def last(self) -> Record:
        """The record with the highest sequence number."""
        return self._records[-1]

    @property
    def oldest(self) -> Record | None:
        """Of the records in the network, the one whose last sending is longest ago; go on by ``.newer``."""
        return self._oldest

    def covering(self, seq: int) -> Record | None:
        """The record that ``seq`` is a number of."""
        if not self or not self.first.seq <= seq < self.last.end:
            return None
        return self._records[bisect_right(self._records, seq, lo=self._head, key=_by_seq) - 1]

    def add(self, record: Record) -> None:
        """Append what was just sent for the first time."""
        if self._records is _NONE:
            self._records = [record]
        else:
            self._records.append(record)
        self._link(record)

    @property
    def unrepaired(self) -> int:
        """Sequence numbers that were taken for lost and have not arrived yet, sent again or not."""
        return sum(record.end - record.seq for record in self if record.was_lost and not record.sacked)

    @property
    def repairing(self) -> int:
        """Sequence numbers that were sent again because they were taken for lost, and not again since."""
        return sum(record.end - record.seq for record in self if record.repairs and not record.sacked)

    # -- What the peer says ---------------------------------------------------------------------------

    def acknowledge(self, ack: int, delivery: Delivery) -> None:
        """Remove what the cumulative ``ack`` covers."""
        records, head = self._records, self._head
        while head < len(records) and records[head].end <= ack:
            record = records[head]
            head += 1
            length = record.end - record.seq
            delivery.cumulative += length
            if record.sacked:
                self.sacked -= length
                continue
            delivery.length += length
            delivery.note(record)
            delivery.last_cumulative = record
            self._take_out(record)
        self._head = head
        delivery.cumulative_repeated = delivery.repeated
        if head == len(records):
            # Nothing is outstanding: an idle connection keeps no records.
            self._records = _NONE
            self._lost = None
            self._head = 0
            return
        if records[head].seq < ack:
            self._acknowledge_part(records[head], ack, delivery)
        if head > 64 and head * 2 > len(records):
            del records[:head]
            self._head = 0

    def _acknowledge_part(self, record: Record, ack: int, delivery: Delivery) -> None:
        length = ack - record.seq
        delivery.cumulative += length
        if record.sacked:
            self.sacked -= length
        else:
            delivery.length += length
            delivery.note(record.part(ack))
        record.seq = ack
        record.syn = False
        if record.lost:
            self.lost -= length
            self._push_lost(record)

    def sack(self, left: int, right: int, mss: int, delivery: Delivery) -> None:
        """The peer holds ``left`` up to ``right``; a segment that it holds only in part does not count."""
        records = self._records
        index = max(bisect_right(records, left, lo=self._head, key=_by_seq) - 1, self._head)
        while index < len(records):
            record = records[index]
            if record.seq >= right:
                break
            if record.sacked or record.end <= left:
                index += 1
                continue
            if record.seq < left:
                cut = record.seq - (record.seq - left) // mss * mss  # rounded up
                if cut < record.end:
                    self._split(index, cut)
                index += 1
                continue
            if record.end > right:
                cut = record.seq + (right - record.seq) // mss * mss
                if cut <= record.seq:
                    break
                record = self._split(index, cut)
            delivery.length += record.end - record.seq
            delivery.note(record)
            index = self._hold(index) + 1

    def _hold(self, index: int) -> int:
        """Mark the record at ``index`` as held by the peer and join it with its neighbours."""
        records = self._records
        record = records[index]
        self.sacked += record.end - record.seq
        self._take_out(record)
        record.sacked = True
        if index + 1 < len(records) and records[index + 1].sacked:
            following = records.pop(index + 1)
            record.end = following.end
            record.fin = following.fin
        if index > self._head and records[index - 1].sacked:
            previous = records[index - 1]
            del records[index]
            previous.end = record.end
            previous.fin = record.fin
            index -= 1
        return index

    def forget_sacked(self) -> None:
        """The peer reneged (RFC 2018 §8): what it held is lost."""
        for record in self:
            if record.sacked:
                record.sacked = False
                record.lost = record.was_lost = True
                self.lost += record.end - record.seq
                self._push_lost(record)
        self.sacked = 0

    # -- What is lost ---------------------------------------------------------------------------------

    def mark_lost(self, record: Record) -> None:
        """Take ``record``, which is in the network, for lost."""
        if not record.lost and not record.sacked:
            self._unlink(record)
            record.lost = record.was_lost = True
            record.repairs = False
            self.lost += record.end - record.seq
            self.ever_lost += record.end - record.seq
            self._push_lost(record)

    def mark_front_lost(self, length: int) -> None:
        """Take the first ``length`` sequence numbers for lost, within the first record."""
        first = self.first
        if first.end - first.seq > length:
            first = self._split(self._head, first.seq + length)
        self.mark_lost(first)

    def mark_all_lost(self) -> None:
        """Take everything that the peer does not hold for lost."""
        for record in self:
            self.mark_lost(record)

    def forgive_lost(self) -> None:
        """Nothing was lost after all: what is marked is taken to be in the network still."""
        self.lost = 0
        self._lost = None
        self._oldest = self._newest = None
        for record in self:
            record.lost = record.was_lost = False
        for record in sorted((record for record in self if not record.sacked), key=attrgetter("sent_at", "order")):
            self._link(record)

    def next_lost(self, most: int, joined: int | None = None) -> Record | None:
        """The first lost record, cut to at most ``most`` sequence numbers; None where none is lost.

        It is joined with lost neighbours as far as ``most``, or fewer (``joined``), allow it (RFC 9293 §3.8.6: "may
        repackage").
        """
        lost = self._lost
        while lost:
            seq, _, record = lost[0]
            if not record.lost or record.seq != seq:
                heappop(lost)
            elif record.end - record.seq > most:
                return self._split(self._index(record), record.seq + most)
            else:
                return self._with_lost_neighbours(record, most if joined is None else min(most, joined))
        return None

    def _with_lost_neighbours(self, record: Record, most: int) -> Record:
        records = self._records
        after = self._index(record) + 1
        while after < len(records) and not record.syn:
            following = records[after]
            if not following.lost or following.end - record.seq > most:
                break
            record.end = following.end
            record.fin = following.fin
            record.push = following.push
            record.times_sent = max(record.times_sent, following.times_sent)
            following.lost = False  # its entry in the heap is passed over
            del records[after]
        return record

    def resent(self, record: Record, now: float) -> None:
        """``record`` went out again."""
        if record.lost:
            record.lost = False
            record.repairs = True
            self.lost -= record.end - record.seq
        else:
            self._unlink(record)
        record.sent_at = now
        record.times_sent += 1
        self._link(record)

    def last_segment(self, mss: int) -> Record:
        """The last segment's worth of the last record, cut off from it where it is longer."""
        last = self.last
        length = last.end - last.seq - last.fin
        if length > mss:
            tail = length % mss or mss
            self._split(len(self._records) - 1, last.seq + length - tail)
        return self.last

    def clear(self) -> None:
        """Forget everything."""
        for record in self:
            record.older = record.newer = None
        self._records = _NONE
        self._lost = None
        self._oldest = self._newest = None
        self._head = self.lost = self.sacked = 0

    # -- Keeping the orders ---------------------------------------------------------------------------

    def _index(self, record: Record) -> int:
        return bisect_right(self._records, record.seq, lo=self._head, key=_by_seq) - 1

    def _split(self, index: int, at: int) -> Record:
        """Cut the record at ``index`` in two at ``at``; returns the front, which now stands at ``index``."""
        record = self._records[index]
        front = record.part(at)
        record.seq = at
        record.syn = False
        self._records.insert(index, front)
        if record.lost:
            self._push_lost(front)
            self._push_lost(record)
        else:
            front.older, front.newer = record.older, record
            if record.older is not None:
                record.older.newer = front
            else:
                self._oldest = front
            record.older = front
        return front

    def _push_lost(self, record: Record) -> None:
        self._serial += 1
        if self._lost is None:
            self._lost = []
        heappush(self._lost, (record.seq, self._serial, record))

    def _take_out(self, record: Record) -> None:
        """``record`` has arrived: it is neither in the network nor lost."""
        if record.lost:
            record.lost = False
            self.lost -= record.end - record.seq
        else:
            self._unlink(record)

    def _link(self, record: Record) -> None:
        """``record`` was sent last of all."""
        newest = self._newest
        record.older = newest
        record.newer = None
        if newest is None:
            self._oldest = record
        else:
            newest.newer = record
        self._newest = record

    def _unlink(self, record: Record) -> None:
        older, newer = record.older, record.newer
        if older is None:
            self._oldest = newer
        else:
            older.newer = newer
        if newer is None:
            self._newest = older
        else:
            newer.older = older
        record.older = record.newer = None


class OrderedQueue(RetransmissionQueue):
    """A queue that remembers in which order things left at the same moment.

    RFC 8985 §6.2 tells by the sequence number which of them was sent later, since its clock has no better idea: right
    for a burst of new data, and not for retransmissions among it.
    """

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0

    def add(self, record: Record) -> None:
        self._sent += 1
        record.order = self._sent
        super().add(record)

    def resent(self, record: Record, now: float) -> None:
        self._sent += 1
        record.order = self._sent
        super().resent(record, now)
