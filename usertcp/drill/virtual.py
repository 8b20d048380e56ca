"""Our own stack as the target, in virtual time: nothing in it waits, and every run is the same."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final

from usertcp.drill.options import words
from usertcp.drill.shell import Action
from usertcp.drill.target import Endpoint, NotPossible, Sent
from usertcp.observe.packet_log import PacketLog
from usertcp.sim.posix import Asleep, Machine, NotSupported, SocketAddress
from usertcp.sim.posix.constants import AF_INET, AF_INET6, SOL_TCP, TCP_INFO

#: The machine's time when a script begins: a clock that shows 0 looks like one that was never read.
EPOCH: Final = 1000.0
#: A timer that is due within so many seconds of what the script does at a time goes off after it, as a real timer
#: that is never early does.
_TOGETHER: Final = 5e-8
_BEFORE: Final = 1e-9
#: So many timers at one instant are one that starts itself without end.
_MOST_AT_ONCE: Final = 100_000
_INFO_LENGTH: Final = 1024
#: Of a file that a script opens, in bytes.
_FILE_LENGTH: Final = 4 << 20

_CALLS: Final = words(
    "socket bind listen accept accept4 connect read readv recv recvfrom recvmsg write writev send sendto "
    "sendmsg shutdown close poll select epoll_create epoll_create1 epoll_ctl epoll_wait fcntl ioctl "
    "getsockopt setsockopt getsockname getpeername pipe splice sendfile dup is_socket"
)


class TimeStandsStill(RuntimeError):
    """A timer goes off again and again, and no time passes: a bug of the stack."""


class _Call:
    """A system call of a machine; ``asleep`` while it sleeps."""

    __slots__ = ("asleep", "ended", "error", "value")

    def __init__(self) -> None:
        self.asleep: Asleep | None = None
        self.ended = 0.0
        self.value: Any = None
        self.error: int | None = None

    @property
    def done(self) -> bool:
        return self.asleep is None

    def run(self, call: Callable[[], Any], now: float) -> bool:
        """Whether it has returned."""
        self.ended = now
        try:
            self.value = call()
        except Asleep as asleep:
            self.asleep = asleep
            return False
        except OSError as error:
            self.error = error.errno
        except NotSupported as missing:
            raise NotPossible(missing.what) from None
        self.asleep = None
        return True


class VirtualTarget:
    """A :class:`~usertcp.drill.target.Target` over ``machine``, which starts at :data:`EPOCH`.

    ``apply`` changes the machine's system; it raises NotPossible.  ``log`` is told of packets as they pass.
    """

    virtual = True

    def __init__(self, machine: Machine, apply: Callable[[Action], None], log: PacketLog | None = None) -> None:
        self.machine = machine
        self._log = log
        self._apply = apply
        self._now = 0.0
        self._sent: list[Sent] = []
        self._running: list[_Call] = []
        self._happened = False

    @property
    def epoch(self) -> float:
        return EPOCH

    @property
    def now(self) -> float:
        return self._now

    def wait(self, until: float) -> None:
        for _ in range(_MOST_AT_ONCE):
            if self._happened:
                self._happened = False
                return
            due = self._deadline()
            if due > until - _TOGETHER or due == inf:
                self._arrive(until, due)
                return
            self._now = max(self._now, due)
            self.machine.advance(self._now + EPOCH)
            self._settle()
        raise TimeStandsStill(f"more than {_MOST_AT_ONCE} timers in a row and nothing came of them")

    def _arrive(self, until: float, due: float) -> None:
        """``until`` is here, and the timers that are due at that instant are not yet."""
        if until > self._now and until < inf:
            self._now = until
            here = min(until, due - _BEFORE) + EPOCH
            if here > self.machine.now:
                self.machine.advance(here)
                self._settle()
        self._happened = False

    def _deadline(self) -> float:
        sleeping = min((call.asleep.deadline for call in self._running if call.asleep), default=inf)
        return min(self.machine.deadline(), sleeping) - EPOCH

    def quiet(self) -> bool:
        return not self._happened and self._deadline() == inf

    def inject(self, packet: bytes) -> None:
        if self._log is not None:
            self._log.arrived(self._now, packet)
        self.machine.receive(packet)
        if self._log is not None:
            self._log.settled()
        self._settle()

    def sent(self) -> list[Sent]:
        self._happened = False
        sent, self._sent = self._sent, []
        return sent

    def start(self, name: str, arguments: tuple[Any, ...]) -> _Call:
        method = self._open if name == "open" else getattr(self.machine, name, None) if name in _CALLS else None
        if method is None:
            raise NotPossible(f"{name}()")
        call = _Call()
        if not call.run(lambda: method(*arguments), self._now):
            self._running.append(call)
        self._settle()
        return call

    def _open(self, path: str, flags: int) -> int:
        """There are no files here: every path is one of zeros, long enough for a script."""
        return self.machine.memfd_create(path, content=bytes(_FILE_LENGTH))

    def _settle(self) -> None:
        """Whoever slept and need not any more goes on, and what has to go out goes out."""
        self._collect()
        busy = True
        while busy and self._running:
            busy = False
            for call in tuple(self._running):
                assert call.asleep is not None
                if call.run(call.asleep.resume, self._now):
                    self._running.remove(call)
                    busy = self._happened = True
                self._collect()

    def _collect(self) -> None:
        packets = self.machine.sent()
        if packets:
            self._happened = True
            self._sent += [Sent(self._now, packet) for packet in packets]
            if self._log is not None:
                for packet in packets:
                    self._log.left(self._now, (packet,))

    def next_isn(self, number: int) -> None:
        self.machine.next_isn = number

    def state(self, local: Endpoint, remote: Endpoint) -> str | None:
        state = self.machine.state_of(_socket_address(local), _socket_address(remote))
        return None if state is None else state.value

    def apply(self, action: Action) -> None:
        self._apply(action)

    def info(self, fd: int) -> bytes:
        return self.machine.getsockopt(fd, SOL_TCP, TCP_INFO, _INFO_LENGTH)

    def close(self) -> None:
        """There is nothing to give back."""


def _socket_address(end: Endpoint) -> SocketAddress:
    return SocketAddress(AF_INET if len(end.address) == 4 else AF_INET6, end.address, end.port)
