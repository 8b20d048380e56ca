"""Pipes, and files without a name (memfd): what splice(2) and sendfile(2) move data between."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EAGAIN, EBUSY, EINVAL, EPIPE
from math import inf
from typing import TYPE_CHECKING, Final

from usertcp.sim.posix.constants import (
    FIONREAD,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDNORM,
    POLLWRNORM,
)
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import failure

if TYPE_CHECKING:
    from usertcp.sim.posix.kernel import Kernel

#: A pipe holds so much at first, and a write of so much is all or nothing.
CAPACITY: Final = 65536
PIPE_BUF: Final = 4096
_PAGE: Final = 4096
_MOST: Final = 1 << 20


class Pipe:
    """What two ends share."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.capacity = CAPACITY
        self.reader: PipeReader | None = None
        self.writer: PipeWriter | None = None

    @property
    def room(self) -> int:
        """Bytes that a writer may add."""
        return self.capacity - len(self.data)

    def resize(self, wanted: int) -> int:
        """F_SETPIPE_SZ: whole pages, doubled until it is enough; returns the new size."""
        if not 0 < wanted <= _MOST:
            raise failure(EINVAL)
        size = _PAGE
        while size < wanted:
            size *= 2
        if size < len(self.data):
            raise failure(EBUSY)
        self.capacity = size
        return size

    def put(self, data: bytes) -> None:
        """Add what there is room for."""
        self.data += data
        if self.reader is not None and data:
            self.reader.wake(POLLIN | POLLRDNORM)

    def take(self, most: int) -> bytes:
        """Remove up to ``most`` bytes."""
        taken = bytes(self.data[:most])
        del self.data[:most]
        if self.writer is not None and taken:
            self.writer.wake(POLLOUT | POLLWRNORM)
        return taken


class PipeEnd(File):
    """One end of a pipe."""

    def __init__(self, kernel: Kernel, pipe: Pipe, flags: int) -> None:
        super().__init__(flags)
        self.kernel = kernel
        self.pipe = pipe

    def ioctl(self, request: int, argument: int) -> int:
        if request == FIONREAD:
            return len(self.pipe.data)
        return super().ioctl(request, argument)

    def _sleep(self) -> Steps[None]:
        if self.nonblocking:
            raise failure(EAGAIN)
        yield inf


class PipeReader(PipeEnd):
    """Where data comes out."""

    def read(self, count: int) -> Steps[bytes]:
        while not self.pipe.data:
            if self.pipe.writer is None or not count:
                return b""
            yield from self._sleep()
        return self.pipe.take(count)

    def poll(self) -> int:
        mask = POLLIN | POLLRDNORM if self.pipe.data else 0
        return mask | (POLLHUP if self.pipe.writer is None else 0)

    def close(self) -> Steps[None]:
        self.pipe.reader = None
        if self.pipe.writer is not None:
            self.pipe.writer.wake(POLLOUT | POLLERR)
        yield from ()


class PipeWriter(PipeEnd):
    """Where data goes in."""

    def write(self, buffers: Sequence[bytes]) -> Steps[int]:
        data, written = b"".join(buffers), 0
        while written < len(data):
            if self.pipe.reader is None:
                if written:
                    break
                raise failure(EPIPE)
            room = self.pipe.room
            if not room or (len(data) <= PIPE_BUF and room < len(data)):
                if written and self.nonblocking:
                    break
                yield from self._sleep()
                continue
            self.pipe.put(data[written : written + room])
            written += min(room, len(data) - written)
        return written

    def poll(self) -> int:
        mask = POLLOUT | POLLWRNORM if self.pipe.room >= PIPE_BUF else 0
        return mask | (POLLERR if self.pipe.reader is None else 0)

    def close(self) -> Steps[None]:
        self.pipe.writer = None
        if self.pipe.reader is not None:
            self.pipe.reader.wake(POLLIN | POLLHUP)
        yield from ()


def make(kernel: Kernel, flags: int) -> tuple[PipeReader, PipeWriter]:
    """pipe2(2)."""
    pipe = Pipe()
    pipe.reader = PipeReader(kernel, pipe, O_RDONLY | flags & O_NONBLOCK)
    pipe.writer = PipeWriter(kernel, pipe, O_WRONLY | flags & O_NONBLOCK)
    return pipe.reader, pipe.writer


class MemoryFile(File):
    """A regular file in memory, as memfd_create(2) makes it; it has a position, and never sleeps."""

    pollable = False

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(O_RDWR)
        self.content = bytearray(content)
        self.position = 0

    def poll(self) -> int:
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM

    def read_at(self, offset: int, count: int) -> bytes:
        """pread(2)."""
        return bytes(self.content[offset : offset + count])

    def read(self, count: int) -> Steps[bytes]:
        data = self.read_at(self.position, count)
        self.position += len(data)
        yield from ()
        return data

    def write(self, buffers: Sequence[bytes]) -> Steps[int]:
        data = b"".join(buffers)
        if self.position > len(self.content):
            self.content += bytes(self.position - len(self.content))
        self.content[self.position : self.position + len(data)] = data
        self.position += len(data)
        yield from ()
        return len(data)

    def ioctl(self, request: int, argument: int) -> int:
        if request == FIONREAD:
            return max(0, len(self.content) - self.position)
        return super().ioctl(request, argument)
