"""A host of ours on a TUN, or on any other packet device, for a trio program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from secrets import token_bytes
from typing import Final

import trio

from usertcp.runtime import interface
from usertcp.runtime.device import PacketDevice
from usertcp.runtime.driver import Driver
from usertcp.runtime.fanout import Fanout
from usertcp.runtime.listener import TcpListener
from usertcp.runtime.memory import keep_what_is_freed
from usertcp.runtime.sockets.table import SocketTable
from usertcp.runtime.stream import TcpStream
from usertcp.runtime.tun import Tun
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.events import Sink
from usertcp.tcp.settings import Settings

DEFAULT_ADDRESSES: Final = ("192.0.2.2/24", "fd00:9293::2/64")
DEFAULT_TUN: Final = "usertcp0"
DEFAULT_MTU: Final = 1500
#: How long connections get to end by themselves when the stack stops, in seconds.
DEFAULT_GRACE: Final = 2.0
DEFAULT_BACKLOG: Final = 1024


class Stack:
    """A running host.  Made by :func:`open_stack`."""

    def __init__(self, host: Host, device: PacketDevice, driver: Driver, warnings: Sequence[str]) -> None:
        #: The sans-IO host.
        self.host = host
        #: What carries the packets.
        self.device = device
        #: What could not be had and was done without, a sentence each.
        self.warnings = tuple(warnings)
        #: What drives the host in trio's time.
        self.driver = driver
        #: Where others may look into it; None: nowhere.
        self.control_path: Path | None = None
        self._sockets: SocketTable | None = None
        self._fanout = Fanout(host)
        self._is_stopping = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The host's addresses."""
        return tuple(str(ip_address(address)) for address in self.host.addresses)

    @property
    def sockets(self) -> SocketTable:
        """The host's sockets, for programs that want such (:func:`~usertcp.runtime.sockets.programs.trio_sockets`)."""
        if self._sockets is None:
            self._sockets = SocketTable(self.host, self.driver)
        return self._sockets

    async def open_listener(
        self,
        port: int,
        *,
        address: str | None = None,
        backlog: int = DEFAULT_BACKLOG,
        settings: Settings | None = None,
        fast_open: int = 0,
    ) -> TcpListener:
        """Listen on ``port`` (1..65535) of ``address``, or of all the host's addresses.

        ``backlog`` bounds connections that are half-open or not accepted yet.  ``fast_open``: accept up to so
        many connections whose handshake is not over yet, if their SYN brought data (RFC 7413); only for
        services that can bear to get the same request twice.  Raises
        :class:`~usertcp.stack.errors.AddressInUse`, :class:`~usertcp.stack.errors.NotOurAddress`,
        ValueError, and ClosedResourceError on a stack that has stopped.
        """
        if not 1 <= port <= 65535:
            raise ValueError(f"port {port} is not in 1..65535")
        await trio.lowlevel.checkpoint()
        self._check_running()
        raw = None if address is None else ip_address(address).packed
        return TcpListener(
            self.host.listen(port, address=raw, backlog=backlog, settings=settings, fast_open=fast_open), self.driver
        )

    async def open_stream(
        self, host: str, port: int, *, settings: Settings | None = None, data: bytes = b""
    ) -> TcpStream:
        """Connect to a numeric address; returns when the handshake is done.

        ``data`` is sent first, and with the SYN where the server is known to take it (RFC 7413); it may then
        reach the server's application twice.

        ``settings`` are this connection's, where they differ from the host's.

        Raises an OSError as kernel sockets do: :class:`~usertcp.tcp.errors.ConnectionRefused` and the like,
        :class:`~usertcp.stack.errors.NotOurAddress` where this host has no address of that family, and
        :class:`~usertcp.stack.errors.InvalidRemoteAddress` where no host can be at that one; ValueError for what is
        no address or port, and ClosedResourceError on a stack that has stopped.  Cancelled, it gives up the attempt.
        """
        if not 1 <= port <= 65535:
            raise ValueError(f"port {port} is not in 1..65535")
        remote = ip_address(host).packed
        await trio.lowlevel.checkpoint()
        self._check_running()
        now = trio.current_time()
        stream = TcpStream(self.host.connect(remote, port, now, settings=settings, data=data), self.driver)
        self.driver.settle(now)
        await stream.wait_established()
        return stream

    def _check_running(self) -> None:
        if self._is_stopping or self.driver.has_ended:
            raise trio.ClosedResourceError("this stack has stopped")

    def attach(self, sink: Sink) -> None:
        """From now on ``sink`` gets each trace event, beside others; see :class:`~usertcp.runtime.fanout.Fanout`."""
        self._fanout.attach(sink)

    def detach(self, sink: Sink) -> None:
        """From now on ``sink`` gets no trace events."""
        self._fanout.detach(sink)

    def stats(self) -> dict[str, int]:
        """All counters: the host's, and the device's with "device-" before their names."""
        counters = dict(self.host.stats.snapshot())
        counters.update((f"device-{name}", value) for name, value in self.device.counters().items())
        return counters

    @property
    def open_connections(self) -> int:
        """Connections that have not ended, TIME-WAIT excepted."""
        return len(self.host.connections)

    @trio.lowlevel.enable_ki_protection
    def stop_listening(self) -> None:
        """Close all listeners, of streams and of sockets, and have no new ones; who waits in ``accept`` is told."""
        self._is_stopping = True
        for listener in list(self.host.listeners.values()):
            if isinstance(listener.user, TcpListener):
                listener.user.close()
        if self._sockets is not None:
            self._sockets.stop()

    @trio.lowlevel.enable_ki_protection
    async def shut_down(self, grace: float) -> None:
        """Stop accepting, FIN every connection, wait up to ``grace`` seconds, then RST what is left."""
        self.stop_listening()
        now = trio.current_time()
        for tcb in list(self.host.connections.values()):
            tcb.release(now)
        self.driver.settle(now)
        with trio.CancelScope(shield=True), trio.move_on_after(grace):
            await self.wait_connections_ended()
        now = trio.current_time()
        for tcb in list(self.host.connections.values()):
            tcb.abort(now, "the stack stopped")
        self.driver.settle(now)

    async def wait_connections_ended(self) -> None:
        """Wait until all connections have ended, TIME-WAIT excepted."""
        while self.open_connections:
            await self.driver.wait_for_change()


@asynccontextmanager
async def open_stack(
    device: PacketDevice | None = None,
    *,
    addresses: Sequence[str] = DEFAULT_ADDRESSES,
    tun: str = DEFAULT_TUN,
    mtu: int = DEFAULT_MTU,
    offload: bool = True,
    trace: Sink | None = None,
    grace: float = DEFAULT_GRACE,
    config: HostConfig | None = None,
    wrap: Callable[[PacketDevice], PacketDevice] | None = None,
) -> AsyncIterator[Stack]:
    """Run a host as long as the ``async with`` block lasts.

    ``addresses`` are the host's own, with their prefix lengths.  Without ``device`` a TUN named ``tun`` is
    made and the kernel's side of it configured: its address is the first other one of each prefix.  ``mtu``
    is in bytes; ``offload`` asks the TUN for super-segments and partial checksums.  ``trace`` receives the
    trace events (:mod:`usertcp.tcp.events`); :meth:`Stack.attach` adds others.

    ``wrap`` puts something between the device and the stack, such as
    :class:`~usertcp.runtime.impaired.ImpairedDevice`.

    At the end: no more connections are accepted, every connection is closed with a FIN, and what has not
    ended after ``grace`` seconds is reset.  The device is closed, a TUN of our making is gone.

    Raises :class:`~usertcp.runtime.errors.SetupError` where the TUN cannot be had.
    """
    keep_what_is_freed()
    parsed = [interface.parse_address(text) for text in addresses]
    warnings: Sequence[str] = ()
    if device is None:
        made = Tun(tun, mtu=mtu, offload=offload)
        device = made
        try:
            configured = interface.configure(made.name, parsed, mtu=mtu)
        except BaseException:
            made.close()
            raise
        parsed, warnings = list(configured.addresses), configured.warnings
    if wrap is not None:
        device = wrap(device)
    host = Host(
        [address.ip.packed for address in parsed],
        secret=token_bytes(32),
        mtu=device.mtu,
        offload=device.offload,
        config=config,
        trace=trace,
    )
    driver = Driver(host, device)
    stack = Stack(host, device, driver, warnings)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(driver.run)
            try:
                yield stack
            finally:
                await stack.shut_down(grace)
                driver.stop()
    finally:
        device.close()
