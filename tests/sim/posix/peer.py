"""A machine, and a peer that plays the other end of its connections by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from usertcp.sim.posix import Asleep, Machine, SocketAddress, SocketConfig
from usertcp.sim.posix.constants import AF_INET, AF_INET6, F_SETFL, IPPROTO_TCP, O_NONBLOCK, O_RDWR, SOCK_STREAM
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.settings import Settings
from usertcp.wire import icmp, ipv4, ipv6, tcp
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, FIN, SYN, Options, Segment

OURS = {4: bytes([192, 168, 0, 1]), 6: bytes.fromhex("fd3d0a0b17d600000000000000000001")}
THEIRS = {4: bytes([192, 0, 2, 1]), 6: bytes.fromhex("fd3dfa7bd17d00000000000000000001")}
PORT, THEIR_PORT = 8080, 40000
#: The peer's initial sequence number, and ours.
ISN, OUR_ISN = 5000, 9000
START = 100.0

#: Nothing optional, so that numbers are plain.
PLAIN = Settings(timestamps=False, window_scaling=False, sack=False, receive_buffer=65535, congestion_control="reno")


def machine(
    settings: Settings = PLAIN,
    *,
    families: tuple[int, ...] = (4, 6),
    offload: bool = True,
    config: SocketConfig | None = None,
    **more: Any,
) -> Machine:
    host = Host(
        [OURS[family] for family in families],
        secret=b"a secret of 16 bytes or more",
        offload=offload,
        config=HostConfig(settings=settings),
    )
    return Machine(host, now=START, config=config, **more)


def ours(port: int = PORT, family: int = 4) -> SocketAddress:
    return SocketAddress(AF_INET if family == 4 else AF_INET6, OURS[family], port)


def theirs(port: int = THEIR_PORT, family: int = 4) -> SocketAddress:
    return SocketAddress(AF_INET if family == 4 else AF_INET6, THEIRS[family], port)


def errno_of(call: Callable[..., Any], *arguments: Any) -> int | None:
    """The errno of a call, None if it has none."""
    try:
        call(*arguments)
    except OSError as error:
        return error.errno
    return None


def asleep(call: Callable[..., Any], *arguments: Any) -> Asleep:
    """A call that sleeps."""
    try:
        result = call(*arguments)
    except Asleep as sleeping:
        return sleeping
    raise AssertionError(f"it did not sleep but returned {result!r}")


def still_asleep(sleeping: Asleep) -> Asleep:
    return asleep(sleeping.resume)


class Peer:
    """The other end.  Sequence numbers count from each side's initial one."""

    def __init__(self, machine: Machine, *, port: int = THEIR_PORT, family: int = 4, window: int = 60000) -> None:
        self.machine = machine
        self.port = port
        self.our_port = PORT
        self.family = family
        self.window = window
        self.snd_nxt = 0
        self.rcv_nxt = 0
        self._last = b""

    # -- Segments -----------------------------------------------------------------------------------------------

    def sends(
        self,
        flags: int,
        data: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        urgent: int = 0,
        options: Options | None = None,
    ) -> None:
        seq = self.snd_nxt if seq is None else seq
        ack = self.rcv_nxt if ack is None else ack
        if options is None:
            options = Options(mss=1000) if flags & SYN else tcp.NO_OPTIONS
        segment = Segment(
            self.port,
            self.our_port,
            ISN + seq,
            OUR_ISN + ack if flags & ACK else 0,
            flags,
            self.window if window is None else window,
            urgent,
            data,
            None,
            None,
            options,
        )
        self.snd_nxt = max(self.snd_nxt, seq + len(data) + bool(flags & SYN) + bool(flags & FIN))
        self.puts(tcp.PROTOCOL, tcp.emit(segment, THEIRS[self.family], OURS[self.family]) + data)

    def puts(self, protocol: int, payload: bytes) -> None:
        """Any payload in an IP packet to the machine."""
        there, here = THEIRS[self.family], OURS[self.family]
        if self.family == 4:
            header = ipv4.emit(ipv4.Header(there, here, protocol), len(payload))
        else:
            header = ipv6.emit(ipv6.Header(there, here, protocol), len(payload))
        self.machine.receive(header + payload)

    def reports(self, message: icmp.Message) -> None:
        """An ICMP message."""
        there, here = THEIRS[self.family], OURS[self.family]
        if self.family == 4:
            self.puts(icmp.PROTOCOL_V4, icmp.emit_v4(message))
        else:
            self.puts(icmp.PROTOCOL_V6, icmp.emit_v6(message, there, here))

    @property
    def last_packet(self) -> bytes:
        """The last packet that came from the machine."""
        return self._last

    def receives(self) -> list[Segment]:
        """What the machine has sent since."""
        found: list[Segment] = []
        for packet in self.machine.sent():
            self._last = packet
            start = 20 if packet[0] >> 4 == 4 else 40
            protocol = packet[9] if packet[0] >> 4 == 4 else packet[6]
            if protocol != tcp.PROTOCOL:
                continue
            segment = tcp.parse(packet[start:])
            assert not isinstance(segment, Malformed)
            assert tcp.checksum_ok(packet[start:], OURS[self.family], THEIRS[self.family])
            end = segment.seq + len(segment.payload) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
            self.rcv_nxt = max(self.rcv_nxt, end - OUR_ISN)
            found.append(segment)
        return found

    def receives_one(self) -> Segment:
        (segment,) = self.receives()
        return segment

    def receives_nothing(self) -> None:
        assert self.receives() == []

    # -- Whole handshakes ---------------------------------------------------------------------------------------

    def connects(self) -> None:
        """The peer opens a connection; the machine listens."""
        self.machine.next_isn = OUR_ISN
        self.sends(SYN)
        assert self.receives_one().flags == SYN | ACK
        self.sends(ACK)

    def answers_syn(self) -> None:
        """The machine has called connect(): SYN,ACK."""
        segment = self.receives_one()
        assert segment.flags == SYN
        self.our_port = segment.src_port
        self.sends(SYN | ACK)


def nonblocking(machine: Machine, fd: int) -> int:
    machine.fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK)
    return fd


def listener(machine: Machine, *, backlog: int = 5, family: int = 4) -> int:
    fd = machine.socket(AF_INET if family == 4 else AF_INET6, SOCK_STREAM, IPPROTO_TCP)
    machine.bind(fd, ours(family=family))
    machine.listen(fd, backlog)
    return fd


def accepted(machine: Machine, *, family: int = 4, window: int = 60000) -> tuple[int, Peer]:
    """A connection that the peer opened, as a descriptor that does not block, and the peer."""
    listening = listener(machine, family=family)
    peer = Peer(machine, family=family, window=window)
    peer.connects()
    fd, _ = machine.accept(listening)
    machine.close(listening)
    peer.receives_nothing()
    return nonblocking(machine, fd), peer


def connecting(machine: Machine, *, family: int = 4) -> tuple[int, Peer]:
    """A descriptor that does not block, whose SYN is out."""
    fd = nonblocking(machine, machine.socket(AF_INET if family == 4 else AF_INET6, SOCK_STREAM, 0))
    machine.next_isn = OUR_ISN
    errno_of(machine.connect, fd, theirs(family=family))
    return fd, Peer(machine, family=family)


def connected(machine: Machine, *, family: int = 4) -> tuple[int, Peer]:
    """A connection that the machine opened, as a descriptor that does not block, and the peer."""
    fd, peer = connecting(machine, family=family)
    peer.answers_syn()
    assert peer.receives_one().flags == ACK
    machine.connect(fd, theirs(family=family))
    return fd, peer
