"""``--close-first`` of ``usertcp try``: who closes a connection first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from usertcp import PacketDevice, TcpStream
from usertcp.cli.common import say
from usertcp.runtime.crossing import PATIENCE, CrossingDevice
from usertcp.services.closing import closing
from usertcp.services.registry import Serve


class ClosingFirst:
    """What ``who`` ("server", "client", "both", or None: whoever does) asks of the services and of the path."""

    def __init__(self, who: str | None) -> None:
        self._who = who
        self._path: CrossingDevice | None = None

    def adapt(self, serve: Serve) -> Callable[[TcpStream], Awaitable[None]]:
        """``serve``, which closes when it should."""
        return serve if self._who is None else closing(serve, self._who)

    def wrap(self, device: PacketDevice) -> PacketDevice:
        """The path to ``device``, on which FINs cross if they should."""
        if self._who != "both":
            return device
        self._path = CrossingDevice(device)
        return self._path

    def report(self) -> None:
        """Say what was done to make it happen, and where it did not."""
        if self._path is None:
            return
        say("usertcp: --close-first both: the path held each FIN back until the other end's had left too")
        if self._path.alone:
            say(
                f"usertcp: {self._path.alone} FIN(s) went on alone: the other end did not close within {PATIENCE:g} s. "
                "Use a client that closes by itself, as curl does"
            )
