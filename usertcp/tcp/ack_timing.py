"""When to acknowledge, learned from what the peer and the application do (:attr:`Settings.adaptive_acks`).

RFC 9293 §3.8.6.3 and RFC 5681 §4.2 leave room: an acknowledgment within 0.5 s, and for every second full-sized
segment at least.  A sender that begins needs each acknowledgment to open its window; an interactive one is served
best by none of its own, since the answer carries it.  So the first ones are *quick*, and again after disorder or a
long pause; once the application answers (*ping-pong*) they wait; and the delay follows the gaps between segments.

Without the setting there is none of this: a fixed delay, and every second segment (see :mod:`.output`).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.tcp import advertised_window
from usertcp.tcp.moments import LONG_AGO

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: The delay is not believed to be longer than this for a peer that sends on its own, in seconds.
_MOST_UNASKED: Final = 0.5
#: So many duplicate acknowledgments tell the peer of a loss; more than these may be joined.
_ENOUGH_DUPLICATES: Final = 3
#: Lengths, headers included, from which on a segment may be full-sized: any, and one without PSH.
_MAY_BE_FULL: Final = 536 + 20
_MAY_BE_FULL_WITHOUT_PSH: Final = 88 + 20


class AckTiming:
    """What one connection has learned.  ``delay`` (seconds) is 0 until data has come."""

    __slots__ = (
        "_counted_at", "_duplicates", "_fresh", "_last_short", "_pushed", "_pushed_twice", "delay", "joined",
        "last_data", "owed", "ping_pong", "quick",
    )  # fmt: skip

    def __init__(self) -> None:
        #: So many acknowledgments are not delayed.
        self.quick = 0
        self.delay = 0.0
        #: How often the application has answered at once.
        self.ping_pong = 0
        #: An acknowledgment is owed.
        self.owed = False
        #: Out-of-order segments that wait for one acknowledgment together.
        self.joined = 0
        self._fresh = False
        self._pushed = self._pushed_twice = False
        #: When data came in order, or at first when the connection opened.
        self.last_data = LONG_AGO
        self._last_short = 0
        self._duplicates = 0
        self._counted_at = 0

    # -- What arrives ---------------------------------------------------------------------------------

    def data_arrived(self, tcb: Connection, length: int, now: float, *, pushed: bool, last: bool) -> None:
        """A segment with ``length`` bytes in order; ``pushed``: with PSH, ``last``: with that or another reason
        why it may be shorter than full-sized."""
        self._measure(tcb, length, pushed=pushed, last=last)
        self.owed = self._fresh = True
        shortest = tcb.settings.ack_delay
        gap = now - self.last_data
        if not self.delay:
            self.be_quick(tcb)
            self.delay = shortest
        elif gap <= shortest / 2:
            self.delay = self.delay / 2 + shortest / 2
        elif gap < self.delay:
            self.delay = min(self.delay / 2 + gap, tcb.rtt.rto)
        elif gap > tcb.rtt.rto:
            self.be_quick(tcb)  # so long a pause, and the peer may have begun anew with a small window
        self.last_data = now

    def _measure(self, tcb: Connection, length: int, *, pushed: bool, last: bool) -> None:
        """What "full-sized" means for this peer (§3.8.6.3)."""
        last_short, self._last_short = self._last_short, 0
        if length >= tcb.rcv_mss:
            tcb.rcv_mss = min(length, tcb.own_mss)
            self._pushed = self._pushed or pushed
            return
        whole = length + 20 + (12 if tcb.timestamps else 0)
        if whole >= _MAY_BE_FULL or (whole >= _MAY_BE_FULL_WITHOUT_PSH and not last):
            self._last_short = length
            if length == last_short:
                tcb.rcv_mss = length
                return
        self._pushed_twice = self._pushed_twice or self._pushed
        self._pushed = True

    def disorder(self, tcb: Connection) -> None:
        """Something came again, or far outside of the window: do not delay, the peer is about to find its way."""
        self.be_quick(tcb)
        self.ping_pong = 0
        self.delay = tcb.settings.ack_delay
        self.owed = self._fresh = True

    def be_quick(self, tcb: Connection) -> None:
        """As many acknowledgments at once as half the window has segments, within the setting's bound."""
        if tcb.rcv_mss:
            window = tcb.rcv_adv - tcb.last_ack_sent
            self.quick = max(self.quick, min(window // (2 * tcb.rcv_mss) or 2, tcb.settings.quick_acks))

    def fin_arrived(self, tcb: Connection, *, passive: bool) -> None:
        """``passive``: the peer closes first, so that our FIN may carry the acknowledgment."""
        self.owed = self._fresh = True
        if passive:
            self.ping_pong = tcb.settings.pingpong_threshold
            tcb.touch()
        else:
            tcb.need_ack()

    def syn_answered(self, tcb: Connection, now: float) -> None:
        """The SYN,ACK is here: the ACK waits where data will follow."""
        if not self.waits(tcb) and not len(tcb.send_buffer):
            tcb.need_ack()
            return
        self.owed = True
        tcb.ack_due = now + tcb.settings.max_ack_delay

    def out_of_order(self, tcb: Connection, now: float) -> bool:
        """A segment beyond a gap came: whether to say so at once."""
        settings = tcb.settings
        if self._quick_now(tcb) or not tcb.sack_ok or self.joined >= settings.delayed_sacks:
            return True
        if self._counted_at != tcb.rcv_nxt:
            self._counted_at = tcb.rcv_nxt
            self._duplicates = 0
        if self._duplicates < _ENOUGH_DUPLICATES:
            self._duplicates += 1
            return True
        self.joined += 1
        self.owed = True
        round_trip = min(tcb.rcv_rtt or inf, tcb.rtt.srtt or inf)
        if tcb.ack_due == inf:
            tcb.ack_due = now + min(settings.sack_delay, round_trip / 20)
            tcb.touch()
        return False

    # -- What leaves ----------------------------------------------------------------------------------

    def acknowledged(self, tcb: Connection) -> None:
        """A segment with the acknowledgment has left."""
        if self.quick and self.owed:
            self.quick -= 1
            if not self.quick:
                self.delay = tcb.settings.ack_delay
        self.owed = self._fresh = self._pushed = self._pushed_twice = False
        self.joined = 0

    def data_sent(self, now: float) -> None:
        """A segment with data has left: if soon after one that came, the two ends talk."""
        if now - self.last_data < self.delay and self.ping_pong < 255:
            self.ping_pong += 1

    # -- Deciding -------------------------------------------------------------------------------------

    def decide(self, tcb: Connection, now: float) -> bool:
        """The end of a batch: whether an acknowledgment leaves now; else its timer is set."""
        if tcb.ack_now:
            return True
        if not self._fresh:
            return False
        self._fresh = False
        # A window that shrinks ends the quick ones, so it is looked at first.
        two = tcb.rcv_nxt - tcb.last_ack_sent > tcb.rcv_mss
        if (two and advertised_window.would_not_shrink(tcb)) or self._quick_now(tcb):
            return True
        delay = self._bounded(tcb)
        if delay <= 0 or tcb.ack_due <= now + delay / 4:
            return True
        tcb.ack_due = min(tcb.ack_due, now + delay)
        return False

    def waits(self, tcb: Connection) -> bool:
        """Whether the application's answers are to carry the acknowledgments."""
        return self.ping_pong >= tcb.settings.pingpong_threshold

    def _quick_now(self, tcb: Connection) -> bool:
        return self.quick > 0 and not self.waits(tcb)

    def _bounded(self, tcb: Connection) -> float:
        settings = tcb.settings
        delay = self.delay
        if delay > settings.ack_delay:
            most = settings.max_ack_delay if self.waits(tcb) or self._pushed else _MOST_UNASKED
            if tcb.rtt.srtt is not None:
                most = min(most, max(tcb.rtt.srtt, settings.ack_delay))
            delay = min(delay, most)
        return min(delay, settings.max_ack_delay)

    def timer_fired(self, tcb: Connection) -> None:
        """Nothing came along to carry it: wait longer for more data, or no longer for the application."""
        if self.joined:
            return
        if self.waits(tcb):
            self.ping_pong = 0
            self.delay = tcb.settings.ack_delay
        else:
            self.delay = min(2 * self.delay, tcb.rtt.rto)

    def read(self, tcb: Connection) -> None:
        """The application has taken data: once it has all of it, a peer that waits for us is told."""
        if not self.owed:
            return
        emptied = not (tcb.receive_buffer.ready.length or tcb.receive_buffer.held_bytes)
        if tcb.rcv_nxt - tcb.last_ack_sent > tcb.rcv_mss or (
            emptied and (self._pushed_twice or (self._pushed and not self.waits(tcb)))
        ):
            tcb.need_ack()

    def switch(self, tcb: Connection, on: bool) -> None:
        """The application knows better, for now (:meth:`Connection.quick_ack`)."""
        if not on:
            self.ping_pong = tcb.settings.pingpong_threshold
            return
        self.ping_pong = 0
        if self.owed:
            self._pushed = True
            self.read(tcb)
