"""How large the receive buffer is: it grows with the bandwidth-delay product and never shrinks.

A receiver that always offered its largest window would let a fast sender fill memory for nothing; one
that offered little would be the bottleneck of a long path.  So the buffer begins small and grows to twice
what the application read in one round trip, up to a bound ("dynamic right-sizing", the receiver's half of
RFC 7323's large windows).  The round trip is measured by the timestamps that the peer echoes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp import opening
from usertcp.tcp.advertised_window import WHOLE, Bounds
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import Segment

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A round trip longer than this (in ms) is a timestamp that is not ours.
_ABSURD = 600_000
#: Timestamps count milliseconds: shorter round trips cannot be told apart.
_SHORTEST = 0.001


def measure(tcb: Connection, segment: Segment, now: float) -> None:
    """Take a round trip from the echo of a data segment: the least seen is closest to the path's."""
    echo = segment.ts_ecr
    if not echo or echo == tcb.rcv_rtt_echo:
        return
    tcb.rcv_rtt_echo = echo
    elapsed = (opening.timestamp(tcb, now) - echo) & MASK
    if elapsed < _ABSURD:
        sample = max(elapsed / 1000, _SHORTEST)
        tcb.rcv_rtt = sample if not tcb.rcv_rtt else min(sample, tcb.rcv_rtt * 0.875 + sample * 0.125)


def grow(tcb: Connection, taken: int, now: float) -> None:
    """The application took ``taken`` bytes: once a round trip, see whether the buffer is too small."""
    most = tcb.settings.receive_buffer
    if tcb.rcv_buf >= most or not tcb.settings.grow_receive_buffer:
        return
    tcb.rcv_taken += taken
    round_trip = tcb.rcv_rtt or tcb.rtt.srtt or 0.0
    if now - tcb.rcv_round_at < round_trip:
        return
    # Twice, since the sender's window may double in the next round trip, and some for the one after.
    wanted = 2 * tcb.rcv_taken + 16 * tcb.rcv_mss
    if wanted > tcb.rcv_buf:
        tcb.rcv_buf = min(wanted, most)
    tcb.rcv_taken = 0
    tcb.rcv_round_at = now


# -- The rule "up" ---------------------------------------------------------------------------------------

#: What a packet takes besides its bytes, and what these take at least: room in front, a trailer, a descriptor.
_IN_FRONT: Final = 64
_TRAILER: Final = 320
_DESCRIPTOR: Final = 256
_SMALLEST: Final = 1024
#: A shorter segment says nothing about how the peer will go on.
_WORTH_IT: Final = 128


def segment_taken(tcb: Connection, bounds: Bounds, length: int) -> None:
    """A segment in order of ``length`` bytes: measure what its memory is worth, and let the window grow."""
    memory = _memory_of(tcb, length)
    if tcb.settings.window_space_measured and length > tcb.rcv_mss:
        share = max(1, length * WHOLE // memory)
        if share != tcb.rcv_share:
            tcb.rcv_share = share
            _clamp(bounds, tcb.rcv_buf * share // WHOLE, tcb.rcv_adv - tcb.last_ack_sent)
    if length >= _WORTH_IT:
        _reach_further(tcb, bounds, length, memory)


def _memory_of(tcb: Connection, length: int) -> int:
    headers = opening.header_length(tcb) + (opening.TIMESTAMPS_LENGTH if tcb.timestamps else 0)
    needed = length + headers + _IN_FRONT + _TRAILER
    return max(_SMALLEST, 1 << (needed - 1).bit_length()) + _DESCRIPTOR


def _clamp(bounds: Bounds, room: int, window: int) -> None:
    if room < bounds.clamp:
        bounds.reach = min(bounds.reach, room)
    elif room > bounds.clamp:
        bounds.reach = max(bounds.reach, min(window, room))
    bounds.clamp = room


def _reach_further(tcb: Connection, bounds: Bounds, length: int, memory: int) -> None:
    """By two segments, as long as segments like this one would fill the window before the buffer."""
    space = tcb.rcv_buf * tcb.rcv_share // WHOLE - tcb.receive_buffer.ready.length - tcb.receive_buffer.held_bytes
    room = min(bounds.clamp, space) - bounds.reach
    if room <= 0:
        return
    cost = memory * tcb.rcv_share // WHOLE
    more = 2 * tcb.own_mss
    if cost > length:
        more = 0
        window = tcb.settings.receive_buffer * tcb.rcv_share // WHOLE // 2
        cost //= 2
        while bounds.reach <= window:
            if cost <= length:
                more = 2 * tcb.rcv_mss
                break
            cost //= 2
            window //= 2
    if more:
        bounds.reach += min(room, max(more, 2 * length))
        if tcb.ack_timing is not None:
            tcb.ack_timing.quick |= 1  # the peer is to know
