"""Who closes first: services that do so after their first answer, or leave it to their client.

What a FIN says is only "I send no more", so either end may be the first to say it, and both may at once.  A service
that would leave it to chance, or to the client, is made to do one of the three here, without knowing of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import trio

from usertcp.runtime.stream import TcpStream
from usertcp.services.registry import Serve
from usertcp.services.serving import LINGER, discard

#: How long a service waits for its client to close first, in seconds.
PATIENCE: Final = 1.0
#: Between two looks whether all data has left, in seconds.
_LOOK: Final = 0.001

#: "100 Continue" and what else HTTP says in between is no answer yet: the request goes on.
_INTERIM: Final = b"HTTP/1.1 1"

_Serve: TypeAlias = Callable[[TcpStream], Awaitable[None]]


class _Closing(trio.abc.HalfCloseableStream):
    """A stream whose user cannot close it before its turn."""

    def __init__(self, stream: TcpStream) -> None:
        self._stream = stream

    def info(self) -> object:
        """The stream's."""
        return self._stream.info()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """The stream's."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """The stream's."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """The stream's."""
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        """Close our side, in turn."""
        await self._wait_for_turn()
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close, in turn."""
        try:
            await self._wait_for_turn()
        finally:
            await self._stream.aclose()

    async def _wait_for_turn(self) -> None:
        raise NotImplementedError


class ClosesFirst(_Closing):
    """A stream whose user sends a FIN when it has sent something and turns to receiving again.

    ``at_once``: no partial segment leaves before, so that the FIN rides on the last data, and a client that
    closes as soon as it has all data cannot be faster.  Otherwise the FIN is a segment of its own, after all
    data has left.
    """

    def __init__(self, stream: TcpStream, *, at_once: bool) -> None:
        super().__init__(stream)
        self._at_once = at_once
        self._sent = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """The stream's."""
        if bytes(data[: len(_INTERIM)]) != _INTERIM:
            self._sent = True
            self._stream.connection.corked = self._at_once
        await super().send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive; where an answer was sent, hang up instead."""
        if not self._sent:
            return await super().receive_some(max_bytes)
        await self.send_eof()
        with trio.move_on_after(LINGER):
            await discard(self._stream)
        return b""

    async def _wait_for_turn(self) -> None:
        """All data has left, where the FIN is to follow it."""
        connection = self._stream.connection
        while not self._at_once and connection.error is None and self._stream.info().unsent:  # noqa: ASYNC110
            await trio.sleep(_LOOK)


class ClosesSecond(_Closing):
    """A stream that is closed after its client has closed its side, or has not for :data:`PATIENCE`.

    What the client still sends then is lost.
    """

    async def _wait_for_turn(self) -> None:
        with trio.move_on_after(PATIENCE):
            await discard(self._stream)


_STREAMS: Final[dict[str, Callable[[TcpStream], trio.abc.HalfCloseableStream]]] = {
    "server": partial(ClosesFirst, at_once=True),
    "client": ClosesSecond,
    "both": partial(ClosesFirst, at_once=False),
}
#: Who may close first; with "both" the service closes by itself too, and the path has to make the FINs cross.
WHO: Final = tuple(_STREAMS)


def closing(serve: Serve, who: str) -> _Serve:
    """``serve``, whose connections ``who`` (of :data:`WHO`) closes first."""
    wrap = _STREAMS[who]

    async def serve_so(stream: TcpStream) -> None:
        await serve(wrap(stream))

    return serve_so
