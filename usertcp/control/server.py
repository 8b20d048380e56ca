"""The control socket of a running stack: who may ask, and what is answered.

Whoever asks has passed the file's permissions, and is still taken for hostile: a request has a length and a time, the
number of connections is bounded, and one that does not read its answer loses it and holds nobody up.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from socket import SO_PEERCRED, SOL_SOCKET
from typing import Any, Final

import trio

from usertcp import __version__
from usertcp.control import places, protocol
from usertcp.control.filter import Filter
from usertcp.control.follower import Follower, selected
from usertcp.control.protocol import Greeting, ProtocolError, Request
from usertcp.control.sockets import sockets, to_object
from usertcp.observe.jsonl import to_line
from usertcp.runtime.bell import Bell
from usertcp.runtime.stack import DEFAULT_TUN, Stack
from usertcp.runtime.sudo import person_behind_sudo
from usertcp.tcp.events import read

#: Connections at a time, and those of them that may stay.
MAX_CLIENTS: Final = 32
MAX_FOLLOWERS: Final = 16
#: Events that wait for a follower that does not keep up: a few megabytes.
MAX_WAITING: Final = 16_384
#: How long a request may take to come, and each piece of an answer to be read, in seconds.
PATIENCE: Final = 5.0
#: How long followers have to read the rest when the stack has ended, in seconds.
LAST_WORDS: Final = 1.0
#: Sockets and events that are formed at a turn, of a millisecond or so; then the stack has its own.
_SOCKETS_AT_A_TURN: Final = 16
_EVENTS_AT_A_TURN: Final = 64
_NO_MORE_FILES: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_UCRED: Final = struct.Struct("=iII")

_log: Final = logging.getLogger("usertcp.control")

#: Gives the events that were kept, in their flat form.
Kept = Callable[[], Iterable[tuple[Any, ...]]]


@asynccontextmanager
async def controlled(
    opening: AbstractAsyncContextManager[Stack],
    *,
    name: str = DEFAULT_TUN,
    path: Path | None = None,
    program: str = "python",
    kept: Kept | None = None,
    say: Callable[[str], None] = _log.info,
) -> AsyncIterator[Stack]:
    """A stack whose sockets and events other processes may see: ``usertcp ss`` and ``usertcp trace``::

        async with usertcp.controlled(usertcp.open_stack()) as stack:
            ...

    ``name`` is the TUN's, by which the socket is called; ``path`` puts it elsewhere.  ``program`` is what ``usertcp
    ss`` calls this process.  ``kept`` gives the trace events of the past, if there are any.  ``say`` gets a line with
    the socket's path.  Where the socket cannot be made that line says why, and all else goes on.
    """
    async with trio.open_nursery() as nursery:
        server: Server | None = None
        try:
            async with opening as stack:
                greeting = Greeting(__version__, program, os.getpid(), name, stack.addresses)
                try:
                    bound = places.bind(name) if path is None else places.bind_at(path)
                except places.PlaceError as error:
                    say(f"usertcp: no control socket, so ss and trace will not see this: {error}")
                else:
                    stack.control_path = bound.path
                    server = Server(bound, stack, greeting, kept)
                    nursery.start_soon(server.run)
                    say(f"usertcp: control socket {bound.path}" + (f" ({bound.note})" if bound.note else ""))
                yield stack
        finally:
            # After the stack: followers see how its connections end.
            if server is not None:
                await server.end()


class Server:
    """Answers for one stack at one socket."""

    def __init__(self, bound: places.Bound, stack: Stack, greeting: Greeting, kept: Kept | None) -> None:
        self._bound = bound
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(bound.listener))
        self._stack = stack
        self._greeting = greeting
        self._kept = kept
        person = person_behind_sudo()
        self._may_ask = {0, os.geteuid(), person.uid if person else 0}
        self._scope = trio.CancelScope(shield=True)
        self._done = trio.Event()
        self._has_ended = False
        self._clients = 0
        self._bells: set[Bell] = set()

    async def run(self) -> None:
        """Answer until :meth:`end`; a cancellation from outside does not end it."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._accept, nursery)
        finally:
            self._done.set()

    async def end(self) -> None:
        """The stack has ended: followers get the rest, if they take it soon, and the socket is gone."""
        self._bound.remove()
        self._listener.socket.close()
        self._has_ended = True
        for bell in self._bells:
            bell.ring()
        with trio.CancelScope(shield=True):
            with trio.move_on_after(LAST_WORDS):
                await self._done.wait()
            self._scope.cancel()
            await self._done.wait()

    async def _accept(self, nursery: trio.Nursery) -> None:
        while True:
            try:
                connection = await self._listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError as error:
                if error.errno not in _NO_MORE_FILES:
                    raise
                await trio.sleep(0.1)
            else:
                nursery.start_soon(self._guarded, connection)

    async def _guarded(self, connection: trio.SocketStream) -> None:
        """Whatever one who asks does, and whatever is wrong with our answer, is no affair of the stack's."""
        self._clients += 1
        try:
            async with connection:
                await self._answer(connection)
        except* trio.BrokenResourceError:
            pass
        except* Exception as problems:
            _log.error("an answer failed", exc_info=problems)
        finally:
            self._clients -= 1

    async def _answer(self, connection: trio.SocketStream) -> None:
        try:
            self._check(connection)
            request = protocol.read_request(await _first_line(connection))
            if request.command == "who":
                await self._greet(connection)
            elif request.command == "sockets":
                await self._tell_sockets(connection, request)
            elif request.follow:
                await self._tell_events(connection, request.filter)
            else:
                await self._tell_kept(connection, request.filter)
        except ProtocolError as error:
            await _send(connection, protocol.line({"error": str(error)}))

    def _check(self, connection: trio.SocketStream) -> None:
        """:raises ProtocolError: not this one, or not now."""
        _, uid, _ = _UCRED.unpack(connection.socket.getsockopt(SOL_SOCKET, SO_PEERCRED, _UCRED.size))
        if uid not in self._may_ask:
            raise ProtocolError(f"user {uid} may not look at this usertcp, which is user {os.geteuid()}'s")
        if self._clients > MAX_CLIENTS:
            raise ProtocolError(f"{MAX_CLIENTS} are asking already: try again later")

    async def _tell_sockets(self, connection: trio.SocketStream, request: Request) -> None:
        await self._greet(connection)
        all_of_them = sockets(self._stack.host, trio.current_time)
        count = 0
        while some := list(islice(all_of_them, _SOCKETS_AT_A_TURN)):
            meant = [each for each in some if request.filter.matches(each.subject)]
            count += len(meant)
            if not request.status:
                meant = [replace(each, status=None) for each in meant]
            await _send(connection, b"".join(protocol.line(to_object(each)) for each in meant))
        await _send(connection, protocol.line({"end": count}))

    async def _tell_kept(self, connection: trio.SocketStream, wanted: Filter) -> None:
        if self._kept is None:
            raise ProtocolError("this usertcp keeps no events of the past: use trace --follow")
        kept = selected(list(self._kept()), wanted)
        await self._greet(connection)
        while some := list(islice(kept, _EVENTS_AT_A_TURN)):
            await _send(connection, _lines(some))

    async def _tell_events(self, connection: trio.SocketStream, wanted: Filter) -> None:
        if len(self._bells) >= MAX_FOLLOWERS:
            raise ProtocolError(f"{MAX_FOLLOWERS} are following already: end one of them")
        bell = Bell()
        follower = Follower(self._stack.host, wanted, wake=bell.ring, limit=MAX_WAITING)
        self._bells.add(bell)
        self._stack.attach(follower)
        try:
            await self._greet(connection)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_hung_up, connection, nursery.cancel_scope)
                await self._pass_on(connection, follower, bell)
                nursery.cancel_scope.cancel()
        finally:
            self._stack.detach(follower)
            self._bells.discard(bell)

    async def _pass_on(self, connection: trio.SocketStream, follower: Follower, bell: Bell) -> None:
        """For as long as it takes: who stops reading for a while loses events, which wait in a bounded queue."""
        while True:
            while some := follower.take(_EVENTS_AT_A_TURN):
                await connection.send_all(_lines(some))
            if self._has_ended:
                return
            await bell.wait()

    async def _greet(self, connection: trio.SocketStream) -> None:
        await _send(connection, protocol.line(asdict(self._greeting)))


async def _first_line(connection: trio.SocketStream) -> bytes:
    text = b""
    with trio.move_on_after(PATIENCE):
        while b"\n" not in text:
            if len(text) >= protocol.MAX_REQUEST:
                raise ProtocolError(f"the request is longer than {protocol.MAX_REQUEST} bytes")
            chunk = await connection.receive_some(protocol.MAX_REQUEST)
            if not chunk:
                raise ProtocolError("the request breaks off: it ends with a line end")
            text += chunk
        return text.partition(b"\n")[0]
    raise ProtocolError(f"no request came within {PATIENCE:.0f} s")


async def _send(connection: trio.SocketStream, data: bytes) -> None:
    """Send a bounded piece of an answer; raises BrokenResourceError where nobody reads it."""
    with trio.move_on_after(PATIENCE):
        await connection.send_all(data)
        return
    raise trio.BrokenResourceError("nobody reads the answer")


async def _until_hung_up(connection: trio.SocketStream, scope: trio.CancelScope) -> None:
    """A follower has nothing more to say: what comes is the end of its connection, or is treated so."""
    try:
        await connection.receive_some(1)
    finally:
        scope.cancel()


def _lines(events: Iterable[tuple[Any, ...]]) -> bytes:
    return "".join(f"{to_line(read(event))}\n" for event in events).encode("ascii")
