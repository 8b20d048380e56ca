"""Asks a running usertcp over its control socket.  Blocking; for a command line that does nothing else."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from usertcp.control import protocol
from usertcp.control.protocol import Greeting, ProtocolError, read_greeting, read_object
from usertcp.control.sockets import BadSocket, Socket, from_object
from usertcp.observe import jsonl
from usertcp.observe.escape import for_terminal
from usertcp.tcp.events import TraceEvent

#: How long an answer may take, in seconds.
PATIENCE: Final = 10.0
_CHUNK: Final = 1 << 16


class NoAnswer(Exception):
    """Nobody answers at a socket, or not to us; says why and what to do, in one line."""


class Gone(NoAnswer):
    """Nobody is there any more: the program was killed and its socket stayed."""


class Forbidden(NoAnswer):
    """The socket is another user's."""


@contextmanager
def asked(path: Path, **request: Any) -> Iterator[Answer]:
    """The answer of the usertcp at ``path`` to a request of :mod:`.protocol`.

    :raises NoAnswer: there is none, then or later.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(os.fspath(path))
            with suppress(BrokenPipeError):  # refused before we have spoken: the answer says why
                connection.sendall(protocol.line(request))
        except OSError as error:
            raise _explained(path, error) from error
        yield Answer(connection, path)


class Answer:
    """What comes back: the greeting has come, the rest is read as it is asked for."""

    def __init__(self, connection: socket.socket, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lines = _Lines(connection)
        try:
            #: Who answers.
            self.greeting: Greeting = read_greeting(self._next_line())
        except ProtocolError as error:
            raise self._refused(error) from error

    def sockets(self) -> Iterator[Socket]:
        """The sockets, as they come."""
        count = 0
        try:
            while "end" not in (made := read_object(self._next_line())):
                if "error" in made:
                    raise ProtocolError(str(made["error"]))
                count += 1
                yield from_object(made)
        except (ProtocolError, BadSocket) as error:
            raise self._refused(error) from error
        if made["end"] != count:
            raise NoAnswer(f"{self._path}: some of the answer is missing")

    def events(self, quiet: float | None = None) -> Iterator[TraceEvent | None]:
        """The events, as they come, until the other side ends.

        None each time that ``quiet`` seconds went by without one; without ``quiet`` they are waited for
        as long as any answer.
        """
        self._connection.settimeout(PATIENCE if quiet is None else quiet)
        while True:
            try:
                text = self._next_line(may_end=True)
            except TimeoutError:
                if quiet is None:
                    raise NoAnswer(f"{self._path}: no answer within {PATIENCE:.0f} s") from None
                yield None
                continue
            if not text:
                return
            try:
                event = jsonl.from_line(text.decode("utf-8", "replace"))
            except jsonl.BadLine as error:
                raise NoAnswer(f"{self._path}: a line is no trace event: {error.reason}") from error
            if event is not None:  # else of a kind that a later version has
                yield event

    def _next_line(self, *, may_end: bool = False) -> bytes:
        try:
            text = self._lines.next()
        except TimeoutError:
            if may_end:
                raise
            raise NoAnswer(
                f"{self._path}: no answer within {PATIENCE:.0f} s; is that usertcp stopped or very busy?"
            ) from None
        except OSError as error:
            raise _explained(self._path, error) from error
        except ProtocolError as error:
            raise self._refused(error) from error
        if not text and not may_end:
            raise Gone(f"{self._path}: it ended in the middle of its answer")
        return text

    def _refused(self, error: Exception) -> NoAnswer:
        return NoAnswer(f"{self._path}: {for_terminal(str(error))}")


class _Lines:
    """Lines of a connection, none of them too long; what has come in part stays when a wait is over."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._whole: deque[bytes] = deque()
        self._part = b""

    def next(self) -> bytes:
        """One line without its end; empty at the end of all.

        Raises OSError, TimeoutError among them, and ProtocolError.
        """
        while not self._whole:
            chunk = self._connection.recv(_CHUNK)
            if not chunk:
                return b""
            *lines, self._part = (self._part + chunk).split(b"\n")
            self._whole.extend(lines)
            if len(self._part) > protocol.MAX_ANSWER_LINE:
                raise ProtocolError("it does not answer as a usertcp does")
        return self._whole.popleft()


def _explained(path: Path, error: OSError) -> NoAnswer:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return Gone(f"{path}: no usertcp is running there")
    if isinstance(error, PermissionError):
        return Forbidden(f"{path}: it belongs to another user: use sudo")
    if isinstance(error, TimeoutError | BlockingIOError):
        return NoAnswer(f"{path}: no answer within {PATIENCE:.0f} s; is that usertcp stopped or very busy?")
    return NoAnswer(f"{path}: {error.strerror or error}")
