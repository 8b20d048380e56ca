"""The window that we offer: how much, in which steps, and when reading is a reason to say so.

RFC 9293 §3.8.6 forbids to move its right edge to the left and §3.8.6.2.2 asks the receiver to avoid silly
windows; how a field of 16 bits follows from the free space is left open.  What exists are a few *rules*, of which
:attr:`Settings.window_rule` chooses one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: The largest shift (RFC 7323 §2.3).
MAX_WINDOW_SCALE: Final = 14
_FIELD: Final = 0xFFFF
#: Shares of the buffer are counted in this part of it.
WHOLE: Final = 256


class Bounds:
    """What bounds the window besides the buffer.

    ``clamp`` is what it will never exceed; ``reach`` what it may come to now, which grows with each segment that is
    worth its memory.  Both are in bytes.
    """

    __slots__ = ("clamp", "reach")

    def __init__(self, clamp: int, reach: int) -> None:
        self.clamp = clamp
        self.reach = reach


class WindowRule(NamedTuple):
    """``offer``: the window in bytes, of what is left of the last one; ``opens``: whether what was read is news."""

    offer: Callable[[Connection, int], int]
    opens: Callable[[Connection, int], bool]


# -- SYNs ------------------------------------------------------------------------------------------------


def scale(tcb: Connection) -> int:
    """The shift that our SYN offers (RFC 7323 §2.2)."""
    settings = tcb.settings
    most = settings.receive_buffer * tcb.rcv_share // WHOLE
    if settings.window_scale_buffer:
        most = max(settings.window_scale_buffer, _at_first(tcb))
    if settings.window_clamp is not None:
        most = min(most, settings.window_clamp)
    return shift_for(most)


def shift_for(window: int) -> int:
    """The least shift that lets 16 bits describe ``window`` bytes."""
    return min(MAX_WINDOW_SCALE, max(0, (window >> 16).bit_length()))


def syn_promise(tcb: Connection) -> int:
    """What a SYN of ours promises, in bytes: its field is not scaled (RFC 7323 §2.2) and says 65535 at most."""
    promise = _at_first(tcb)
    if tcb.settings.round_syn_window:
        segment = tcb.own_mss - (12 if tcb.timestamps and tcb.opened_passively else 0)
        if promise > segment > 0:
            promise -= promise % segment
    return promise if tcb.window_bounds is not None else min(promise, _FIELD)


def _at_first(tcb: Connection) -> int:
    room = tcb.rcv_buf * tcb.rcv_share // WHOLE
    clamp = tcb.settings.window_clamp
    return room if clamp is None else min(room, clamp)


def of_syn(tcb: Connection) -> int:
    """The window field of a SYN that leaves now."""
    promise = syn_promise(tcb)
    if tcb.window_bounds is not None:
        tcb.window_bounds.reach = promise
    tcb.rcv_adv = max(tcb.rcv_adv, tcb.rcv_nxt + promise)
    return min(promise, _FIELD)


def opened(tcb: Connection) -> None:
    """Both SYNs are through: from here on the bounds count, and one segment less than the space is in them."""
    bounds = tcb.window_bounds
    if bounds is None:
        return
    room = tcb.rcv_buf * tcb.rcv_share // WHOLE
    clamp = _FIELD << tcb.rcv_wscale
    if tcb.settings.window_clamp is not None:
        clamp = min(clamp, tcb.settings.window_clamp)
    clamp = min(clamp, room)
    segment = tcb.own_mss - (12 if tcb.timestamps else 0)
    if clamp > 2 * segment and clamp + segment > room:
        clamp = max(2 * segment, room - segment)
    bounds.clamp = clamp
    bounds.reach = min(bounds.reach, clamp)


# -- Other segments --------------------------------------------------------------------------------------


def field(tcb: Connection) -> int:
    """The window field of a segment that leaves now; the right edge never moves left (RFC 9293 §3.8.6)."""
    window = tcb.window_rule.offer(tcb, tcb.rcv_adv - tcb.rcv_nxt)
    tcb.rcv_adv = max(tcb.rcv_adv, tcb.rcv_nxt + window)
    return min(window >> tcb.rcv_wscale, _FIELD)


def may_open(tcb: Connection) -> None:
    """The application has read: tell the peer if that makes a difference."""
    if tcb.rcv_fin is None and tcb.window_rule.opens(tcb, tcb.rcv_adv - tcb.rcv_nxt):
        tcb.need_ack()


# -- In steps --------------------------------------------------------------------------------------------


def _in_steps(tcb: Connection, remaining: int) -> int:
    """RFC 9293 §3.8.6.2.2: right by min(RCV.BUFF / 2, MSS) at least."""
    shift = tcb.rcv_wscale
    free = (tcb.rcv_buf * tcb.rcv_share >> 8) - tcb.receive_buffer.ready.length
    # Rounded up, so that scaling does not move the edge left; down only where that would let the edge
    # creep beyond what the buffer holds.
    in_units = (remaining + (1 << shift) - 1) >> shift
    if (in_units << shift) > max(free, 0) + (1 << shift):
        in_units = remaining >> shift
    if free - remaining >= _worthwhile(tcb):
        in_units = max(in_units, free >> shift)
    return min(in_units, _FIELD) << shift


def _worthwhile(tcb: Connection) -> int:
    return min(tcb.rcv_buf // 2, max(tcb.rcv_mss, 1))


def _opens_by_a_step(tcb: Connection, remaining: int) -> bool:
    """Where the window has at least doubled."""
    if tcb.unacked_bytes and remaining >= 2 * tcb.rcv_mss:
        return False  # an acknowledgment is on its way that says it, and the peer can send until then
    free = (tcb.rcv_buf * tcb.rcv_share >> 8) - tcb.receive_buffer.ready.length
    free = min(free, _FIELD << tcb.rcv_wscale)
    return free >= 2 * remaining and free - remaining >= _worthwhile(tcb)


# -- Up to the next unit ---------------------------------------------------------------------------------


def _up(tcb: Connection, remaining: int) -> int:
    """What is free, up to the bounds; scaled windows are rounded up, others are whole segments."""
    window = could_offer(tcb)
    if window < remaining:
        unit = (1 << tcb.rcv_wscale) - 1
        window = (remaining + unit) & ~unit
    return window


def could_offer(tcb: Connection) -> int:
    """The window of the rule "up" if no promise had been made."""
    bounds = tcb.window_bounds
    assert bounds is not None
    buffer = tcb.receive_buffer
    room = tcb.rcv_buf * tcb.rcv_share // WHOLE
    full = min(room, bounds.clamp)
    free = room - buffer.ready.length - buffer.held_bytes
    unit = (1 << tcb.rcv_wscale) - 1
    mss = min(tcb.rcv_mss, full)
    if free < full // 2:
        if tcb.ack_timing is not None:
            tcb.ack_timing.quick = 0  # no reason to hurry a peer that we can not take much more of
        free &= ~unit
        if free < room // 16 or free < mss:
            return 0
    free = min(free, bounds.reach)
    if unit:
        return (free + unit) & ~unit
    window = tcb.rcv_adv - tcb.last_ack_sent
    if window <= free - mss or window > free:
        return free - free % mss if mss else free
    if mss == full and free > window + full // 2:
        return free
    return window


def would_not_shrink(tcb: Connection) -> bool:
    """Whether an acknowledgment that leaves now would promise as much as the last one."""
    return tcb.window_bounds is None or could_offer(tcb) >= tcb.rcv_adv - tcb.last_ack_sent


def _opens_by_doubling(tcb: Connection, remaining: int) -> bool:
    bounds = tcb.window_bounds
    assert bounds is not None
    if 2 * remaining > bounds.clamp:
        return False
    window = could_offer(tcb)
    return window > 0 and window >= 2 * remaining


# -- Exactly ---------------------------------------------------------------------------------------------


def _exactly(tcb: Connection, remaining: int) -> int:
    """What is free, rounded down by the scale; less than a segment and a quarter of the buffer is nothing."""
    free = tcb.rcv_buf - tcb.receive_buffer.ready.length
    if free < tcb.rcv_buf // 4 and free < tcb.snd_mss:
        free = 0
    return min(max(free, remaining), _FIELD << tcb.rcv_wscale)


def _opens_by_segments(tcb: Connection, remaining: int) -> bool:
    """By two segments, where that is much of the buffer, or by half of it."""
    if tcb.unacked_bytes:
        return False
    buffer = tcb.rcv_buf
    window = min(buffer - tcb.receive_buffer.ready.length, _FIELD << tcb.rcv_wscale)
    more = window - remaining
    if more <= 0 or remaining >> tcb.rcv_wscale >= window >> tcb.rcv_wscale:
        return False
    if 2 * more >= buffer:
        return True
    two = more >= 2 * tcb.snd_mss
    return two and (more >= buffer // 4 or window <= buffer // 8 or buffer <= 8 * tcb.snd_mss)


#: By the name that :attr:`usertcp.tcp.settings.Settings.window_rule` has for it.
RULES: Final[dict[str, WindowRule]] = {
    "steps": WindowRule(_in_steps, _opens_by_a_step),
    "up": WindowRule(_up, _opens_by_doubling),
    "exact": WindowRule(_exactly, _opens_by_segments),
}
