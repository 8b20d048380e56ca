"""What is said over a control socket: one line of JSON asks, lines of JSON answer.

The request is an object: ``"v"`` is 1, ``"command"`` one of :data:`COMMANDS`, ``"filter"`` (optional) a filter's
text, and

- for ``sockets``: ``"status"`` (optional, true or false) asks for everything about each connection;
- for ``trace``: ``"follow"`` (optional, true or false) asks for what happens from now on, not for what was kept.

The first line of the answer is a :class:`Greeting`, or ``{"v":1,"error":"..."}`` with what to do about it; to ``who``
it is all.  Then come sockets (:mod:`.sockets`), after the last one ``{"v":1,"end":COUNT}``; or trace events
(:mod:`usertcp.observe.jsonl`), as long as the stack runs and the asking side keeps its connection open.  The answering
side closes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from usertcp.control.filter import Everything, Filter
from usertcp.control.filter_parser import FilterError, parse

VERSION: Final = 1
COMMANDS: Final = ("who", "sockets", "trace")
#: In bytes, the line's end included.
MAX_REQUEST: Final = 8192
MAX_ANSWER_LINE: Final = 1 << 16


class ProtocolError(Exception):
    """The other side does not keep to this; says how, in one line."""


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    command: str
    filter: Filter
    status: bool = False
    follow: bool = False


@dataclass(frozen=True)
class Greeting:
    """Who answers: the version, the command that runs the stack, its process, its TUN and its addresses."""

    usertcp: str
    program: str
    pid: int
    tun: str
    addresses: tuple[str, ...]


def line(made: Mapping[str, Any]) -> bytes:
    """An object as a line."""
    return json.dumps({"v": VERSION, **made}, separators=(",", ":")).encode("ascii") + b"\n"


def read_request(text: bytes) -> Request:
    """The request of one line.

    :raises ProtocolError: it is none.
    """
    made = read_object(text)
    command = made.get("command")
    if command not in COMMANDS:
        raise ProtocolError(f"the command is missing or not known; there are {', '.join(COMMANDS)}")
    status, follow = made.get("status", False), made.get("follow", False)
    if type(status) is not bool or type(follow) is not bool:
        raise ProtocolError("status and follow are true or false")
    written = made.get("filter", "")
    if type(written) is not str:
        raise ProtocolError("the filter is a string")
    try:
        wanted = parse(written) if written else Everything()
    except FilterError as error:
        raise ProtocolError(str(error)) from None
    return Request(str(command), wanted, status, follow)


def read_greeting(text: bytes) -> Greeting:
    """The greeting of one line.

    :raises ProtocolError: it is none, or an error that the other side tells.
    """
    made = read_object(text)
    if type(made.get("error")) is str:
        raise ProtocolError(made["error"])
    names = ("usertcp", "program", "pid", "tun", "addresses")
    version, program, pid, tun, addresses = (made.get(name) for name in names)
    texts = [version, program, tun, *(addresses if type(addresses) is list else [None])]
    if type(pid) is not int or any(type(text) is not str for text in texts):
        raise ProtocolError("it does not answer as a usertcp does")
    return Greeting(str(version), str(program), pid, str(tun), tuple(map(str, texts[3:])))


def read_object(text: bytes) -> dict[str, Any]:
    """The object of one line, of this version.

    :raises ProtocolError: it is none.
    """
    try:
        made = json.loads(text)
    except (ValueError, RecursionError):
        made = None
    if type(made) is not dict:
        raise ProtocolError("not a JSON object on one line")
    if type(made.get("v")) is not int or made["v"] != VERSION:
        raise ProtocolError(f"this usertcp speaks version {VERSION}, the other side does not")
    return made
