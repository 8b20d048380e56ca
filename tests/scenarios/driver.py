"""Plays a TCP peer by hand against one host of ours, so that a test reads like the exchange it is about.

    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.state is State.SYN_RECEIVED

Each side's sequence numbers count from its own initial one, as they do in most ladders.  Real packets go
through ``Host.packet_arrives`` and come out of ``Host.outbox``; time is virtual, and passes only in
``us.waits`` and ``peer.receives(..., after=seconds)``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from usertcp.stack.host import Host, HostConfig
from usertcp.stack.listener import Listener
from usertcp.tcp.connection import Connection
from usertcp.tcp.events import Kind
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import Event, State
from usertcp.wire import icmp, ipv4, ipv6, tcp
from usertcp.wire.codepoint import FIELD
from usertcp.wire.malformed import Malformed
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, FIN, PSH, SYN, Options, Segment

OURS = {4: bytes([192, 0, 2, 2]), 6: bytes.fromhex("fd009293000000000000000000000002")}
THEIRS = {4: bytes([192, 0, 2, 1]), 6: bytes.fromhex("fd009293000000000000000000000001")}
OUR_PORT, THEIR_PORT = 80, 40000
START = 1000.0
#: Times are sums of floats.
_CLOSE_ENOUGH = 1e-6

FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "CWR": 128}

#: The settings of most scenarios: nothing optional, so that every number in a test is the RFC's.
PLAIN = Settings(
    timestamps=False, window_scaling=False, receive_buffer=65535, congestion_control="reno", rfc1337=False
)


def named(flags: int) -> str:
    return ",".join(name for name, bit in FLAGS.items() if flags & bit) or "none"


@dataclass
class Arrival:
    """A packet of ours as the peer got it; ``seq`` and ``ack`` count from the initial numbers."""

    at: float
    packet: bytes
    segment: Segment | None
    seq: int = 0
    ack: int = 0

    def __str__(self) -> str:
        if self.segment is None:
            return f"{self.at:.3f}: not TCP"
        segment = self.segment
        return (
            f"{self.at:.3f}: <SEQ={self.seq}><ACK={self.ack}><CTL={named(segment.flags)}>"
            f"<DATA={len(segment.payload)}><WND={segment.window}>"
        )


class Us:
    """Our host, and the application on it."""

    def __init__(
        self, settings: Settings, family: int, mtu: int, now: float, config: HostConfig | None, offload: bool
    ) -> None:
        self.now = now
        self.family = family
        #: Every state change and every other step of our state machine.
        self.path: list[tuple[State, Event, State]] = []
        self.events: list[tuple[Any, ...]] = []
        self.host = Host(
            [OURS[family]],
            secret=b"a secret of 16 bytes or more",
            mtu=mtu,
            config=config or HostConfig(settings=settings),
            trace=self._watch,
            offload=offload,
        )
        self.listener: Listener | None = None
        #: Our end of the latest connection with the peer.
        self.tcb: Connection = None  # type: ignore[assignment]
        self.peer: Peer = None  # type: ignore[assignment]
        self._batching = False

    # -- What the application does --------------------------------------------------------------------

    def listens(self, *, backlog: int = 128, fast_open: int = 0) -> Listener:
        self.listener = self.host.listen(OUR_PORT, backlog=backlog, fast_open=fast_open)
        return self.listener

    def opens_passively(self) -> Connection:
        """A passive OPEN of RFC 9293 §3.9.1.1 with a fully specified remote socket: no listener."""
        peer = self.peer
        self.tcb = self.host.new_connection(
            peer.key, OURS[self.family], OUR_PORT, THEIRS[self.family], THEIR_PORT, self.now, "passive", None
        )
        self.tcb.open_passive(self.now)
        return self.tcb

    def connects(self, data: bytes = b"") -> Connection:
        ours, theirs = OURS[self.family], THEIRS[self.family]
        self.tcb = self.host.connect(
            theirs, THEIR_PORT, self.now, local_address=ours, local_port=OUR_PORT, data=data
        )
        self.settle()
        return self.tcb

    def accepts(self) -> Connection:
        assert self.listener is not None
        connection = self.listener.accept()
        assert connection is not None, "nobody is there to be accepted"
        return connection

    def sends(self, data: bytes) -> int:
        taken = self.tcb.send(data, self.now)
        self.settle()
        return taken

    def reads(self, most: int = 1 << 20) -> bytes:
        data = bytes(self.tcb.receive(most, self.now))
        self.settle()
        return data

    def closes(self) -> None:
        self.tcb.close(self.now)
        self.settle()

    def releases(self) -> None:
        self.tcb.release(self.now)
        self.settle()

    def aborts(self) -> None:
        self.tcb.abort(self.now)
        self.settle()

    # -- What a test may ask --------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.tcb.state

    def counted(self, name: str) -> int:
        return self.host.stats[name]

    @property
    def edges(self) -> set[tuple[State, Event, State]]:
        """The steps that changed the state."""
        return {step for step in self.path if step[0] is not step[2]}

    @property
    def gone(self) -> bool:
        """Nothing of the connection is left in the host's tables."""
        return self.peer.key not in self.host.connections and self.peer.key not in self.host.time_waits

    # -- Time -----------------------------------------------------------------------------------------

    def waits(self, seconds: float) -> None:
        """Let time pass, timers run."""
        self._run(self.now + seconds)

    def _run(self, until: float, *, stop_at_packet: bool = False) -> None:
        while self.host.deadline() <= until:
            self.now = max(self.now, self.host.deadline())
            self.host.run_timers(self.now)
            self.settle()
            if stop_at_packet and self.peer.inbox:
                return
        self.now = until

    def settle(self) -> None:
        """The end of a batch: everything goes out."""
        if self._batching:
            return
        self.host.flush(self.now)
        while self.host.outbox:
            self.peer.takes(b"".join(self.host.outbox.popleft()))

    @contextmanager
    def one_batch(self) -> Iterator[None]:
        """What the peer sends in here is read by us in one go."""
        self._batching = True
        yield
        self._batching = False
        self.settle()

    def _watch(self, event: tuple[Any, ...]) -> None:
        self.events.append(event)
        if event[0] == Kind.TRANSITION:
            self.path.append((event[3], event[4], event[5]))


class Peer:
    """The other end: sends what it is told to, and checks what it gets.

    ``seq`` and ``ack`` default to where the two sequences are as far as the peer has sent and received.
    """

    def __init__(self, us: Us, isn: int, window: int, port: int = THEIR_PORT) -> None:
        self.us = us
        self.isn = isn
        self.window = window
        self.port = port
        self.family = us.family
        #: Our initial sequence number, known from our SYN (0 before: numbers are then those on the wire).
        self.our_isn = 0
        self.snd_nxt = 0
        self.rcv_nxt = 0
        self.inbox: deque[Arrival] = deque()
        self.last: Arrival | None = None
        self._identification = 0

    @property
    def key(self) -> bytes:
        ports = self.port.to_bytes(2, "big") + OUR_PORT.to_bytes(2, "big")
        return THEIRS[self.family] + OURS[self.family] + ports

    # -- Sending --------------------------------------------------------------------------------------

    def sends(
        self,
        flags: int,
        *,
        seq: int | None = None,
        ack: int | None = None,
        data: bytes = b"",
        window: int | None = None,
        urgent: int = 0,
        ts: tuple[int, int] | None = None,
        mss: int | None = 1460,
        wscale: int | None = None,
        sack: bool = False,
        fast_open: bytes | None = None,
        user_timeout: int | None = None,
        blocks: Sequence[tuple[int, int]] = (),
        options: Options | None = None,
        to_port: int = OUR_PORT,
        ecn: int = 0,
    ) -> None:
        """One segment; ``mss`` to ``user_timeout`` only count in a SYN; ``blocks``, of a SACK option, in others.

        ``options`` stands for all of these; ``ecn`` is the IP header's field.
        """
        seq = self.snd_nxt if seq is None else seq
        ack = self.rcv_nxt if ack is None else ack
        length = len(data) + bool(flags & SYN) + bool(flags & FIN)
        if options is not None:
            pass
        elif flags & SYN:
            options = Options(mss, wscale, sack, fast_open=fast_open, user_timeout=user_timeout)
        else:
            options = Options(sack=tuple(self._our_numbers(block) for block in blocks))
        self.snd_nxt = max(self.snd_nxt, seq + length)
        segment = Segment(
            self.port,
            to_port,
            (self.isn + seq) & MASK,
            (self.our_isn + ack) & MASK if flags & ACK else 0,
            flags,
            self.window if window is None else window,
            urgent,
            data,
            ts[0] if ts else None,
            ts[1] if ts else None,
            options,
        )
        ours, theirs = OURS[self.family], THEIRS[self.family]
        self.puts_on_wire(tcp.PROTOCOL, tcp.emit(segment, theirs, ours) + data, ecn)

    def _our_numbers(self, block: tuple[int, int]) -> tuple[int, int]:
        return (self.our_isn + block[0]) & MASK, (self.our_isn + block[1]) & MASK

    def reports(self, message: icmp.Message) -> None:
        """An ICMP message, as from a router on the way."""
        ours, theirs = OURS[self.family], THEIRS[self.family]
        if self.family == 4:
            self.puts_on_wire(icmp.PROTOCOL_V4, icmp.emit_v4(message))
        else:
            self.puts_on_wire(icmp.PROTOCOL_V6, icmp.emit_v6(message, theirs, ours))

    def puts_on_wire(self, protocol: int, payload: bytes, ecn: int = 0) -> None:
        ours, theirs = OURS[self.family], THEIRS[self.family]
        if self.family == 4:
            header = ipv4.emit(ipv4.Header(theirs, ours, protocol, tos=ecn), len(payload))
        else:
            header = ipv6.emit(ipv6.Header(theirs, ours, protocol, traffic_class=ecn), len(payload))
        packet = header + payload
        self.us.host.packet_arrives(bytes(10) + packet if self.us.host.offload else packet, self.us.now)
        self.us.tcb = self.us.host.connections.get(self.key, self.us.tcb)
        self.us.settle()

    # -- Receiving ------------------------------------------------------------------------------------

    def takes(self, packet: bytes) -> None:
        """A packet from us arrives; it waits for ``receives``."""
        if self.us.host.offload:
            packet = packet[10:]
        arrival = Arrival(self.us.now, packet, _tcp_segment(packet, checked=not self.us.host.offload))
        segment = arrival.segment
        if segment is not None:
            if segment.flags & SYN:
                self.our_isn = segment.seq
            arrival.seq = (segment.seq - self.our_isn) & MASK
            arrival.ack = (segment.ack - self.isn) & MASK if segment.flags & ACK else 0
            length = len(segment.payload) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
            if length and arrival.seq <= self.rcv_nxt:
                self.rcv_nxt = max(self.rcv_nxt, arrival.seq + length)
            if segment.flags & SYN:
                self.rcv_nxt = 1
        self.inbox.append(arrival)

    def receives(
        self,
        flags: int,
        *,
        seq: int | None = None,
        ack: int | None = None,
        data: bytes | None = None,
        length: int | None = None,
        window: int | None = None,
        blocks: Sequence[tuple[int, int]] | None = None,
        after: float | None = None,
    ) -> Segment:
        """The next segment from us is this one.  PSH is not looked at unless ``flags`` has it.

        ``after``: nothing comes before so many seconds have passed, and then this.
        """
        arrival = self._next(after)
        segment = arrival.segment
        assert segment is not None, f"expected {named(flags)}, got {arrival}"
        got = segment.flags if flags & PSH else segment.flags & ~PSH
        assert got == flags, f"expected {named(flags)}, got {arrival}"
        for what, expected, actual in (
            ("SEQ", seq, arrival.seq),
            ("ACK", ack, arrival.ack),
            ("DATA", length, len(segment.payload)),
            ("WND", window, segment.window),
        ):
            assert expected is None or expected == actual, f"expected {what}={expected}, got {arrival}"
        told = [((left - self.isn) & MASK, (right - self.isn) & MASK) for left, right in segment.options.sack]
        assert blocks is None or list(blocks) == told, f"expected SACK {list(blocks)}, got {told} in {arrival}"
        assert data is None or bytes(segment.payload) == data, f"other data than expected in {arrival}"
        return segment

    def receives_icmp(self) -> icmp.Message:
        arrival = self._next(None)
        assert arrival.segment is None, f"expected ICMP, got {arrival}"
        packet = arrival.packet
        message = icmp.parse_v4(packet[20:]) if self.family == 4 else icmp.parse_v6(packet[40:], OURS[6], THEIRS[6])
        assert not isinstance(message, Malformed), message
        return message

    def hears_nothing(self, during: float = 0.0) -> None:
        """We are silent, also for the next ``during`` seconds."""
        self.us.settle()
        self.us._run(self.us.now + during, stop_at_packet=True)
        assert not self.inbox, f"expected silence, got {self.inbox[0]}"

    def ignores(self) -> list[Segment]:
        """Whatever we have said until now is of no interest; here it is nevertheless."""
        self.us.settle()
        segments = [arrival.segment for arrival in self.inbox if arrival.segment is not None]
        if self.inbox:
            self.last = self.inbox[-1]
        self.inbox.clear()
        return segments

    def _next(self, after: float | None) -> Arrival:
        us = self.us
        us.settle()
        if after is not None:
            assert not self.inbox, f"expected silence for {after} s, got {self.inbox[0]}"
            due = us.now + after
            us._run(due + _CLOSE_ENOUGH, stop_at_packet=True)
            assert self.inbox, f"nothing came within {after} s"
            assert abs(self.inbox[0].at - due) <= _CLOSE_ENOUGH, (
                f"expected it after {after} s, it came after {self.inbox[0].at - due + after} s: {self.inbox[0]}"
            )
        assert self.inbox, "nothing was sent"
        self.last = self.inbox.popleft()
        return self.last


def _tcp_segment(packet: bytes, *, checked: bool) -> Segment | None:
    """The TCP segment in a packet of ours, which must be right in every detail."""
    if packet[0] >> 4 == 4:
        v4 = ipv4.parse(packet)
        assert not isinstance(v4, Malformed), v4
        if v4.protocol != tcp.PROTOCOL:
            return None
        src, dst, data, tos = v4.src, v4.dst, packet[v4.header_length :], v4.tos
    else:
        v6 = ipv6.parse(packet)
        assert not isinstance(v6, Malformed), v6
        if v6.next_header != tcp.PROTOCOL:
            return None
        src, dst, data, tos = v6.src, v6.dst, packet[v6.payload_offset :], v6.traffic_class
    assert not checked or tcp.checksum_ok(data, src, dst)
    segment = tcp.parse(data)
    assert not isinstance(segment, Malformed), segment
    segment.ecn = tos & FIELD
    return segment


# -- How two that will talk meet -------------------------------------------------------------------------


def meet(
    settings: Settings = PLAIN,
    *,
    family: int = 4,
    mtu: int = 1500,
    isn: int = 7000,
    window: int = 65535,
    now: float = START,
    config: HostConfig | None = None,
    offload: bool = False,
) -> tuple[Us, Peer]:
    """A host of ours and a peer that have not spoken yet."""
    us = Us(settings, family, mtu, now, config, offload)
    us.peer = Peer(us, isn, window)
    return us, us.peer


def established(
    settings: Settings = PLAIN, *, mss: int | None = 1460, sack: bool = False, round_trip: float = 0.0, **how: Any
) -> tuple[Us, Peer]:
    """In ESTABLISHED after the peer's active and our passive OPEN; both sequences are at 1.

    ``round_trip``: how long the peer takes to acknowledge our SYN,ACK.
    """
    us, peer = meet(settings, **how)
    us.listens()
    peer.sends(SYN, seq=0, mss=mss, sack=sack)
    peer.receives(SYN | ACK, seq=0, ack=1)
    us.waits(round_trip)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    assert us.state is State.ESTABLISHED
    return us, peer


def in_state(state: State, settings: Settings = PLAIN, **how: Any) -> tuple[Us, Peer]:
    """By the shortest way to ``state``, everything that was sent acknowledged as far as it can be."""
    if state in (State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED):
        us, peer = meet(settings, **how)
        if state is State.SYN_SENT:
            us.connects()
            peer.receives(SYN, seq=0)
        else:
            us.listens()
            us.opens_passively()
            if state is State.SYN_RECEIVED:
                peer.sends(SYN, seq=0)
                peer.receives(SYN | ACK, seq=0, ack=1)
    else:
        us, peer = established(settings, **how)
        _end_from_established(us, peer, state)
    assert us.state is state
    return us, peer


def _end_from_established(us: Us, peer: Peer, state: State) -> None:
    if state in (State.CLOSE_WAIT, State.LAST_ACK):
        peer.sends(FIN | ACK, seq=1, ack=1)
        peer.receives(ACK, seq=1, ack=2)
    if state not in (State.ESTABLISHED, State.CLOSE_WAIT):
        us.closes()
        peer.receives(FIN | ACK, seq=1)
    if state is State.CLOSING:
        peer.sends(FIN | ACK, seq=1, ack=1)
        peer.receives(ACK, seq=2, ack=2)
    if state in (State.FIN_WAIT_2, State.TIME_WAIT, State.CLOSED):
        peer.sends(ACK, seq=1, ack=2)
    if state in (State.TIME_WAIT, State.CLOSED):
        peer.sends(FIN | ACK, seq=1, ack=2)
        peer.receives(ACK, seq=2, ack=2)
    if state is State.CLOSED:
        us.waits(us.tcb.settings.time_wait)
