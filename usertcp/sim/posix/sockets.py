"""What all sockets have in common; and the results of their calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from errno import EAGAIN, EOPNOTSUPP
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from usertcp.sim.posix import constants as c
from usertcp.sim.posix import ip_options, options, socket_options
from usertcp.sim.posix.addresses import ANY, SocketAddress
from usertcp.sim.posix.constants import MSG_DONTWAIT, O_RDWR
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.error_queue import ErrorQueue
from usertcp.sim.posix.errors import failure
from usertcp.sim.posix.times import EPSILON

if TYPE_CHECKING:
    from usertcp.sim.posix.system import System

_INT_MAX: Final = (1 << 31) - 1
#: A control message: level, type, data.
Control = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """What recvmsg(2) gives.

    ``data`` is what was received; with MSG_TRUNC in the call's flags it may be longer than what was asked for, as
    the call's return value is then.  ``flags`` are msg_flags.
    """

    data: bytes
    address: SocketAddress | None = None
    control: tuple[Control, ...] = ()
    flags: int = 0


class Sending(NamedTuple):
    """What sendmsg(2) is given."""

    data: bytes
    flags: int = 0
    address: SocketAddress | None = None
    control: tuple[Control, ...] = ()


class Receiving(NamedTuple):
    """What recvmsg(2) is given: how much of data and of control messages there is room for, in bytes."""

    most: int
    flags: int = 0
    control_size: int = 0


class Socket(File):
    """A socket of ``domain`` (AF_INET, AF_INET6); its subclasses are the protocols."""

    kind = 0
    protocol = 0

    def __init__(self, machine: System, domain: int, flags: int) -> None:
        super().__init__(O_RDWR | flags)
        self.machine = machine
        self.domain = domain
        #: SO_ERROR: told once.
        self.error = 0
        #: SO_COOKIE: no other socket of the machine has the same.
        self.cookie = machine.new_cookie()
        #: What options only have to remember, by level and name.
        self.numbers: dict[tuple[int, int], int] = {}
        #: An error that the network told of and nothing ended for (Linux's sk_err_soft); SO_ERROR tells it too.
        self.soft_error = 0
        #: SO_LINGER: None: off; else seconds.  And the seconds as they were given.
        self.linger: float | None = None
        self.linger_seconds = 0
        self.receive_low_water = 1
        #: SO_RCVTIMEO and SO_SNDTIMEO, in seconds.
        self.receive_timeout = inf
        self.send_timeout = inf
        #: What MSG_ERRQUEUE reads.
        self.error_queue = ErrorQueue()
        #: Where it is bound; an address of zeros: to all of the host's.
        self.local = SocketAddress(domain, ANY[domain], 0)
        #: Whether bind() chose the address and the port, which then outlive a connection.
        self.bound_address = False
        self.bound_port = False

    def take_error(self) -> int:
        """What went wrong since this was last asked; 0 for nothing."""
        number, self.error = self.error, 0
        return number

    def tell_error(self) -> int:
        """SO_ERROR: as :meth:`take_error`, and if there is nothing, a soft error."""
        number = self.take_error()
        if not number and self.machine.personality == "linux":
            number, self.soft_error = self.soft_error, 0
        return number

    def flag(self, level: int, name: int) -> bool:
        """Whether an option that is only remembered is on."""
        return bool(self.numbers.get((level, name), 0))

    def patience(self, timeout: float, flags: int = 0) -> float:
        """Until when a call may sleep."""
        if self.nonblocking or flags & MSG_DONTWAIT:
            return self.machine.now
        return self.machine.now + timeout

    def sleep(self, deadline: float) -> Steps[None]:
        """Sleep once.  Raises OSError EAGAIN where the deadline has come."""
        if self.machine.now >= deadline - EPSILON:
            raise failure(EAGAIN)
        yield deadline

    # -- The calls; each subclass has those that its protocol has -------------------------------------------

    def bind(self, address: SocketAddress) -> None:
        """bind(2)."""
        raise failure(EOPNOTSUPP)

    def listen(self, backlog: int) -> None:
        """listen(2)."""
        raise failure(EOPNOTSUPP)

    def accept(self, flags: int) -> Steps[tuple[File, SocketAddress]]:
        """accept4(2)."""
        raise failure(EOPNOTSUPP)

    def connect(self, address: SocketAddress) -> Steps[None]:
        """connect(2)."""
        raise failure(EOPNOTSUPP)

    def send(self, what: Sending) -> Steps[int]:
        """sendmsg(2)."""
        raise failure(EOPNOTSUPP)

    def receive(self, what: Receiving) -> Steps[Message]:
        """recvmsg(2)."""
        raise failure(EOPNOTSUPP)

    def shutdown(self, how: int) -> None:
        """shutdown(2)."""
        raise failure(EOPNOTSUPP)

    def name(self) -> SocketAddress:
        """getsockname(2)."""
        return self.local

    def peer_name(self) -> SocketAddress:
        """getpeername(2)."""
        raise failure(EOPNOTSUPP)

    # -- Options ----------------------------------------------------------------------------------------------

    @property
    def tables(self) -> Mapping[int, options.Table]:
        """The options of each level."""
        levels = {c.SOL_SOCKET: socket_options.TABLE, c.SOL_IP: ip_options.IP}
        return levels | {c.SOL_IPV6: ip_options.IPV6} if self.domain == c.AF_INET6 else levels

    def get_option(self, level: int, name: int, length: int) -> bytes:
        """getsockopt(2)."""
        return options.get(self, self.tables, level, name, length)

    def set_option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2)."""
        options.set_(self, self.tables, level, name, value)

    @property
    def listening(self) -> bool:
        """SO_ACCEPTCONN."""
        return False

    @property
    def path_mtu(self) -> int | None:
        """IP_MTU; None: not connected."""
        return None

    @property
    def send_buffer_size(self) -> int:
        """SO_SNDBUF as it is told."""
        return self.machine.config.send_buffer

    @property
    def receive_buffer_size(self) -> int:
        """SO_RCVBUF as it is told."""
        return self.machine.config.receive_buffer

    def set_send_buffer(self, size: int, *, forced: bool) -> None:
        """SO_SNDBUF; ``forced``: SO_SNDBUFFORCE."""

    def set_receive_buffer(self, size: int, *, forced: bool) -> None:
        """SO_RCVBUF; ``forced``: SO_RCVBUFFORCE."""

    def set_receive_low_water(self, size: int) -> None:
        """SO_RCVLOWAT."""
        self.receive_low_water = (size if size >= 0 else _INT_MAX) or 1

    def keepalive_switched(self, *, on: bool) -> None:
        """SO_KEEPALIVE was set."""

    def headers_changed(self) -> None:
        """An option that stands in IP headers was set."""

    # -- As a file ------------------------------------------------------------------------------------------

    def read(self, count: int) -> Steps[bytes]:
        if not count:
            return b""
        message = yield from self.receive(Receiving(count))
        return message.data

    def write(self, buffers: Sequence[bytes]) -> Steps[int]:
        return (yield from self.send(Sending(b"".join(buffers))))
