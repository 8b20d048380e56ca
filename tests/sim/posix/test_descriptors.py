from errno import EBADF, EINVAL, EMFILE, ENOTSOCK, ENOTTY

from tests.sim.posix.peer import errno_of, machine
from usertcp.sim.posix.constants import (
    AF_INET,
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
    FIONREAD,
    O_APPEND,
    O_NONBLOCK,
    O_RDWR,
    SOCK_STREAM,
)
from usertcp.sim.posix.descriptors import MOST


def test_the_lowest_number_is_taken() -> None:
    us = machine()
    assert [us.socket(AF_INET, SOCK_STREAM, 0) for _ in range(3)] == [3, 4, 5]
    us.close(4)
    assert us.socket(AF_INET, SOCK_STREAM, 0) == 4
    assert us.pipe() == (6, 7)


def test_dup() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    assert us.dup(fd) == 4
    us.fcntl(4, F_SETFL, O_NONBLOCK)
    assert us.fcntl(fd, F_GETFL) == O_RDWR | O_NONBLOCK
    assert us.dup2(fd, 9) == 9
    assert us.dup2(fd, fd) == fd
    reader, _ = us.pipe()
    assert us.dup2(fd, reader) == reader
    assert us.is_socket(reader)
    assert us.fcntl(fd, F_DUPFD, 20) == 20
    assert us.fcntl(fd, F_DUPFD_CLOEXEC, 20) == 21
    assert us.fcntl(21, F_GETFD) == FD_CLOEXEC
    assert errno_of(us.fcntl, fd, F_DUPFD, MOST) == EINVAL
    assert errno_of(us.dup, 99) == EBADF
    assert errno_of(us.dup2, 99, 3) == EBADF
    assert errno_of(us.dup2, fd, MOST) == EBADF
    assert errno_of(us.dup2, fd, -1) == EBADF


def test_flags() -> None:
    us = machine()
    fd = us.socket(AF_INET, SOCK_STREAM, 0)
    us.fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND)
    us.fcntl(fd, F_SETFL, 0)
    assert us.fcntl(fd, F_GETFL) == O_RDWR
    assert us.ioctl(fd, FIONBIO, 1) == 0
    assert us.fcntl(fd, F_GETFL) == O_RDWR | O_NONBLOCK
    us.ioctl(fd, FIONBIO, 0)
    assert us.fcntl(fd, F_GETFL) == O_RDWR
    us.fcntl(fd, F_SETFD, FD_CLOEXEC)
    assert us.fcntl(fd, F_GETFD) == FD_CLOEXEC
    us.ioctl(fd, FIONCLEX)
    assert us.fcntl(fd, F_GETFD) == 0
    us.ioctl(fd, FIOCLEX)
    assert us.fcntl(fd, F_GETFD) == FD_CLOEXEC
    assert errno_of(us.fcntl, fd, 12345) == EINVAL


def test_errors() -> None:
    us = machine()
    reader, writer = us.pipe()
    for call in (us.fcntl, us.ioctl):
        assert errno_of(call, 99, F_GETFL) == EBADF
    for number in (-1, 2, 99):
        assert errno_of(us.close, number) == EBADF
        assert errno_of(us.read, number, 1) == EBADF
        assert errno_of(us.is_socket, number) == EBADF
    assert errno_of(us.is_socket, reader) == ENOTSOCK
    assert errno_of(us.getsockname, reader) == ENOTSOCK
    assert errno_of(us.ioctl, us.epoll_create1(0), FIONREAD) == ENOTTY
    assert errno_of(us.read, us.epoll_create1(0), 1) == EINVAL
    assert errno_of(us.write, us.epoll_create1(0), b"x") == EINVAL
    assert us.ioctl(writer, FIONREAD) == 0


def test_there_are_only_so_many() -> None:
    us = machine()
    for _ in range(3, MOST):
        us.memfd_create()
    assert errno_of(us.memfd_create) == EMFILE
