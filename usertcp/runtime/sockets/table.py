"""The sockets of one running stack."""

from __future__ import annotations

from errno import ENETDOWN
from typing import TYPE_CHECKING

import trio

from usertcp.sim.posix.config import SocketConfig
from usertcp.sim.posix.system import System

if TYPE_CHECKING:
    from usertcp.runtime.driver import Driver
    from usertcp.runtime.sockets.endpoint import Endpoint
    from usertcp.sim.posix.sockets import Socket
    from usertcp.stack.host import Host


class SocketTable(System):
    """What :mod:`usertcp.sim.posix` calls a system, on a host that a driver drives in trio's time.

    Its sockets never sleep (``O_NONBLOCK``): who waits for them are trio's tasks.
    """

    def __init__(self, host: Host, driver: Driver) -> None:
        buffer = host.config.settings.send_buffer
        super().__init__(host, trio.current_time(), "linux", SocketConfig(send_buffer=buffer, most_send_buffer=buffer))
        host.loopback = True
        self._driver = driver
        self._stopped = False
        #: By age, so that searches find the same in each run.
        self._open: dict[Endpoint, None] = {}

    def sockets(self) -> list[Socket]:
        return list(self._open)

    def opened(self, endpoint: Endpoint) -> None:
        """It is one of the stack's sockets until :meth:`closed`."""
        self._open[endpoint] = None

    def closed(self, endpoint: Endpoint) -> None:
        """Nobody holds it any more."""
        self._open.pop(endpoint, None)

    def tick(self) -> float:
        """Look at the clock, before a call."""
        self.now = trio.current_time()
        return self.now

    def settle(self) -> None:
        """Let the host put out what a call brought about, and wake whom it concerns."""
        self._driver.settle(self.now)

    def check_running(self) -> None:
        """Raises OSError ENETDOWN where nothing can be opened any more."""
        if self._stopped or self._driver.has_ended:
            raise OSError(ENETDOWN, "this stack has stopped")

    def stop(self) -> None:
        """Close all sockets that listen, and have no new ones; who waits in ``accept`` is told."""
        self._stopped = True
        self.tick()
        for endpoint in list(self._open):
            if endpoint.listening:
                endpoint.let_go()
