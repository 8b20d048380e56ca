"""TCP segments (RFC 9293 §3.1): bytes <-> :class:`Segment`."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from usertcp.wire import option_kinds as kinds
from usertcp.wire.buffer import Buffer as Buffer
from usertcp.wire.checksum import finish, ones_sum, pseudo_header_sum
from usertcp.wire.malformed import Malformed

PROTOCOL: Final = 6
HEADER_LENGTH: Final = 20
MAX_OPTIONS_LENGTH: Final = 40
#: Offset in bytes of the checksum field, as virtio_net_hdr wants to know it.
CHECKSUM_OFFSET: Final = 16

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80
AE: Final = 0x100


class Options(NamedTuple):
    """The options of one segment except timestamps, which nearly every segment has (see Segment).

    Values are those on the wire: ``window_scale`` is not yet limited to 14 (RFC 7323 §2.3), ``sack`` has
    the edges in the peer's order.  ``user_timeout`` is in seconds, ``fast_open`` a cookie (``b""`` asks for
    one).  ``unknown`` are (kind, data): kinds we do not know, and known ones of an impossible length.
    """

    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    fast_open: bytes | None = None
    user_timeout: int | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()
    #: A Fast Open cookie in the option of RFC 6994 that came before RFC 7413 got a kind of its own.
    fast_open_experiment: bytes | None = None


NO_OPTIONS: Final = Options()


#: Those of a segment, in the order in which they are shown.
_FIELDS: Final = (
    "src_port", "dst_port", "seq", "ack", "flags", "window", "urgent", "payload", "ts_val", "ts_ecr", "options", "ecn",
)  # fmt: skip


class Segment:
    """One TCP segment as on the wire: unscaled window, sequence numbers 0 .. 2**32-1.

    ``ecn`` is the ECN field of the IP header it came with (RFC 3168 §5), which only IP knows.
    """

    __slots__ = _FIELDS

    def __init__(
        self,
        src_port: int,
        dst_port: int,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        urgent: int = 0,
        payload: Buffer = b"",
        ts_val: int | None = None,
        ts_ecr: int | None = None,
        options: Options = NO_OPTIONS,
        ecn: int = 0,
    ) -> None:
        self.src_port = src_port
        self.dst_port = dst_port
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.window = window
        self.urgent = urgent
        self.payload = payload
        self.ts_val = ts_val
        self.ts_ecr = ts_ecr
        self.options = options
        self.ecn = ecn

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Segment):
            return NotImplemented
        return self._fields() == other._fields()

    __hash__ = None  # type: ignore[assignment]  # a segment may be changed

    def __repr__(self) -> str:
        fields = zip(_FIELDS, self._fields(), strict=True)
        shown = (
            f"{name}={len(value)} bytes" if isinstance(value, memoryview) else f"{name}={value!r}"
            for name, value in fields
        )
        return f"Segment({', '.join(shown)})"

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in _FIELDS)


#: NOP NOP TIMESTAMPS, as nearly every segment carries it (RFC 7323 appendix A).
TIMESTAMPS_PREFIX: Final = 0x0101080A
_ALIGNED_TIMESTAMPS_OFFSET = 8  # data offset in words of a header with just that

# RFC 5482 §3: the highest bit says minutes instead of seconds.
_MINUTES = 0x8000
_MAX_USER_TIMEOUT = 0x7FFF

# ports, seq, ack, data offset and flags, window, (checksum,) urgent pointer
_HEADER = Struct("!HHIIHH2xH")
_EMITTED_HEADER = Struct("!HHIIHHHH")
_HEADER_WITH_TIMESTAMPS = Struct("!HHIIHH2xHIII")
_TWO_WORDS = Struct("!II")
_ALIGNED_TIMESTAMPS = Struct("!III")


def parse(data: Buffer) -> Segment | Malformed:
    """The segment that fills ``data`` exactly; its payload is a view of ``data``, ``b""`` if there is none.

    The checksum is not looked at (see :func:`checksum_ok`).
    """
    size = len(data)
    if size < HEADER_LENGTH:
        return Malformed.TCP_HEADER_TRUNCATED
    words = data[12] >> 4
    if words == _ALIGNED_TIMESTAMPS_OFFSET and size >= 32:
        (
            src_port, dst_port, seq, ack, flags, window, urgent, prefix, ts_val, ts_ecr
        ) = _HEADER_WITH_TIMESTAMPS.unpack_from(data)  # fmt: skip
        if prefix == TIMESTAMPS_PREFIX:
            payload: Buffer = b""
            if size > 32:
                payload = data[32:] if type(data) is memoryview else memoryview(data)[32:]
            return Segment(
                src_port, dst_port, seq, ack, flags & 0x1FF, window, urgent, payload, ts_val, ts_ecr
            )
    else:
        src_port, dst_port, seq, ack, flags, window, urgent = _HEADER.unpack_from(data)
    header_length = words * 4
    if not HEADER_LENGTH <= header_length <= size:
        return Malformed.TCP_DATA_OFFSET
    payload = b""
    if size > header_length:
        payload = data[header_length:] if type(data) is memoryview else memoryview(data)[header_length:]
    segment = Segment(src_port, dst_port, seq, ack, flags & 0x1FF, window, urgent, payload)
    if header_length > HEADER_LENGTH:
        problem = _parse_options(bytes(data[HEADER_LENGTH:header_length]), segment)
        if problem is not None:
            return problem
    return segment


def _parse_options(data: bytes, segment: Segment) -> Malformed | None:
    """Fill in the options of ``segment``.  Where an option comes twice, the last one counts."""
    mss = window_scale = fast_open = user_timeout = experiment = None
    sack_permitted = False
    sack: tuple[tuple[int, int], ...] = ()
    unknown: list[tuple[int, bytes]] = []
    at = 0
    end = len(data)
    while at < end:
        kind = data[at]
        if kind == kinds.NOP:
            at += 1
            continue
        if kind == kinds.END:
            break
        if at + 1 == end:
            return Malformed.TCP_OPTION_TRUNCATED
        length = data[at + 1]
        if length < 2:
            return Malformed.TCP_OPTION_LENGTH  # RFC 9293 §3.2 (MUST-7)
        start = at + 2
        at += length
        if at > end:
            return Malformed.TCP_OPTION_TRUNCATED
        if kind == kinds.SACK and length > 2 and not length - 2 & 7:
            sack = tuple(_TWO_WORDS.iter_unpack(data[start:at]))
        elif kind == kinds.TIMESTAMPS and length == 10:
            segment.ts_val, segment.ts_ecr = _TWO_WORDS.unpack_from(data, start)
        elif kind == kinds.MSS and length == 4:
            mss = data[start] << 8 | data[start + 1]
        elif kind == kinds.WINDOW_SCALE and length == 3:
            window_scale = data[start]
        elif kind == kinds.SACK_PERMITTED and length == 2:
            sack_permitted = True
        elif kind == kinds.FAST_OPEN and (length == 2 or (6 <= length <= 18 and not length & 1)):
            fast_open = data[start:at]
        elif kind == kinds.USER_TIMEOUT and length == 4:
            user_timeout = _seconds(data[start] << 8 | data[start + 1])
        elif kind == kinds.EXPERIMENT and length >= 4 and data[start : start + 2] == kinds.FAST_OPEN_EXPERIMENT:
            experiment = data[start + 2 : at]
        else:
            unknown.append((kind, data[start:at]))
    options = Options(mss, window_scale, sack_permitted, sack, fast_open, user_timeout, tuple(unknown), experiment)
    if options != NO_OPTIONS:
        segment.options = options
    return None


def _seconds(user_timeout: int) -> int:
    if user_timeout & _MINUTES:
        return (user_timeout & _MAX_USER_TIMEOUT) * 60
    return user_timeout


def checksum_ok(data: Buffer, src: bytes, dst: bytes) -> bool:
    """Whether the segment that fills ``data`` has a right checksum (RFC 9293 §3.1 (MUST-3))."""
    # The pseudo-header is never all zeros, so "divisible" is "correct".
    return (ones_sum(data) + pseudo_header_sum(src, dst, PROTOCOL, len(data))) % 0xFFFF == 0


def emit(segment: Segment, src: bytes, dst: bytes, *, partial_checksum: bool = False) -> bytes:
    """The header with its options; the payload is sent beside it.

    The checksum covers header and payload, or with ``partial_checksum`` is the folded, uncomplemented sum
    of the pseudo-header, which a device with checksum offload completes.  Raises ValueError for options of
    more than 40 bytes.
    """
    options = encode_options(segment.flags, segment.ts_val, segment.ts_ecr, segment.options)
    payload = segment.payload
    header_length = HEADER_LENGTH + len(options)
    checksum = pseudo_header_sum(src, dst, PROTOCOL, header_length + len(payload))
    offset_and_flags = header_length << 10 | segment.flags
    fields = (segment.src_port, segment.dst_port, segment.seq, segment.ack, offset_and_flags, segment.window)
    if not partial_checksum:
        unsummed = _EMITTED_HEADER.pack(*fields, 0, segment.urgent) + options
        checksum = finish(checksum + ones_sum(unsummed) + ones_sum(payload))
    return _EMITTED_HEADER.pack(*fields, checksum, segment.urgent) + options


def options_length(segment: Segment) -> int:
    """Bytes that the options of ``segment`` take in its header, padding included."""
    if segment.options is NO_OPTIONS:
        return 0 if segment.ts_val is None else 12
    return len(encode_options(segment.flags, segment.ts_val, segment.ts_ecr, segment.options))


def encode_options(flags: int, ts_val: int | None, ts_ecr: int | None, options: Options) -> bytes:
    """The options as on the wire, zero-padded to 32 bits (RFC 9293 §3.1).

    In the order in which a SYN of most systems has them, so that nothing on the path is surprised;
    otherwise timestamps and SACK blocks are aligned to 32 bits by NOPs.  Raises ValueError if they take
    more than 40 bytes.
    """
    if ts_val is not None and ts_ecr is None:
        raise ValueError("timestamps come in pairs")
    if options is NO_OPTIONS:
        if ts_val is None:
            return b""
        if not flags & SYN:
            return _ALIGNED_TIMESTAMPS.pack(TIMESTAMPS_PREFIX, ts_val, ts_ecr)
    parts: list[bytes] = []
    if options.mss is not None:
        parts.append(b"\x02\x04" + options.mss.to_bytes(2, "big"))
    if options.sack_permitted:
        parts.append(b"\x04\x02")
    if ts_val is not None:
        # Two bytes of alignment: SACK-permitted in front of it already is that.
        aligned = b"\x08\x0a" if options.sack_permitted else b"\x01\x01\x08\x0a"
        parts.append(aligned + _TWO_WORDS.pack(ts_val, ts_ecr))
    if options.window_scale is not None:
        parts.append(bytes((kinds.NOP, kinds.WINDOW_SCALE, 3, options.window_scale)))
    if options.fast_open is not None:
        parts.append(bytes((kinds.FAST_OPEN, 2 + len(options.fast_open))) + options.fast_open)
    if options.user_timeout is not None:
        parts.append(bytes((kinds.USER_TIMEOUT, 4)) + encoded_seconds(options.user_timeout))
    if options.sack:
        parts.append(bytes((kinds.NOP, kinds.NOP, kinds.SACK, 2 + 8 * len(options.sack))))
        parts.extend(_TWO_WORDS.pack(*block) for block in options.sack)
    if options.fast_open_experiment is not None:
        parts.append(fast_open_experiment(options.fast_open_experiment))
    parts.extend(bytes((kind, 2 + len(data))) + data for kind, data in options.unknown)
    encoded = b"".join(parts)
    if len(encoded) & 3:
        encoded += bytes(-len(encoded) & 3)
    if len(encoded) > MAX_OPTIONS_LENGTH:
        raise ValueError(f"TCP options of {len(encoded)} bytes, over {MAX_OPTIONS_LENGTH}")
    return encoded


def fast_open_experiment(cookie: bytes) -> bytes:
    """The Fast Open option as an experiment (RFC 6994, RFC 7413 appendix A)."""
    return bytes((kinds.EXPERIMENT, 4 + len(cookie))) + kinds.FAST_OPEN_EXPERIMENT + cookie


def encoded_seconds(user_timeout: int) -> bytes:
    """RFC 5482 §3; beyond nine hours only whole minutes can be said, rounded up."""
    if user_timeout <= _MAX_USER_TIMEOUT:
        return user_timeout.to_bytes(2, "big")
    minutes = min((user_timeout + 59) // 60, _MAX_USER_TIMEOUT)
    return (_MINUTES | minutes).to_bytes(2, "big")
