"""Explicit congestion notification: RFC 3168 §6.1, and RFC 8257 for DCTCP."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import OURS, PLAIN, START, THEIRS, Peer, Us, meet
from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.settings import Settings
from usertcp.wire import ipv4, virtio
from usertcp.wire.codepoint import CE, ECT_0, NOT_ECT
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, CWR, ECE, SYN

ON = replace(PLAIN, ecn="on")
MSS = 1460


def agreed(settings: Settings = PLAIN, **how: object) -> tuple[Us, Peer]:
    """Established by a peer that asked for ECN; both sequences are at 1."""
    us, peer = meet(settings, **how)  # type: ignore[arg-type]
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0)
    peer.receives(SYN | ACK | ECE, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    return us, peer


# -- The handshake (§6.1.1) --------------------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
def test_we_ask_and_the_peer_agrees(family: int) -> None:
    """RFC 3168 §6.1.1: ECE and CWR ask, ECE alone agrees; no SYN is ECN-capable, and no pure ACK (§6.1.4)."""
    us, peer = meet(ON, family=family)
    us.connects()
    assert peer.receives(SYN | ECE | CWR).ecn == NOT_ECT
    peer.sends(SYN | ACK | ECE, seq=0, ack=1)
    assert peer.receives(ACK, seq=1, ack=1, length=0).ecn == NOT_ECT
    us.sends(b"data")
    assert peer.receives(ACK, data=b"data").ecn == ECT_0
    assert us.tcb.status().ecn


@pytest.mark.parametrize("answer", [0, ECE | CWR, CWR], ids=["none", "reflected", "CWR"])
def test_any_other_answer_means_no(answer: int) -> None:
    """RFC 3168 §6.1.1.2: a peer that reflects reserved bits does not know what they mean."""
    us, peer = meet(ON)
    us.connects()
    peer.receives(SYN | ECE | CWR)
    peer.sends(SYN | ACK | answer, seq=0, ack=1)
    peer.receives(ACK)
    us.sends(b"data")
    assert peer.receives(ACK, data=b"data").ecn == NOT_ECT
    peer.sends(ACK, data=b"marked", ecn=CE)
    peer.receives(ACK, after=0.04)


def test_by_default_we_do_not_ask() -> None:
    us, peer = meet()
    us.connects()
    peer.receives(SYN)
    peer.sends(SYN | ACK | ECE, seq=0, ack=1)
    peer.receives(ACK)
    us.sends(b"data")
    assert peer.receives(ACK, data=b"data").ecn == NOT_ECT


def test_an_ignored_syn_goes_out_again_without_asking() -> None:
    """RFC 3168 §6.1.1.1: something may drop SYNs with these bits.  What was offered once is kept as far as
    marks that arrive are echoed, but our data is not ECN-capable any more (§6.1.1)."""
    us, peer = meet(ON)
    us.connects()
    peer.receives(SYN | ECE | CWR)
    peer.receives(SYN, after=1.0)
    assert us.counted("ecn-fallbacks") == 1
    peer.sends(SYN | ACK | ECE, seq=0, ack=1)
    peer.receives(ACK)
    us.sends(b"data")
    assert peer.receives(ACK, data=b"data").ecn == NOT_ECT
    peer.sends(ACK, data=b"marked", ecn=CE)
    peer.receives(ACK | ECE)


def test_a_peer_that_asks_gets_it() -> None:
    us, peer = agreed()
    us.sends(b"data")
    assert peer.receives(ACK, data=b"data").ecn == ECT_0


def test_a_peer_that_asks_does_not_get_it_where_it_is_off() -> None:
    us, peer = meet(replace(PLAIN, ecn="off"))
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)


def test_a_syn_that_is_marked_as_capable_comes_from_a_path_that_writes_into_the_field() -> None:
    """RFC 3168 §6.1.1: "a host MUST NOT set ECT on SYN or SYN-ACK packets"."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0, ecn=CE)
    peer.receives(SYN | ACK, seq=0, ack=1)


def test_a_peer_that_falls_back() -> None:
    """RFC 3168 §6.1.1.1, the example: neither host may set ECT."""
    us, peer = meet()
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0)
    peer.receives(SYN | ACK | ECE, seq=0, ack=1)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=1, ack=1)
    us.sends(b"data")
    assert peer.receives(ACK, data=b"data").ecn == NOT_ECT


# -- The receiver (§6.1.3) ---------------------------------------------------------------------------


def test_a_mark_is_echoed_until_the_peer_has_reduced_its_window() -> None:
    """RFC 3168 §6.1.3: in every acknowledgment, also of segments without a mark, until CWR comes."""
    us, peer = agreed()
    peer.sends(ACK, data=bytes(100), ecn=ECT_0)
    peer.receives(ACK, after=0.04)
    peer.sends(ACK, data=bytes(100), ecn=CE)
    peer.receives(ACK | ECE, ack=201)
    peer.sends(ACK, data=bytes(100), ecn=ECT_0)
    peer.receives(ACK | ECE, ack=301, after=0.04)
    us.sends(b"answer")
    peer.receives(ACK | ECE, data=b"answer")
    peer.sends(ACK | CWR, data=bytes(100), ecn=ECT_0)
    peer.receives(ACK, ack=401)
    assert us.counted("ecn-marks-received") == us.tcb.status().ecn_marks == 1


def test_a_segment_with_cwr_may_be_marked_itself() -> None:
    """RFC 8257 §3.2: "CWR is processed first and then CE is processed"."""
    _, peer = agreed()
    peer.sends(ACK, data=bytes(100), ecn=CE)
    peer.receives(ACK | ECE)
    peer.sends(ACK | CWR, data=bytes(100), ecn=CE)
    peer.receives(ACK | ECE, ack=201)


def test_marks_outside_the_window_are_not_believed() -> None:
    """RFC 3168 §6.1.5: anybody can send those."""
    us, peer = agreed()
    peer.sends(ACK, seq=200_000, data=b"forged", ecn=CE)
    peer.receives(ACK, ack=1)
    peer.sends(ACK, seq=1, ack=1, ecn=CE)
    peer.hears_nothing(1.0)
    assert us.tcb.status().ecn_marks == 0


# -- The sender (§6.1.2) -----------------------------------------------------------------------------


def test_an_echo_reduces_the_window_once_and_cwr_says_so_once() -> None:
    """RFC 3168 §6.1.2: "not more than once every window of data"; CWR on the first new data after it."""
    us, peer = agreed()
    us.sends(bytes(40 * MSS))
    for number in range(10):
        peer.receives(ACK, seq=1 + number * MSS, length=MSS)
    peer.sends(ACK | ECE, ack=1 + 2 * MSS)
    assert us.tcb.congestion.cwnd == us.tcb.congestion.ssthresh == 5 * MSS
    peer.sends(ACK | ECE, ack=1 + 4 * MSS)
    peer.sends(ACK | ECE, ack=1 + 6 * MSS)
    assert us.tcb.congestion.cwnd == 5 * MSS
    assert us.counted("ecn-reductions") == us.tcb.status().ecn_reductions == 1
    assert peer.receives(ACK | CWR, seq=1 + 10 * MSS, length=MSS).ecn == ECT_0
    peer.sends(ACK | ECE, ack=1 + 10 * MSS)  # sent before CWR arrived
    assert us.counted("ecn-reductions") == 1
    for number in range(11, 15):
        assert peer.receives(ACK, seq=1 + number * MSS).ecn == ECT_0
    peer.sends(ACK | ECE, ack=1 + 11 * MSS)  # a new mark
    assert us.tcb.congestion.cwnd == 2.5 * MSS
    assert us.counted("ecn-reductions") == 2


def test_what_is_sent_again_is_not_capable() -> None:
    """RFC 3168 §6.1.5; and any reduction is told, on new data (§6.1.2)."""
    us, peer = agreed()
    us.sends(b"data")
    assert peer.receives(ACK, data=b"data").ecn == ECT_0
    assert peer.receives(ACK, data=b"data", after=us.tcb.rtt.rto).ecn == NOT_ECT
    peer.sends(ACK, ack=5)
    us.sends(b"new")
    assert peer.receives(ACK | CWR, data=b"new").ecn == ECT_0


def test_an_echo_in_fast_recovery_is_of_the_same_window() -> None:
    """RFC 3168 §6.1.2: once for "dropped and/or CE packets from a single window of data"."""
    us, peer = agreed(replace(PLAIN, sack=False))
    us.sends(bytes(40 * MSS))
    peer.ignores()
    for _ in range(4):
        peer.sends(ACK | ECE, ack=1)
    assert us.tcb.status().ca_state == "recovery"
    assert us.counted("ecn-reductions") == 1
    assert us.tcb.congestion.ssthresh >= 2.5 * MSS


def test_a_window_probe_is_not_capable() -> None:
    """RFC 3168 §6.1.6."""
    us, peer = agreed()
    peer.sends(ACK, seq=1, ack=1, window=0)
    us.sends(b"data")
    assert peer.receives(ACK, seq=1, length=1, after=us.tcb.rtt.rto).ecn == NOT_ECT


def test_a_window_of_one_segment_waits_for_the_timer() -> None:
    """RFC 3168 §6.1.2: "able to send a new packet only when the retransmit timer expires"."""
    us, peer = agreed()
    us.tcb.congestion.cwnd = MSS
    us.sends(bytes(3 * MSS))
    peer.receives(ACK, seq=1, length=MSS)
    peer.sends(ACK | ECE, ack=1 + MSS)
    assert us.tcb.congestion.cwnd == MSS
    peer.receives(ACK | CWR, seq=1 + MSS, length=MSS, after=us.tcb.rtt.rto)


@pytest.mark.parametrize("echo", [0, ECE])
def test_a_mistaken_recovery_is_not_taken_back_where_there_is_congestion(echo: int) -> None:
    """RFC 4015 §3.4: an acknowledgment that shows both "MUST refrain from reversing congestion control state"."""
    us, peer = meet(replace(PLAIN, timestamps=True, frto=False, tlp=False))
    us.listens()
    peer.sends(SYN | ECE | CWR, seq=0, sack=True, ts=(1, 0))
    ours = peer.receives(SYN | ACK | ECE).ts_val
    assert ours is not None
    us.waits(0.1)
    peer.sends(ACK, seq=1, ack=1, ts=(2, ours))
    us.tcb = us.accepts()
    us.sends(bytes(10 * MSS))
    original = peer.ignores()[0].ts_val
    assert original is not None
    us.waits(us.tcb.status().rto)
    assert len(peer.ignores()) == 1
    reduced = us.tcb.status().ssthresh
    peer.sends(ACK | echo, ack=1 + us.tcb.snd_mss, ts=(3, original))
    assert us.counted("recoveries-undone") == (0 if echo else 1)
    assert (us.tcb.status().ssthresh == reduced) is bool(echo)
    peer.sends(ACK, ack=1 + 2 * us.tcb.snd_mss, ts=(4, original))
    assert us.counted("recoveries-undone") == (0 if echo else 1)


# -- Super-segments ----------------------------------------------------------------------------------


def test_cwr_on_a_super_segment_belongs_to_its_first_segment() -> None:
    """RFC 3168 §6.1.2; the device that cuts it is told so (virtio 1.2 §5.1.6.2)."""
    us, peer = agreed(offload=True)
    us.sends(bytes(100))
    peer.receives(ACK, length=100)
    peer.sends(ACK | ECE, ack=101)
    us.tcb.congestion.cwnd = 10 * MSS
    us.tcb.send(bytes(4 * MSS), us.now)
    us.host.flush(us.now)
    header = virtio.parse(us.host.outbox[0][0])
    assert isinstance(header, virtio.NetHeader)
    assert header.gso_type == virtio.GSO_TCPV4 | virtio.GSO_ECN
    assert peer.receives(ACK | CWR, seq=101, length=4 * MSS).ecn == ECT_0


# -- DCTCP (RFC 8257) --------------------------------------------------------------------------------

DCTCP = replace(PLAIN, congestion_control="dctcp")


def test_dctcp_asks_for_ecn() -> None:
    us, peer = meet(DCTCP)
    us.connects()
    peer.receives(SYN | ECE | CWR)


def test_dctcp_echoes_each_mark_exactly() -> None:
    """RFC 8257 §3.2: at a change, what came before is acknowledged with the old echo."""
    us, peer = agreed(DCTCP)
    with us.one_batch():
        for mark in (ECT_0, CE, CE, ECT_0):
            peer.sends(ACK, data=bytes(100), ecn=mark)
    peer.receives(ACK, ack=101)
    peer.receives(ACK | ECE, ack=301)
    peer.receives(ACK, ack=401)
    peer.hears_nothing(1.0)


def test_dctcp_reduces_by_what_was_marked() -> None:
    """RFC 8257 §3.3: alpha is a mean of the fraction that was marked."""
    us, peer = agreed(DCTCP)
    us.tcb.congestion.cwnd = 64 * MSS
    us.tcb.congestion.ssthresh = 10 * MSS
    us.tcb.congestion.alpha = 0.0  # type: ignore[attr-defined]
    us.tcb.snd_wnd = us.tcb.max_snd_wnd = 1 << 20
    us.sends(bytes(128 * MSS))
    peer.sends(ACK, ack=1 + 16 * MSS)  # ends the first observation window
    before = us.tcb.congestion.cwnd
    peer.sends(ACK | ECE, ack=1 + 32 * MSS)
    assert us.tcb.congestion.cwnd == before, "nothing was marked in the window before"
    assert us.counted("ecn-reductions") == 1


# -- A path that marks -------------------------------------------------------------------------------


class MarkingQueue(Impairment):
    """A bottleneck of 10 Mbit/s that marks what finds more than ``threshold`` seconds of queue before it."""

    def __init__(self, threshold: float, *, marks: bool = True) -> None:
        super().__init__(Conditions(delay=0.01, rate=10e6, queue=100))
        self.threshold = threshold
        self.marks = marks
        self.longest = 0.0

    def put(self, packet: bytes, now: float) -> None:
        waits = max(self._line[-1] - now, 0.0) if self._line else 0.0
        self.longest = max(self.longest, waits)
        if waits > self.threshold and packet[1] & 3 == ECT_0 and self.marks:
            header = ipv4.parse(packet)
            assert not isinstance(header, Malformed)
            payload = packet[header.header_length :]
            packet = ipv4.emit(header._replace(tos=CE), len(payload)) + payload
        super().put(packet, now)


def transfer(queue: MarkingQueue, settings: Settings, size: int) -> tuple[Host, Host]:
    """``size`` bytes through ``queue``; returns sender and receiver."""
    config = HostConfig(settings=settings)
    secret = b"a secret of 16 bytes or more"
    client = Host([OURS[4]], secret=secret, config=config, offload=True)
    server = Host([THEIRS[4]], secret=secret, config=config, offload=True)
    network = Network(now=START)
    network.link(client, server, queue, Impairment(Conditions(delay=0.01)))
    listener = server.listen(80)
    connection = client.connect(THEIRS[4], 80, START)
    connection.send(bytes(size), START)
    assert network.run_until(lambda: listener.pending, START + 1)
    child = listener.accept()
    assert child is not None
    arrived = 0

    def read(now: float) -> None:
        nonlocal arrived
        server.woken.clear()
        server.woken_listeners.clear()
        child.pending = 0
        arrived += len(child.receive(1 << 20, now))

    network.install(server, read)
    assert network.run_until(lambda: arrived == size, START + 10)
    return client, server


@pytest.mark.parametrize("controller", ["cubic", "reno", "dctcp"])
def test_a_queue_that_marks_never_has_to_drop(controller: str) -> None:
    """What ECN is for (RFC 3168 §1): congestion is answered, and nothing is lost or sent again."""
    queue = MarkingQueue(0.02)
    client, server = transfer(queue, Settings(ecn="on", congestion_control=controller), 4_000_000)
    assert client.stats["ecn-reductions"] >= 2
    assert server.stats["ecn-marks-received"] >= client.stats["ecn-reductions"]
    assert queue.counts["queue-full"] == client.stats["retransmissions"] == 0
    dropping = MarkingQueue(0.02, marks=False)
    client, _ = transfer(dropping, Settings(ecn="on", congestion_control="reno"), 4_000_000)
    assert client.stats["retransmissions"] > 0
    assert queue.longest < dropping.longest
