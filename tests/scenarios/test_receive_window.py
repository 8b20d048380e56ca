"""How the receive buffer follows the bandwidth-delay product: to twice what was read in a round trip."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from tests.scenarios.driver import meet
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, SYN

SEGMENT = 1000
ROUND_TRIP = 0.1
INITIAL = 64 << 10
MOST = 1 << 20
SETTINGS = Settings(initial_receive_buffer=INITIAL, receive_buffer=MOST, congestion_control="reno")


class Transfer:
    """A peer that sends as much as a round trip takes, echoing our timestamps, and an application."""

    def __init__(self, settings: Settings = SETTINGS, *, timestamps: bool = True) -> None:
        self.us, self.peer = meet(settings)
        self.timestamps = timestamps
        self.us.listens()
        self.peer.sends(SYN, seq=0, wscale=7, sack=True, ts=self._stamp(0))
        answer = self.peer.receives(SYN | ACK)
        #: Our timestamps on their way to the peer and back.
        self.stamps = deque([(self.us.now, answer.ts_val or 0)])
        self.us.waits(ROUND_TRIP)
        self.peer.sends(ACK, seq=1, ack=1, ts=self._stamp(answer.ts_val or 0))
        self.us.tcb = self.us.accepts()
        #: The right edge of each window that we offered.
        self.edges = [1 + answer.window]
        self.scale = answer.options.window_scale or 0

    def _stamp(self, echo: int) -> tuple[int, int] | None:
        return (int(self.us.now * 1000), echo) if self.timestamps else None

    def round_trip(self, arriving: int, *, read: bool = True) -> None:
        """``arriving`` bytes come in one round trip, and are read as they come."""
        for _ in range(arriving // SEGMENT):
            self.us.waits(ROUND_TRIP / (arriving // SEGMENT))
            self._take_answers()
            while len(self.stamps) > 1 and self.stamps[1][0] <= self.us.now - ROUND_TRIP:
                self.stamps.popleft()
            self.peer.sends(ACK, data=bytes(SEGMENT), ts=self._stamp(self.stamps[0][1]))
            if read:
                self.us.reads()
        self._take_answers()

    def _take_answers(self) -> None:
        for sent in self.peer.ignores():
            ack = (sent.ack - self.peer.isn) & 0xFFFFFFFF
            self.edges.append(ack + (sent.window << self.scale))
            self.stamps.append((self.us.now, sent.ts_val or 0))

    @property
    def buffer(self) -> int:
        return self.us.tcb.rcv_buf


def test_it_begins_small() -> None:
    transfer = Transfer()
    assert transfer.buffer == INITIAL
    transfer.us.waits(1)
    assert max(transfer.edges) <= 1 + INITIAL


def test_it_grows_to_twice_what_was_read_in_a_round_trip() -> None:
    transfer = Transfer()
    for _ in range(4):
        transfer.round_trip(50 * SEGMENT)
    assert 2 * 50 * SEGMENT <= transfer.buffer <= 2.6 * 50 * SEGMENT
    transfer.round_trip(100 * SEGMENT)
    transfer.round_trip(100 * SEGMENT)
    transfer.round_trip(100 * SEGMENT)
    assert 2 * 100 * SEGMENT <= transfer.buffer <= 2.6 * 100 * SEGMENT
    assert transfer.edges[-1] - transfer.us.tcb.bytes_received >= transfer.buffer - 2 * SEGMENT


def test_a_slow_sender_gets_no_more_than_it_needs() -> None:
    transfer = Transfer()
    for _ in range(20):
        transfer.round_trip(10 * SEGMENT)
    assert transfer.buffer == INITIAL


def test_nor_one_whose_data_nobody_reads() -> None:
    """What is not read is no sign that more could be."""
    transfer = Transfer()
    for _ in range(10):
        transfer.round_trip(6 * SEGMENT, read=False)
    assert transfer.buffer == INITIAL


def test_it_is_bounded() -> None:
    transfer = Transfer(replace(SETTINGS, receive_buffer=3 * INITIAL))
    for count in (50, 100, 150, 150, 150, 150):
        transfer.round_trip(count * SEGMENT)
    assert transfer.buffer == 3 * INITIAL
    transfer.us.waits(1)
    assert transfer.us.tcb.rcv_wnd <= 3 * INITIAL + 128


def test_the_window_never_shrinks() -> None:
    """RFC 9293 §3.8.6: a right edge that was promised stays; neither growth nor unread data takes it back, but for
    what scaling can not say (RFC 7323 §2.4)."""
    transfer = Transfer()
    for count, read in ((50, True), (100, True), (10, False), (100, False), (20, True), (150, True)):
        transfer.round_trip(count * SEGMENT, read=read)
    assert len(transfer.edges) > 100
    promised = 0
    for edge in transfer.edges:
        assert edge > promised - (1 << transfer.scale)
        promised = max(promised, edge)


def test_the_buffer_never_shrinks_either() -> None:
    transfer = Transfer()
    sizes = []
    for count in (50, 100, 100, 1, 1, 1, 1, 50):
        transfer.round_trip(count * SEGMENT)
        sizes.append(transfer.buffer)
    assert sizes == sorted(sizes)


def test_the_round_trip_is_measured_by_the_echoes() -> None:
    """RFC 7323 §4: the receiver of a one-way transfer has no other measure."""
    transfer = Transfer()
    for _ in range(8):
        transfer.round_trip(20 * SEGMENT)
    assert 0.9 * ROUND_TRIP <= transfer.us.tcb.rcv_rtt <= 2.2 * ROUND_TRIP


def test_without_timestamps_the_handshake_has_to_do() -> None:
    transfer = Transfer(timestamps=False)
    for _ in range(4):
        transfer.round_trip(50 * SEGMENT)
    assert 2 * 50 * SEGMENT <= transfer.buffer <= 2.6 * 50 * SEGMENT


def test_the_scale_of_the_syn_is_for_the_largest_buffer() -> None:
    """RFC 7323 §2.2: it can not be changed later."""
    assert Transfer().scale == 5
    assert Transfer(replace(SETTINGS, receive_buffer=16 << 20)).scale == 9


