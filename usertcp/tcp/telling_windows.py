"""When a connection tells its watcher of windows, ours and the peer's (see :mod:`.telling`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usertcp.tcp.events import Kind
from usertcp.tcp.told import Told
from usertcp.wire.seq import MASK

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: A window is told when it differs by this part of what was told last.
_QUARTER: Final = 4


def _differs(window: int, before: int) -> bool:
    return not window or not before or abs(window - before) * _QUARTER > before


def theirs(tcb: Connection, told: Told, now: float) -> None:
    """The window that the peer offers is another one than was told."""
    window, before = tcb.snd_wnd, told.theirs
    edge = tcb.snd_wl2 + window
    moved_left = before >= 0 and edge < told.theirs_edge
    if before < 0:
        told.theirs, told.theirs_edge = window, edge
    if before < 0 or not (moved_left or _differs(window, before)):
        return
    if not window:
        what, section, reason = "closed", "3.8.6.1", "the peer has no room: probes will ask for it"
    elif not before:
        what, section, reason = "opened", "3.8.6.1", "the peer has room again"
    elif window > before:
        what, section, reason = "grew", "3.8.6", "the peer offers more"
    else:
        what, section, reason = "shrank", "3.8.6", "its application has not read what came"
    if moved_left:
        reason = "the peer takes back what it had offered: its right edge moved left"
    told.theirs, told.theirs_edge = window, edge
    _window(tcb, "theirs", what, window, edge, reason, section, now)


def ours(tcb: Connection, told: Told, now: float) -> None:
    """The window field of our last segment is another one than when it was looked at."""
    if tcb.segments_sent == tcb.syns_sent:
        return  # a SYN's window is not scaled
    told.field = tcb.last_window
    window, before = told.field << tcb.rcv_wscale, told.ours
    if before < 0:
        told.ours, told.ours_buffer = window, tcb.rcv_buf
    if before < 0 or not _differs(window, before):
        return
    waiting = tcb.receive_buffer.ready.length
    section = "3.8.6.2.2"
    if not window:
        what, reason = "closed", f"{waiting} bytes wait to be read, and there is no room for more"
    elif window < before:
        what, reason = "shrank", f"{waiting} bytes wait to be read, {tcb.receive_buffer.held_bytes} behind a gap"
    elif not before:
        what, reason = "opened", "the application has read"
    elif tcb.rcv_buf > told.ours_buffer:
        what, reason = "grew", f"the buffer grew to {tcb.rcv_buf} bytes: the application keeps up with the peer"
        section = "RFC 7323 §2"
    else:
        what, reason = "grew", "the application has read"
    told.ours, told.ours_buffer = window, tcb.rcv_buf
    _window(tcb, "ours", what, window, tcb.rcv_adv, reason, section, now)


def _window(
    tcb: Connection, side: str, what: str, window: int, edge: int, reason: str, section: str, now: float
) -> None:
    trace = tcb.outlet.trace
    assert trace is not None
    trace((Kind.WINDOW, now, tcb.number, side, what, window, edge & MASK, reason, section))
