"""The retransmission queue (RFC 9293 §3.4): a record for each write, until it is acknowledged.

One record may stand for a super-segment of many segments.  It is cut only where a part of it is
acknowledged or sent again, always at a multiple of the mss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Record:
    """The sequence numbers ``seq`` up to ``end`` as they were last sent at ``sent_at`` (seconds).

    ``syn`` and ``fin`` say that the first or the last number is a control bit.  ``lost`` means: not in
    the network any more, and to be sent again.
    """

    __slots__ = ("end", "fin", "first_sent_at", "lost", "sent_at", "seq", "syn", "times_sent")

    def __init__(self, seq: int, end: int, now: float, *, syn: bool = False, fin: bool = False) -> None:
        self.seq = seq
        self.end = end
        self.sent_at = now
        self.first_sent_at = now
        self.times_sent = 1
        self.syn = syn
        self.fin = fin
        self.lost = False

    def split(self, at: int) -> Record:
        """Cut off and return what comes before ``at``; this record keeps the rest."""
        front = Record(self.seq, at, self.sent_at, syn=self.syn)
        front.first_sent_at = self.first_sent_at
        front.times_sent = self.times_sent
        front.lost = self.lost
        self.seq = at
        self.syn = False
        return front


class RetransmissionQueue:
    """Records in sequence order, and how many of their sequence numbers are marked lost."""

    __slots__ = ("lost", "records")

    def __init__(self) -> None:
        self.records: deque[Record] = deque()
        self.lost = 0

    def __bool__(self) -> bool:
        return bool(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def first(self) -> Record:
        """The oldest record that is not acknowledged."""
        return self.records[0]

    def add(self, record: Record) -> None:
        """Append what was just sent for the first time."""
        self.records.append(record)

    def acknowledge(self, ack: int, now: float) -> float | None:
        """Remove what ``ack`` covers; returns a round-trip sample in seconds, if there is a valid one.

        The sample is that of the newest record wholly covered, and none is taken where any covered record
        was sent more than once (Karn's algorithm, RFC 6298 §3).
        """
        records = self.records
        newest: Record | None = None
        ambiguous = False
        while records and records[0].end <= ack:
            newest = records.popleft()
            if newest.lost:
                self.lost -= newest.end - newest.seq
            if newest.times_sent > 1:
                ambiguous = True
        if records and records[0].seq < ack:
            first = records[0]
            if first.lost:
                self.lost -= ack - first.seq
            first.seq = ack
            first.syn = False
            # A super-segment that is acknowledged in parts times its first part.
            if newest is None and first.times_sent == 1:
                newest = first
        if newest is None or ambiguous:
            return None
        return now - newest.sent_at

    def mark_lost(self, record: Record) -> None:
        """Take ``record`` for lost."""
        if not record.lost:
            record.lost = True
            self.lost += record.end - record.seq

    def mark_front_lost(self, length: int) -> None:
        """Take the first ``length`` sequence numbers for lost, within the first record."""
        first = self.records[0]
        if first.end - first.seq > length:
            self.records.appendleft(first.split(first.seq + length))
        self.mark_lost(self.records[0])

    def mark_all_lost(self) -> None:
        """Take everything for lost (a retransmission timeout)."""
        for record in self.records:
            self.mark_lost(record)

    def next_lost(self, most: int) -> Record | None:
        """The first lost record, cut to at most ``most`` sequence numbers; None where none is lost."""
        if not self.lost:
            return None
        for index, record in enumerate(self.records):
            if record.lost:
                if record.end - record.seq > most:
                    front = record.split(record.seq + most)
                    self.records.insert(index, front)
                    return front
                return record
        raise AssertionError("the count of lost numbers does not match the records")

    def resent(self, record: Record, now: float) -> None:
        """``record`` went out again."""
        if record.lost:
            record.lost = False
            self.lost -= record.end - record.seq
        record.sent_at = now
        record.times_sent += 1

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()
        self.lost = 0
