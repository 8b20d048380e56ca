"""Descriptors: small numbers for open files, which several of them may share."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from errno import EBADF, EINVAL, EMFILE, ENOTSOCK, ENOTTY, ESPIPE
from typing import Final, Protocol, TypeAlias, TypeVar

from usertcp.sim.posix.constants import FD_CLOEXEC, O_NONBLOCK
from usertcp.sim.posix.errors import failure

T = TypeVar("T")

#: A system call under way: it yields where it sleeps, each time the moment at which it wakes up by itself (in
#: seconds, ``inf`` for never), and returns what the call returns.  Whoever goes on with it settles the machine.
Steps: TypeAlias = Generator[float, None, T]

#: Descriptors that one machine has at most (RLIMIT_NOFILE), and where its own ones begin: a process has three.
MOST: Final = 1024
FIRST: Final = 3


class Watcher(Protocol):
    """Wants to hear of a file's wake-ups."""

    def woken(self, key: int) -> None:
        """The file may be ready for ``key`` (poll's bits; 0: for anything)."""
        ...

    def forget(self, file: File) -> None:
        """``file`` is closed."""
        ...


class File:
    """What a descriptor refers to; the methods here are those of a file that cannot do what is asked.

    ``flags`` are O_NONBLOCK and the access mode.
    """

    #: Whether epoll takes it.
    pollable = True

    def __init__(self, flags: int) -> None:
        self.flags = flags
        #: Descriptors, and calls under way, that hold this file.
        self.holders = 0
        self.watchers: list[Watcher] = []

    @property
    def nonblocking(self) -> bool:
        """Whether O_NONBLOCK is set."""
        return bool(self.flags & O_NONBLOCK)

    def read(self, count: int) -> Steps[bytes]:
        """read(2)."""
        raise failure(EINVAL)

    def write(self, buffers: Sequence[bytes]) -> Steps[int]:
        """write(2), writev(2)."""
        raise failure(EINVAL)

    def ioctl(self, request: int, argument: int) -> int:
        """ioctl(2); what it would write through the pointer is returned."""
        raise failure(ENOTTY)

    def seek(self) -> None:
        """A call with an offset."""
        raise failure(ESPIPE)

    def poll(self) -> int:
        """The mask of what is ready now, with POLLERR and POLLHUP, whatever is asked for."""
        return 0

    def close(self) -> Steps[None]:
        """The last descriptor is gone; may sleep (SO_LINGER)."""
        yield from ()

    def wake(self, key: int = 0) -> None:
        """Something happened that may have made the file ready for ``key`` (poll's bits; 0: for anything)."""
        for watcher in self.watchers:
            watcher.woken(key)


class Descriptors:
    """A process's descriptors."""

    def __init__(self) -> None:
        self._files: dict[int, File] = {}
        self._close_on_exec: set[int] = set()

    def __contains__(self, fd: int) -> bool:
        return fd in self._files

    def file(self, fd: int) -> File:
        """The file that ``fd`` refers to.  Raises OSError EBADF."""
        file = self._files.get(fd)
        if file is None:
            raise failure(EBADF)
        return file

    def add(self, file: File, *, close_on_exec: bool = False, lowest: int = FIRST) -> int:
        """The lowest number that is free, from ``lowest``.  Raises OSError EMFILE."""
        fd = next((number for number in range(lowest, MOST) if number not in self._files), None)
        if fd is None:
            raise failure(EMFILE)
        self.put(fd, file, close_on_exec=close_on_exec)
        return fd

    def put(self, fd: int, file: File, *, close_on_exec: bool = False) -> None:
        """Let ``fd``, which is free, refer to ``file``."""
        file.holders += 1
        self._files[fd] = file
        self.set_flags(fd, FD_CLOEXEC if close_on_exec else 0)

    def remove(self, fd: int) -> File:
        """``fd`` is free again.  The caller lets go of the file.  Raises OSError EBADF."""
        file = self.file(fd)
        del self._files[fd]
        self._close_on_exec.discard(fd)
        return file

    def flags(self, fd: int) -> int:
        """F_GETFD."""
        self.file(fd)
        return FD_CLOEXEC if fd in self._close_on_exec else 0

    def set_flags(self, fd: int, flags: int) -> None:
        """F_SETFD."""
        self.file(fd)
        if flags & FD_CLOEXEC:
            self._close_on_exec.add(fd)
        else:
            self._close_on_exec.discard(fd)

    def files(self) -> list[File]:
        """Every open file once."""
        return list({id(file): file for file in self._files.values()}.values())


def not_a_socket() -> OSError:
    """ENOTSOCK."""
    return failure(ENOTSOCK)
