"""What a packetdrill script says, as values: events, packets, system calls and their arguments.

The grammar makes these (:mod:`usertcp.drill.parser`); the interpreter acts on them.  All are immutable and know
nothing of how they were spelled, but for the line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias


class TimeKind(Enum):
    """How an event's time is given."""

    ABSOLUTE = "absolute"  # 0.1
    RELATIVE = "relative"  # +0.1, from the event before
    ANY = "any"  # *
    ABSOLUTE_RANGE = "absolute range"  # 0.1~0.2
    RELATIVE_RANGE = "relative range"  # +0.1~+0.2


@dataclass(frozen=True, slots=True)
class Time:
    """When an event happens, in seconds; ``end`` is a range's."""

    kind: TimeKind
    start: float = 0.0
    end: float = 0.0


# -- Packets --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IpInfo:
    """What stands in brackets before a packet: ``[ect0, ttl 64]``.  None: not said."""

    #: "noecn", "ect0", "ect1", "ect01" (either), "ce".
    ecn: str | None = None
    ttl: int | None = None
    tos: int | None = None
    flow_label: int | None = None


@dataclass(frozen=True, slots=True)
class OuterHeader:
    """One encapsulating header: ``ipv4 1.1.1.1 > 2.2.2.2:``, ``ipv6 ::1 > ::2:``, ``gre:``, ``mpls (...):``."""

    #: "ipv4", "ipv6", "gre", "mpls", "udp", ...
    kind: str
    source: str = ""
    destination: str = ""
    #: Other fields by name, as written.
    fields: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TcpOption:
    """One TCP option.

    ``kind`` is packetdrill's word: nop, eol, mss, wscale, sackOK, sack, TS, FO, FOEXP, md5, AccECN, or "unknown" with
    ``kind_number`` and ``data``.  ``values``: mss and wscale: one number; sack: (left, right) numbers in pairs;
    TS: val, ecr; AccECN: up to three counters in their order on the wire, ``kind_number`` 172 where e0b comes
    first and 174 where e1b does (RFC 9768 §3.2.3).  ``data``: cookies, digests, unknown bytes.  An ``mss`` or
    other option without its value has no values.
    """

    kind: str
    values: tuple[int, ...] = ()
    data: bytes = b""
    kind_number: int = 0


@dataclass(frozen=True, slots=True)
class Sequence:
    """``1:1001(1000)``; ``absolute`` where the script says that the numbers are those on the wire."""

    start: int
    end: int
    length: int
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class TcpPacket:
    """A TCP segment.  ``flags`` holds letters of "FSRPUEWA." (E: ECE, W: CWR, A: AE, .: ACK); none for ``-``."""

    flags: frozenset[str]
    sequence: Sequence
    ack: int | None = None
    window: int | None = None
    urgent: int | None = None
    #: None: any (``<...>``); () : none.
    options: tuple[TcpOption, ...] | None = ()
    ip: IpInfo = field(default_factory=IpInfo)
    outer: tuple[OuterHeader, ...] = ()
    #: (source, destination) where the script says them.
    ports: tuple[int, int] | None = None
    #: The accurate-ECN counter of RFC 9768, 0 to 7, where the flags name it.
    ace: int | None = None
    ack_absolute: bool = False
    #: Changes to the finished packet's bytes that this interpreter does not do, as written.
    mutations: str = ""


@dataclass(frozen=True, slots=True)
class UdpPacket:
    """A UDP datagram of so many payload bytes."""

    length: int
    ip: IpInfo = field(default_factory=IpInfo)
    outer: tuple[OuterHeader, ...] = ()
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class IcmpPacket:
    """An ICMP message; ``type`` and ``code`` are packetdrill's words or numbers as text."""

    type: str
    code: str | None = None
    mtu: int | None = None
    #: Of the packet that is quoted: a TCP sequence, or a UDP length; None: nothing said.
    echoed_tcp: Sequence | None = None
    echoed_udp: int | None = None
    ip: IpInfo = field(default_factory=IpInfo)
    outer: tuple[OuterHeader, ...] = ()


Packet: TypeAlias = TcpPacket | UdpPacket | IcmpPacket


@dataclass(frozen=True, slots=True)
class PacketEvent:
    """A packet that the script injects (``<``, inbound) or expects (``>``)."""

    inbound: bool
    packet: Packet


# -- Expressions ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Anything:
    """``...``: the interpreter's choice, or any value."""


@dataclass(frozen=True, slots=True)
class Number:
    """An integer; ``hexadecimal`` where it was written so.  Also a decimal fraction, for a few structures."""

    value: int | float
    hexadecimal: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A name: ``SOCK_STREAM``; also ``NULL``."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string; ``open`` where dots follow it."""

    value: bytes
    open: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """``left | right``, and other operators where the dialects have them (``operator`` is their sign)."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Array:
    """``[a, b]``."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """``htons(80)``, ``inet_addr("1.2.3.4")``, ``msg_iov(1)``."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """``{name=value, ...}``; a field without a name (an iovec's) has the name "".

    ``msg_name(...)=...`` has the name "msg_name"; what stood in its parentheses is in ``sizes`` under that name.
    """

    fields: tuple[tuple[str, Expression], ...]
    sizes: tuple[tuple[str, Expression], ...] = ()

    def get(self, name: str) -> Expression | None:
        """The value of a field, or None."""
        return next((value for key, value in self.fields if key == name), None)


Expression: TypeAlias = Anything | Number | Word | Text | Operation | Array | Call | Structure


# -- Events ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SystemCall:
    """``name(arguments) = result ERRNO (note)``; it blocks until ``end`` where that is given (``+0...0.1``).

    ``end`` is in seconds and counts from where the event's own time counts: from zero for an absolute time, from
    the event before for a relative one.
    """

    name: str
    arguments: tuple[Expression, ...]
    result: Expression
    errno: str | None = None
    note: str | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """`` `text` ``; ``line`` is where it begins, 0 for unknown."""

    text: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Code:
    """``%{ text }%``; ``line`` is where the text begins."""

    text: str
    line: int


Action: TypeAlias = PacketEvent | SystemCall | Command | Code


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the script: when, what, and where it stands (1 for the first line)."""

    time: Time
    action: Action
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    """A whole script.  ``options`` are name and value in their order, without the dashes; ``define=A=B`` included.

    ``option_lines`` has the line of each option.  ``init`` are the commands before the first event.
    """

    path: str
    options: tuple[tuple[str, str], ...]
    init: tuple[Command, ...]
    events: tuple[Event, ...]
    option_lines: tuple[int, ...] = ()
