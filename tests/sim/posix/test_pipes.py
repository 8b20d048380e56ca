from errno import EAGAIN, EBADF, EBUSY, EINVAL, EPIPE, ESPIPE

import pytest

from tests.sim.posix.peer import accepted, asleep, errno_of, machine, still_asleep
from usertcp.sim.posix import NotSupported
from usertcp.sim.posix.constants import (
    F_GETPIPE_SZ,
    F_SETFL,
    F_SETPIPE_SZ,
    FIONREAD,
    O_CLOEXEC,
    O_DIRECT,
    O_NONBLOCK,
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    SPLICE_F_NONBLOCK,
)
from usertcp.wire.tcp import ACK, FIN


def test_what_goes_in_comes_out() -> None:
    us = machine()
    reader, writer = us.pipe()
    assert us.poll([(reader, POLLIN), (writer, POLLOUT)], 0) == [(reader, 0), (writer, POLLOUT)]
    assert us.write(writer, b"hello") == 5
    assert us.writev(writer, [b", ", b"world"]) == 7
    assert us.ioctl(reader, FIONREAD) == 12
    assert us.read(reader, 5) == b"hello"
    assert us.read(reader, 100) == b", world"
    assert errno_of(us.read, writer, 1) == EBADF
    assert errno_of(us.write, reader, b"x") == EBADF


def test_an_empty_pipe_is_waited_for() -> None:
    us = machine()
    reader, writer = us.pipe()
    sleeping = asleep(us.read, reader, 10)
    us.write(writer, b"data")
    assert sleeping.resume() == b"data"
    sleeping = asleep(us.read, reader, 10)
    us.close(writer)
    assert sleeping.resume() == b""
    assert us.poll([(reader, POLLIN)], 0) == [(reader, POLLHUP)]


def test_a_full_pipe_is_waited_for() -> None:
    us = machine()
    reader, writer = us.pipe()
    sleeping = asleep(us.write, writer, bytes(70000))
    assert us.poll([(writer, POLLOUT)], 0) == [(writer, 0)]
    assert len(us.read(reader, 1000)) == 1000
    sleeping = still_asleep(sleeping)
    assert len(us.read(reader, 100000)) == 65536
    assert sleeping.resume() == 70000


def test_nobody_reads() -> None:
    us = machine()
    reader, writer = us.pipe()
    sleeping = asleep(us.write, writer, bytes(70000))
    us.close(reader)
    assert sleeping.resume() == 65536
    assert errno_of(us.write, writer, b"x") == EPIPE
    assert us.poll([(writer, 0)], 0) == [(writer, POLLERR)]


def test_nonblocking() -> None:
    us = machine()
    reader, writer = us.pipe2(O_NONBLOCK | O_CLOEXEC)
    assert errno_of(us.read, reader, 1) == EAGAIN
    assert us.write(writer, bytes(70000)) == 65536
    assert errno_of(us.write, writer, b"x") == EAGAIN
    us.read(reader, 100)
    assert errno_of(us.write, writer, bytes(101)) == EAGAIN  # all or nothing up to PIPE_BUF
    assert us.write(writer, bytes(100)) == 100
    assert errno_of(us.pipe2, 1) == EINVAL
    with pytest.raises(NotSupported):
        us.pipe2(O_DIRECT)


def test_its_size() -> None:
    us = machine()
    reader, writer = us.pipe()
    assert us.fcntl(reader, F_GETPIPE_SZ) == 65536
    assert us.fcntl(writer, F_SETPIPE_SZ, 5000) == 8192
    us.write(writer, bytes(5000))
    assert errno_of(us.fcntl, writer, F_SETPIPE_SZ, 4096) == EBUSY
    assert errno_of(us.fcntl, writer, F_SETPIPE_SZ, 0) == EINVAL
    fd, _ = accepted(us)
    assert errno_of(us.fcntl, fd, F_GETPIPE_SZ) == EBADF


def test_splice_from_a_socket_and_to_it() -> None:
    us = machine()
    fd, peer = accepted(us)
    reader, writer = us.pipe()
    assert errno_of(us.splice, fd, None, writer, None, 100, 0) == EAGAIN
    peer.sends(ACK, b"hello, world")
    assert us.splice(fd, None, writer, None, 5, 0) == 5
    assert us.splice(fd, None, writer, None, 100, 0) == 7
    peer.receives()
    assert us.splice(reader, None, fd, None, 12, 0) == 12
    assert bytes(peer.receives()[-1].payload) == b"hello, world"
    peer.sends(FIN | ACK)
    assert us.splice(fd, None, writer, None, 100, 0) == 0
    us.close(writer)
    assert us.splice(reader, None, fd, None, 100, 0) == 0


def test_splice_sleeps() -> None:
    us = machine()
    fd, peer = accepted(us)
    reader, writer = us.pipe()
    us.fcntl(fd, F_SETFL, 0)
    sleeping = asleep(us.splice, fd, None, writer, None, 100, 0)
    peer.sends(ACK, b"data")
    assert sleeping.resume() == 4
    assert us.read(reader, 10) == b"data"
    sleeping = asleep(us.splice, reader, None, fd, None, 4, 0)
    us.write(writer, b"more")
    assert sleeping.resume() == 4
    assert errno_of(us.splice, reader, None, fd, None, 10, SPLICE_F_NONBLOCK) == EAGAIN


def test_splice_between_pipes_and_files() -> None:
    us = machine()
    reader, writer = us.pipe()
    other_reader, other_writer = us.pipe()
    file = us.memfd_create(content=b"0123456789")
    assert us.splice(file, 4, writer, None, 3, 0) == 3
    assert us.splice(file, None, writer, None, 2, 0) == 2
    assert us.splice(reader, None, other_writer, None, 100, 0) == 5
    assert us.read(other_reader, 10) == b"45601"
    us.write(writer, b"abc")
    assert us.splice(reader, None, file, 1, 3, 0) == 3
    assert us.splice(file, 0, writer, None, 5, 0) == 5
    assert us.read(reader, 10) == b"0abc4"
    assert errno_of(us.splice, reader, None, writer, None, 5, 0) == EINVAL
    assert errno_of(us.splice, reader, 0, other_writer, None, 5, 0) == ESPIPE
    assert errno_of(us.splice, writer, None, other_writer, None, 5, 0) == EBADF
    assert errno_of(us.splice, file, None, file, None, 5, 0) == EINVAL


def test_splice_into_a_full_pipe_and_one_that_nobody_reads() -> None:
    us = machine()
    file = us.memfd_create(content=bytes(100000))
    reader, writer = us.pipe()
    assert us.splice(file, None, writer, None, 100000, 0) == 65536
    assert errno_of(us.splice, file, None, writer, None, 1, SPLICE_F_NONBLOCK) == EAGAIN
    us.close(reader)
    assert errno_of(us.splice, file, None, writer, None, 1, 0) == EPIPE


def test_sendfile() -> None:
    us = machine()
    fd, peer = accepted(us)
    file = us.memfd_create(content=b"0123456789")
    assert us.sendfile(fd, file, 2, 3) == 3
    assert bytes(peer.receives_one().payload) == b"234"
    peer.sends(ACK)
    assert us.sendfile(fd, file, None, 4) == 4
    peer.receives()
    peer.sends(ACK)
    assert us.sendfile(fd, file, None, 100) == 6
    assert bytes(peer.receives()[-1].payload) == b"456789"
    assert us.sendfile(fd, file, None, 100) == 0
    assert us.read(file, 10) == b""
    assert errno_of(us.sendfile, file, fd, None, 1) == EINVAL
    reader, _ = us.pipe()
    assert errno_of(us.sendfile, reader, file, None, 1) == EBADF


def test_a_file_in_memory() -> None:
    us = machine()
    file = us.memfd_create("name")
    assert us.write(file, b"hello") == 5
    assert us.read(file, 5) == b""
    assert us.ioctl(file, FIONREAD) == 0
    assert us.poll([(file, POLLIN | POLLOUT)], 0) == [(file, POLLIN | POLLOUT)]
