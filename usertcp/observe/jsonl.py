"""Trace events as JSON, one object a line: the exchange format.

Every object has ``"v"`` (the version of this format, 1), ``"event"`` (the kind: ``"segment-in"``, ...),
``"time"`` (seconds of the host's monotonic clock), ``"conn"`` (the connection's number, 0 for none) and
then the fields of the typed event in :mod:`usertcp.tcp.events` under their own names, with

- addresses as text (``"192.0.2.2"``), flags as ``"SYN,ACK"``,
- states by their RFC 9293 names (``"SYN-RECEIVED"``), events as in the table (``"rcv SYN"``) and called "cause",
- sequence numbers absolute, as on the wire; lengths and windows in bytes, windows scaled,
- options as an object that holds only those that were there; bytes as hex.

A later version may add kinds, fields and options; it changes ``"v"`` only when a field's meaning changes or goes
away.  So :func:`read` passes over kinds and fields that it does not know, and whatever else is not as it should be is
a :class:`BadLine`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import IO, Any, Final, NoReturn

from usertcp.observe.forms import FIELDS, FORMS, KIND_NAMES
from usertcp.tcp.events import TraceEvent

VERSION: Final = 1
#: In characters, its end included; no event comes near it.
MAX_LINE: Final = 1 << 16
_SHOWN: Final = 40


class BadLine(ValueError):
    """``line`` (from 1) is no trace event; the message says where and why, what it quotes is escaped."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


# -- Writing -------------------------------------------------------------------------------------------


def to_object(event: TraceEvent) -> dict[str, Any]:
    """``event`` as an object that :mod:`json` can write."""
    form = type(event)
    made: dict[str, Any] = {"v": VERSION, "event": KIND_NAMES[form]}
    for field, value in zip(FIELDS[form], event, strict=True):
        made[field.name] = field.codec.write(value)
    return made


def to_line(event: TraceEvent) -> str:
    """``event`` as one line of ASCII, without the line end."""
    return _ENCODE(to_object(event))


_ENCODE: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode


# -- Reading -------------------------------------------------------------------------------------------


def read(lines: Iterable[str]) -> Reader:
    """The events that ``lines`` hold, lazily; see :class:`Reader`."""
    return Reader(lines)


def read_file(file: IO[str]) -> Reader:
    """The events of an open file, of which no more than one line is in memory at a time, however long its lines are.

    Open it with ``errors="replace"``, so that bytes which are no text are a bad line and not a UnicodeDecodeError.
    """
    return Reader(iter(lambda: file.readline(MAX_LINE + 1), ""))


def from_line(line: str) -> TraceEvent | None:
    """The event of one line; None for a kind that this version does not know.  Raises BadLine (of line 1)."""
    return next(Reader([line]), None)


class Reader(Iterator[TraceEvent]):
    """Iterates over the events; raises :class:`BadLine` at the first line that is none.

    Empty lines are passed over.  A last line after others that breaks off in the middle, without a line end, is what
    a writer leaves that was killed: it ends the events.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        #: The number of the line that was read last, from 1.
        self.line = 0
        #: How many lines were of a kind that this version does not know.
        self.unknown = 0
        #: The last line broke off.
        self.broke_off = False

    def __next__(self) -> TraceEvent:
        while True:
            line = next(self._lines)
            self.line += 1
            if not line.isspace() and line:
                event = self._event(line)
                if event is not None:
                    return event

    def _event(self, line: str) -> TraceEvent | None:
        made = self._object(line)
        if made.get("v") != VERSION or type(made["v"]) is not int:
            version = f"of version {_shown(made['v'])}" if "v" in made else "without a version"
            self._bad(f"an event {version}, this usertcp reads version {VERSION}")
        kind = made.get("event")
        if type(kind) is not str:
            self._bad("the event's kind is missing")
        form = FORMS.get(kind)
        if form is None:
            self.unknown += 1
            return None
        values = []
        for field in FIELDS[form]:
            if field.name in made:
                try:
                    values.append(field.codec.read(made[field.name]))
                except ValueError as error:
                    self._bad(f"{field.name} of {kind} is {_shown(made[field.name])}: {error}")
            elif field.optional:
                values.append(form._field_defaults[field.attribute])
            else:
                self._bad(f"{kind} has no {field.name}")
        event: TraceEvent = form._make(values)
        return event

    def _object(self, line: str) -> dict[str, Any]:
        if len(line) > MAX_LINE:
            self._bad(f"it is longer than {MAX_LINE:,} characters")
        try:
            made = json.loads(line)
        except (ValueError, RecursionError) as error:
            if self.line > 1 and line[0] == "{" and line[-1] != "\n" and next(self._lines, None) is None:
                self.broke_off = True
                raise StopIteration from None
            self._bad(f"not JSON: {error.msg if isinstance(error, json.JSONDecodeError) else 'too deep, or too large'}")
        if type(made) is not dict:
            self._bad("not a JSON object")
        return made

    def _bad(self, reason: str) -> NoReturn:
        raise BadLine(self.line, reason) from None


def _shown(value: Any) -> str:
    """The beginning of ``value`` as ASCII."""
    try:
        text = ascii(value)
    except RecursionError:
        return "something very deep"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
