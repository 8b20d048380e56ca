"""TCP options as bytes and as a script's values, in their order and with their padding.

:mod:`usertcp.wire.tcp` reads what a host needs to know; here every byte counts, and what no host would send must
be said too.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from usertcp.drill.packets.errors import Unbuildable, UnknownPart
from usertcp.drill.script import TcpOption
from usertcp.wire import option_kinds as kinds
from usertcp.wire.tcp import MAX_OPTIONS_LENGTH

#: The counters of RFC 9768 §3.2.3 in the order of option 172 and of 174: the first and the last change places.
ACC_ECN_0: Final = 172
ACC_ECN_1: Final = 174

_MD5 = 19
_MD5_LENGTH = 16
_WORD = Struct("!I")
_MASK = 0xFFFFFFFF


def encode(options: tuple[TcpOption, ...]) -> bytes:
    """The options one after the other, zero-padded to 32 bits.  Raises Unbuildable."""
    data = b"".join(map(_encode, options))
    data += bytes(-len(data) & 3)
    if len(data) > MAX_OPTIONS_LENGTH:
        raise Unbuildable(f"TCP options of {len(data)} bytes, over {MAX_OPTIONS_LENGTH}")
    return data


def _encode(option: TcpOption) -> bytes:
    kind, values = option.kind, option.values
    match kind:
        case "nop":
            return bytes((kinds.NOP,))
        case "eol":
            return bytes((kinds.END,))
        case "sackOK":
            return _framed(kinds.SACK_PERMITTED, b"")
        case "mss":
            return _framed(kinds.MSS, _number(option, 2))
        case "wscale":
            return _framed(kinds.WINDOW_SCALE, _number(option, 1))
        case "TS":
            if len(values) != 2:
                raise Unbuildable("TS needs val and ecr")
            return _framed(kinds.TIMESTAMPS, _words(values))
        case "sack":
            if not values or len(values) & 1:
                raise Unbuildable("sack needs blocks of two numbers")
            return _framed(kinds.SACK, _words(values))
        case "FO":
            return _framed(kinds.FAST_OPEN, option.data)
        case "FOEXP":
            return _framed(kinds.EXPERIMENT, kinds.FAST_OPEN_EXPERIMENT + option.data)
        case "md5":
            return _framed(_MD5, option.data or bytes(_MD5_LENGTH))
        case "AccECN":
            return _framed(option.kind_number, _counters(values))
        case "unknown":
            return _framed(option.kind_number, option.data)
        case _:
            raise UnknownPart(f"no such TCP option: {kind}")


def _framed(kind: int, data: bytes) -> bytes:
    if not 0 <= kind <= 0xFF or len(data) > MAX_OPTIONS_LENGTH - 2:
        raise Unbuildable(f"a TCP option of kind {kind} with {len(data)} bytes does not fit")
    return bytes((kind, 2 + len(data))) + data


def _number(option: TcpOption, size: int) -> bytes:
    if len(option.values) != 1:
        raise Unbuildable(f"{option.kind} needs a number")
    value = option.values[0]
    if not 0 <= value < 1 << 8 * size:
        raise Unbuildable(f"{option.kind} {value} does not fit into {size} bytes")
    return value.to_bytes(size, "big")


def _words(values: tuple[int, ...]) -> bytes:
    return b"".join(_WORD.pack(value & _MASK) for value in values)


def _counters(values: tuple[int, ...]) -> bytes:
    return b"".join((value & 0xFFFFFF).to_bytes(3, "big") for value in values)


def decode(data: bytes) -> tuple[tuple[TcpOption, ...], str]:
    """The options in ``data``, padding included, and what is wrong with the rest of it ("" if nothing is).

    Each zero byte is one ``eol``.  A known kind of an impossible length is an "unknown" option.
    """
    options: list[TcpOption] = []
    at = 0
    end = len(data)
    while at < end:
        kind = data[at]
        if kind in (kinds.END, kinds.NOP):
            options.append(TcpOption("nop" if kind else "eol"))
            at += 1
            continue
        if at + 1 == end:
            return tuple(options), f"option {kind} at byte {at} has no length"
        length = data[at + 1]
        if length < 2 or at + length > end:
            return tuple(options), f"option {kind} at byte {at} has length {length}, with {end - at} bytes left"
        options.append(_decode(kind, data[at + 2 : at + length]))
        at += length
    return tuple(options), ""


def _decode(kind: int, data: bytes) -> TcpOption:
    size = len(data)
    if kind == kinds.MSS and size == 2:
        return TcpOption("mss", (int.from_bytes(data, "big"),))
    if kind == kinds.WINDOW_SCALE and size == 1:
        return TcpOption("wscale", (data[0],))
    if kind == kinds.SACK_PERMITTED and not size:
        return TcpOption("sackOK")
    if (kind == kinds.SACK and size and not size & 7) or (kind == kinds.TIMESTAMPS and size == 8):
        words = tuple(word for (word,) in _WORD.iter_unpack(data))
        return TcpOption("sack" if kind == kinds.SACK else "TS", words)
    if kind == kinds.FAST_OPEN:
        return TcpOption("FO", data=data)
    if kind == kinds.EXPERIMENT and data.startswith(kinds.FAST_OPEN_EXPERIMENT):
        return TcpOption("FOEXP", data=data[2:])
    if kind == _MD5 and size == _MD5_LENGTH:
        return TcpOption("md5", data=data)
    if kind in (ACC_ECN_0, ACC_ECN_1) and size in (0, 3, 6, 9):
        values = tuple(int.from_bytes(data[at : at + 3], "big") for at in range(0, size, 3))
        return TcpOption("AccECN", values, kind_number=kind)
    return TcpOption("unknown", data=data, kind_number=kind)


def canonical(options: tuple[TcpOption, ...]) -> tuple[TcpOption, ...]:
    """``options`` as :func:`decode` would say them, padding to 32 bits included; never raises.

    An option that says no value, or one that cannot be sent, stays as it is.
    """
    said: list[TcpOption] = []
    size = 0
    for option in options:
        if option.kind == "md5" and not option.data:
            said.append(option)
            size += 2 + _MD5_LENGTH
            continue
        try:
            data = _encode(option)
        except Unbuildable:
            said.append(option)
            size += _usual_size(option)
            continue
        said.extend(decode(data)[0])
        size += len(data)
    return (*said, *(TcpOption("eol") for _ in range(-size & 3)))


def excess(options: tuple[TcpOption, ...]) -> int:
    """By how many bytes ``options`` go over a multiple of 32 bits; 0 if one of them does not say how long it is."""
    try:
        return sum(len(_encode(option)) for option in options) & 3
    except Unbuildable:
        return 0


def _usual_size(option: TcpOption) -> int:
    """Of an option whose value is not said."""
    return {"mss": 4, "wscale": 3, "TS": 10}.get(option.kind, 4)
