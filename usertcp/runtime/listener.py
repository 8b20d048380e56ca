"""A listening port of ours as a trio listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from usertcp.runtime.stream import TcpStream
from usertcp.stack.listener import Listener

if TYPE_CHECKING:
    from usertcp.runtime.driver import Driver


class TcpListener(trio.abc.Listener[TcpStream]):
    """Accepts connections; ``trio.serve_listeners`` takes it."""

    def __init__(self, listener: Listener, driver: Driver) -> None:
        self.listener = listener
        self._driver = driver
        self._waiting = trio.lowlevel.ParkingLot()
        listener.user = self

    @property
    def port(self) -> int:
        """The port, 1..65535."""
        return self.listener.port

    @trio.lowlevel.enable_ki_protection
    async def accept(self) -> TcpStream:
        """The next connection, once its handshake is complete.  Raises ClosedResourceError."""
        await trio.lowlevel.checkpoint_if_cancelled()
        waited = False
        while True:
            if not self.listener.open:
                raise trio.ClosedResourceError("this listener was closed")
            connection = self.listener.accept()
            if connection is not None:
                if not waited:
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return TcpStream(connection, self._driver)
            await self._waiting.park()
            waited = True

    @trio.lowlevel.enable_ki_protection
    async def aclose(self) -> None:
        """Stop listening.  Connections that nobody accepted are reset; accepted ones go on."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """What :meth:`aclose` does, without a checkpoint."""
        if self.listener.open:
            now = trio.current_time()
            self.listener.close(now)
            self._waiting.unpark_all()
            self._driver.settle(now)

    def woken(self) -> None:
        """Called by the driver: a connection is ready."""
        self._waiting.unpark_all()
