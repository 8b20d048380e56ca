"""Programs that are written for trio's own sockets, on a stack of ours.

trio asks one factory for its sockets in all of ``trio.run``.  Ours asks the task: a context variable, which tasks
inherit from the task that starts them, says whose sockets it gets.  So several stacks can each have their programs,
and a task beside them has the kernel's sockets as ever.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from errno import EAFNOSUPPORT, EPROTONOSUPPORT
from typing import TYPE_CHECKING, Any, Final

import trio

from usertcp.runtime.sockets.endpoint import Endpoint
from usertcp.runtime.sockets.names import Hosts, Names
from usertcp.runtime.sockets.plain import PlainSocket
from usertcp.runtime.sockets.trio_socket import TrioSocket

if TYPE_CHECKING:
    from usertcp.runtime.stack import Stack

_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_FLAGS: Final = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_ADDRESS_LENGTHS: Final = {4: socket.AF_INET, 16: socket.AF_INET6}


class _Program:
    """What the tasks of one block have in place of the kernel's sockets."""

    def __init__(self, stack: Stack, names: Names) -> None:
        self.stack = stack
        self.names = names

    def socket(self, family: int, kind: int, proto: int) -> trio.socket.SocketType:
        """A new socket.  Raises OSError: EAFNOSUPPORT, EPROTONOSUPPORT."""
        if family not in _INTERNET:
            return _kernel_socket(family, kind, proto)
        if kind & ~_FLAGS != socket.SOCK_STREAM or proto not in (0, socket.IPPROTO_TCP):
            raise OSError(
                EPROTONOSUPPORT,
                "usertcp has TCP only; for one of the kernel's sockets, make it inside of usertcp.kernel_sockets()",
            )
        if family not in _families(self.stack):
            version = "IPv4" if family == socket.AF_INET else "IPv6"
            raise OSError(EAFNOSUPPORT, f"this stack has no {version} address")
        table = self.stack.sockets
        return TrioSocket(PlainSocket(table, Endpoint(table, family), proto))


_program: Final[ContextVar[_Program | None]] = ContextVar("usertcp_program", default=None)


class _Factory(trio.abc.SocketFactory):
    """Asks the task whose sockets it gets."""

    def __init__(self) -> None:
        self.before: trio.abc.SocketFactory | None = None

    def socket(
        self, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM, proto: int = 0
    ) -> trio.socket.SocketType:
        program = _program.get()
        if program is not None:
            return program.socket(family, type, proto)
        if self.before is not None:
            return self.before.socket(family, type, proto)
        return _kernel_socket(family, type, proto)


class _Resolver(trio.abc.HostnameResolver):
    """Asks the task whose names it knows."""

    def __init__(self) -> None:
        self.before: trio.abc.HostnameResolver | None = None

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        program = _program.get()
        names = _THE_SYSTEMS if program is None else program.names
        return await names.getaddrinfo(host, port, family, type, proto, flags, self.before)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        program = _program.get()
        names = _THE_SYSTEMS if program is None else program.names
        return await names.getnameinfo(sockaddr, flags, self.before)


_THE_SYSTEMS: Final = Names({}, _INTERNET, system=True)


class _Installed:
    """Factory and resolver of one ``trio.run``.

    They stay when the blocks have ended: a task that was started inside may need them later, and for all others they
    do what was done before.
    """

    def __init__(self) -> None:
        self._factory = _Factory()
        self._resolver = _Resolver()

    def install(self) -> None:
        """Put them in, before what somebody else has put there."""
        factory = trio.socket.set_custom_socket_factory(self._factory)
        if factory is not self._factory:
            self._factory.before = factory
        resolver = trio.socket.set_custom_hostname_resolver(self._resolver)
        if resolver is not self._resolver:
            self._resolver.before = resolver


_installed: Final[trio.lowlevel.RunVar[_Installed | None]] = trio.lowlevel.RunVar("usertcp_sockets")


@contextmanager
def trio_sockets(stack: Stack, *, hosts: Hosts | None = None, system_names: bool = True) -> Iterator[None]:
    """Inside of the ``with`` block, and in tasks that are started there, trio's sockets are those of ``stack``.

    That is what ``trio.open_tcp_stream``, ``trio.open_tcp_listeners``, ``trio.serve_tcp``,
    ``trio.open_ssl_over_tcp_stream`` and ``trio.socket.socket`` give, and whatever is built on them::

        async with usertcp.open_stack() as stack:
            with usertcp.trio_sockets(stack, hosts={"server.example": "192.0.2.1"}):
                await somebodys_trio_program()

    ``hosts`` are names and their addresses.  Other names are looked up as ever (trio's own resolver), or with
    ``system_names=False`` not found.  Only TCP sockets change: UDP ones are refused with an OSError, those that are
    not of the internet (``AF_UNIX``) stay the kernel's, and :func:`kernel_sockets` brings back all of the kernel's.

    Blocks may be nested, the innermost counts; and each of several tasks may have one of its own, with a stack of
    its own.  Sockets that a block has left behind go on working as long as their stack does.

    Needs a running ``trio.run``: raises RuntimeError.  Raises ValueError for an address in ``hosts`` that is none.
    """
    families = frozenset(_families(stack))
    with _entered(_Program(stack, Names(hosts or {}, families, system=system_names))):
        yield


@contextmanager
def kernel_sockets() -> Iterator[None]:
    """Inside of the ``with`` block, and in tasks that are started there, trio's sockets are the kernel's again, and
    names mean what they meant outside of :func:`trio_sockets`."""
    with _entered(None):
        yield


@contextmanager
def _entered(program: _Program | None) -> Iterator[None]:
    installed = _installed.get(None)
    if installed is None:
        installed = _Installed()
        _installed.set(installed)
    before = _program.get()
    installed.install()
    _program.set(program)
    try:
        yield
    finally:
        # Not by a token: a fixture may end in another context than it began in.
        _program.set(before)


def _families(stack: Stack) -> set[int]:
    return {_ADDRESS_LENGTHS[len(address)] for address in stack.host.addresses}


def _kernel_socket(family: int, kind: int, proto: int) -> trio.socket.SocketType:
    return trio.socket.from_stdlib_socket(socket.socket(family, kind, proto))
