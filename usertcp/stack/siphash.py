"""SipHash-2-4: a keyed hash of few bytes, as systems use it for cookies (Aumasson and Bernstein, 2012)."""

from __future__ import annotations

from struct import Struct
from typing import Final

_MASK: Final = (1 << 64) - 1
_KEY = Struct("<QQ")
_WORD: Final = 8
#: "somepseudorandomlygeneratedbytes", as four words.
_BEGIN: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def siphash24(key: bytes, data: bytes) -> int:
    """The 64-bit hash of ``data`` under a ``key`` of 16 bytes."""
    halves: tuple[int, int] = _KEY.unpack(key)
    v0, v1, v2, v3 = (begin ^ half for begin, half in zip(_BEGIN, halves * 2, strict=True))
    whole = len(data) // _WORD * _WORD
    words = [int.from_bytes(data[at : at + _WORD], "little") for at in range(0, whole, _WORD)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little"))
    for word in words:
        v3 ^= word
        v0, v1, v2, v3 = _round(*_round(v0, v1, v2, v3))
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = v0 + v1 & _MASK
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 = v2 + v3 & _MASK
    v3 = _rotated(v3, 16) ^ v2
    v0 = v0 + v3 & _MASK
    v3 = _rotated(v3, 21) ^ v0
    v2 = v2 + v1 & _MASK
    v1 = _rotated(v1, 17) ^ v2
    return v0, v1, _rotated(v2, 32), v3


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 64 - bits) & _MASK
