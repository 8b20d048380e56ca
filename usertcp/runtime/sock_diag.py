"""What this machine's kernel knows of one TCP socket of its own: ``sock_diag(7)``, the interface below ``ss``.

One socket is asked for by its two addresses and ports, in one system call each way (5 µs), and without any
privilege.  Only sockets of the asking process's own network namespace are found.
"""

from __future__ import annotations

import socket
import struct
from typing import Final, NamedTuple

from pyroute2.netlink import NLM_F_REQUEST
from pyroute2.netlink.diag import SOCK_DIAG_BY_FAMILY

from usertcp.tcp.states import State

# <linux/netlink.h>, <linux/inet_diag.h>
_NETLINK_SOCK_DIAG: Final = 4
_INET_DIAG_INFO: Final = 2
_NO_COOKIE: Final = 0xFFFF_FFFF

#: nlmsghdr: length, type, flags, sequence number, port
_HEADER: Final = struct.Struct("=IHHII")
#: inet_diag_req_v2: family, protocol, extensions, states; then inet_diag_sockid
_REQUEST: Final = struct.Struct("=BBBxI")
#: inet_diag_sockid: our and the other port, both addresses; then the interface and the cookie
_SOCKETS: Final = struct.Struct("!HH16s16s")
_ANY_SOCKET: Final = struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
#: inet_diag_msg: family, state, timer, retries, (sockid), expires, rqueue, wqueue, uid, inode
_ANSWER: Final = struct.Struct("=BBBB48xIIIII")
#: nlattr: length, type
_ATTRIBUTE: Final = struct.Struct("=HH")
#: tcp_info as far as it is read here: every kernel with sock_diag has so much of it.
_INFO: Final = struct.Struct("=xB6x I4x I4x I40x IIII16x I")

_STATES: Final = {
    1: State.ESTABLISHED,
    2: State.SYN_SENT,
    3: State.SYN_RECEIVED,
    4: State.FIN_WAIT_1,
    5: State.FIN_WAIT_2,
    6: State.TIME_WAIT,
    7: State.CLOSED,
    8: State.CLOSE_WAIT,
    9: State.LAST_ACK,
    10: State.LISTEN,
    11: State.CLOSING,
    12: State.SYN_RECEIVED,  # TCP_NEW_SYN_RECV: half-open, a listener's
}
_CONGESTION: Final = ("open", "disorder", "cwr", "recovery", "loss")
_TIMERS: Final = ("", "retransmission", "keep-alive", "time-wait", "persist")
#: TCP_INFINITE_SSTHRESH
_NO_THRESHOLD: Final = 0x7FFF_FFFF
_LONGEST_ANSWER: Final = 8192


class Reading(NamedTuple):
    """A socket, as the kernel sees it at the moment: what :class:`usertcp.tcp.events.PeerSeen` tells of it.

    What is not known in a state is None: a socket in TIME-WAIT has a timer and nothing else.
    """

    state: State
    cwnd: int | None = None
    ssthresh: int | None = None
    unacked: int | None = None
    retransmitted: int | None = None
    srtt: float | None = None
    rttvar: float | None = None
    rto: float | None = None
    timer: str = ""
    timer_left: float | None = None
    unread: int | None = None
    queued: int | None = None
    congestion: str | None = None
    mss: int | None = None


def question(address: bytes, port: int, other_address: bytes, other_port: int) -> bytes:
    """What to ask for the kernel's socket at ``address`` and ``port`` that is connected to the other one.

    Addresses are 4 or 16 bytes.
    """
    family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (_INET_DIAG_INFO - 1), 0xFFFF_FFFF)
    sockets = _SOCKETS.pack(port, other_port, address, other_address) + _ANY_SOCKET
    length = _HEADER.size + len(request) + len(sockets)
    return _HEADER.pack(length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0) + request + sockets


class SockDiag:
    """Asks the kernel of the network namespace in which it was made."""

    def __init__(self) -> None:
        """Raises OSError where the kernel has no sock_diag."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG)

    def ask(self, asked: bytes) -> Reading | None:
        """The answer to a :func:`question`: None where the kernel has no such socket, or does not say.

        Also finds the listener that would take the connection, where there is no socket of its own yet.
        Never blocks: netlink answers within the question's own system call.
        """
        try:
            self._socket.send(asked)
            return parse(self._socket.recv(_LONGEST_ANSWER))
        except OSError:
            return None

    def close(self) -> None:
        """Give the socket back.  May be repeated."""
        self._socket.close()


def parse(answer: bytes) -> Reading | None:
    """The kernel's answer to a :func:`question`; None for "no such socket" and for what makes no sense."""
    if len(answer) < _HEADER.size + _ANSWER.size:
        return None
    length, kind, *_ = _HEADER.unpack_from(answer)
    if kind != SOCK_DIAG_BY_FAMILY or length > len(answer):
        return None
    _, number, timer, _, expires, unread, queued, _, _ = _ANSWER.unpack_from(answer, _HEADER.size)
    state = _STATES.get(number)
    if state is None:
        return None
    name = _TIMERS[timer] if timer < len(_TIMERS) else ""
    if state is State.FIN_WAIT_2 and name == "time-wait":
        name = "fin-wait-2"  # the kernel keeps both states in the same small form
    left = expires / 1000 if name else None
    at = _find(answer, _HEADER.size + _ANSWER.size, length)
    if at is None or state in (State.LISTEN, State.SYN_RECEIVED):
        return Reading(state, timer=name, timer_left=left)
    return _full(state, answer, at)._replace(unread=unread, queued=queued, timer=name, timer_left=left)


def _find(answer: bytes, at: int, end: int) -> int | None:
    """Where the tcp_info begins."""
    while at + _ATTRIBUTE.size <= end:
        length, kind = _ATTRIBUTE.unpack_from(answer, at)
        if length < _ATTRIBUTE.size or at + length > end:
            return None
        if kind == _INET_DIAG_INFO:
            return at + _ATTRIBUTE.size if length >= _ATTRIBUTE.size + _INFO.size else None
        at += (length + 3) & ~3
    return None


def _full(state: State, answer: bytes, at: int) -> Reading:
    congestion, rto, mss, unacked, rtt, rttvar, threshold, cwnd, again = _INFO.unpack_from(answer, at)
    return Reading(
        state,
        cwnd=cwnd * mss,
        ssthresh=threshold * mss if threshold < _NO_THRESHOLD else None,
        unacked=unacked,
        retransmitted=again,
        # Before the first measurement both are placeholders.
        srtt=rtt / 1e6 if rtt else None,
        rttvar=rttvar / 1e6 if rtt else None,
        rto=rto / 1e6,
        congestion=_CONGESTION[congestion] if congestion < len(_CONGESTION) else None,
        mss=mss,
    )
