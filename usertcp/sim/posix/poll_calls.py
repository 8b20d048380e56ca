"""The system calls that wait for several descriptors."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EBADF, EINVAL

from usertcp.sim.posix import polling
from usertcp.sim.posix.constants import EPOLL_CLOEXEC, EPOLL_CTL_DEL
from usertcp.sim.posix.descriptors import MOST, Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.kernel import Kernel
from usertcp.sim.posix.polling import Epoll
from usertcp.sim.posix.times import EPSILON

#: The three sets of select(2), in their order.
_SETS = (polling.READS, polling.WRITES, polling.EXCEPTS)


class PollCalls(Kernel):
    """poll(2), select(2), epoll(7).  Timeouts are in milliseconds, negative ones last for ever."""

    def poll(self, descriptors: Sequence[tuple[int, int]], timeout: int) -> list[tuple[int, int]]:
        """``descriptors``: (fd, events); returns (fd, revents) for each of them.  May sleep."""
        if len(descriptors) > MOST:
            raise failure(EINVAL)
        return self.run(polling.poll(self, list(descriptors), polling.until(self, timeout)))

    def select(
        self, nfds: int, reads: Sequence[int], writes: Sequence[int], excepts: Sequence[int], timeout: float | None
    ) -> tuple[list[int], list[int], list[int]]:
        """The descriptors of each set that are ready; ``timeout`` in seconds, None: for ever.  May sleep."""
        if nfds < 0 or (timeout is not None and timeout < 0):
            raise failure(EINVAL)
        wanted = [[fd for fd in fds if fd < nfds] for fds in (reads, writes, excepts)]
        for fd in {fd for fds in wanted for fd in fds}:
            if fd not in self.descriptors:
                raise failure(EBADF)
        deadline = polling.until(self, -1 if timeout is None else timeout * 1000)
        return self.run(self._select(wanted, deadline))

    def _select(self, wanted: list[list[int]], deadline: float) -> Steps[tuple[list[int], list[int], list[int]]]:
        asked = [(fd, mask) for fds, mask in zip(wanted, _SETS, strict=True) for fd in fds]
        # POLLHUP and POLLERR, which poll() always tells, may not be what a set stands for.
        while True:
            found = yield from polling.poll(self, asked, self.now)
            ready = [(fd, mask) for (fd, mask), (_, revents) in zip(asked, found, strict=True) if revents & mask]
            if ready or self.now >= deadline - EPSILON:
                sets = [[fd for fd in fds if (fd, mask) in ready] for fds, mask in zip(wanted, _SETS, strict=True)]
                return sets[0], sets[1], sets[2]
            yield deadline

    def epoll_create(self, size: int = 1) -> int:
        """A new epoll descriptor."""
        if size <= 0:
            raise failure(EINVAL)
        return self.epoll_create1(0)

    def epoll_create1(self, flags: int = 0) -> int:
        """A new epoll descriptor; ``flags``: EPOLL_CLOEXEC."""
        if flags & ~EPOLL_CLOEXEC:
            raise failure(EINVAL)
        return self.descriptors.add(Epoll(self), close_on_exec=bool(flags))

    def epoll_ctl(self, epoll: int, operation: int, fd: int, events: int = 0, data: int = 0) -> None:
        """Add, change or remove what is watched of ``fd``; ``data`` are the 64 bits of epoll_data."""
        watcher = self.descriptors.file(epoll)
        file = self.descriptors.file(fd)
        if not isinstance(watcher, Epoll):
            raise failure(EINVAL)
        watcher.control(operation, fd, file, 0 if operation == EPOLL_CTL_DEL else events, data)

    def epoll_wait(self, epoll: int, most: int, timeout: int) -> list[tuple[int, int]]:
        """(events, data) of up to ``most`` watched descriptors that are ready.  May sleep."""
        if most <= 0:
            raise failure(EINVAL)
        file = self.descriptors.file(epoll)
        if not isinstance(file, Epoll):
            raise failure(EINVAL)
        return self.run(file.wait(most, polling.until(self, timeout)), file)

    def epoll_pwait(self, epoll: int, most: int, timeout: int) -> list[tuple[int, int]]:
        """As :meth:`epoll_wait`; there are no signals here."""
        return self.epoll_wait(epoll, most, timeout)
