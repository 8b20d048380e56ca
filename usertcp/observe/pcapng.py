"""Packets as a pcapng capture (draft-ietf-opsawg-pcapng), for Wireshark and tcpdump.

One section, one interface, IP packets without a link layer.  Every block is one write, and flushed: whoever opens
the file while it grows finds whole blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import BinaryIO, Final

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE_DESCRIPTION: Final = 1
_ENHANCED_PACKET: Final = 6

_BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D
_UNKNOWN_LENGTH: Final = -1
#: Packets start with their IP header, whose version says which.
LINKTYPE_RAW: Final = 101

_END_OF_OPTIONS: Final = 0
_COMMENT: Final = 1
_APPLICATION: Final = 4  # of a section
_NAME: Final = 2  # of an interface
_RESOLUTION: Final = 9  # of an interface: the negative power of 10
_FLAGS: Final = 2  # of a packet
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


class Direction(IntEnum):
    """Where a packet went, seen from the host that is observed; the values are those of the format."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


class PcapngWriter:
    """Writes a capture to ``stream``, a binary file that stays the caller's to close.

    ``interface`` is the name that readers show.  Raises what writing to the stream raises.
    """

    def __init__(self, stream: BinaryIO, *, interface: str = "usertcp", application: str = "usertcp") -> None:
        self._stream = stream
        section = _SECTION.pack(_BYTE_ORDER_MAGIC, 1, 0, _UNKNOWN_LENGTH)
        self._write(_SECTION_HEADER, section + _options(((_APPLICATION, application.encode()),)))
        described = ((_NAME, interface.encode()), (_RESOLUTION, bytes((_NANOSECONDS,))))
        self._write(_INTERFACE_DESCRIPTION, _INTERFACE.pack(LINKTYPE_RAW, 0, 0) + _options(described))

    def packet(
        self,
        data: bytes,
        nanoseconds: int,
        *,
        direction: Direction = Direction.UNKNOWN,
        comments: Iterable[str] = (),
    ) -> None:
        """One IP packet at ``nanoseconds`` since the epoch (or since whatever the capture counts from).

        A comment too long for the format is cut.  Raises ValueError for a time before 0 or beyond 64 bits.
        """
        if not 0 <= nanoseconds < _MAX_TIME:
            raise ValueError(f"no time in a capture: {nanoseconds} ns")
        options = [(_COMMENT, _cut(comment)) for comment in comments]
        if direction:
            options.append((_FLAGS, _WORD.pack(direction)))
        size = len(data)
        header = _PACKET.pack(0, nanoseconds >> 32, nanoseconds & 0xFFFFFFFF, size, size)
        self._write(_ENHANCED_PACKET, header + _padded(data) + _options(options))

    def _write(self, kind: int, body: bytes) -> None:
        length = _BLOCK.size + len(body) + _TRAILER.size
        self._stream.write(_BLOCK.pack(kind, length) + body + _TRAILER.pack(length))
        self._stream.flush()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) & 3)


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    """Nothing at all if there are none."""
    data = b"".join(_OPTION.pack(code, len(value)) + _padded(value) for code, value in options)
    return data and data + _OPTION.pack(_END_OF_OPTIONS, 0)


def _cut(text: str) -> bytes:
    """UTF-8, at most as long as an option may be, never cut inside of a character; lone surrogates are escaped."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= _MAX_OPTION:
        return data
    return data[:_MAX_OPTION].decode("utf-8", "ignore").encode()
