"""How the options of a segment stand in its header: in which order, and padded with what.

RFC 9293 §3.1 leaves the order free, and says only that options may begin on any byte boundary and that the
rest of the header is zeros.  What exists differs, and middleboxes and scripts know one stack from the other by
it.  Every layout here takes what :func:`usertcp.wire.tcp.encode_options` takes, and raises what it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final, TypeAlias

from usertcp.wire.tcp import (
    MAX_OPTIONS_LENGTH,
    NO_OPTIONS,
    SYN,
    TIMESTAMPS_PREFIX,
    Options,
    encode_options,
    encoded_seconds,
    fast_open_experiment,
)

#: Flags, TS value and echo, the other options; returns whole 32-bit words.
Layout: TypeAlias = Callable[[int, int | None, int | None, Options], bytes]

_ALIGNED_TIMESTAMPS: Final = Struct("!III")
_TWO_WORDS: Final = Struct("!II")
_NOP: Final = b"\x01"
_END: Final = b"\x00"


def _plain(flags: int, ts_val: int | None, ts_ecr: int | None, options: Options) -> bytes | None:
    """Timestamps alone, which all layouts have alike; None: it is not so simple."""
    if ts_val is not None and ts_ecr is None:
        raise ValueError("timestamps come in pairs")
    if options is not NO_OPTIONS or flags & SYN:
        return None
    return b"" if ts_val is None else _ALIGNED_TIMESTAMPS.pack(TIMESTAMPS_PREFIX, ts_val, ts_ecr)


def _bounded(encoded: bytes) -> bytes:
    if len(encoded) > MAX_OPTIONS_LENGTH:
        raise ValueError(f"TCP options of {len(encoded)} bytes, over {MAX_OPTIONS_LENGTH}")
    return encoded


def _mss(options: Options) -> bytes:
    return b"" if options.mss is None else b"\x02\x04" + options.mss.to_bytes(2, "big")


def _timestamps(ts_val: int | None, ts_ecr: int | None) -> bytes:
    return b"" if ts_val is None else b"\x08\x0a" + _TWO_WORDS.pack(ts_val, ts_ecr)


def _sack(options: Options) -> bytes:
    if not options.sack:
        return b""
    return bytes((5, 2 + 8 * len(options.sack))) + b"".join(_TWO_WORDS.pack(*block) for block in options.sack)


def _fast_open(options: Options) -> list[bytes]:
    cookies = []
    if options.fast_open is not None:
        cookies.append(bytes((34, 2 + len(options.fast_open))) + options.fast_open)
    if options.fast_open_experiment is not None:
        cookies.append(fast_open_experiment(options.fast_open_experiment))
    return cookies


def _others(options: Options) -> list[bytes]:
    """What no SYN of the systems that these layouts are known from has."""
    others = [bytes((kind, 2 + len(data))) + data for kind, data in options.unknown]
    if options.user_timeout is not None:
        others.insert(0, b"\x1c\x04" + encoded_seconds(options.user_timeout))
    return others


# -- Words -----------------------------------------------------------------------------------------------


def words(flags: int, ts_val: int | None, ts_ecr: int | None, options: Options) -> bytes:
    """Each option in 32-bit words of its own, the NOPs in front of it, those of a cookie behind.

    MSS, SACK-permitted and timestamps (together they fill three words), window scale, SACK, Fast Open.
    """
    simple = _plain(flags, ts_val, ts_ecr, options)
    if simple is not None:
        return simple
    parts = [_mss(options)]
    permitted = b"\x04\x02" if options.sack_permitted else b""
    if ts_val is not None:
        parts.append((permitted or 2 * _NOP) + _timestamps(ts_val, ts_ecr))
    elif permitted:
        parts.append(2 * _NOP + permitted)
    if options.window_scale is not None:
        parts.append(_NOP + bytes((3, 3, options.window_scale)))
    parts.append(2 * _NOP + _sack(options) if options.sack else b"")
    parts.extend(cookie + _NOP * (-len(cookie) & 3) for cookie in _fast_open(options))
    parts.extend(_NOP * (-len(other) & 3) + other for other in _others(options))
    return _bounded(b"".join(parts))


# -- Scale first -----------------------------------------------------------------------------------------


def scale_first(flags: int, ts_val: int | None, ts_ecr: int | None, options: Options) -> bytes:
    """Window scale before SACK-permitted and timestamps; NOPs only where a number needs its alignment.

    The rest of the last word is an end-of-options mark and zeros.
    """
    simple = _plain(flags, ts_val, ts_ecr, options)
    if simple is not None:
        return simple
    encoded = _mss(options)
    if options.window_scale is not None:
        encoded += _NOP + bytes((3, 3, options.window_scale))
    if options.sack_permitted:
        encoded += _NOP * (len(encoded) & 1) + b"\x04\x02"
    if ts_val is not None:
        encoded = _two_before_a_word(encoded) + _timestamps(ts_val, ts_ecr)
    if options.sack:
        encoded = _two_before_a_word(encoded) + _sack(options)
    encoded += b"".join(_fast_open(options) + _others(options))
    return _bounded(encoded + _END * (-len(encoded) & 3))


def _two_before_a_word(encoded: bytes) -> bytes:
    """So that what follows kind and length stands on a word's boundary."""
    return encoded + _NOP * ((2 - len(encoded)) & 3)


#: By the name that :attr:`usertcp.tcp.settings.Settings.option_layout` has for it.
LAYOUTS: Final[dict[str, Layout]] = {"compact": encode_options, "words": words, "scale-first": scale_first}
