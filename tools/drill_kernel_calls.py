"""The system calls of the kernel that runs this, by the names and with the arguments of ``usertcp.sim.posix.Machine``.

Each raises OSError, as there.  One that sleeps does so: call it in a thread.  The C library is called by ctypes, since
Python's own sockets check and change what a script may want to get wrong.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import select
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

from usertcp.sim.posix import Message, SocketAddress

_libc: Final = ctypes.CDLL(None, use_errno=True)
_SOCKADDR_IN: Final = struct.Struct("=H2s4s8x")
_SOCKADDR_IN6: Final = struct.Struct("=H2sI16sI")
_LONGEST_ADDRESS: Final = 128
_CMSG: Final = struct.Struct("@Nii")
_ALIGN: Final = struct.calcsize("@N")
_POLLFD: Final = struct.Struct("=ihh")
# <sys/epoll.h>: packed on x86-64 only
_EPOLL_EVENT: Final = struct.Struct("=IQ" if platform.machine() == "x86_64" else "@IQ")


class _Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MessageHeader(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


def _call(function: Any, *arguments: Any) -> int:
    """What the C function returns.  Raises OSError where that is -1."""
    result = int(function(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


for _name in ("recv", "recvfrom", "recvmsg", "send", "sendto", "sendmsg"):
    getattr(_libc, _name).restype = ctypes.c_ssize_t


class Calls:
    """The system calls that do not wait for several descriptors (see :class:`Waits`)."""

    def socket(self, domain: int, kind: int, protocol: int = 0) -> int:
        return _call(_libc.socket, domain, kind, protocol)

    def is_socket(self, fd: int) -> bool:
        self.getsockopt(fd, socket.SOL_SOCKET, socket.SO_TYPE)
        return True

    def bind(self, fd: int, address: SocketAddress) -> None:
        packed = _packed(address)
        _call(_libc.bind, fd, packed, len(packed))

    def listen(self, fd: int, backlog: int) -> None:
        _call(_libc.listen, fd, backlog)

    def accept(self, fd: int) -> tuple[int, SocketAddress]:
        return self.accept4(fd, 0)

    def accept4(self, fd: int, flags: int) -> tuple[int, SocketAddress]:
        room, length = _room()
        new = _call(_libc.accept4, fd, room, ctypes.byref(length), flags)
        return new, _unpacked(room.raw[: length.value])

    def connect(self, fd: int, address: SocketAddress) -> None:
        packed = _packed(address)
        _call(_libc.connect, fd, packed, len(packed))

    def getsockname(self, fd: int) -> SocketAddress:
        return self._name(_libc.getsockname, fd)

    def getpeername(self, fd: int) -> SocketAddress:
        return self._name(_libc.getpeername, fd)

    def _name(self, function: Any, fd: int) -> SocketAddress:
        room, length = _room()
        _call(function, fd, room, ctypes.byref(length))
        return _unpacked(room.raw[: length.value])

    def shutdown(self, fd: int, how: int) -> None:
        _call(_libc.shutdown, fd, how)

    def close(self, fd: int) -> None:
        _call(_libc.close, fd)

    def getsockopt(self, fd: int, level: int, name: int, length: int = 4) -> bytes:
        room, size = ctypes.create_string_buffer(max(length, 1)), ctypes.c_uint32(length)
        _call(_libc.getsockopt, fd, level, name, room, ctypes.byref(size))
        return room.raw[: size.value]

    def setsockopt(self, fd: int, level: int, name: int, value: bytes) -> None:
        _call(_libc.setsockopt, fd, level, name, bytes(value), len(value))

    # -- Data

    def recv(self, fd: int, count: int, flags: int = 0) -> bytes:
        room = ctypes.create_string_buffer(max(count, 1))
        received = _call(_libc.recv, fd, room, ctypes.c_size_t(count), flags)
        return _seen(room, count, received)

    def recvfrom(self, fd: int, count: int, flags: int = 0) -> tuple[bytes, SocketAddress | None]:
        room = ctypes.create_string_buffer(max(count, 1))
        name, length = _room()
        received = _call(_libc.recvfrom, fd, room, ctypes.c_size_t(count), flags, name, ctypes.byref(length))
        address = _unpacked(name.raw[: length.value]) if length.value else None
        return _seen(room, count, received), address

    def recvmsg(self, fd: int, count: int, control_size: int = 0, flags: int = 0) -> Message:
        room = ctypes.create_string_buffer(max(count, 1))
        control = ctypes.create_string_buffer(max(control_size, 1))
        name, _ = _room()
        vector = _Vector(ctypes.cast(room, ctypes.c_void_p), count)
        header = _MessageHeader(
            ctypes.cast(name, ctypes.c_void_p),
            _LONGEST_ADDRESS,
            ctypes.pointer(vector),
            1,
            ctypes.cast(control, ctypes.c_void_p) if control_size else None,
            control_size,
            0,
        )
        received = _call(_libc.recvmsg, fd, ctypes.byref(header), flags)
        address = _unpacked(name.raw[: header.name_length]) if header.name_length else None
        messages = tuple(_control_messages(control.raw[: header.control_length]))
        return Message(_seen(room, count, received), address, messages, header.flags)

    def send(self, fd: int, data: bytes, flags: int = 0) -> int:
        return _call(_libc.send, fd, data, ctypes.c_size_t(len(data)), flags | socket.MSG_NOSIGNAL)

    def sendto(self, fd: int, data: bytes, flags: int, address: SocketAddress | None) -> int:
        packed = None if address is None else _packed(address)
        size = ctypes.c_size_t(len(data))
        return _call(_libc.sendto, fd, data, size, flags | socket.MSG_NOSIGNAL, packed, len(packed or b""))

    def sendmsg(
        self,
        fd: int,
        buffers: Sequence[bytes],
        control: Sequence[tuple[int, int, bytes]] = (),
        flags: int = 0,
        address: SocketAddress | None = None,
    ) -> int:
        packed = b"" if address is None else _packed(address)
        vectors = (_Vector * max(len(buffers), 1))(
            *(_Vector(ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p), len(data)) for data in buffers)
        )
        ancillary = b"".join(_control_message(*message) for message in control)
        header = _MessageHeader(
            ctypes.cast(ctypes.c_char_p(packed), ctypes.c_void_p) if packed else None,
            len(packed),
            vectors,
            len(buffers),
            ctypes.cast(ctypes.c_char_p(ancillary), ctypes.c_void_p) if ancillary else None,
            len(ancillary),
            0,
        )
        return _call(_libc.sendmsg, fd, ctypes.byref(header), flags | socket.MSG_NOSIGNAL)

    def read(self, fd: int, count: int) -> bytes:
        return os.read(fd, count)

    def readv(self, fd: int, counts: Sequence[int]) -> bytes:
        rooms = [bytearray(count) for count in counts]
        received = os.readv(fd, rooms)
        return b"".join(rooms)[:received]

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def writev(self, fd: int, buffers: Sequence[bytes]) -> int:
        return os.writev(fd, buffers)

    # -- Descriptors of any kind

    def pipe(self) -> tuple[int, int]:
        return os.pipe2(0)

    def splice(
        self, source: int, source_offset: int | None, target: int, target_offset: int | None, count: int, flags: int = 0
    ) -> int:
        return os.splice(source, target, count, source_offset, target_offset, flags)

    def sendfile(self, target: int, source: int, offset: int | None, count: int) -> int:
        return os.sendfile(target, source, offset, count)

    def dup(self, fd: int) -> int:
        return os.dup(fd)

    def dup2(self, fd: int, target: int) -> int:
        return os.dup2(fd, target)

    def fcntl(self, fd: int, command: int, argument: int = 0) -> int:
        return fcntl.fcntl(fd, command, argument)

    def ioctl(self, fd: int, request: int, argument: int = 0) -> int:
        data = fcntl.ioctl(fd, request, struct.pack("=i", argument))
        return int(struct.unpack("=i", data)[0])


class Waits:
    """The system calls that wait for several descriptors."""

    def poll(self, descriptors: Sequence[tuple[int, int]], timeout: int) -> list[tuple[int, int]]:
        packed = b"".join(_POLLFD.pack(fd, _signed(events), 0) for fd, events in descriptors)
        room = ctypes.create_string_buffer(packed, max(len(packed), 1))
        _call(_libc.poll, room, ctypes.c_ulong(len(descriptors)), timeout)
        return [(fd, revents & 0xFFFF) for fd, _, revents in _POLLFD.iter_unpack(room.raw[: len(packed)])]

    def select(
        self, nfds: int, reads: Sequence[int], writes: Sequence[int], excepts: Sequence[int], timeout: float | None
    ) -> tuple[list[int], list[int], list[int]]:
        wanted = [[fd for fd in fds if fd < nfds] for fds in (reads, writes, excepts)]
        return select.select(wanted[0], wanted[1], wanted[2], timeout)

    def epoll_create(self, size: int = 1) -> int:
        return _call(_libc.epoll_create, size)

    def epoll_create1(self, flags: int = 0) -> int:
        return _call(_libc.epoll_create1, flags)

    def epoll_ctl(self, epoll: int, operation: int, fd: int, events: int = 0, data: int = 0) -> None:
        _call(_libc.epoll_ctl, epoll, operation, fd, _EPOLL_EVENT.pack(events & 0xFFFFFFFF, data))

    def epoll_wait(self, epoll: int, most: int, timeout: int) -> list[tuple[int, int]]:
        room = ctypes.create_string_buffer(_EPOLL_EVENT.size * min(most, 1024))
        ready = _call(_libc.epoll_wait, epoll, room, min(most, 1024), timeout)
        found: list[tuple[int, int]] = list(_EPOLL_EVENT.iter_unpack(room.raw[: ready * _EPOLL_EVENT.size]))
        return found


# -- Between bytes and values


def _room() -> tuple[ctypes.Array[ctypes.c_char], ctypes.c_uint32]:
    """Room for an address, and its length, which the kernel changes."""
    return ctypes.create_string_buffer(_LONGEST_ADDRESS), ctypes.c_uint32(_LONGEST_ADDRESS)


def _packed(address: SocketAddress) -> bytes:
    """A struct sockaddr; of an unknown family, what a sockaddr_in would be."""
    port = address.port.to_bytes(2, "big")
    if address.family == socket.AF_INET6:
        return _SOCKADDR_IN6.pack(address.family, port, address.flow, address.address, address.scope)
    return _SOCKADDR_IN.pack(address.family, port, address.address)


def _unpacked(data: bytes) -> SocketAddress:
    family = int.from_bytes(data[:2], "little") if len(data) >= 2 else 0
    if family == socket.AF_INET and len(data) >= _SOCKADDR_IN.size:
        _, port, host = _SOCKADDR_IN.unpack_from(data)
        return SocketAddress(family, host, int.from_bytes(port, "big"))
    if family == socket.AF_INET6 and len(data) >= _SOCKADDR_IN6.size:
        _, port, flow, host, scope = _SOCKADDR_IN6.unpack_from(data)
        return SocketAddress(family, host, int.from_bytes(port, "big"), flow, scope)
    return SocketAddress(family, b"", 0)


def _seen(room: ctypes.Array[ctypes.c_char], count: int, received: int) -> bytes:
    """What was received; with MSG_TRUNC the kernel may say that it was more than there was room for."""
    return room.raw[: min(received, count)].ljust(received, b"\0")


def _signed(mask: int) -> int:
    """The 16 bits of ``mask`` as a C short."""
    return (mask & 0xFFFF ^ 0x8000) - 0x8000


def _aligned(length: int) -> int:
    return -(-length // _ALIGN) * _ALIGN


def _control_message(level: int, kind: int, data: bytes) -> bytes:
    message = _CMSG.pack(_CMSG.size + len(data), level, kind) + data
    return message.ljust(_aligned(len(message)), b"\0")


def _control_messages(data: bytes) -> list[tuple[int, int, bytes]]:
    found, at = [], 0
    while at + _CMSG.size <= len(data):
        length, level, kind = _CMSG.unpack_from(data, at)
        if length < _CMSG.size:
            break
        found.append((level, kind, data[at + _CMSG.size : at + length]))
        at += _aligned(length)
    return found
