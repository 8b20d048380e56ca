"""A TCP connection of ours as a trio stream."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from operator import index
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import trio

from usertcp.runtime.sleeper import Sleeper
from usertcp.runtime.stream_options import StreamOptions
from usertcp.tcp.connection import Connection
from usertcp.tcp.errors import ConnectionAborted, TcpError
from usertcp.tcp.states import SEND_CLOSED, State
from usertcp.tcp.status import Status
from usertcp.tcp.wakeup import REPORTED, WRITABLE

if TYPE_CHECKING:
    from usertcp.runtime.driver import Driver

_Received = TypeVar("_Received", bytes | bytearray, int)

#: What :meth:`TcpStream.receive_some` returns at most when it is not told, in bytes.  An application that
#: takes less at a turn than the driver brings in falls behind: its window closes, and then opens in small
#: steps of which each costs both ends a wake-up.  Half as much CPU for bulk as with 256 KiB, 4 MiB no better.
DEFAULT_RECEIVE: Final = 1 << 20


class TcpStream(StreamOptions, trio.abc.HalfCloseableStream):
    """One connection, as :class:`trio.abc.HalfCloseableStream` describes streams.

    ``BrokenResourceError`` is raised from the :class:`~usertcp.tcp.errors.TcpError` that says what
    happened on the wire, and in which state.  Options are attributes: see
    :class:`~usertcp.runtime.stream_options.StreamOptions`.
    """

    __slots__ = ("__weakref__", "_closed", "_driver", "_receiving", "_sending", "connection", "error_report")

    def __init__(self, connection: Connection, driver: Driver) -> None:
        self.connection = connection
        #: ERROR_REPORT (RFC 9293 §3.9.1.8): called with a line of text when something goes wrong for which the
        #: connection does not end: an ICMP error, or retransmissions without an answer.  None: nobody wants to
        #: know.  It must neither raise nor block.
        self.error_report: Callable[[str], None] | None = None
        self._driver = driver
        self._closed = False
        self._sending = OneAtATime("sending on")
        self._receiving = OneAtATime("receiving from")
        connection.user = self
        connection.nodelay = True

    # -- What a connection knows ----------------------------------------------------------------------

    def info(self) -> Status:
        """A snapshot of all that the connection knows: windows, timers, counters; also after the end."""
        return self.connection.status()

    def status(self) -> Status:
        """:meth:`info` by the RFC's name: STATUS (RFC 9293 §3.10.6)."""
        return self.info()

    @property
    def local(self) -> tuple[str, int]:
        """Our address and port."""
        return str(ip_address(self.connection.local_address)), self.connection.local_port

    @property
    def remote(self) -> tuple[str, int]:
        """The peer's address and port."""
        return str(ip_address(self.connection.remote_address)), self.connection.remote_port

    # -- The stream -----------------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Hand over all of ``data``, waiting where the send buffer is full.

        When it raises or is cancelled, the peer gets a part of ``data`` from its beginning, or nothing: how much, only
        the peer can say.  What follows stands right behind that part.
        """
        if type(data) is not bytes and type(data) is not bytearray:
            data = memoryview(data).cast("B")  # whose length is in bytes
        with self._sending:
            await trio.lowlevel.checkpoint_if_cancelled()
            self._check_open()
            left: bytes | bytearray | memoryview = data
            waited = False
            while True:
                taken = self._send(left)
                if taken == len(left):
                    break
                left = memoryview(left)[taken:]
                await self._sending.sleep()
                waited = True
                self._check_open()
            if not waited:
                await trio.lowlevel.cancel_shielded_checkpoint()
            if self.connection.touched:
                self._driver.expect_no_more(self.connection)

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        now = trio.current_time()
        connection = self.connection
        if connection.state in SEND_CLOSED or connection.close_queued:
            self._refuse()
        if connection.blocked_on_room and not connection.is_over:
            return 0  # it was full, and is until a third of it is free
        try:
            taken = connection.send(data, now)
        except TcpError as error:
            _broken(error)
        if connection.touched:
            if self._begins_an_answer():
                self._driver.put_off(connection)
            else:
                self._driver.go_on(connection, now)
        return taken

    def _refuse(self) -> NoReturn:
        """Our FIN is queued or sent: by ``send_eof``, or since the stack stops."""
        connection = self.connection
        if not connection.released:
            raise trio.ClosedResourceError("this side of the stream was closed by send_eof()")
        _broken(connection.error or ConnectionAborted(f"closed as the stack stops, in {connection.state}"))

    def _begins_an_answer(self) -> bool:
        """Whether what is sent now may well be followed by more, or by our FIN: most connections have one question and
        one answer.  Less than a segment of it then waits for that (RFC 9293 §3.10.4: the FIN may go with the last
        data), for a turn of the scheduler at most."""
        connection = self.connection
        return (
            connection.opened_passively
            and not connection.bytes_sent
            and connection.bytes_received > 0
            and len(connection.send_buffer) < connection.snd_mss
        )

    @trio.lowlevel.enable_ki_protection
    async def wait_send_all_might_not_block(self) -> None:
        """Wait until ``send_all`` takes something at once, or has an error to tell."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            connection = self.connection
            while True:
                self._check_open()
                if connection.is_over or (connection.send_room and not connection.blocked_on_room):
                    return
                connection.blocked_on_room = True
                await self._sending.sleep()

    @trio.lowlevel.enable_ki_protection
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """At least one byte, at most ``max_bytes``; empty at the end of the stream."""
        if max_bytes is None:
            max_bytes = DEFAULT_RECEIVE
        elif index(max_bytes) < 1:
            raise ValueError("max_bytes must be >= 1")
        return await self._receive(lambda now: self.connection.receive(max_bytes, now))

    @trio.lowlevel.enable_ki_protection
    async def receive_some_into(self, buffer: bytearray | memoryview) -> int:
        """Receive into ``buffer``, which must have room: at least one byte, and no object for it; 0 at the end of
        the stream.  Raises as :meth:`receive_some`, and ValueError."""
        target = memoryview(buffer).cast("B")
        if not target:
            raise ValueError("the buffer must have room for a byte")
        return await self._receive(lambda now: self.connection.receive_into(target, now))

    async def _receive(self, take: Callable[[float], _Received]) -> _Received:
        with self._receiving:
            await trio.lowlevel.checkpoint_if_cancelled()
            self._check_open()
            connection = self.connection
            waited = False
            while not connection.readable:
                await self._receiving.sleep()
                waited = True
                self._check_open()
            now = trio.current_time()
            try:
                taken = take(now)
            except TcpError as error:
                _broken(error)
            if connection.touched:
                self._driver.settle(now)
            if not waited:
                await trio.lowlevel.cancel_shielded_checkpoint()
            return taken

    @trio.lowlevel.enable_ki_protection
    async def send_eof(self) -> None:
        """Half-close: a FIN follows what was sent; receiving goes on.  Repeating it does nothing."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            self._check_open()
            error = self.connection.error
            if error is not None:
                _broken(error)
            now = trio.current_time()
            self.connection.close(now)
            self._driver.go_on(self.connection, now)

    @trio.lowlevel.enable_ki_protection
    async def aclose(self) -> None:
        """Close: a FIN follows what was sent, also when this call is cancelled; unread data is lost."""
        self._close(abort=False)
        await trio.lowlevel.checkpoint()

    @trio.lowlevel.enable_ki_protection
    def abort(self) -> None:
        """Close at once: the peer gets a RST, what was not acknowledged is lost (RFC 9293 §3.10.5)."""
        self._close(abort=True)

    def _close(self, *, abort: bool) -> None:
        if self._closed and not abort:
            return
        self._closed = True
        now = trio.current_time()
        if abort:
            self.connection.abort(now)
        else:
            self.connection.release(now)
        self.connection.user = None
        self._receiving.wake()
        self._sending.wake()
        self._driver.go_on(self.connection, now)

    def _check_open(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this stream was closed")

    # -- Called by the driver -------------------------------------------------------------------------

    def woken(self, bits: int) -> None:
        """Something happened: wake who waits for it."""
        if bits & REPORTED and self.error_report is not None:
            self.error_report(self.connection.soft_error)
        if bits & ~WRITABLE:
            self._receiving.wake()
        if bits != 1:
            self._sending.wake()

    @trio.lowlevel.enable_ki_protection
    async def wait_established(self) -> None:
        """Wait for the end of the handshake.  Raises the connection's TcpError; cancelled: aborts."""
        connection = self.connection
        try:
            while connection.state in (State.SYN_SENT, State.SYN_RECEIVED):
                await self._receiving.sleep()
        except BaseException:
            self.abort()
            raise
        if connection.error is not None:
            raise connection.error


class OneAtATime(Sleeper):
    """Lets one task at a time do something, and sleep over it; a second one gets BusyResourceError."""

    __slots__ = ("_busy", "_what")

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self._busy = False

    def __enter__(self) -> None:
        if self._busy:
            raise trio.BusyResourceError(f"another task is {self._what} this stream")
        self._busy = True

    def __exit__(self, *_: object) -> None:
        self._busy = False


def _broken(error: TcpError) -> NoReturn:
    """Raise what trio has for a connection that ended by ``error``."""
    raise trio.BrokenResourceError(str(error)) from error.with_traceback(None)
