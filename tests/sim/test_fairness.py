"""Two flows at one bottleneck: 10 Mbit/s, 20 ms, a queue of one bandwidth-delay product, in virtual time.

There CUBIC is in its Reno-friendly region (RFC 9438 §4.3), so that it may take no more than Reno.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import pytest

from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.connection import Connection
from usertcp.tcp.settings import Settings

RATE = 10e6
ROUND_TRIP = 0.02
MTU = 1500
QUEUE = ceil(RATE * ROUND_TRIP / 8 / MTU)
#: The second flow begins when the first has the path to itself; then they get so long to share it.
HEAD_START, CONVERGENCE, MEASURED = 2.0, 8.0, 20.0
OURS, THEIRS = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2])
CHUNK = bytes(1 << 16)


def jain(shares: Sequence[float]) -> float:
    """Jain's index: 1 for equal shares, 1/n where one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


class Bottleneck:
    """A sender and a receiver, and between them a path that all their connections share.

    The acknowledgments come back with a little jitter: where nothing varies, drop-tail queues lock onto the
    phase of one of two flows ("phase effects"), which no real path lets last.
    """

    def __init__(self, seed: int) -> None:
        self.network = Network()
        config = HostConfig(settings=Settings(send_buffer=1 << 18))
        self.sender = Host([OURS], secret=b"a secret of 16 bytes or more", mtu=MTU, config=config)
        self.receiver = Host([THEIRS], secret=b"another of 16 bytes or more", mtu=MTU)
        self.listener = self.receiver.listen(80)
        there = Conditions(rate=RATE, queue=QUEUE, delay=ROUND_TRIP / 2)
        back = Conditions(rate=RATE, queue=QUEUE, delay=ROUND_TRIP / 2, jitter=0.001)
        self.network.link(self.sender, self.receiver, Impairment(there, seed=seed), Impairment(back, seed=seed + 1))
        self.network.install(self.sender, self._fill)
        self.network.install(self.receiver, self._empty)
        self.flows: list[Connection] = []

    def starts(self, control: str) -> None:
        settings = Settings(send_buffer=1 << 18, congestion_control=control)
        self.flows.append(self.sender.connect(THEIRS, 80, self.network.now, settings=settings))

    def runs_for(self, seconds: float) -> list[float]:
        """The bits per second that each flow gets acknowledged in this time."""
        before = [flow.snd_una for flow in self.flows]
        self.network.run(self.network.now + seconds)
        return [(flow.snd_una - una) * 8 / seconds for flow, una in zip(self.flows, before, strict=True)]

    def _fill(self, now: float) -> None:
        woken, self.sender.woken = self.sender.woken, []
        for flow in woken:
            flow.pending = 0
            while flow.send(CHUNK, now):
                pass

    def _empty(self, now: float) -> None:
        self.receiver.woken_listeners.clear()
        self.listener.pending = False
        while self.listener.accept() is not None:
            pass
        woken, self.receiver.woken = self.receiver.woken, []
        for flow in woken:
            flow.pending = 0
            while flow.receive(1 << 20, now):
                pass


@pytest.mark.parametrize("controls", [("cubic", "cubic"), ("cubic", "reno"), ("reno", "cubic")], ids="-then-".join)
@pytest.mark.parametrize("seed", [1, 2])
def test_two_flows_share_a_bottleneck(controls: tuple[str, str], seed: int) -> None:
    bottleneck = Bottleneck(seed)
    bottleneck.starts(controls[0])
    bottleneck.runs_for(HEAD_START)
    bottleneck.starts(controls[1])
    bottleneck.runs_for(CONVERGENCE)
    shares = bottleneck.runs_for(MEASURED)
    assert sum(shares) >= 0.9 * RATE
    assert jain(shares) >= 0.95, shares


def test_a_flow_alone_fills_the_bottleneck() -> None:
    bottleneck = Bottleneck(1)
    bottleneck.starts("cubic")
    bottleneck.runs_for(1)
    (share,) = bottleneck.runs_for(5)
    assert share >= 0.94 * RATE  # headers take the rest
