"""What the peer's kernel says of its end, at the moments when it teaches something."""

from __future__ import annotations

from usertcp.observe.names import counted, milliseconds
from usertcp.tcp.events import PeerSeen
from usertcp.tcp.states import State

#: Changes of an estimate that are worth telling by themselves.
_RTO_JUMP = 1.5
#: How often they are told by themselves before it closes.
_OFTEN = 8


class KernelView:
    """Remembers the last numbers that were told, to tell them again when they say something new."""

    __slots__ = ("_times", "_told")

    def __init__(self) -> None:
        self._told: PeerSeen | None = None
        self._times = 0

    def telling(self, reading: PeerSeen, *, verbose: bool) -> str:
        """The numbers of ``reading`` in words, or "" where they say nothing new.

        New is: the first reading in ESTABLISHED, segments sent again, a congestion window that shrank, a timeout that
        jumped, and how things stood when it closed.  With ``verbose``, every change.
        """
        before = self._told
        if before is None:
            new = reading.cwnd is not None and (verbose or reading.state is State.ESTABLISHED)
        elif verbose:
            new = _numbers(reading) != _numbers(before)
        else:
            new = _closes(before, reading) or (self._times < _OFTEN and _is_news(before, reading))
        if not new:
            return ""
        self._told = reading
        self._times += 1
        return _numbers(reading)


def _closes(before: PeerSeen, now: PeerSeen) -> bool:
    return now.state is State.FIN_WAIT_1 and before.state is not State.FIN_WAIT_1 and now.cwnd is not None


def _is_news(before: PeerSeen, now: PeerSeen) -> bool:
    if now.retransmitted is not None and now.retransmitted > (before.retransmitted or 0):
        return True
    if now.cwnd is not None and before.cwnd is not None and now.cwnd < before.cwnd:
        return True
    return now.rto is not None and before.rto is not None and now.rto > before.rto * _RTO_JUMP


def _numbers(reading: PeerSeen) -> str:
    parts = []
    if reading.cwnd is not None:
        parts.append(f"cwnd {reading.cwnd:,}")
    if reading.ssthresh is not None:
        parts.append(f"ssthresh {reading.ssthresh:,}")
    if reading.srtt:
        parts.append(f"rtt {milliseconds(reading.srtt)}")
    if reading.rto is not None:
        parts.append(f"rto {milliseconds(reading.rto)}")
    if reading.unacked:
        parts.append(f"{counted(reading.unacked, 'segment')} unacknowledged")
    if reading.retransmitted:
        parts.append(f"{reading.retransmitted:,} sent again")
    return f"kernel: {', '.join(parts)}"
