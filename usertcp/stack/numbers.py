"""Numbers that an outsider must not guess: initial sequence numbers, timestamp offsets, ports.

Each is a keyed hash of the sockets with the host's secret, so the core needs no source of randomness.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from usertcp.wire.seq import MASK

#: Ticks of RFC 9293's ISN clock: one every 4 microseconds (§3.4.1).
_TICKS_PER_SECOND: Final = 250_000


#: How far beyond the last number of an old connection a new one begins: farther than any unscaled window,
#: so that old segments are outside of it.
BEYOND_OLD_CONNECTION: Final = 1 << 16


def keyed_hash(secret: bytes, purpose: bytes, what: bytes) -> int:
    """32 bits that depend on all of ``what`` and cannot be computed without ``secret``."""
    return int.from_bytes(keyed_bytes(secret, purpose, what, 4), "big")


def keyed_bytes(secret: bytes, purpose: bytes, what: bytes, length: int) -> bytes:
    """``length`` bytes of the same kind; ``purpose`` has at most 16."""
    return blake2b(what, digest_size=length, key=secret, person=purpose).digest()


def initial_sequence_number(secret: bytes, sockets: bytes, now: float) -> int:
    """ISN = M + F(localip, localport, remoteip, remoteport, secretkey) (RFC 9293 §3.4.1, MUST-8, SHLD-1)."""
    return (int(now * _TICKS_PER_SECOND) + keyed_hash(secret, b"isn", sockets)) & MASK


def timestamp_offset(secret: bytes, addresses: bytes) -> int:
    """Where the timestamps between two hosts begin (RFC 7323 §5.4)."""
    return keyed_hash(secret, b"timestamp", addresses)


def flow_label(secret: bytes, local: bytes, remote: bytes, local_port: int, remote_port: int) -> int:
    """Of all IPv6 packets from here to there: 20 bits, one value as likely as any other (RFC 6437 §3); 0 for IPv4."""
    if len(local) == 4:
        return 0
    ports = local_port.to_bytes(2, "big") + remote_port.to_bytes(2, "big")
    return keyed_hash(secret, b"flow", local + remote + ports) & 0xFFFFF or 1  # 0 would say that there is none


#: The dynamic ports (RFC 6056 §3.2 recommends a wider range than IANA's).
FIRST_PORT: Final = 32768
PORTS: Final = 65536 - FIRST_PORT


def port_candidates(secret: bytes, sockets: bytes, count: int) -> range:
    """All dynamic ports, beginning at an unpredictable one (RFC 6056 §3.3.3); take each modulo PORTS."""
    start = (keyed_hash(secret, b"port", sockets) + count) % PORTS
    return range(start, start + PORTS)


def fragment_identification(secret: bytes, addresses: bytes, count: int) -> int:
    """What tells the ``count``-th datagram from the others between two addresses (RFC 6864 §4.3).

    Not to be guessed, so that nobody slips in fragments of his own.
    """
    return (keyed_hash(secret, b"fragment", addresses) + count) & MASK
