"""splice(2) and sendfile(2): data from one file to another."""

from __future__ import annotations

from errno import EAGAIN, EBADF, EINVAL, EPIPE, ESPIPE
from math import inf

from usertcp.sim.posix.constants import (
    MSG_DONTWAIT,
    MSG_MORE,
    O_ACCMODE,
    O_RDONLY,
    O_WRONLY,
    SPLICE_F_MORE,
    SPLICE_F_NONBLOCK,
)
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.pipes import MemoryFile, PipeReader, PipeWriter
from usertcp.sim.posix.sockets import Receiving, Sending, Socket


def splice(
    source: File, offset: int | None, target: File, target_offset: int | None, count: int, flags: int
) -> Steps[int]:
    """splice(2): at least one end is a pipe."""
    if source.flags & O_ACCMODE == O_WRONLY or target.flags & O_ACCMODE == O_RDONLY:
        raise failure(EBADF)
    for file, at in ((source, offset), (target, target_offset)):
        if at is not None and not isinstance(file, MemoryFile):
            raise failure(ESPIPE)
    if isinstance(source, PipeReader):
        if isinstance(target, PipeWriter) and target.pipe is source.pipe:
            raise failure(EINVAL)
        return (yield from _from_pipe(source, target, target_offset, count, flags))
    if isinstance(target, PipeWriter):
        return (yield from _to_pipe(source, offset, target, count, flags))
    raise failure(EINVAL)


def _from_pipe(source: PipeReader, target: File, offset: int | None, count: int, flags: int) -> Steps[int]:
    pipe = source.pipe
    while not pipe.data:
        if pipe.writer is None or not count:
            return 0
        yield from _pipe_sleeps(source, flags)
    data = bytes(pipe.data[:count])
    if isinstance(target, Socket):
        more = MSG_MORE if flags & SPLICE_F_MORE or count > len(data) else 0
        moved = yield from target.send(Sending(data, more))
    elif isinstance(target, PipeWriter):
        moved = yield from _into_pipe(target, data, flags)
    else:
        if offset is not None and isinstance(target, MemoryFile):
            target.position = offset
        moved = yield from target.write([data])
    pipe.take(moved)
    return moved


def _to_pipe(source: File, offset: int | None, target: PipeWriter, count: int, flags: int) -> Steps[int]:
    if not count:
        return 0
    while True:
        if target.pipe.reader is None:
            raise failure(EPIPE)
        if target.pipe.room:
            break
        yield from _pipe_sleeps(target, flags)
    room = min(count, target.pipe.room)
    if isinstance(source, Socket):
        wait = MSG_DONTWAIT if flags & SPLICE_F_NONBLOCK else 0
        data = (yield from source.receive(Receiving(room, wait))).data
    elif isinstance(source, MemoryFile) and offset is not None:
        data = source.read_at(offset, room)
    else:
        data = yield from source.read(room)
    target.pipe.put(data)
    return len(data)


def _into_pipe(target: PipeWriter, data: bytes, flags: int) -> Steps[int]:
    while not target.pipe.room:
        yield from _pipe_sleeps(target, flags)
    taken = data[: target.pipe.room]
    target.pipe.put(taken)
    return len(taken)


def _pipe_sleeps(end: File, flags: int) -> Steps[None]:
    if end.nonblocking or flags & SPLICE_F_NONBLOCK:
        raise failure(EAGAIN)
    yield inf


def sendfile(target: File, source: File, offset: int | None, count: int) -> Steps[int]:
    """sendfile(2): from a regular file; ``offset``: from there, and the file's position stays."""
    if source.flags & O_ACCMODE == O_WRONLY or target.flags & O_ACCMODE == O_RDONLY:
        raise failure(EBADF)
    if not isinstance(source, MemoryFile):
        raise failure(EINVAL if offset is None else ESPIPE)
    start = source.position if offset is None else offset
    data = source.read_at(start, count)
    sent = yield from target.write([data])
    if offset is None:
        source.position = start + sent
    return sent
