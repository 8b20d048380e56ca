"""The system calls on descriptors of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EBADF, EINVAL

from usertcp.sim.posix.constants import (
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_SETFD,
    F_SETFL,
    FD_CLOEXEC,
    FIOCLEX,
    FIONBIO,
    FIONCLEX,
    O_ACCMODE,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
)
from usertcp.sim.posix.descriptors import MOST, File
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.kernel import Kernel


class FileCalls(Kernel):
    """read(2) to dup(2).  Each raises OSError, EBADF where ``fd`` is not open."""

    def read(self, fd: int, count: int) -> bytes:
        """Up to ``count`` bytes; none at the end.  May sleep."""
        file = self._open_for(fd, O_WRONLY)
        return self.run(file.read(count), file)

    def readv(self, fd: int, counts: Sequence[int]) -> bytes:
        """As :meth:`read`, into buffers of these sizes."""
        return self.read(fd, sum(counts))

    def write(self, fd: int, data: bytes) -> int:
        """How much of ``data`` was taken.  May sleep."""
        return self.writev(fd, [data])

    def writev(self, fd: int, buffers: Sequence[bytes]) -> int:
        """As :meth:`write`, from several buffers."""
        file = self._open_for(fd, O_RDONLY)
        return self.run(file.write([bytes(piece) for piece in buffers]), file)

    def _open_for(self, fd: int, other_way: int) -> File:
        file = self.descriptors.file(fd)
        if file.flags & O_ACCMODE == other_way:
            raise failure(EBADF)
        return file

    def close(self, fd: int) -> None:
        """Give the descriptor back.  May sleep (SO_LINGER)."""
        file = self.descriptors.remove(fd)
        file.holders -= 1
        if not file.holders:
            self.run(file.close())

    def dup(self, fd: int) -> int:
        """Another descriptor of the same file."""
        return self.descriptors.add(self.descriptors.file(fd))

    def dup2(self, fd: int, target: int) -> int:
        """``target`` becomes another descriptor of the same file; what it was is closed."""
        file = self.descriptors.file(fd)
        if not 0 <= target < MOST:
            raise failure(EBADF)
        if target == fd:
            return fd
        if target in self.descriptors:
            self.close(target)
        self.descriptors.put(target, file)
        return target

    def fcntl(self, fd: int, command: int, argument: int = 0) -> int:
        """F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD, F_DUPFD_CLOEXEC."""
        file = self.descriptors.file(fd)
        if command == F_GETFL:
            return file.flags
        if command == F_SETFL:
            file.flags = file.flags & ~O_NONBLOCK | argument & O_NONBLOCK
            return 0
        if command == F_GETFD:
            return self.descriptors.flags(fd)
        if command == F_SETFD:
            self.descriptors.set_flags(fd, argument)
            return 0
        if command in (F_DUPFD, F_DUPFD_CLOEXEC):
            if not 0 <= argument < MOST:
                raise failure(EINVAL)
            return self.descriptors.add(file, close_on_exec=command == F_DUPFD_CLOEXEC, lowest=argument)
        raise failure(EINVAL)

    def ioctl(self, fd: int, request: int, argument: int = 0) -> int:
        """What the request tells (FIONREAD: unread bytes, ...), 0 for FIONBIO and its like."""
        file = self.descriptors.file(fd)
        if request == FIONBIO:
            file.flags = file.flags | O_NONBLOCK if argument else file.flags & ~O_NONBLOCK
            return 0
        if request in (FIOCLEX, FIONCLEX):
            self.descriptors.set_flags(fd, FD_CLOEXEC if request == FIOCLEX else 0)
            return 0
        return file.ioctl(request, argument)
