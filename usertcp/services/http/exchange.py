"""HTTP/1.1 with one client, one exchange at a time (RFC 9112): h11 does the grammar, this the bytes.

h11 parses every head and frames every answer.  Bodies with a Content-Length are the exception: they are
read straight from the stream, since h11 copies each chunk several times (43 µs for 64 KB here, where the
whole path through the TUN costs 25).  So that h11's state can never disagree with the stream, each
request gets an h11 connection of its own (1 µs), primed with whatever arrived behind the last one.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, TypeAlias

import h11
import trio
from trio.abc import HalfCloseableStream

#: Longest request line and header, together, in bytes.
MAX_HEAD: Final = 16 * 1024
#: How long a client may take to send a head, or the next piece of a body, in seconds.
PATIENCE: Final = 120.0
#: Most bytes taken from the stream at once.
_CHUNK: Final = 1024 * 1024
_TOO_SLOW: Final = "the request's body took too long"
#: Shorter bodies go out together with their head.
_SMALL: Final = 16 * 1024

Consume: TypeAlias = Callable[[bytes | bytearray], object]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
_Receive: TypeAlias = Callable[[int], Awaitable[bytes | bytearray]]


class RequestError(Exception):
    """The client broke HTTP's rules; ``status`` is the answer it gets, after which we close."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Exchange:
    """One request and its answer.

    :meth:`read_head` first, then :meth:`read_body` where the body is wanted, then one of the answers.
    All may raise trio's BrokenResourceError; the reading ones also :class:`RequestError`.
    """

    def __init__(self, stream: HalfCloseableStream, *, early: bytes = b"", ended: bool = False) -> None:
        """``early`` is what arrived already; ``ended`` says that the peer sends nothing after it."""
        self.method = b""
        self.target = b""
        self.stream = stream
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        #: The request has a body that nobody has read to its end.
        self.body_waits = False
        self._headers: dict[bytes, bytes] = {}
        self._behind: tuple[bytes, bool] | None = None
        if early:
            self._http.receive_data(early)
        if ended:
            self._http.receive_data(b"")

    # Reading

    async def read_head(self) -> bool:
        """Read the request's head; False where the client closed its side, or fell silent, before one."""
        with trio.move_on_after(PATIENCE):
            event = await self._next_event(self.stream.receive_some)
            if not isinstance(event, h11.Request):
                return False
            self.method, self.target = event.method, event.target
            self._headers = dict(event.headers)
            self.body_waits = b"transfer-encoding" in self._headers or self._content_length > 0
            return True
        if self._http.trailing_data[0]:
            raise RequestError(408, "the request's head took too long")
        return False

    def header(self, name: bytes) -> bytes:
        """The value of the header field ``name`` (lower case), empty where there is none."""
        return self._headers.get(name, b"")

    async def read_body(self, consume: Consume | None = None) -> int:
        """Read all of the body, hand each piece to ``consume``, return its length in bytes."""
        if self._http.they_are_waiting_for_100_continue:
            await self.stream.send_all(
                self._http.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
                or b""
            )
        counted = b"transfer-encoding" not in self._headers
        length = await (self._read_counted(consume) if counted else self._read_chunked(consume))
        self.body_waits = False
        return length

    async def _read_counted(self, consume: Consume | None) -> int:
        length = self._content_length
        early, ended = self._http.trailing_data
        piece, self._behind = early[:length], (early[length:], ended)
        left = length - len(piece)
        if consume:
            consume(piece)
        # One scope for all pieces: the next piece may take as long again.
        with trio.CancelScope() as patience:
            while left:
                patience.deadline = trio.current_time() + PATIENCE
                data = b"" if ended else await self.stream.receive_some(min(left, _CHUNK))
                if not data:
                    raise RequestError(400, f"the body ended {left} bytes before its Content-Length")
                left -= len(data)
                if consume:
                    consume(data)
        if patience.cancelled_caught:
            raise RequestError(408, _TOO_SLOW)
        return length

    async def _read_chunked(self, consume: Consume | None) -> int:
        length = 0
        while isinstance(event := await self._next_event(self._receive), h11.Data):
            length += len(event.data)
            if consume:
                consume(event.data)
        return length

    @property
    def _content_length(self) -> int:
        return int(self._headers.get(b"content-length", b"0"))

    async def _next_event(self, receive: _Receive) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(bytes(await receive(_CHUNK)))
        except h11.RemoteProtocolError as error:
            raise RequestError(error.error_status_hint, str(error)) from None
        return event

    async def _receive(self, max_bytes: int) -> bytes | bytearray:
        with trio.move_on_after(PATIENCE):
            return await self.stream.receive_some(max_bytes)
        raise RequestError(408, _TOO_SLOW)

    # Answering

    async def answer(self, status: int, content_type: str, body: bytes, headers: Headers = ()) -> None:
        """Send a whole answer; ``body`` is left out for HEAD."""
        head = self._head(status, content_type, len(body), headers)
        text = b"" if self._wants_no_body else self._http.send(h11.Data(data=body)) or b""
        await self.stream.send_all(head + text)
        self._http.send(h11.EndOfMessage())

    async def answer_blocks(self, content_type: str, length: int, block: bytes) -> None:
        """Send ``length`` bytes that repeat the immutable ``block``; a long body is not copied on the way."""
        if length <= _SMALL:
            await self.answer(200, content_type, block[:length])
            return
        await self.stream.send_all(self._head(200, content_type, length, ()))
        left = 0 if self._wants_no_body else length
        while left:
            piece = block if left >= len(block) else block[:left]
            for data in self._http.send_with_data_passthrough(h11.Data(data=piece)) or ():
                await self.stream.send_all(data)
            left -= len(piece)
        self._http.send(h11.EndOfMessage())

    def _head(self, status: int, content_type: str, length: int, headers: Headers) -> bytes:
        fields = [
            (b"Date", _date()),
            (b"Server", b"usertcp"),
            (b"Content-Type", content_type.encode("ascii")),
            (b"Content-Length", b"%d" % length),
            *headers,
        ]
        if self.body_waits:
            fields.append((b"Connection", b"close"))
        reason = HTTPStatus(status).phrase.encode("ascii")
        return self._http.send(h11.Response(status_code=status, headers=fields, reason=reason)) or b""

    @property
    def can_answer(self) -> bool:
        """No answer to this request has begun."""
        return self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE)

    @property
    def _wants_no_body(self) -> bool:
        return self.method == b"HEAD"

    # Going on

    def next(self) -> Exchange | None:
        """The connection's next exchange, after an answer; None where this one was the last."""
        if self._http.our_state is not h11.DONE:
            return None
        early, ended = self._behind or self._http.trailing_data
        return Exchange(self.stream, early=early, ended=ended)


_date_cache: tuple[int, bytes] = (0, b"")


def _date() -> bytes:
    """The Date field (RFC 9110 §6.6.1), made anew once a second."""
    global _date_cache
    now = int(time.time())
    if _date_cache[0] != now:
        _date_cache = (now, formatdate(now, usegmt=True).encode("ascii"))
    return _date_cache[1]
