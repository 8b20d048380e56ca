"""The kernel that runs this as the target of scripts: real sockets, real time, a network namespace of its own.

Calls that may sleep are made in threads; all else is done by the one thread that runs the script.  The process has to
be one for this script alone: threads that still sleep when it is over end with the process.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from drill_kernel_calls import Calls, Waits
from drill_kernel_device import Device, Link, write_sysctl

from usertcp.drill.options import Options, words
from usertcp.drill.shell import Action, RestoreSysctls, SaveSysctls, SetMtu, SetOffload, SetRoute, SetSysctl
from usertcp.drill.target import Endpoint, NotPossible, Sent
from usertcp.sim.posix import SocketAddress
from usertcp.sim.posix.constants import AF_INET, AF_INET6, SOCK_STREAM, SOL_TCP, TCP_CONGESTION, TCP_INFO

#: How long a call that may sleep is waited for before the script goes on, in seconds.
_MOMENT: Final = 0.003
_INFO_LENGTH: Final = 1024
_SLEEPERS: Final = words(
    "accept accept4 connect read readv recv recvfrom recvmsg write writev send sendto sendmsg close poll select "
    "epoll_wait splice sendfile"
)
#: Variables outside of these are the whole system's.
_NAMESPACED: Final = ("net/ipv4/", "net/ipv6/", "net/core/", "net/mptcp/")
_CONGESTION_CONTROL: Final = "net/ipv4/tcp_congestion_control"
#: The numbers of <net/tcp_states.h> in the words of RFC 9293.
_STATES: Final = {
    1: "ESTABLISHED",
    2: "SYN-SENT",
    3: "SYN-RECEIVED",
    4: "FIN-WAIT-1",
    5: "FIN-WAIT-2",
    6: "TIME-WAIT",
    8: "CLOSE-WAIT",
    9: "LAST-ACK",
    11: "CLOSING",
    12: "SYN-RECEIVED",
}


class _Call:
    """A system call; :attr:`done` turns true when all else is set."""

    __slots__ = ("done", "ended", "error", "value")

    def __init__(self) -> None:
        self.done = False
        self.ended = 0.0
        self.value: Any = None
        self.error: int | None = None

    def run(self, call: Callable[[], Any], clock: Callable[[], float]) -> None:
        """Make it, and say when it returned."""
        try:
            value, number = call(), None
        except OSError as error:
            value, number = None, error.errno
        self.ended = clock()
        self.value, self.error = value, number
        self.done = True


class KernelTarget:
    """A :class:`~usertcp.drill.target.Target`; the caller is in a network namespace made for it.

    :raises SetupError: there can be no such device here.
    """

    virtual = False

    def __init__(self, options: Options) -> None:
        self._device = Device(_link(options))
        self._calls = _Calls()
        self._began: float | None = None
        self._sent: list[Sent] = []
        self._returned = False
        self._congestion: bytes | None = None
        # A byte in it wakes the thread that runs the script.
        self._waker, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._device, select.POLLIN)
        self._poll.register(self._waker, select.POLLIN)

    @property
    def now(self) -> float:
        """Seconds since this was first asked."""
        if self._began is None:
            self._began = time.monotonic()
        return time.monotonic() - self._began

    @property
    def epoch(self) -> float:
        """The kernel stamps packets by the clock on the wall."""
        return time.time() - self.now

    def wait(self, until: float) -> None:
        while not self._look():
            left = until - self.now
            if left <= 0:
                return
            self._poll.poll(min(left * 1000, 1000))

    def _look(self) -> bool:
        """Whether something happened."""
        began = self._began or 0.0
        self._sent += [Sent(sent.time - began, sent.packet) for sent in self._device.sent()]
        with suppress(BlockingIOError):
            self._returned |= bool(os.read(self._waker, 4096))
        happened, self._returned = bool(self._sent) or self._returned, False
        return happened

    def quiet(self) -> bool:
        return False

    def inject(self, packet: bytes) -> None:
        self._device.inject(packet)

    def sent(self) -> list[Sent]:
        self._look()
        sent, self._sent = self._sent, []
        return sent

    # -- Calls

    def start(self, name: str, arguments: tuple[Any, ...]) -> _Call:
        method = getattr(self._calls, name, None)
        if method is None:
            raise NotPossible(f"{name}()")
        call = _Call()
        if name not in _SLEEPERS:
            call.run(lambda: method(*arguments), lambda: self.now)
            if name == "socket" and call.value is not None:
                self._prepare(call.value)
            return call
        self._in_thread(call, lambda: method(*arguments))
        return call

    def _in_thread(self, call: _Call, method: Callable[[], Any]) -> None:
        returned = threading.Event()

        def work() -> None:
            call.run(method, lambda: self.now)
            returned.set()
            os.write(self._wake, b".")

        threading.Thread(target=work, daemon=True).start()
        returned.wait(_MOMENT)

    def _prepare(self, fd: int) -> None:
        """A new socket has the congestion control that the script has chosen for all."""
        if self._congestion is not None:
            _try(lambda: self._calls.setsockopt(fd, SOL_TCP, TCP_CONGESTION, self._congestion or b""))

    # -- The system

    def next_isn(self, number: int) -> None:
        """A kernel chooses its own."""

    def state(self, local: Endpoint, remote: Endpoint) -> str | None:
        table = "tcp" if len(local.address) == 4 else "tcp6"
        wanted = (_as_in_table(local), _as_in_table(remote))
        for line in Path("/proc/thread-self/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if (fields[1], fields[2]) == wanted:
                return _STATES.get(int(fields[3], 16))
        return None

    def apply(self, action: Action) -> None:
        try:
            match action:
                case SetSysctl(name, value):
                    self._set_variable(name, value)
                case SaveSysctls() | RestoreSysctls():
                    pass  # the namespace is the script's alone, and gone with it
                case SetMtu(mtu):
                    self._device.set_mtu(mtu)
                case SetOffload(on):
                    self._device.set_segmentation(on)
                case SetRoute(metrics):
                    self._device.set_route_metrics(metrics)
        except OSError as error:
            raise NotPossible(f"{action.text}: {error.strerror or error}") from None

    def _set_variable(self, name: str, value: str) -> None:
        path = name if "/" in name else name.replace(".", "/")
        if not path.startswith(_NAMESPACED) or ".." in path:
            raise NotPossible(f"{name}: a variable of the whole system")
        if path == _CONGESTION_CONTROL:
            self._congestion = self._known_congestion_control(value)
            return
        write_sysctl(path, value)

    def _known_congestion_control(self, name: str) -> bytes:
        """``name``, if a socket can have it; the variable itself takes only what the administrator allows to all."""
        calls = self._calls
        fd = calls.socket(AF_INET, SOCK_STREAM)
        try:
            calls.setsockopt(fd, SOL_TCP, TCP_CONGESTION, name.encode())
        except OSError:
            raise NotPossible(f"this kernel has no congestion control {name}") from None
        finally:
            calls.close(fd)
        return name.encode()

    def info(self, fd: int) -> bytes:
        return self._calls.getsockopt(fd, SOL_TCP, TCP_INFO, _INFO_LENGTH)

    def close(self) -> None:
        self._device.close()


class _Calls(Calls, Waits):
    """All of them."""


def _try(call: Callable[[], Any]) -> None:
    try:
        call()
    except OSError as error:
        # Not a TCP socket
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOPROTOOPT, errno.EPROTONOSUPPORT):
            raise


def _link(options: Options) -> Link:
    local, remote = (_address(each) for each in (options.local_address, options.remote_address))
    # The whole of the peer's neighbourhood: a script may speak of more than one.
    prefix = 24 if len(options.remote_address) == 4 else 48
    return Link((f"{local}/{16 if prefix == 24 else 48}",), (f"{remote}/{prefix}",), options.link_mtu)


def _address(host: bytes) -> str:
    family = AF_INET if len(host) == 4 else AF_INET6
    return str(SocketAddress(family, host, 0)).rpartition(":")[0].strip("[]")


def _as_in_table(end: Endpoint) -> str:
    """As ``/proc/net/tcp`` has it: each four bytes of the address in the machine's order."""
    words = (int.from_bytes(end.address[at : at + 4], "little") for at in range(0, len(end.address), 4))
    return f"{''.join(f'{word:08X}' for word in words)}:{end.port:04X}"
