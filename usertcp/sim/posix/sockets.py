"""What all sockets have in common; and the results of their calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EAGAIN, EOPNOTSUPP
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from usertcp.sim.posix.addresses import SocketAddress
from usertcp.sim.posix.constants import MSG_DONTWAIT, O_RDWR
from usertcp.sim.posix.descriptors import File, Steps
from usertcp.sim.posix.errors import failure

if TYPE_CHECKING:
    from usertcp.sim.posix.kernel import Kernel

#: A moment this close has come: times are sums of floats.
EPSILON: Final = 1e-9

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

    def __init__(self, machine: Kernel, domain: int, flags: int) -> None:
        super().__init__(O_RDWR | flags)
        self.machine = machine
        self.domain = domain
        #: SO_ERROR: told once.
        self.error = 0
        #: SO_RCVTIMEO and SO_SNDTIMEO, in seconds.
        self.receive_timeout = inf
        self.send_timeout = inf
        #: What MSG_ERRQUEUE reads.
        self.error_queue: deque[Message] = deque()
        #: Where it is bound; an address of zeros: to all of the host's.
        self.local = SocketAddress(domain, bytes(4 if domain == 2 else 16), 0)
        #: Whether bind() chose the address and the port, which then outlive a connection.
        self.bound_address = False
        self.bound_port = False

    def take_error(self) -> int:
        """SO_ERROR: what went wrong since this was last asked; 0 for nothing."""
        number, self.error = self.error, 0
        return number

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

    def get_option(self, level: int, name: int, length: int) -> bytes:
        """getsockopt(2)."""
        raise failure(EOPNOTSUPP)

    def set_option(self, level: int, name: int, value: bytes) -> None:
        """setsockopt(2)."""
        raise failure(EOPNOTSUPP)

    # -- As a file ------------------------------------------------------------------------------------------

    def read(self, count: int) -> Steps[bytes]:
        message = yield from self.receive(Receiving(count))
        return message.data

    def write(self, buffers: Sequence[bytes]) -> Steps[int]:
        return (yield from self.send(Sending(b"".join(buffers))))
