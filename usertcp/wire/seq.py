"""Sequence numbers: 32 bits on the wire (RFC 9293 §3.4), unbounded integers inside.

The core counts in plain Python integers that never wrap, so `snd_una < seg_ack <= snd_nxt` in the code
means what it says in the RFC.  The two functions here are the only border: :func:`unwrap` on the way in,
``& MASK`` on the way out.
"""

from __future__ import annotations

from typing import Final

MASK: Final = 0xFFFFFFFF


def unwrap(wire: int, near: int) -> int:
    """The unbounded number that is ``wire`` modulo 2**32 and at most 2**31 away from ``near``."""
    return near + ((wire - near + 0x80000000) & MASK) - 0x80000000
