"""Packets as a pcapng capture (draft-ietf-opsawg-pcapng), for Wireshark and tshark.

One section, one interface, IP packets without a link layer.  Every block is one write: whoever opens the file while
it grows finds whole blocks, if nothing buffers them on their way.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple, Protocol

from usertcp.wire.buffer import Buffer

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE_DESCRIPTION: Final = 1
_ENHANCED_PACKET: Final = 6

_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = -1
#: Packets start with their IP header, whose version says which.
LINKTYPE_RAW: Final = 101

_END_OF_OPTIONS: Final = 0
_COMMENT: Final = 1  # of any block
_HARDWARE: Final = 2  # of a section
_OS: Final = 3
_APPLICATION: Final = 4
_NAME: Final = 2  # of an interface
_DESCRIPTION: Final = 3
_RESOLUTION: Final = 9  # the negative power of 10
_FLAGS: Final = 2  # of a packet
_DROPPED_BEFORE: Final = 4
_NANOSECONDS: Final = 9

#: The longest value of an option in bytes: its length has 16 bits, and is padded to a multiple of 4.
_MAX_OPTION: Final = 0xFFFC
_MAX_TIME: Final = 1 << 64

# type and total length; the total length comes once more at the end
_BLOCK = Struct("<II")
_TRAILER = Struct("<I")
_OPTION = Struct("<HH")
# byte-order magic, major and minor version, length of the section
_SECTION = Struct("<IHHq")
# link type, reserved, snapshot length (0: none)
_INTERFACE = Struct("<HHI")
# interface, high and low half of the time, captured and original length
_PACKET = Struct("<IIIII")
_WORD = Struct("<I")
_LONG = Struct("<Q")


class Direction(IntEnum):
    """Where a packet went, seen from the host that is observed; the values are those of the format."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


class Source(NamedTuple):
    """Where packets come from, as readers show it; "" is left out."""

    interface: str = "usertcp"
    description: str = ""
    #: What is to be known about the packets of this interface.
    comment: str = ""
    application: str = "usertcp"
    hardware: str = ""
    os: str = ""


class Packet(NamedTuple):
    """One IP packet at ``nanoseconds`` since the epoch (or since whatever the capture counts from)."""

    data: bytes
    nanoseconds: int
    direction: Direction = Direction.UNKNOWN
    #: A comment too long for the format is cut.
    comments: Iterable[str] = ()
    #: So many packets came before it that are missing.
    missing: int = 0


class Stream(Protocol):
    """What a capture is written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""

    def flush(self) -> object:
        """Let readers have it."""


class PcapngWriter:
    """Writes a capture to ``stream``, which stays the caller's to close.

    Raises what writing to the stream raises.
    """

    def __init__(self, stream: Stream, source: Source = Source()) -> None:  # noqa: B008 - it cannot be changed
        self._stream = stream
        stream.write(preamble(source))

    def packet(self, packet: Packet) -> None:
        """One more.  Raises ValueError as :func:`packet_block` does."""
        self._stream.write(packet_block(packet))

    def flush(self) -> None:
        """Let readers have what was written."""
        self._stream.flush()


def preamble(source: Source) -> bytes:
    """What stands at the beginning of a file: the section's block and the interface's."""
    section = _SECTION.pack(_BYTE_ORDER_MAGIC, 1, 0, _UNKNOWN_LENGTH) + _options(
        _texts((_HARDWARE, source.hardware), (_OS, source.os), (_APPLICATION, source.application))
    )
    described = _texts((_COMMENT, source.comment), (_NAME, source.interface), (_DESCRIPTION, source.description))
    described.append((_RESOLUTION, bytes((_NANOSECONDS,))))
    interface = _INTERFACE.pack(LINKTYPE_RAW, 0, 0) + _options(described)
    return _block(_SECTION_HEADER, section) + _block(_INTERFACE_DESCRIPTION, interface)


def packet_block(packet: Packet) -> bytes:
    """The block of one packet.  Raises ValueError for a time before 0 or beyond 64 bits."""
    time = packet.nanoseconds
    if not 0 <= time < _MAX_TIME:
        raise ValueError(f"no time in a capture: {time} ns")
    options = [(_COMMENT, _cut(comment)) for comment in packet.comments]
    if packet.direction:
        options.append((_FLAGS, _WORD.pack(packet.direction)))
    if packet.missing:
        options.append((_DROPPED_BEFORE, _LONG.pack(packet.missing)))
    size = len(packet.data)
    header = _PACKET.pack(0, time >> 32, time & 0xFFFFFFFF, size, size)
    return _block(_ENHANCED_PACKET, header, packet.data, bytes(-size & 3), _options(options))


def _block(kind: int, *body: Buffer) -> bytes:
    length = _BLOCK.size + sum(map(len, body)) + _TRAILER.size
    return b"".join((_BLOCK.pack(kind, length), *body, _TRAILER.pack(length)))


def _texts(*options: tuple[int, str]) -> list[tuple[int, bytes]]:
    return [(code, _cut(text)) for code, text in options if text]


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    """Nothing at all if there are none."""
    data = b"".join(_OPTION.pack(code, len(value)) + value + bytes(-len(value) & 3) for code, value in options)
    return data and data + _OPTION.pack(_END_OF_OPTIONS, 0)


def _cut(text: str) -> bytes:
    """UTF-8, at most as long as an option may be, never cut inside of a character; lone surrogates are escaped."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= _MAX_OPTION:
        return data
    return data[:_MAX_OPTION].decode("utf-8", "ignore").encode()
