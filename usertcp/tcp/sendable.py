"""How much new data may leave in one go: Nagle's rule and silly-window avoidance (RFC 9293 §3.7.4, §3.8.6.2.1).

Two forms of it are in use.  In the classic one a segment that is not full waits for everything that is outstanding.
In Minshall's it waits only for an earlier segment that was not full either; a super-segment then takes the partial
segment at its end along, also one that the peer's window cuts off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from usertcp.tcp.connection import Connection

#: How much of ``unsent`` bytes to send, where the peer's window takes ``window`` more and everything else ``room``.
Rule: TypeAlias = "Callable[[Connection, int, int, int], int]"


def classic(tcb: Connection, unsent: int, window: int, room: int) -> int:
    """RFC 9293 §3.8.6.2.1 and §3.7.4 by the letter."""
    mss = tcb.snd_mss
    allowed = min(unsent, window, room)
    if allowed >= mss:
        tail = allowed % mss
        if tail and (allowed < unsent or (_nagle(tcb) and allowed > mss)):
            allowed -= tail  # a super-segment is a whole number of segments except at the end of the data
        return allowed  # rule (1): at least one full-sized segment
    if allowed <= 0:
        return 0
    idle = tcb.snd_nxt == tcb.send_buffer.start  # a SYN that is outstanding is no data
    if allowed == unsent and ((idle and not _corked(tcb)) or not _nagle(tcb)):
        return allowed  # rule (2): everything there is, and Nagle agrees
    if idle and 2 * allowed >= tcb.max_snd_wnd:
        return allowed  # rule (3): half of the largest window that the peer ever offered
    if tcb.sws_override:
        return allowed  # rule (4): waited long enough
    return 0


def _nagle(tcb: Connection) -> bool:
    """Whether a partial segment waits for what is outstanding; urgent data and the last one before a FIN do not."""
    return (not tcb.nodelay or _corked(tcb)) and not tcb.close_queued and not tcb.sending_urgent


def _corked(tcb: Connection) -> bool:
    """Whether it waits although nothing is outstanding: the application is about to add to it."""
    return tcb.corked or tcb.more


def minshall(tcb: Connection, unsent: int, window: int, room: int) -> int:
    """Partial segments wait for partial segments; one segment leaves whole or not at all."""
    mss = tcb.snd_mss
    least = min(mss, unsent)
    if room < least or window < least:
        return min(unsent, window, room) if tcb.sws_override and window > 0 else 0
    length = min(unsent, window, max(room // mss, 1) * mss)
    partial = length % mss
    if not partial:
        return length
    if _partial_waits(tcb):
        return length - partial
    tcb.partial_end = tcb.snd_nxt + length
    return length


def _partial_waits(tcb: Connection) -> bool:
    if tcb.close_queued or tcb.sws_override or tcb.sending_urgent:
        return False
    return _corked(tcb) or (not tcb.nodelay and tcb.partial_end > tcb.snd_una)


#: By the names that :attr:`Settings.nagle <usertcp.tcp.settings.Settings.nagle>` has for them.
RULES: Final[dict[str, Rule]] = {"classic": classic, "minshall": minshall}
