"""Connections to draw: what a golden ladder shows, each in virtual time and the same at every run.

Most are a server of ours (on the left) and a client, with 10 ms between them and a path that may lose named
segments; where the peer has to do what our own TCP would not, it is played by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.observe.recorder import Recorder
from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.sim.selection import Nth
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.connection import Connection
from usertcp.tcp.events import TraceEvent, read
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire import icmp
from usertcp.wire.codepoint import CE
from usertcp.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN

Scene = Callable[[], list[TraceEvent]]

SERVER, CLIENT = bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])
SCENES: dict[str, Scene] = {}
#: Settings of two hosts that agree on what hosts agree on today.
MODERN: Final = Settings()


def scene(make: Scene) -> Scene:
    """Registers ``make`` under its name."""
    SCENES[make.__name__] = make
    return make


class Talk:
    """A server (ours) and a client, 10 ms apart; ``lost`` and ``lost_back`` go missing on the way there and back."""

    def __init__(
        self,
        *,
        settings: Settings = MODERN,
        lost: tuple[Nth, ...] = (),
        lost_back: tuple[Nth, ...] = (),
        delay: float = 0.01,
        **more: Any,
    ) -> None:
        self.seen = Recorder()
        config = HostConfig(settings=settings)
        self.ours = Host([SERVER], secret=b"the server's secret", trace=self.seen, config=config)
        self.theirs = Host([CLIENT], secret=b"the client's secret", config=config)
        self.network = Network()
        self.network.link(
            self.ours,
            self.theirs,
            Impairment(Conditions(delay=delay, drop=lost, **more), seed=1),
            Impairment(Conditions(delay=delay, drop=lost_back), seed=2),
        )
        self.server: Connection
        self.client: Connection

    def opens(self) -> Talk:
        """The client connects to us."""
        listener = self.ours.listen(80)
        self.client = self.theirs.connect(SERVER, 80, self.network.now, local_port=40000)
        accepted: list[Connection] = []

        def done() -> bool:
            connection = listener.accept()
            accepted.extend([connection] if connection is not None else [])
            return bool(accepted) and self.client.state is State.ESTABLISHED

        assert self.network.run_until(done, 300)
        self.server = accepted[0]
        return self

    def connects(self) -> Talk:
        """We connect to the other one."""
        listener = self.theirs.listen(80)
        self.server = self.ours.connect(CLIENT, 80, self.network.now, local_port=40000)
        accepted: list[Connection] = []

        def done() -> bool:
            connection = listener.accept()
            accepted.extend([connection] if connection is not None else [])
            return bool(accepted) and self.server.state is State.ESTABLISHED

        assert self.network.run_until(done, 300)
        self.client = accepted[0]
        return self

    def asks(self, size: int = 73) -> None:
        """The client sends a request, and it is read."""
        assert self.client.send(bytes(size), self.network.now) == size
        self.passes(0.02)
        self.server.receive(1 << 20, self.network.now)

    def answers(self, size: int, *, within: float = 10.0) -> None:
        """We send ``size`` bytes, and they are read as they come."""
        left, had = size, self.client.status().bytes_received

        def done() -> bool:
            nonlocal left
            left -= self.server.send(bytes(min(left, 1 << 16)), self.network.now) if left else 0
            self.client.receive(1 << 20, self.network.now)
            return self.client.status().bytes_received == had + size

        assert not done()
        assert self.network.run_until(done, self.network.now + within)

    def passes(self, seconds: float) -> None:
        """Time passes."""
        self.network.run(self.network.now + seconds)

    def closes(self, *ends: Connection) -> None:
        """The ends close, one after the other, each when the one before has been heard."""
        for end in ends:
            end.close(self.network.now)
            self.passes(0.05)

    def told(self) -> list[TraceEvent]:
        """What we have seen, the last segments included."""
        self.passes(0.1)
        return list(self.seen.events())


def told_by(us: Us) -> list[TraceEvent]:
    """What our side of a scene played by hand has seen."""
    return [read(event) for event in us.events]


# -- Opening ---------------------------------------------------------------------------------------------


@scene
def request_and_answer() -> list[TraceEvent]:
    talk = Talk().opens()
    talk.asks()
    talk.answers(511)
    talk.closes(talk.client, talk.server)
    return talk.told()


@scene
def open_actively() -> list[TraceEvent]:
    talk = Talk().connects()
    talk.closes(talk.server, talk.client)
    return talk.told()


@scene
def open_simultaneously() -> list[TraceEvent]:
    talk = Talk()
    talk.theirs.connect(SERVER, 1001, talk.network.now, local_port=1002)
    talk.ours.connect(CLIENT, 1002, talk.network.now, local_port=1001)
    talk.passes(0.1)
    return talk.told()


@scene
def open_refused() -> list[TraceEvent]:
    talk = Talk()
    talk.ours.connect(CLIENT, 81, talk.network.now, local_port=40000)
    talk.passes(0.1)
    return talk.told()


@scene
def open_unanswered() -> list[TraceEvent]:
    talk = Talk(lost=tuple(Nth("syn", number) for number in range(1, 20)))
    talk.ours.connect(CLIENT, 80, talk.network.now, local_port=40000)
    talk.passes(600)
    return talk.told()


@scene
def open_with_syn_ack_lost() -> list[TraceEvent]:
    return Talk(lost=(Nth("syn", 1),)).opens().told()


@scene
def closed_port() -> list[TraceEvent]:
    talk = Talk()
    for port in (81, 82):
        talk.theirs.connect(SERVER, port, talk.network.now, local_port=40000 + port)
        talk.passes(0.1)
    return talk.told()


@scene
def fast_open() -> list[TraceEvent]:
    us, peer = meet(PLAIN)
    us.listens(fast_open=8)
    peer.sends(SYN, seq=0, fast_open=b"")
    cookie = peer.receives(SYN | ACK, seq=0, ack=1).options.fast_open
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.aborts()
    peer.ignores()
    peer.snd_nxt = 0
    peer.isn += 100_000
    us.waits(1)
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=cookie)
    us.tcb = us.accepts()
    us.reads()
    us.sends(b"an answer to it")
    peer.ignores()
    us.waits(0.02)
    peer.sends(ACK, seq=6, ack=16)
    return told_by(us)


@scene
def syn_cookie() -> list[TraceEvent]:
    us, peer = meet(replace(MODERN, timestamps=True), isn=31_000)
    us.listens(backlog=1)
    other = Peer(us, 500, 65535, port=50_000)
    other.sends(SYN, seq=0)
    us.waits(0.1)
    peer.ignores()
    us.events.clear()
    peer.sends(SYN, seq=0, ts=(100, 0), wscale=7, sack=True)
    answer = peer.receives(SYN | ACK, seq=0, ack=1)
    us.waits(0.02)
    peer.sends(ACK, seq=1, ack=1, ts=(120, answer.ts_val or 0))
    peer.sends(PSH | ACK, seq=1, ack=1, data=bytes(73), ts=(121, answer.ts_val or 0))
    us.waits(0.1)
    return told_by(us)


# -- Closing ---------------------------------------------------------------------------------------------


@scene
def close_by_us() -> list[TraceEvent]:
    talk = Talk().opens()
    talk.closes(talk.server, talk.client)
    talk.passes(61)
    return talk.told()


@scene
def close_by_both_at_once() -> list[TraceEvent]:
    talk = Talk().opens()
    talk.server.close(talk.network.now)
    talk.client.close(talk.network.now)
    talk.passes(61)
    return talk.told()


@scene
def close_in_three_segments() -> list[TraceEvent]:
    us, peer = established(isn=31_000)
    us.closes()
    peer.receives(FIN | ACK)
    us.waits(0.02)
    peer.sends(FIN | ACK, seq=1, ack=2)
    return told_by(us)


@scene
def close_half() -> list[TraceEvent]:
    talk = Talk().opens()
    talk.closes(talk.client)
    talk.answers(20_000)
    talk.closes(talk.server)
    return talk.told()


@scene
def close_with_fin_lost() -> list[TraceEvent]:
    talk = Talk(lost=(Nth("fin", 1),)).opens()
    talk.server.close(talk.network.now)
    talk.passes(1)
    return talk.told()


@scene
def fin_again_in_time_wait() -> list[TraceEvent]:
    talk = Talk(lost=(Nth("ack", 1),)).opens()
    talk.closes(talk.server, talk.client)
    talk.passes(61)
    return talk.told()


@scene
def reset_by_peer() -> list[TraceEvent]:
    talk = Talk().opens()
    talk.asks()
    talk.client.abort(talk.network.now)
    talk.passes(0.1)
    return talk.told()


@scene
def reset_by_us() -> list[TraceEvent]:
    talk = Talk().opens()
    talk.asks()
    talk.server.abort(talk.network.now)
    talk.passes(0.1)
    return talk.told()


# -- Loss ------------------------------------------------------------------------------------------------


@scene
def sack_recovery() -> list[TraceEvent]:
    talk = Talk(lost=(Nth("data", 3),)).opens()
    talk.asks()
    talk.answers(20_000)
    return talk.told()


@scene
def sack_recovery_of_three() -> list[TraceEvent]:
    talk = Talk(lost=(Nth("data", 2), Nth("data", 4), Nth("data", 9))).opens()
    talk.answers(40_000)
    return talk.told()


@scene
def recovery_without_sack() -> list[TraceEvent]:
    talk = Talk(settings=replace(MODERN, sack=False), lost=(Nth("data", 3), Nth("data", 6))).opens()
    talk.answers(20_000)
    return talk.told()


@scene
def tail_loss_probe() -> list[TraceEvent]:
    talk = Talk(lost=(Nth("data", 2),)).opens()
    talk.answers(2_896)
    return talk.told()


@scene
def retransmission_timeout() -> list[TraceEvent]:
    lost = tuple(Nth("data", number) for number in (1, 2, 3))
    talk = Talk(settings=replace(MODERN, tlp=False), lost=lost).opens()
    talk.answers(1_000)
    return talk.told()


@scene
def out_of_order() -> list[TraceEvent]:
    talk = Talk(lost_back=(Nth("data", 2),)).opens()
    assert talk.client.send(bytes(8_000), talk.network.now) == 8_000
    talk.passes(0.2)
    return talk.told()


@scene
def duplicate_data() -> list[TraceEvent]:
    us, peer = established(replace(PLAIN, sack=True), sack=True, isn=31_000)
    peer.sends(PSH | ACK, seq=1, ack=1, data=bytes(1000))
    us.waits(0.3)
    peer.sends(PSH | ACK, seq=1, ack=1, data=bytes(1000))
    us.waits(0.1)
    return told_by(us)


@scene
def bulk() -> list[TraceEvent]:
    talk = Talk().opens()
    talk.asks()
    talk.answers(3_000_000)
    talk.closes(talk.client, talk.server)
    return talk.told()


@scene
def bulk_on_a_lossy_path() -> list[TraceEvent]:
    talk = Talk(loss=0.02).opens()
    talk.asks()
    talk.answers(300_000)
    talk.closes(talk.client, talk.server)
    return talk.told()


# -- Windows ---------------------------------------------------------------------------------------------


@scene
def zero_window_of_the_peer() -> list[TraceEvent]:
    us, peer = established(window=2920, isn=31_000)
    us.sends(bytes(5000))
    peer.ignores()
    us.waits(0.02)
    peer.sends(ACK, seq=1, ack=2921, window=0)
    for _ in range(2):
        peer.receives(ACK, after=None) if peer.inbox else us.waits(0.3)
        peer.ignores()
        peer.sends(ACK, seq=1, ack=2921, window=0)
    us.waits(0.1)
    peer.window = 65535
    peer.sends(ACK, seq=1, ack=2921)
    us.waits(0.02)
    peer.sends(ACK, seq=1, ack=4382)
    us.waits(0.02)
    peer.sends(ACK, seq=1, ack=5001)
    us.waits(0.1)
    return told_by(us)


@scene
def zero_window_of_ours() -> list[TraceEvent]:
    talk = Talk(settings=replace(MODERN, receive_buffer=8192, grow_receive_buffer=False)).opens()
    assert talk.client.send(bytes(12_000), talk.network.now) == 12_000
    talk.passes(1)
    talk.server.receive(1 << 20, talk.network.now)
    talk.passes(1)
    return talk.told()


@scene
def nagle() -> list[TraceEvent]:
    us, peer = established(isn=31_000)
    us.sends(b"h")
    us.sends(b"ello")
    us.waits(0.02)
    peer.ignores()
    peer.sends(ACK, seq=1, ack=2)
    us.waits(0.02)
    peer.sends(ACK, seq=1, ack=6)
    return told_by(us)


@scene
def delayed_acknowledgment() -> list[TraceEvent]:
    us, peer = established(isn=31_000)
    for number in range(12):
        peer.sends(PSH | ACK, seq=1 + number * 100, ack=1, data=bytes(100))
        us.waits(0.1)
        us.reads()
    return told_by(us)


# -- Safety ----------------------------------------------------------------------------------------------


@scene
def challenge_ack() -> list[TraceEvent]:
    us, peer = established(isn=31_000)
    peer.sends(RST, seq=100)
    us.waits(1)
    peer.sends(SYN, seq=300)
    us.waits(1)
    peer.sends(ACK, seq=1, ack=200_000)
    us.waits(1)
    peer.sends(RST, seq=1)
    return told_by(us)


@scene
def old_duplicate_by_paws() -> list[TraceEvent]:
    us, peer = meet(replace(PLAIN, timestamps=True), isn=31_000)
    us.listens()
    peer.sends(SYN, seq=0, ts=(1000, 0))
    answer = peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1, ts=(1010, answer.ts_val or 0))
    us.waits(0.1)
    peer.sends(PSH | ACK, seq=1, ack=1, data=bytes(10), ts=(500, answer.ts_val or 0))
    us.waits(0.1)
    return told_by(us)


@scene
def keep_alive_answered() -> list[TraceEvent]:
    us, peer = established(replace(PLAIN, keepalive=True, keepalive_idle=60, keepalive_interval=10), isn=31_000)
    us.waits(61)
    peer.sends(ACK, seq=1, ack=1)
    us.waits(5)
    return told_by(us)


@scene
def keep_alive_unanswered() -> list[TraceEvent]:
    kept = replace(PLAIN, keepalive=True, keepalive_idle=60, keepalive_interval=10, keepalive_probes=3)
    us, _peer = established(kept, isn=31_000)
    us.waits(120)
    return told_by(us)


@scene
def user_timeout() -> list[TraceEvent]:
    us, _peer = established(replace(PLAIN, user_timeout=5.0), isn=31_000)
    us.sends(bytes(100))
    us.waits(60)
    return told_by(us)


@scene
def urgent_data() -> list[TraceEvent]:
    us, peer = established(isn=31_000)
    peer.sends(PSH | ACK | 32, seq=1, ack=1, data=b"hurry", urgent=5)
    us.waits(0.1)
    return told_by(us)


# -- The path --------------------------------------------------------------------------------------------


@scene
def ecn_mark() -> list[TraceEvent]:
    us, peer = meet(replace(PLAIN, ecn="on"), isn=31_000)
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0)
    peer.receives(SYN | ACK | ECE, seq=0, ack=1)
    us.waits(0.02)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    peer.sends(PSH | ACK, seq=1, ack=1, data=bytes(100), ecn=CE)
    us.waits(0.1)
    us.sends(bytes(6000))
    peer.ignores()
    us.waits(0.02)
    peer.sends(ACK | ECE, seq=101, ack=2921)
    us.sends(bytes(1460))
    us.waits(0.1)
    return told_by(us)


@scene
def path_mtu_by_icmp() -> list[TraceEvent]:
    us, peer = established(isn=31_000)
    us.sends(bytes(2920))
    us.settle()
    packet = peer.inbox[0].packet
    us.waits(0.02)
    peer.reports(icmp.PacketTooBig(1400, packet[:48]))
    us.waits(0.02)
    peer.sends(ACK, seq=1, ack=2921)
    us.waits(0.1)
    return told_by(us)


@scene
def unreachable() -> list[TraceEvent]:
    us, peer = meet(PLAIN)
    us.connects()
    us.settle()
    packet = peer.inbox[0].packet
    us.waits(0.02)
    peer.reports(icmp.Unreachable(1, packet[:48]))
    us.waits(4)
    return told_by(us)
