"""What the interpreter drives: something with sockets on one side and a link on the other, and a clock.

:class:`~usertcp.drill.virtual.VirtualTarget` is our own stack in virtual time.  A tool may put a real kernel in its
place, with real time, a TUN device and a thread for each call that blocks; the interpreter sees no difference but
in the tolerance that it needs.

Times are in seconds since the script began.  System calls go by the names of :class:`usertcp.sim.posix.Machine`'s
methods, with their arguments: descriptors as ``int``, addresses, options and control messages as that module has
them.  Both targets so understand the same calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from usertcp.drill.shell import Action


class Sent(NamedTuple):
    """A packet that left: when, and its bytes from the IP header on; a super-segment is whole."""

    time: float
    packet: bytes


class Endpoint(NamedTuple):
    """One end of a connection: 4 or 16 address bytes, and the port."""

    address: bytes
    port: int


class Running(Protocol):
    """A system call that was started.  All fields are fixed once :attr:`done` is true."""

    @property
    def done(self) -> bool:
        """Whether it has returned."""
        ...

    @property
    def ended(self) -> float:
        """When it returned."""
        ...

    @property
    def value(self) -> Any:
        """What it returned, as the method of ``Machine`` of its name does; None where it failed."""
        ...

    @property
    def error(self) -> int | None:
        """The errno (of the target's system) with which it failed, or None."""
        ...


class Target(Protocol):
    """A host under test.

    Nothing here raises for what a script does: a system call's error is its :attr:`Running.error`.  What cannot be
    done at all raises :class:`NotPossible`.
    """

    #: Whether time only goes on in :meth:`wait` and nothing else costs any.
    virtual: bool

    @property
    def epoch(self) -> float:
        """The moment at which the script began, as timestamps in the target's messages count, in seconds."""
        ...

    @property
    def now(self) -> float:
        """Seconds since the script began."""
        ...

    def wait(self, until: float) -> None:
        """Let time go on to ``until``, or to the first moment before it at which something happened.

        Something: a packet left, or a call returned that was running.  Returns at once where ``until`` has come,
        but not without looking for what happened.
        """
        ...

    def quiet(self) -> bool:
        """Whether nothing will ever happen again unless a packet or a call comes in.  A real kernel says False."""
        ...

    def inject(self, packet: bytes) -> None:
        """One IP packet arrives from the link."""
        ...

    def sent(self) -> list[Sent]:
        """The packets that left since this was last called, in their order."""
        ...

    def start(self, name: str, arguments: tuple[Any, ...]) -> Running:
        """Begin the system call ``name``; it may be done when this returns.

        Raises NotPossible where the target has no such call.
        """
        ...

    def next_isn(self, number: int) -> None:
        """Ask for ``number`` as the initial sequence number of the next connection.  A real kernel ignores it."""
        ...

    def state(self, local: Endpoint, remote: Endpoint) -> str | None:
        """The state of the connection between these, in the words of RFC 9293 (``ESTABLISHED``), or None: there is
        none.  Connections whose application is gone count too."""
        ...

    def apply(self, action: Action) -> None:
        """Change the system as a line of shell would: a variable, the MTU, offload, a route.

        Raises NotPossible where that cannot be done here.
        """
        ...

    def info(self, fd: int) -> bytes:
        """The ``struct tcp_info`` of a socket.  Raises OSError where it has none."""
        ...

    def close(self) -> None:
        """Give back everything; nothing else may be called after it."""
        ...


class NotPossible(Exception):
    """The target cannot do this at all, and the script that needs it is unsupported there; says why."""
