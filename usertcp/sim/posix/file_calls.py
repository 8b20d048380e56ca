"""The system calls on descriptors of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EBADF, EINVAL

from usertcp.sim.posix import pipes, splicing
from usertcp.sim.posix.constants import (
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_GETPIPE_SZ,
    F_SETFD,
    F_SETFL,
    F_SETPIPE_SZ,
    FD_CLOEXEC,
    FIOCLEX,
    FIONBIO,
    FIONCLEX,
    O_ACCMODE,
    O_CLOEXEC,
    O_DIRECT,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
)
from usertcp.sim.posix.descriptors import MOST, File
from usertcp.sim.posix.errors import NotSupported, failure
from usertcp.sim.posix.kernel import Kernel


class FileCalls(Kernel):
    """read(2) to dup(2).  Each raises OSError, EBADF where ``fd`` is not open."""

    def read(self, fd: int, count: int) -> bytes:
        """Up to ``count`` bytes; none at the end.  May sleep."""
        file = self._open_for(fd, O_WRONLY)
        if count < 0:
            raise failure(EINVAL)
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
            self.run(self.closing(file))

    def pipe(self) -> tuple[int, int]:
        """A pipe: the descriptor to read from, and the one to write to."""
        return self.pipe2(0)

    def pipe2(self, flags: int) -> tuple[int, int]:
        """As :meth:`pipe`; ``flags``: O_NONBLOCK, O_CLOEXEC."""
        if flags & ~(O_NONBLOCK | O_CLOEXEC | O_DIRECT):
            raise failure(EINVAL)
        if flags & O_DIRECT:
            raise NotSupported("pipes of packets")
        reader, writer = pipes.make(self, flags)
        close_on_exec = bool(flags & O_CLOEXEC)
        return (
            self.descriptors.add(reader, close_on_exec=close_on_exec),
            self.descriptors.add(writer, close_on_exec=close_on_exec),
        )

    def memfd_create(self, name: str = "", flags: int = 0, *, content: bytes = b"") -> int:
        """A file in memory; with ``content``, at whose beginning it is to be read."""
        return self.descriptors.add(pipes.MemoryFile(content))

    def splice(
        self, source: int, offset: int | None, target: int, target_offset: int | None, count: int, flags: int = 0
    ) -> int:
        """Move up to ``count`` bytes; one of the two is a pipe.  May sleep."""
        one, other = self.descriptors.file(source), self.descriptors.file(target)
        return self.run(splicing.splice(one, offset, other, target_offset, count, flags), one, other)

    def sendfile(self, target: int, source: int, offset: int | None, count: int) -> int:
        """Copy up to ``count`` bytes of a regular file.  May sleep."""
        one, other = self.descriptors.file(source), self.descriptors.file(target)
        return self.run(splicing.sendfile(other, one, offset, count), one, other)

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
        if command in (F_GETPIPE_SZ, F_SETPIPE_SZ):
            if not isinstance(file, pipes.PipeEnd):
                raise failure(EBADF)
            return file.pipe.capacity if command == F_GETPIPE_SZ else file.pipe.resize(argument)
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
