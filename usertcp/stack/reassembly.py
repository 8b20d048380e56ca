"""Reassembly of fragments: IPv4 (RFC 791 §3.2, RFC 815) and IPv6 (RFC 8200 §4.5).

Fragments that overlap discard their whole datagram in both families: RFC 5722 says so for IPv6, and in IPv4
too nobody but an attacker sends them.  Only an exact duplicate is ignored, since networks make those.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, NamedTuple

from usertcp.wire import icmp, ipv4, ipv6
from usertcp.wire.buffer import Buffer
from usertcp.wire.codepoint import CE, NOT_ECT

#: Seconds from a datagram's first fragment: RFC 8200 §4.5 demands 60, RFC 1122 §3.3.2 recommends 60 to 120.
TIMEOUT: Final = 60.0

MAX_BYTES: Final = 4 << 20
MAX_DATAGRAMS: Final = 256

#: What keeping a datagram or a fragment costs besides its payload, roughly, in bytes: without it a peer
#: could fill the memory with fragments of 8 bytes.
OVERHEAD: Final = 200

_MAX_PAYLOAD_V4 = ipv4.MAX_LENGTH - ipv4.HEADER_LENGTH


class Datagram(NamedTuple):
    """A whole datagram: what followed the IPv4 header or the IPv6 fragment header.

    ``protocol`` is that of the fragment with offset 0; in IPv6 it may be an extension header's
    (:func:`usertcp.wire.ipv6.walk` goes on from there).  ``ecn`` says CE if one fragment did (RFC 3168 §5.3).
    """

    protocol: int
    payload: bytes
    ecn: int = 0


class Expired(NamedTuple):
    """A datagram of which the first fragment had come, but not the rest.

    ``src`` is owed an ICMP Time Exceeded, code 1, from ``dst`` that quotes ``quoted``.
    """

    src: bytes
    dst: bytes
    quoted: bytes


class _Partial:
    """A datagram in the making; ``size`` is -1 until the last fragment tells it."""

    __slots__ = (
        "cost", "deadline", "dst", "ecns", "given_up", "identification", "pieces", "protocol", "received",
        "size", "src", "starts",
    )  # fmt: skip

    def __init__(self, src: bytes, dst: bytes, protocol: int, identification: int, deadline: float) -> None:
        self.src = src
        self.dst = dst
        self.protocol = protocol
        self.identification = identification
        self.deadline = deadline
        self.pieces: dict[int, bytes] = {}
        self.starts: list[int] = []
        self.received = 0
        self.size = -1
        self.cost = OVERHEAD
        self.given_up = False
        #: The ECN fields of the fragments, a bit for each value.
        self.ecns = 0

    @property
    def ecn(self) -> int | None:
        """CE if one fragment has it; None: another is not ECN-capable, and neither would be true (RFC 3168 §5.3)."""
        if self.ecns & 1 << CE and self.ecns & 1 << NOT_ECT:
            return None
        return self.ecns.bit_length() - 1  # CE is the largest

    def objection(self, offset: int, end: int, more: bool) -> str | None:
        """Why a piece does not go with those already here, as the counter's name."""
        starts = self.starts
        at = bisect_left(starts, offset)
        if at and starts[at - 1] + len(self.pieces[starts[at - 1]]) > offset:
            return "fragment-overlap"
        if at < len(starts) and starts[at] < end:
            return "fragment-overlap"
        if self.size >= 0 and (end > self.size or not more):
            return "fragment-contradictory-end"
        if not more and at < len(starts):
            return "fragment-contradictory-end"
        return None

    def is_duplicate(self, offset: int, end: int, more: bool, payload: bytes) -> bool:
        return self.pieces.get(offset) == payload and more == (end != self.size)


class Reassembler:
    """Datagrams in the making of one host, both families; the oldest go first when there are too many.

    ``count`` takes the names of :mod:`usertcp.stack.counters`.  ``max_bytes`` bounds the memory, overhead
    included, ``max_datagrams`` the number, ``timeout`` the time in seconds.
    """

    __slots__ = ("_bytes", "_count", "_max_bytes", "_max_datagrams", "_partials", "_timeout")

    def __init__(
        self,
        count: Callable[[str], None],
        *,
        max_bytes: int = MAX_BYTES,
        max_datagrams: int = MAX_DATAGRAMS,
        timeout: float = TIMEOUT,
    ) -> None:
        self._count = count
        self._max_bytes = max_bytes
        self._max_datagrams = max_datagrams
        self._timeout = timeout
        self._bytes = 0
        # In the order of their first fragments, so also of their deadlines.
        self._partials: dict[bytes, _Partial] = {}

    def add(
        self,
        src: bytes,
        dst: bytes,
        protocol: int,
        identification: int,
        offset: int,
        more: bool,
        payload: Buffer,
        now: float,
        ecn: int = 0,
    ) -> Datagram | None:
        """Take a fragment; the datagram, if this one completes it.

        ``offset`` is in bytes.  ``protocol`` is IPv4's, or the fragment header's next header; ``ecn`` is the
        ECN field of this packet.
        """
        if not offset and not more:
            return Datagram(protocol, bytes(payload), ecn)  # an atomic fragment goes by itself: RFC 6946 §4
        self._count("fragments-received")
        end = offset + len(payload)
        problem = _problem(len(src), offset, end, more)
        if problem is not None:
            self._count(problem)
            return None
        key = _key(src, dst, protocol, identification)
        partial = self._partials.get(key)
        if partial is None:
            partial = self._begin(key, _Partial(src, dst, protocol, identification, now + self._timeout))
        if not self._accept(partial, offset, end, more, bytes(payload)):
            return None
        partial.ecns |= 1 << ecn
        if not offset:
            partial.protocol = protocol  # RFC 8200 §4.5: only the first fragment's counts
        if partial.received == partial.size:
            self._remove(key)
            if partial.ecn is None:
                self._count("fragment-ecn-mixed")
                return None
            self._count("datagrams-reassembled")
            payload = b"".join(map(partial.pieces.__getitem__, partial.starts))
            return Datagram(partial.protocol, payload, partial.ecn)
        while self._bytes > self._max_bytes:
            self._evict()
        return None

    def deadline(self) -> float:
        """When :meth:`expire` has something to do, in seconds; ``math.inf`` for never."""
        return self._partials[next(iter(self._partials))].deadline if self._partials else math.inf

    def expire(self, now: float) -> list[Expired]:
        """Give up what is overdue; those whose first fragment had come (RFC 1122 §3.3.2, RFC 8200 §4.5)."""
        expired = []
        while self.deadline() <= now:
            partial = self._remove(next(iter(self._partials)))
            if partial.given_up:
                continue
            self._count("fragment-timeout")
            if 0 in partial.pieces:
                expired.append(Expired(partial.src, partial.dst, _first_packet(partial)))
        return expired

    def _begin(self, key: bytes, partial: _Partial) -> _Partial:
        if len(self._partials) >= self._max_datagrams:
            self._evict()
        self._partials[key] = partial
        self._bytes += partial.cost
        return partial

    def _accept(self, partial: _Partial, offset: int, end: int, more: bool, payload: bytes) -> bool:
        """Keep a fragment, unless there is a reason not to."""
        if partial.given_up:
            self._count("fragment-of-given-up")
            return False
        if partial.is_duplicate(offset, end, more, payload):
            self._count("fragment-duplicate")
            return False
        problem = partial.objection(offset, end, more)
        if problem is not None:
            self._count(problem)
            self._give_up(partial)
            return False
        partial.pieces[offset] = payload
        partial.starts.insert(bisect_left(partial.starts, offset), offset)
        partial.received += len(payload)
        if not more:
            partial.size = end
        cost = OVERHEAD + len(payload)
        partial.cost += cost
        self._bytes += cost
        return True

    def _give_up(self, partial: _Partial) -> None:
        """Keep only its name until its time is over, to discard "those not yet received" (RFC 5722 §4)."""
        self._bytes -= partial.cost - OVERHEAD
        partial.cost = OVERHEAD
        partial.pieces.clear()
        partial.starts.clear()
        partial.given_up = True

    def _evict(self) -> None:
        self._remove(next(iter(self._partials)))
        self._count("fragment-evicted")

    def _remove(self, key: bytes) -> _Partial:
        partial = self._partials.pop(key)
        self._bytes -= partial.cost
        return partial


def _problem(address_size: int, offset: int, end: int, more: bool) -> str | None:
    """Why a fragment must be discarded whatever the others say, as the counter's name."""
    if offset == end:
        return "fragment-empty"
    if more and (end - offset) & 7:
        return "fragment-length"
    if end > (_MAX_PAYLOAD_V4 if address_size == 4 else ipv6.MAX_PAYLOAD):
        return "fragment-too-big"
    return None


def _key(src: bytes, dst: bytes, protocol: int, identification: int) -> bytes:
    """RFC 791 counts the protocol in, RFC 8200 §4.5 does not.

    Bytes, since Python seeds their hash: that of a tuple of integers could be made to collide.
    """
    if len(src) == 4:
        return src + dst + bytes((protocol,)) + identification.to_bytes(2, "big")
    return src + dst + identification.to_bytes(4, "big")


def _first_packet(partial: _Partial) -> bytes:
    """The beginning of the packet that brought the first fragment, as far as it matters to its sender."""
    first = partial.pieces[0]
    src, dst, protocol, identification = (
        partial.src, partial.dst, partial.protocol, partial.identification
    )  # fmt: skip
    if len(src) == 4:
        header = ipv4.Header(src, dst, protocol, identification=identification, more_fragments=True)
        return (ipv4.emit(header, len(first)) + first)[: icmp.MAX_QUOTED_V4]
    fragment = ipv6.Fragment(0, True, identification)
    length = min(len(first), ipv6.MAX_PAYLOAD - 8)
    return (ipv6.emit(ipv6.Header(src, dst, protocol, fragment=fragment), length) + first)[: icmp.MAX_QUOTED_V6]
