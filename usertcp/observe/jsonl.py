"""Trace events as JSON, one object a line.

Every object has ``"v"`` (the version of this format, 1), ``"event"`` (the kind: ``"segment-in"``, ...),
``"time"`` (seconds of the host's monotonic clock), ``"conn"`` (the connection's number, 0 for none) and
then the fields of the typed event in :mod:`usertcp.tcp.events` under their own names, with

- addresses as text (``"192.0.2.2"``), flags as ``"SYN,ACK"``,
- states by their RFC 9293 names (``"SYN-RECEIVED"``), events as in the table (``"rcv SYN"``),
- sequence numbers absolute, as on the wire; lengths and windows in bytes, windows scaled,
- options as an object that holds only those that were there; bytes as hex.

A later version may add fields; it changes ``"v"`` only when a field's meaning changes or goes away.
"""

from __future__ import annotations

import json
from typing import Any, Final

from usertcp.observe.names import address_text, flag_names
from usertcp.tcp.events import TYPES, Kind, TraceEvent
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import Options

VERSION: Final = 1

#: Each kind's name in JSON.
KIND_NAMES: Final = {TYPES[kind]: kind.name.lower().replace("_", "-") for kind in Kind}


def to_object(event: TraceEvent) -> dict[str, Any]:
    """``event`` as an object that :mod:`json` can write."""
    made: dict[str, Any] = {"v": VERSION, "event": KIND_NAMES[type(event)]}
    for name, value in event._asdict().items():
        if name in _RENAMED:
            name = _RENAMED[name]
        made[name] = _plain(name, value)
    return made


def to_line(event: TraceEvent) -> str:
    """``event`` as one line of ASCII, without the line end."""
    return json.dumps(to_object(event), ensure_ascii=True, separators=(",", ":"))


#: ``event`` is taken by the kind.
_RENAMED: Final = {"event": "cause"}


def _plain(name: str, value: Any) -> Any:
    if name == "flags":
        return flag_names(value)
    if isinstance(value, (State, Event)):
        return value.value
    if isinstance(value, Options):
        return _options(value)
    if isinstance(value, bytes):
        return address_text(value)
    return value


def _options(options: Options) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in options._asdict().items():
        if value is None or value is False or value == ():
            continue
        if name == "sack":
            made[name] = [list(block) for block in value]
        elif name == "unknown":
            made[name] = [{"kind": kind, "data": bytes(data).hex()} for kind, data in value]
        else:
            made[name] = bytes(value).hex() if isinstance(value, (bytes, memoryview)) else value
    return made
