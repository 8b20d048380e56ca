"""A peer that sends anything at all, in any state, among the calls of an application and the passing of time.

Nothing it sends may raise, lead to a transition that the table calls impossible, make the host say anything
malformed, or leave anything behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scenarios.driver import OUR_PORT, OURS, THEIR_PORT, THEIRS, Peer, Us, in_state, meet
from usertcp.tcp.errors import TcpError
from usertcp.tcp.events import Kind
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire import icmp, tcp
from usertcp.wire.checksum import finish, ones_sum, pseudo_header_sum
from usertcp.wire.tcp import ACK

#: Numbers that something depends on: edges of the window, the wrap, what was and what will be.
OFFSETS = st.one_of(
    st.sampled_from([0, 1, -1, 2, -2, 999, 1000, 1001, 65534, 65535, 65536, 1 << 31, (1 << 31) - 1, -(1 << 31)]),
    st.integers(-5000, 5000),
    st.integers(0, (1 << 32) - 1),
)
PORTS = st.sampled_from([THEIR_PORT] * 8 + [THEIR_PORT + 1, 0])


@dataclass(frozen=True)
class Forged:
    """One TCP segment as the peer puts it on the wire; ``seq`` and ``ack`` count from what would be right."""

    flags: int
    seq: int
    ack: int
    data: bytes
    window: int
    urgent: int
    options: bytes
    data_offset: int | None
    port: int

    def arrives(self, us: Us, peer: Peer) -> None:
        options = self.options + bytes(-len(self.options) % 4)
        words = 5 + len(options) // 4 if self.data_offset is None else self.data_offset
        rcv_nxt, snd_una = us.tcb.rcv_nxt, us.tcb.snd_una
        header = (
            self.port.to_bytes(2, "big")
            + OUR_PORT.to_bytes(2, "big")
            + (rcv_nxt + self.seq & 0xFFFFFFFF).to_bytes(4, "big")
            + (snd_una + self.ack & 0xFFFFFFFF).to_bytes(4, "big")
            + (words << 12 | self.flags).to_bytes(2, "big")
            + self.window.to_bytes(2, "big")
            + bytes(2)
            + self.urgent.to_bytes(2, "big")
        )
        body = header + options + self.data
        total = pseudo_header_sum(THEIRS[us.family], OURS[us.family], tcp.PROTOCOL, len(body)) + ones_sum(body)
        peer.puts_on_wire(tcp.PROTOCOL, body[:16] + finish(total).to_bytes(2, "big") + body[18:])


@dataclass(frozen=True)
class Reported:
    """An ICMP error about the last segment of ours, or about one that never was."""

    message: icmp.Message
    offset: int

    def arrives(self, us: Us, peer: Peer) -> None:
        segment = (us.tcb.snd_una + self.offset & 0xFFFFFFFF).to_bytes(4, "big")
        ports = OUR_PORT.to_bytes(2, "big") + THEIR_PORT.to_bytes(2, "big")
        quoted = b"\x45" + bytes(8) + b"\x06" + bytes(2) + OURS[4] + THEIRS[4] + ports + segment
        message: Any = self.message
        peer.reports(message._replace(quoted=quoted))


@dataclass(frozen=True)
class Called:
    """What our own application does meanwhile."""

    name: str
    size: int

    def arrives(self, us: Us, peer: Peer) -> None:
        try:
            if self.name == "send":
                us.sends(bytes(self.size))
            elif self.name == "receive":
                us.reads(self.size)
            elif self.name == "close":
                us.closes()
            elif self.name == "release":
                us.releases()
            elif self.name == "abort":
                us.aborts()
            else:
                us.waits(self.size / 1000)
        except TcpError:
            pass


FLAGS = st.one_of(st.sampled_from([2, 16, 17, 18, 24, 4, 20, 48, 0]), st.integers(0, 0x1FF))
OPTIONS = st.one_of(
    st.just(b""),
    st.builds(
        lambda val, ecr: b"\x01\x01\x08\x0a" + val.to_bytes(4, "big") + ecr.to_bytes(4, "big"),
        st.integers(0, (1 << 32) - 1),
        st.integers(0, (1 << 32) - 1),
    ),
    st.sampled_from([b"\x02\x04\x05\xb4\x01\x03\x03\x0e\x04\x02", b"\x02\x00", b"\x05\x02", b"\x00" * 4]),
    st.builds(lambda edges: b"\x01\x01\x05" + bytes([2 + len(edges)]) + edges, st.binary(min_size=8, max_size=8)),
    st.binary(max_size=40),
)
FORGED = st.builds(
    Forged,
    flags=FLAGS,
    seq=OFFSETS,
    ack=OFFSETS,
    data=st.one_of(st.just(b""), st.builds(bytes, st.integers(1, 1460))),
    window=st.sampled_from([0, 1, 100, 5000, 65535]),
    urgent=st.sampled_from([0, 1, 65535]),
    options=OPTIONS,
    data_offset=st.one_of(st.none(), st.none(), st.none(), st.integers(0, 15)),
    port=PORTS,
)
REPORTED = st.builds(
    Reported,
    st.one_of(
        st.builds(icmp.Unreachable, st.integers(0, 15), st.just(b"")),
        st.builds(icmp.TimeExceeded, st.integers(0, 1), st.just(b"")),
        st.builds(icmp.PacketTooBig, st.sampled_from([0, 68, 552, 1400, 1500, 65535]), st.just(b"")),
        st.builds(icmp.ParameterProblem, st.just(0), st.integers(0, 255), st.just(b"")),
    ),
    OFFSETS,
)
CALLED = st.builds(
    Called,
    st.sampled_from(["send", "send", "receive", "receive", "close", "release", "abort", "wait", "wait"]),
    st.integers(1, 3000),
)
HOW = st.builds(
    Settings,
    timestamps=st.booleans(),
    window_scaling=st.booleans(),
    sack=st.booleans(),
    receive_buffer=st.sampled_from([1000, 65535, 4 << 20]),
    max_gaps=st.sampled_from([1, 512]),
)


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(
    state=st.sampled_from(list(State)),
    how=HOW,
    what=st.lists(st.one_of(FORGED, FORGED, FORGED, CALLED, REPORTED), min_size=1, max_size=25),
    batch=st.booleans(),
    offload=st.booleans(),
)
def test_nothing_harms_us(
    state: State, how: Settings, what: list[Forged | Reported | Called], batch: bool, offload: bool
) -> None:
    us, peer = in_state(state, how, offload=offload)
    for event in what:
        before = us.host.stats.snapshot()
        told = len(us.events)
        if batch and not isinstance(event, Called):
            with us.one_batch():
                event.arrives(us, peer)
        else:
            event.arrives(us, peer)
        if isinstance(event, Forged):
            reached_a_connection = any(one[0] == Kind.SEGMENT_IN for one in us.events[told:])
            assert reached_a_connection or us.host.stats.snapshot() != before, "dropped without a name"
        _holds(us)
    _ends(us, peer)


def _holds(us: Us) -> None:
    """What is true at any time."""
    tcb = us.tcb
    assert tcb.snd_una <= tcb.snd_nxt
    assert tcb.rcv_wnd >= 0
    assert len(tcb.send_buffer) <= tcb.settings.send_buffer
    assert tcb.rtx.lost >= 0
    assert tcb.rtx.lost + tcb.rtx.sacked <= tcb.snd_nxt - tcb.snd_una
    assert not us.host.outbox


def _ends(us: Us, peer: Peer) -> None:
    """When the application has gone and everything has timed out, nothing is left."""
    for listener in list(us.host.listeners.values()):
        listener.close(us.now)
    for tcb in [us.tcb, *us.host.connections.values()]:
        tcb.release(us.now)
    us.settle()
    us.waits(5000)
    assert us.host.connections == {}
    assert us.host.time_waits == {}
    assert us.host.deadline() == inf
    peer.ignores()


@settings(deadline=None, max_examples=100)
@given(st.lists(FORGED, max_size=20))
def test_a_storm_of_segments_for_nobody(what: list[Forged]) -> None:
    """RFC 9293 §3.10.7.1: each is counted, each but RSTs is answered by one RST, and nothing is kept."""
    us, peer = meet()
    us.opens_passively()
    us.aborts()
    for segment in what:
        before = us.host.stats.snapshot()
        segment.arrives(us, peer)
        answers = peer.ignores()
        assert len(answers) <= 1
        if not segment.flags & tcp.RST:
            assert us.host.stats.snapshot() != before
        assert not us.host.connections
    assert us.host.deadline() == inf


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30)), min_size=1, max_size=40))
def test_segments_in_any_order_overlapping_at_will(pieces: list[tuple[int, int]]) -> None:
    """RFC 9293 §3.10.7.4: whatever the cuts and the order, the stream is what it is."""
    us, peer = in_state(State.ESTABLISHED)
    text = bytes(range(1, 61))
    have = set()
    for start, length in pieces:
        end = min(start + length, len(text))
        peer.sends(ACK, seq=1 + start, data=text[start:end])
        have.update(range(start, end))
    prefix = next((at for at in range(len(text)) if at not in have), len(text))
    assert us.reads() == text[:prefix]
    assert us.tcb.status().out_of_order == len([at for at in have if at > prefix])
    peer.ignores()
