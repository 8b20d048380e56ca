"""The system calls that wait for several descriptors."""

from __future__ import annotations

from collections.abc import Sequence

from usertcp.sim.posix.errors import NotSupported
from usertcp.sim.posix.kernel import Kernel


class PollCalls(Kernel):
    """poll(2), select(2), epoll(7).  Timeouts are in milliseconds, negative ones last for ever."""

    def poll(self, descriptors: Sequence[tuple[int, int]], timeout: int) -> list[tuple[int, int]]:
        """``descriptors``: (fd, events); returns (fd, revents) for each of them.  May sleep."""
        raise NotSupported("poll")

    def select(
        self, nfds: int, reads: Sequence[int], writes: Sequence[int], excepts: Sequence[int], timeout: float | None
    ) -> tuple[list[int], list[int], list[int]]:
        """The descriptors of each set that are ready; ``timeout`` in seconds, None: for ever.  May sleep."""
        raise NotSupported("select")

    def epoll_create(self, size: int = 1) -> int:
        """A new epoll descriptor."""
        raise NotSupported("epoll")

    def epoll_create1(self, flags: int = 0) -> int:
        """A new epoll descriptor; ``flags``: EPOLL_CLOEXEC."""
        raise NotSupported("epoll")

    def epoll_ctl(self, epoll: int, operation: int, fd: int, events: int = 0, data: int = 0) -> None:
        """Add, change or remove what is watched of ``fd``; ``data`` are the 64 bits of epoll_data."""
        raise NotSupported("epoll")

    def epoll_wait(self, epoll: int, most: int, timeout: int) -> list[tuple[int, int]]:
        """(events, data) of up to ``most`` watched descriptors that are ready.  May sleep."""
        raise NotSupported("epoll")
