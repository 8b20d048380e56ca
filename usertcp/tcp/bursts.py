"""How large super-segments are, and whether one waits a little to become larger.

A large one costs little to send, but is a burst for the queues on the path, and distorts the round trip.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: The largest super-segment in bytes; a single segment where the device cuts none.
Rule: TypeAlias = "Callable[[Connection], int]"

_MILLISECOND: Final = 0.001
#: A rate's bytes in this time make a super-segment.
_MOMENT: Final = 2.0**-10
#: What one super-segment can carry with the largest headers, in those systems whose sizes these are.
_LARGEST: Final = 65215
_MICROSECONDS: Final = 1e6


def millisecond(tcb: Connection) -> int:
    """What the window's rate carries in a millisecond, twice over, as far as the device goes."""
    most = tcb.gso_payload
    if not most:
        return tcb.snd_mss
    srtt = tcb.rtt.srtt
    if srtt is None or srtt <= _MILLISECOND:
        return most
    mss = tcb.snd_mss
    return min(most, max(2, int(2 * tcb.congestion.cwnd / srtt * _MILLISECOND) // mss) * mss)


def paced(tcb: Connection) -> int:
    """What leaves in a moment at the rate at which the window would be paced; more on very short paths."""
    if not tcb.gso_payload:
        return tcb.snd_mss
    settings, mss = tcb.settings, tcb.snd_mss
    size = _LARGEST
    srtt = tcb.rtt.srtt
    if srtt:
        size = min(int(pacing_rate(tcb, srtt) * _MOMENT), _LARGEST)
        if settings.tso_rtt_log:
            halvings = int(min(tcb.rtt.min_rtt, 1.0) * _MICROSECONDS) >> settings.tso_rtt_log
            size = min(size + (_LARGEST >> min(halvings, 32)), _LARGEST)
    return max(size // mss, settings.tso_min_segments) * mss


def pacing_rate(tcb: Connection, srtt: float) -> float:
    """Bytes per second: the window in a round trip, and some more for it to grow."""
    congestion, settings = tcb.congestion, tcb.settings
    slow_start = 2 * congestion.cwnd < congestion.ssthresh
    percent = settings.pacing_slow_start_percent if slow_start else settings.pacing_avoidance_percent
    return percent / 100 * max(congestion.cwnd, tcb.snd_nxt - tcb.snd_una) / srtt


#: By the names that :attr:`Settings.super_segments <usertcp.tcp.settings.Settings.super_segments>` has for them.
RULES: Final[dict[str, Rule]] = {"millisecond": millisecond, "paced": paced}


def largest(tcb: Connection) -> int:
    """The most that a write puts together for one super-segment: no more than half of the peer's largest window."""
    mss = tcb.snd_mss
    most = min(tcb.gso_payload, _LARGEST)
    window = tcb.max_snd_wnd >> 1
    return max(min(most, window or most) // mss, 1) * mss


def half_window(tcb: Connection) -> int:
    """New data leaves in at least two super-segments a window, so that one is on its way while the other is made."""
    mss = tcb.snd_mss
    return max(tcb.congestion.cwnd // mss >> 1, 1) * mss


def deferred(tcb: Connection, unsent: int, window: int, room: int, most: int, now: float) -> bool:
    """Whether a super-segment waits for the windows to open (``room``: cwnd's), since it could be larger then.

    Only right after another one left, only for less than a part of the window, and only while an acknowledgment
    is about to come.
    """
    if unsent <= tcb.snd_mss or tcb.recovery.active or now - tcb.last_sent_at > _MILLISECOND:
        return False
    limit = min(window, room)
    if limit >= most or limit >= min(tcb.snd_wnd, tcb.congestion.cwnd) // tcb.settings.tso_window_divisor:
        return False
    srtt = tcb.rtt.srtt or 0.0
    if not tcb.rtx or tcb.rtx.first.sent_at + srtt - now > min(srtt / 2, _MILLISECOND):
        return False
    return limit <= unsent or not tcb.close_queued
