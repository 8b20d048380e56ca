"""What a connection, or anything else of ours, looks like as JSON."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Protocol, TypeAlias, runtime_checkable

import trio
from trio.abc import HalfCloseableStream

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@runtime_checkable
class Described(Protocol):
    """A stream that can tell what its connection knows: STATUS of RFC 9293 §3.10.6."""

    def info(self) -> object:
        """A dataclass (or a mapping) of plain values."""


def describe(stream: HalfCloseableStream) -> dict[str, Json]:
    """All that ``stream`` can say about its connection: much for ours, two addresses for a kernel socket.

    "now" is the moment on the clock that the other moments are of.
    """
    if isinstance(stream, Described):
        info = to_json(stream.info())
        return {**(info if isinstance(info, Mapping) else {"info": info}), "now": trio.current_time()}
    if isinstance(stream, trio.SocketStream):
        with suppress(OSError):  # ENOTCONN: the peer has reset the connection meanwhile
            return _addresses("local", stream.socket.getsockname()) | _addresses("remote", stream.socket.getpeername())
    return {}


def _addresses(side: str, name: object) -> dict[str, Json]:
    if isinstance(name, tuple) and len(name) >= 2:  # IPv4 and IPv6; a Unix socket's is text
        return {f"{side}_address": str(name[0]), f"{side}_port": int(name[1])}
    return {}


def to_json(value: object) -> Json:
    """``value`` in JSON's types: enums by their value, addresses as text, what has no number as null."""
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, bytes):
        return str(ipaddress.ip_address(value)) if len(value) in (4, 16) else value.hex()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: to_json(getattr(value, name)) for name in value._fields}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return str(value)


def endpoint(address: Json, port: Json) -> str:
    """``address`` and ``port`` as a person writes them: 192.0.2.2:80, [fd00:9293::2]:80."""
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"
