"""What MSG_ERRQUEUE reads: ICMP errors, completions of MSG_ZEROCOPY, and timestamps of what was sent.

The structures are Linux's (linux/errqueue.h).
"""

from __future__ import annotations

from errno import EAGAIN, ENOMSG
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from usertcp.sim.posix import constants as c
from usertcp.sim.posix.addresses import SocketAddress, for_socket, sockaddr
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.icmp_errors import IcmpError

if TYPE_CHECKING:
    from usertcp.sim.posix.sockets import Control, Message

#: struct sock_extended_err: errno, origin, type, code, pad, info, data.
_EXTENDED_ERROR: Final = Struct("=IBBBBII")
#: struct scm_timestamping: three timespecs, of which only the first is filled in.
_STAMPS: Final = Struct("=qqqqqq")
_NANOSECONDS: Final = 1_000_000_000


class ExtendedError(NamedTuple):
    """``struct sock_extended_err``."""

    number: int = 0
    origin: int = c.SO_EE_ORIGIN_NONE
    type: int = 0
    code: int = 0
    info: int = 0
    data: int = 0

    def pack(self) -> bytes:
        """As the kernel lays it out."""
        return _EXTENDED_ERROR.pack(self.number, self.origin, self.type, self.code, 0, self.info, self.data)


class Entry(NamedTuple):
    """One message of the queue."""

    error: ExtendedError
    data: bytes = b""
    #: To whom what failed was sent, and who said that it failed.
    address: SocketAddress | None = None
    offender: SocketAddress | None = None
    #: When what is told of happened, in seconds; None: no timestamp.
    stamp: float | None = None


class ErrorQueue:
    """The error queue of one socket."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []  # few, and nearly always none

    def __bool__(self) -> bool:
        return bool(self._entries)

    def icmp(self, domain: int, error: IcmpError, payload: bytes, destination: SocketAddress) -> None:
        """An ICMP error, for a socket with IP_RECVERR."""
        origin = c.SO_EE_ORIGIN_ICMP if len(error.reporter) == 4 else c.SO_EE_ORIGIN_ICMP6
        extended = ExtendedError(error.number, origin, error.kind, error.code, error.mtu)
        offender = for_socket(domain, error.reporter, 0)
        self._entries.append(Entry(extended, payload, destination, offender))

    def zerocopy(self, first: int, last: int, *, copied: bool) -> None:
        """The calls with these numbers are done with their buffers; joined with the message before if it fits."""
        code = c.SO_EE_CODE_ZEROCOPY_COPIED if copied else 0
        if self._entries:
            before = self._entries[-1].error
            if (before.origin, before.code, before.data + 1) == (c.SO_EE_ORIGIN_ZEROCOPY, code, first):
                first = before.info
                self._entries.pop()
        self._entries.append(
            Entry(ExtendedError(0, c.SO_EE_ORIGIN_ZEROCOPY, 0, code, first & 0xFFFFFFFF, last & 0xFFFFFFFF))
        )

    def stamped(self, kind: int, key: int, moment: float, data: bytes) -> None:
        """Something sent has come so far as ``kind`` (SCM_TSTAMP_...) says."""
        error = ExtendedError(ENOMSG, c.SO_EE_ORIGIN_TIMESTAMPING, 0, 0, kind, key & 0xFFFFFFFF)
        self._entries.append(Entry(error, data, stamp=moment))

    def take(self, domain: int, most: int, control_size: int) -> tuple[Message, int | None]:
        """The oldest message, for a socket of ``domain``; and what SO_ERROR is now: the errno of the next ICMP
        error, 0 where the last one was taken, None where this changes nothing.  Raises OSError EAGAIN."""
        from usertcp.sim.posix.control import fit
        from usertcp.sim.posix.sockets import Message

        if not self._entries:
            raise failure(EAGAIN)
        entry = self._entries.pop(0)
        level, name = (c.SOL_IP, c.IP_RECVERR) if domain == c.AF_INET else (c.SOL_IPV6, c.IPV6_RECVERR)
        messages: list[Control] = []
        if entry.stamp is not None:
            whole, part = divmod(round(entry.stamp * _NANOSECONDS), _NANOSECONDS)
            messages.append((c.SOL_SOCKET, c.SCM_TIMESTAMPING, _STAMPS.pack(whole, part, 0, 0, 0, 0)))
        messages.append((level, name, entry.error.pack() + sockaddr(entry.offender, domain)))
        control, truncated = fit(messages, control_size)
        flags = c.MSG_ERRQUEUE | truncated | (c.MSG_TRUNC if len(entry.data) > most else 0)
        return Message(entry.data[:most], entry.address, control, flags), self._error_after(entry)

    def _error_after(self, taken: Entry) -> int | None:
        following = self._entries[0].error if self._entries else None
        if following is not None and _is_icmp(following):
            return following.number
        return 0 if _is_icmp(taken.error) else None


def _is_icmp(error: ExtendedError) -> bool:
    return error.origin in (c.SO_EE_ORIGIN_ICMP, c.SO_EE_ORIGIN_ICMP6)
