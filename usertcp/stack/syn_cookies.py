"""SYN cookies: a listener's answer to a flood of SYNs, which costs no memory (RFC 4987 §3.6).

What a half-open connection would have to remember goes to the peer, in numbers that it must send back
with its ACK:

* our initial sequence number is 29 bits of a keyed hash and 3 bits that say which MSS the peer has;
* the low six bits of our timestamp say the rest, as in Linux: four for the window scale, one for SACK,
  one for ECN.  A peer without timestamps gets none of these.

The hash covers the sockets, the peer's initial sequence number and the time in periods of 64 seconds, so
a cookie is good for 64 to 128 seconds, and for one peer only.

Unlike other initial sequence numbers a cookie does not grow with time (RFC 9293 §3.4.1): there is no room
for it.  Segments of an older connection that are still about are kept out by timestamps alone.

What cookies can not bear is disorder right at the start: a bare acknowledgment that overtakes the peer's
first data, or a SYN that comes twice and is answered once with a cookie and once by a child, whose initial
sequence number is another, ends in a RST.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from usertcp.stack.numbers import keyed_hash
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import CWR, ECE, SYN, Options, Segment

#: How long one value of the time counter lasts, and how many of them a cookie outlives, in seconds.
PERIOD: Final = 64
LIFETIME: Final = 2 * PERIOD

#: What three bits can say; a peer gets the largest that is not above its own.
SEGMENT_SIZES: Final = (216, 536, 1220, 1360, 1400, 1440, 1460, 8940)
_INDEX_BITS: Final = 0b111

_SCALE_BITS: Final = 0b001111
_NO_SCALE: Final = 0b001111  # no shift is larger than 14
_SACK_BIT: Final = 0b010000
_ECN_BIT: Final = 0b100000
_TIMESTAMP_BITS: Final = 0b111111
_ECN_SETUP: Final = ECE | CWR


def make(secret: bytes, sockets: bytes, irs: int, mss: int, now: float) -> int | None:
    """The initial sequence number for a peer with ``mss`` whose own is ``irs``; None below any size known."""
    index = bisect_right(SEGMENT_SIZES, mss) - 1
    return None if index < 0 else _cookie(secret, sockets, irs, index, int(now) // PERIOD)


def timestamp(clock: int, options: Options, *, ecn: bool) -> int:
    """The latest timestamp up to ``clock`` that says what a SYN offers besides its MSS.

    ``ecn``: the SYN,ACK agrees to ECN.
    """
    said = _NO_SCALE if options.window_scale is None else min(options.window_scale, 14)
    if options.sack_permitted:
        said |= _SACK_BIT
    if ecn:
        said |= _ECN_BIT
    stamped = clock & ~_TIMESTAMP_BITS | said
    return stamped if stamped <= clock else (stamped - _TIMESTAMP_BITS - 1) & MASK


def without_memory(syn: Segment) -> Segment:
    """``syn`` with only what a cookie can carry where there are no timestamps to carry the rest."""
    plain = Segment(syn.src_port, syn.dst_port, syn.seq, 0, SYN, syn.window)
    plain.options = Options(mss=syn.options.mss)
    return plain


def syn_of(secret: bytes, sockets: bytes, ack: Segment, now: float) -> Segment | None:
    """The SYN that was answered with the cookie which ``ack`` acknowledges; None where there was none.

    ``ack`` must be the first segment after the SYN, with or without data.  Its SYN is rebuilt as far as
    the cookie tells.
    """
    cookie = (ack.ack - 1) & MASK
    irs = (ack.seq - 1) & MASK
    index = cookie & _INDEX_BITS
    period = int(now) // PERIOD
    if cookie not in (_cookie(secret, sockets, irs, index, at) for at in (period, period - 1)):
        return None
    syn = Segment(ack.src_port, ack.dst_port, irs, 0, SYN, ack.window)
    syn.options = Options(mss=SEGMENT_SIZES[index])
    if ack.ts_val is not None and ack.ts_ecr is not None:
        _take_from_timestamp(syn, ack.ts_val, ack.ts_ecr)
    return syn


def _take_from_timestamp(syn: Segment, ts_val: int, ts_ecr: int) -> None:
    """The inverse of :func:`timestamp`, whose result came back as ``ts_ecr``."""
    syn.ts_val, syn.ts_ecr = ts_val, 0
    scale = ts_ecr & _SCALE_BITS
    syn.options = syn.options._replace(
        window_scale=None if scale == _NO_SCALE else scale, sack_permitted=bool(ts_ecr & _SACK_BIT)
    )
    if ts_ecr & _ECN_BIT:
        syn.flags |= _ECN_SETUP


def _cookie(secret: bytes, sockets: bytes, irs: int, index: int, period: int) -> int:
    what = sockets + irs.to_bytes(4, "big") + period.to_bytes(8, "big", signed=True) + bytes((index,))
    return keyed_hash(secret, b"syn cookie", what) & ~_INDEX_BITS | index
