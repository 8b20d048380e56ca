"""How long the recovery of lost last segments takes, which nothing sent later can show (RFC 8985 §7)."""

from __future__ import annotations

import pytest

from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.sim.selection import Nth
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.settings import Settings

ROUND_TRIP = 0.1
OURS, THEIRS = bytes([192, 0, 2, 2]), bytes([192, 0, 2, 1])
MSS = 1448


class Sender:
    """Sends to a peer over a path that loses the data segments of the given numbers."""

    def __init__(self, *lost: int, settings: Settings | None = None, offload: bool = False) -> None:
        self.network = Network()
        config = HostConfig(settings=settings or Settings())
        self.us = Host([OURS], secret=b"a secret of 16 bytes or more", config=config, offload=offload)
        self.peer = Host([THEIRS], secret=b"another of 16 bytes or more")
        there = Conditions(delay=ROUND_TRIP / 2, drop=tuple(Nth("data", number) for number in lost))
        self.network.link(self.us, self.peer, Impairment(there), Impairment(Conditions(delay=ROUND_TRIP / 2)))
        listener = self.peer.listen(80)
        self.tcb = self.us.connect(THEIRS, 80, 0.0)
        assert self.network.run_until(lambda: bool(listener.ready), 1)

    def time_to_deliver(self, segments: int) -> float:
        """Seconds from the sending of so many segments until all of them are acknowledged."""
        began = self.network.now
        self.tcb.send(bytes(segments * MSS), began)
        assert self.network.run_until(lambda: self.tcb.snd_una == self.tcb.snd_nxt > self.tcb.iss + 1, began + 60)
        return self.network.now - began


@pytest.mark.parametrize("offload", [False, True], ids=["no-offload", "offload"])
def test_the_last_segment(offload: bool) -> None:
    """One round trip for the others, the probe timeout since their acknowledgment, one for the probe."""
    sender = Sender(10, offload=offload)
    probe_timeout = 2 * ROUND_TRIP + sender.tcb.settings.peer_ack_delay  # §7.2, for a single segment
    assert sender.time_to_deliver(10) <= 2 * ROUND_TRIP + probe_timeout
    assert sender.us.stats["tail-loss-probes"] == 1
    assert sender.us.stats["retransmission-timeouts"] == 0
    assert sender.us.stats["retransmissions"] == 1


@pytest.mark.parametrize("offload", [False, True], ids=["no-offload", "offload"])
def test_the_only_segment(offload: bool) -> None:
    sender = Sender(1, offload=offload)
    probe_timeout = 2 * ROUND_TRIP + sender.tcb.settings.peer_ack_delay
    assert sender.time_to_deliver(1) <= 2 * ROUND_TRIP + probe_timeout
    assert sender.us.stats["retransmissions"] == 1


def test_the_last_two_segments() -> None:
    """The acknowledgment of the probe, which is the last segment again, shows that the other is missing."""
    sender = Sender(9, 10)
    assert sender.time_to_deliver(10) <= 3 * ROUND_TRIP + 2 * ROUND_TRIP + 0.001
    assert sender.us.stats["retransmission-timeouts"] == 0
    assert sender.us.stats["retransmissions"] == 2


@pytest.mark.parametrize("lost", [5, 9, 10])
def test_a_long_tail_needs_no_timeout_either(lost: int) -> None:
    sender = Sender(*range(11 - lost, 11))
    sender.time_to_deliver(10)
    assert sender.us.stats["tail-loss-probes"] == 1
    assert sender.us.stats["retransmission-timeouts"] == 0
    assert sender.us.stats["retransmissions"] == lost


def test_without_probes_the_tail_waits_for_a_timeout() -> None:
    sender = Sender(10, settings=Settings(tlp=False))
    assert sender.time_to_deliver(10) >= ROUND_TRIP + 0.2
    assert sender.us.stats["retransmission-timeouts"] == 1
