"""One host of a network: a full stack, which can lose its power."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Final

import trio

from usertcp.observe.recorder import Recorder
from usertcp.runtime.driver import Driver
from usertcp.runtime.listener import TcpListener
from usertcp.runtime.sockets.names import Hosts
from usertcp.runtime.sockets.programs import trio_sockets
from usertcp.runtime.stack import DEFAULT_BACKLOG, Stack
from usertcp.runtime.stream import TcpStream
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.settings import Settings
from usertcp.testing import seeds
from usertcp.testing.port import Port
from usertcp.testing.reasons import Reasons

#: Trace events that are kept of each life of a host.
_KEPT: Final = 20_000


class _Life:
    """A host from when it is switched on to when it is switched off."""

    def __init__(self, number: int, host: Host, port: Port, recorder: Recorder) -> None:
        self.number = number
        self.host = host
        self.port = port
        self.recorder = recorder
        self.driver = Driver(host, port)
        self.stack = Stack(host, port, self.driver, ())
        self.programs: trio.Nursery | None = None
        #: Where somebody looks at its packets.
        self.reasons: Reasons | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until :meth:`end`."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.driver.run)
            try:
                async with trio.open_nursery() as self.programs:
                    task_status.started()
                    await trio.sleep_forever()
            finally:
                self.driver.stop()

    def end(self, why: str) -> None:
        """Everything is forgotten, and nothing is sent."""
        self.port.unplug()
        if self.programs is not None:
            self.programs.cancel_scope.cancel()
        self.host.trace = None  # nobody is there to see it
        self.stack.stop_listening()
        now = trio.current_time()
        for connection in list(self.host.connections.values()):
            connection.forget(now, why)
        self.driver.settle(now)


class NetworkHost:
    """A host of a :class:`~usertcp.testing.network.Network`, made by its ``add_host``."""

    def __init__(
        self,
        name: str,
        addresses: tuple[str, ...],
        mtu: int,
        config: HostConfig,
        seed: int,
        send_out: Callable[[NetworkHost, bytes], None],
        names: Callable[[], Hosts],
        nursery: trio.Nursery,
    ) -> None:
        self.name = name
        self.addresses = addresses
        self.raw_addresses = tuple(ip_address(address).packed for address in addresses)
        self.mtu = mtu
        self.config = config
        self._seed = seed
        self._send_out = send_out
        self._names = names
        self._nursery = nursery
        self._is_watched = False
        self._lives = [self._new_life(1)]

    @property
    def stack(self) -> Stack:
        """The host's stack; a new one after :meth:`reboot`."""
        return self._lives[-1].stack

    @property
    def recorders(self) -> tuple[Recorder, ...]:
        """What happened, one recorder for each life of the host."""
        return tuple(life.recorder for life in self._lives)

    async def open_listener(
        self,
        port: int,
        *,
        address: str | None = None,
        backlog: int = DEFAULT_BACKLOG,
        settings: Settings | None = None,
        fast_open: int = 0,
    ) -> TcpListener:
        """:meth:`usertcp.Stack.open_listener`."""
        return await self.stack.open_listener(
            port, address=address, backlog=backlog, settings=settings, fast_open=fast_open
        )

    async def open_stream(
        self, host: str, port: int, *, settings: Settings | None = None, data: bytes = b""
    ) -> TcpStream:
        """:meth:`usertcp.Stack.open_stream`."""
        return await self.stack.open_stream(host, port, settings=settings, data=data)

    def stats(self) -> dict[str, int]:
        """:meth:`usertcp.Stack.stats`, since the host was switched on."""
        return self.stack.stats()

    def start_soon(self, program: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run ``program(*args)`` as a task on this host, with its :meth:`sockets`: it is cancelled when the host
        reboots."""
        programs = self._lives[-1].programs
        assert programs is not None
        programs.start_soon(self._run, program, args, name=program)

    async def _run(self, program: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        with self.sockets():
            await program(*args)

    @contextmanager
    def sockets(self, hosts: Hosts | None = None) -> Iterator[None]:
        """Inside of the ``with`` block, and in tasks that are started there, trio's own sockets are this host's.

        As :func:`usertcp.trio_sockets`; the hosts of the network are known by their names, and besides them only
        ``hosts``.
        """
        with trio_sockets(self.stack, hosts={**self._names(), **(hosts or {})}, system_names=False):
            yield

    async def reboot(self) -> None:
        """Off and on again: all connections and listeners are forgotten, and not a packet says so.

        Its programs are cancelled.  Streams that others hold break, and its listeners are closed.  Initial sequence
        numbers and ports start from a new secret.
        """
        number = len(self._lives) + 1
        self._lives[-1].end("the host was rebooted")
        self._lives.append(self._new_life(number))
        with trio.CancelScope(shield=True):  # a program of its own may ask for it, which is cancelled now
            await self.start()

    # -- Called by the network ------------------------------------------------------------------------

    async def start(self) -> None:
        """Switch it on."""
        await self._nursery.start(self._lives[-1].run)

    def switch_off(self) -> None:
        """Without a word."""
        self._lives[-1].end("the network is gone")

    def watch(self) -> None:
        """From now on there are :meth:`reasons`, in later lives, too."""
        self._is_watched = True
        life = self._lives[-1]
        if life.reasons is None:
            life.reasons = Reasons(life.stack)

    def reasons(self, packet: bytes, now: float) -> tuple[str, ...]:
        """Why this packet is sent now; nothing where nobody watches."""
        reasons = self._lives[-1].reasons
        return () if reasons is None else reasons.of(packet, now)

    def arrives(self, packet: bytes) -> None:
        """A packet has come over a link."""
        self._lives[-1].port.arrives(packet)

    def _new_life(self, number: int) -> _Life:
        recorder = Recorder(_KEPT)
        host = Host(
            self.raw_addresses,
            secret=seeds.secret(self._seed, "host", self.name, number),
            mtu=self.mtu,
            config=self.config,
            trace=recorder,
        )
        life = _Life(number, host, Port(self.mtu, self._leaves), recorder)
        if self._is_watched:
            life.reasons = Reasons(life.stack)
        return life

    def _leaves(self, packet: bytes) -> None:
        self._send_out(self, packet)
