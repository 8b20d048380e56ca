"""Waiting for several files: what poll(2), select(2) and epoll(7) look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from errno import EEXIST, EINVAL, ELOOP, ENOENT, EPERM
from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix.constants import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    EPOLLWAKEUP,
    O_RDWR,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.times import EPSILON

if TYPE_CHECKING:
    from usertcp.sim.posix.kernel import Kernel

_ALWAYS: Final = POLLERR | POLLHUP
#: What select(2)'s three sets stand for.
READS: Final = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR
WRITES: Final = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR
EXCEPTS: Final = POLLPRI
_CONTROL_BITS: Final = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE


def until(kernel: Kernel, milliseconds: float) -> float:
    """The end of a timeout: ``inf`` for a negative one."""
    return inf if milliseconds < 0 else kernel.now + milliseconds / 1000


def poll(kernel: Kernel, descriptors: Sequence[tuple[int, int]], deadline: float) -> Steps[list[tuple[int, int]]]:
    """poll(2)."""
    while True:
        found = [(fd, _revents(kernel, fd, events)) for fd, events in descriptors]
        if any(revents for _, revents in found) or kernel.now >= deadline - EPSILON:
            return found
        yield deadline


def _revents(kernel: Kernel, fd: int, events: int) -> int:
    if fd < 0:
        return 0
    if fd not in kernel.descriptors:
        return POLLNVAL
    return kernel.descriptors.file(fd).poll() & (events | _ALWAYS)


class Watch:
    """What an epoll watches of one descriptor: ``events`` as epoll_ctl was given them, ``data`` for the application."""

    def __init__(self, epoll: Epoll, fd: int, file: File, events: int, data: int) -> None:
        self.epoll = epoll
        self.fd = fd
        self.file = file
        self.events = events
        self.data = data

    def woken(self, key: int) -> None:
        """The file may be ready for ``key``."""
        wanted = self.events & ~_CONTROL_BITS
        if wanted and (not key or key & (self.events | _ALWAYS)):
            self.epoll.is_ready(self)

    def forget(self, file: File) -> None:
        """``file`` is closed."""
        self.epoll.forget(file)

    def ready(self) -> int:
        """What is ready of what is wanted."""
        wanted = self.events & ~_CONTROL_BITS
        return self.file.poll() & (wanted | _ALWAYS) if wanted else 0


class Epoll(File):
    """An epoll descriptor.

    Files that were woken stand in a list until somebody looks at them; one that is level-triggered and still ready
    then goes back to its end, one that is edge-triggered waits for its next wake-up.
    """

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(O_RDWR)
        self._kernel = kernel
        self._watches: dict[tuple[int, int], Watch] = {}
        self._ready: deque[Watch] = deque()

    def control(self, operation: int, fd: int, file: File, events: int, data: int) -> None:
        """epoll_ctl(2)."""
        if file is self:
            raise failure(EINVAL)
        if isinstance(file, Epoll) and operation == EPOLL_CTL_ADD and file.reaches(self):
            raise failure(ELOOP)
        key = (fd, id(file))
        watch = self._watches.get(key)
        if operation == EPOLL_CTL_ADD:
            if watch is not None:
                raise failure(EEXIST)
            if not file.pollable:
                raise failure(EPERM)
            self._add(key, Watch(self, fd, file, events | _ALWAYS, data))
        elif operation not in (EPOLL_CTL_MOD, EPOLL_CTL_DEL):
            raise failure(EINVAL)
        elif watch is None:
            raise failure(ENOENT)
        elif operation == EPOLL_CTL_DEL:
            self._remove(key)
        else:
            if (watch.events | events) & EPOLLEXCLUSIVE:
                raise failure(EINVAL)
            watch.events, watch.data = events | _ALWAYS, data
            if watch.ready():
                self.is_ready(watch)

    def _add(self, key: tuple[int, int], watch: Watch) -> None:
        self._watches[key] = watch
        watch.file.watchers.append(watch)
        if watch.ready():
            self.is_ready(watch)

    def _remove(self, key: tuple[int, int]) -> None:
        watch = self._watches.pop(key)
        watch.file.watchers.remove(watch)
        if watch in self._ready:
            self._ready.remove(watch)

    def forget(self, file: File) -> None:
        """``file`` is closed."""
        for key in [key for key, watch in self._watches.items() if watch.file is file]:
            self._remove(key)

    def reaches(self, other: Epoll) -> bool:
        """Whether this one watches ``other``, or another that does."""
        files = [watch.file for watch in self._watches.values()]
        return any(file is other or (isinstance(file, Epoll) and file.reaches(other)) for file in files)

    def is_ready(self, watch: Watch) -> None:
        """``watch`` goes to the list of those to be looked at."""
        if watch not in self._ready:
            self._ready.append(watch)
            self.wake(POLLIN | POLLRDNORM)

    def wait(self, most: int, deadline: float) -> Steps[list[tuple[int, int]]]:
        """epoll_wait(2)."""
        while True:
            found = list(self._take(most))
            if found or self._kernel.now >= deadline - EPSILON:
                return found
            yield deadline

    def _take(self, most: int) -> Iterator[tuple[int, int]]:
        taken = 0
        for _ in range(len(self._ready)):
            if taken == most:
                return
            watch = self._ready.popleft()
            found = watch.ready()
            if not found:
                continue
            taken += 1
            if watch.events & EPOLLONESHOT:
                watch.events &= _CONTROL_BITS
            elif not watch.events & EPOLLET:
                self._ready.append(watch)
            yield found, watch.data

    def poll(self) -> int:
        return POLLIN | POLLRDNORM if any(watch.ready() for watch in self._ready) else 0

    def close(self) -> Steps[None]:
        for key in list(self._watches):
            self._remove(key)
        yield from ()
