"""The path's MTU: what ICMP says of it (RFC 1191, RFC 8201, RFC 5927 §7), and without ICMP (RFC 4821)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.scenarios.driver import OUR_PORT, OURS, PLAIN, START, THEIRS, Peer, Us, established
from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.stack.host import Host, HostConfig
from usertcp.tcp.connection import Connection
from usertcp.tcp.events import Kind
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire import icmp
from usertcp.wire.tcp import ACK

MSS = 1460
NO_SACK = replace(PLAIN, sack=False)


def sent(peer: Peer) -> list[bytes]:
    """The packets of ours that wait to be looked at."""
    peer.us.settle()
    return [arrival.packet for arrival in peer.inbox]


def too_big(peer: Peer, packet: bytes, mtu: int) -> None:
    """A router cannot forward ``packet``."""
    peer.reports(icmp.PacketTooBig(mtu, packet[:48] if peer.family == 4 else packet[:100]))


# -- ICMP packet too big -----------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "mtu", "mss"), [(4, 1400, 1360), (6, 1400, 1340), (6, 1280, 1220)])
def test_what_was_too_large_goes_out_again_at_once(family: int, mtu: int, mss: int) -> None:
    """RFC 1191 §6.4, RFC 8201 §5.4: no timer is waited for, and the congestion window stays as it is."""
    us, peer = established(NO_SACK, mss=1440, family=family)
    us.sends(bytes(3 * 1440))
    first = sent(peer)[0]
    ssthresh = us.tcb.congestion.ssthresh
    peer.ignores()
    too_big(peer, first, mtu)
    for number in range(3):
        # Each of the old segments is cut in two.
        peer.receives(ACK, seq=1 + number * 1440, length=mss)
        peer.receives(ACK, seq=1 + number * 1440 + mss, length=1440 - mss)
    assert us.tcb.congestion.cwnd >= 9 * mss
    assert us.tcb.congestion.ssthresh == ssthresh
    assert us.tcb.status().path_mtu == mtu
    assert us.tcb.status().snd_mss == mss
    assert us.counted("path-mtu-reduced") == 1


def test_a_router_may_be_believed_whatever_it_quotes() -> None:
    """RFC 5927 §7.2's checks can be turned off: the segment that is quoted was small enough."""
    for checks in (True, False):
        us, peer = established(replace(NO_SACK, path_mtu_checks=checks), mss=1440)
        us.sends(b"x")
        too_big(peer, sent(peer)[0], 1000)
        peer.ignores()
        assert us.tcb.status().path_mtu == (1500 if checks else 1000)
        us.sends(bytes(2000))
        peer.receives(ACK, seq=2, length=1440 if checks else 960)


def test_what_was_small_enough_is_not_sent_again() -> None:
    us, peer = established(replace(NO_SACK, path_mtu_checks=False), mss=900)
    us.sends(bytes(1800))
    first = sent(peer)[0]
    peer.ignores()
    too_big(peer, first, 1000)
    peer.hears_nothing()
    assert us.tcb.status().path_mtu == 1000
    assert us.tcb.status().snd_mss == 900


def test_one_retransmission_for_a_burst_of_messages() -> None:
    """RFC 1191 §6.4: "MUST not retransmit in response to every Datagram Too Big message"."""
    us, peer = established(NO_SACK)
    us.sends(bytes(3 * MSS))
    packets = sent(peer)
    peer.ignores()
    too_big(peer, packets[0], 1400)
    peer.ignores()
    too_big(peer, packets[1], 1400)
    too_big(peer, packets[2], 1400)
    peer.hears_nothing()
    assert us.counted("packet-too-big-ignored") == 2


def test_a_narrower_hop_behind_the_first() -> None:
    us, peer = established(NO_SACK)
    us.sends(bytes(MSS))
    too_big(peer, sent(peer)[0], 1400)
    packet = sent(peer)[1]
    peer.ignores()
    too_big(peer, packet, 1300)
    assert us.tcb.snd_mss == 1260


def test_a_super_segment_is_cut_again() -> None:
    us, peer = established(NO_SACK, offload=True)
    us.sends(bytes(8 * MSS))
    packet = sent(peer)[0]
    peer.receives(ACK, seq=1, length=8 * MSS)
    too_big(peer, packet, 1400)
    assert us.tcb.gso_payload % 1360 == 0
    peer.receives(ACK, seq=1, length=8 * MSS)
    peer.sends(ACK, ack=1 + 8 * MSS)
    us.sends(bytes(8 * 1360))
    peer.receives(ACK, length=8 * 1360)


def test_only_what_is_outstanding_may_be_quoted() -> None:
    """RFC 5927 §4.1."""
    us, peer = established(NO_SACK)
    us.sends(bytes(MSS))
    packet = sent(peer)[0]
    peer.ignores()
    peer.sends(ACK, ack=1 + MSS)
    too_big(peer, packet, 1400)
    assert us.tcb.path_mtu == 1500
    assert us.counted("icmp-not-outstanding") == 1


@pytest.mark.parametrize(("family", "mtu"), [(4, 1500), (4, 9000), (6, 1279), (6, 0), (6, 68)])
def test_what_cannot_be_true_is_ignored(family: int, mtu: int) -> None:
    """RFC 5927 §7.2: not smaller than what we sent; RFC 8201 §4: less than IPv6's minimum."""
    us, peer = established(NO_SACK, mss=1440, family=family)
    us.sends(bytes(1440))
    packet = sent(peer)[0]
    peer.ignores()
    too_big(peer, packet, mtu)
    assert us.tcb.path_mtu == 1500
    peer.hears_nothing()


def test_a_small_segment_can_not_have_been_too_big() -> None:
    """RFC 5927 §7.2: a claim must be less than what it was made about."""
    us, peer = established(NO_SACK)
    us.sends(b"a few bytes")
    packet = sent(peer)[0]
    too_big(peer, packet, 600)
    assert us.tcb.path_mtu == 1500


def test_ipv4_does_not_go_below_552() -> None:
    us, peer = established(NO_SACK)
    us.sends(bytes(MSS))
    too_big(peer, sent(peer)[0], 68)
    assert us.tcb.path_mtu == 552


def test_an_old_router_does_not_say_what_it_takes() -> None:
    """RFC 1191 §5, §7: the next lower of the usual MTUs."""
    us, peer = established(NO_SACK)
    us.sends(bytes(MSS))
    too_big(peer, sent(peer)[0], 0)
    assert us.tcb.path_mtu == 1492
    too_big(peer, sent(peer)[1], 0)
    assert us.tcb.path_mtu == 1006


def progressed(settings: Settings = NO_SACK) -> tuple[Us, Peer, bytes]:
    """A connection whose full-sized segments arrive, with one outstanding: its packet."""
    us, peer = established(settings)
    us.sends(bytes(MSS))
    peer.receives(ACK)
    peer.sends(ACK, ack=1 + MSS)
    us.sends(bytes(MSS))
    packet = sent(peer)[0]
    peer.receives(ACK)
    return us, peer, packet


def test_a_claim_against_the_evidence_waits_for_a_timeout() -> None:
    """RFC 5927 §7.2: segments of that size have arrived, so the segment it quotes may arrive as well."""
    us, peer, packet = progressed()
    too_big(peer, packet, 1400)
    peer.hears_nothing()
    assert us.tcb.path_mtu == 1500
    peer.receives(ACK, seq=1 + MSS, length=1360, after=us.tcb.rtt.rto)
    assert us.tcb.path_mtu == 1400


def test_a_claim_against_the_evidence_is_forgotten_when_there_is_progress() -> None:
    """RFC 5927 §7.2."""
    us, peer, packet = progressed()
    too_big(peer, packet, 1400)
    peer.sends(ACK, ack=1 + 2 * MSS)
    us.sends(bytes(MSS))
    peer.receives(ACK)
    peer.receives(ACK, seq=1 + 2 * MSS, length=MSS, after=us.tcb.rtt.rto)
    assert us.tcb.path_mtu == 1500


def test_a_claim_about_what_was_sent_again_is_believed() -> None:
    """RFC 5927 §7.2: "only after the corresponding data have been retransmitted"."""
    us, peer, packet = progressed()
    peer.receives(ACK, seq=1 + MSS, length=MSS, after=us.tcb.rtt.rto)
    too_big(peer, packet, 1400)
    assert us.tcb.path_mtu == 1400


def test_new_connections_begin_with_what_was_found() -> None:
    """RFC 1191 §6.2; the MSS option is about what we can receive, and stays as it is (§6.4)."""
    us, peer = established(NO_SACK)
    us.sends(bytes(MSS))
    too_big(peer, sent(peer)[0], 1400)
    peer.ignores()
    other = us.host.connect(THEIRS[4], 9, us.now)
    us.settle()
    syn = peer.ignores()[0]
    assert syn.options.mss == 1460
    assert other.path_mtu == 1400
    us.now += 601
    assert us.host.connect(THEIRS[4], 10, us.now).path_mtu == 1500


def test_after_ten_minutes_the_full_size_is_tried_again() -> None:
    """RFC 1191 §6.3."""
    us, peer = established(NO_SACK)
    us.sends(bytes(MSS))
    too_big(peer, sent(peer)[0], 1400)
    peer.ignores()
    peer.sends(ACK, ack=1 + MSS)
    us.waits(599.0)
    us.sends(bytes(1360))
    peer.receives(ACK, length=1360)
    peer.sends(ACK)
    us.waits(2.0)
    us.sends(bytes(MSS))
    peer.receives(ACK, length=MSS)


def test_what_a_watcher_is_told() -> None:
    us, peer = established(NO_SACK)
    us.sends(bytes(MSS))
    too_big(peer, sent(peer)[0], 1400)
    (event,) = [event for event in us.events if event[0] == Kind.PATH_MTU]
    assert event == (
        Kind.PATH_MTU, START, us.tcb.number, "a router on the path takes no larger packets", 1400, 1360
    )  # fmt: skip


# -- Without ICMP ------------------------------------------------------------------------------------


class Narrow(Impairment):
    """A path that swallows packets of more than ``mtu`` bytes without a word."""

    def __init__(self, mtu: int) -> None:
        super().__init__(Conditions(delay=0.01, rate=5e6, queue=100))
        self.mtu = mtu
        #: The sizes of what got through, and of what did not.
        self.passed: list[int] = []
        self.swallowed: list[int] = []

    def put(self, packet: bytes, now: float) -> None:
        if len(packet) > self.mtu:
            self.swallowed.append(len(packet))
        else:
            self.passed.append(len(packet))
            super().put(packet, now)


class Download:
    """``client`` sends without end to ``server``, over a path that may change on the way."""

    def __init__(self, mtu: int, settings: Settings | None = None, *, family: int = 4, offload: bool = False) -> None:
        config = HostConfig(settings=settings or Settings())
        secret = b"a secret of 16 bytes or more"
        self.client = Host([OURS[family]], secret=secret, config=config, offload=offload)
        self.server = Host([THEIRS[family]], secret=secret, config=config)
        self.network = Network(now=START)
        self.there = Narrow(mtu)
        self.network.link(self.client, self.server, self.there, Impairment(Conditions(delay=0.01)))
        self.network.install(self.server, self._serve)
        self.network.install(self.client, self._feed)
        self.listener = self.server.listen(OUR_PORT)
        self.arrived = 0
        self.connection = self.client.connect(THEIRS[family], OUR_PORT, START)
        self._accepted: list[Connection] = []

    def _serve(self, now: float) -> None:
        self.server.woken_listeners.clear()
        self.listener.pending = False
        while (child := self.listener.accept()) is not None:
            self._accepted.append(child)
        self.server.woken.clear()
        for child in self._accepted:
            child.pending = 0
            while data := child.receive(1 << 20, now):
                self.arrived += len(data)

    def _feed(self, now: float) -> None:
        self.client.woken.clear()
        self.connection.pending = 0
        if self.connection.state is State.ESTABLISHED:
            self.connection.send(bytes(self.connection.send_room + 1), now)  # what does not fit has us woken

    def runs(self, seconds: float) -> None:
        self.network.run(self.network.now + seconds)

    def runs_until(self, what: Callable[[], bool], limit: float) -> None:
        assert self.network.run_until(what, self.network.now + limit)


@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize(("family", "mtu"), [(4, 1492), (4, 1400), (4, 1100), (6, 1400), (6, 1280)])
def test_a_black_hole_is_found_and_then_how_wide_the_path_is(family: int, mtu: int, offload: bool) -> None:
    """RFC 4821 §7.7: small segments after two timeouts; §7.3, §7.6: probes find what passes."""
    download = Download(mtu, family=family, offload=offload)
    download.runs(10.0)
    stats = download.client.stats
    assert stats["path-mtu-black-holes"] == 1
    assert mtu - 8 < download.connection.path_mtu <= mtu
    assert download.connection.path.search_at > download.network.now + 500
    assert stats["path-mtu-probes-lost"] <= 8
    assert download.arrived > 100_000
    # Other connections begin with it.
    assert download.client.path_mtus.get(THEIRS[family], download.network.now).mtu == download.connection.path_mtu


def test_a_lost_probe_is_no_congestion() -> None:
    """RFC 4821 §7.5: neither the window nor the rate suffers."""
    download = Download(1300)
    connection = download.connection
    download.runs_until(lambda: connection.path.probe is not None, 10.0)
    cwnd = connection.congestion.cwnd
    losses = download.client.stats["path-mtu-probes-lost"]
    download.runs_until(lambda: download.client.stats["path-mtu-probes-lost"] > losses, 1.0)
    assert connection.congestion.cwnd >= cwnd
    assert connection.recovery.state.value in ("open", "disorder")
    timeouts = download.client.stats["retransmission-timeouts"]
    download.runs(5.0)
    assert download.client.stats["retransmission-timeouts"] == timeouts


def test_a_router_that_answers_a_probe_ends_the_search_sooner() -> None:
    """RFC 4821 §7.6.2: "search_high and eff_pmtu MAY be set from the MTU value indicated in the message"."""
    us, peer = established(replace(PLAIN, tlp=False), sack=True, round_trip=0.05)
    us.sends(bytes(MSS))
    too_big(peer, sent(peer)[0], 1000)
    us.waits(0.05)
    peer.sends(ACK, ack=1 + MSS)
    peer.ignores()
    us.tcb.path.search_at = us.now  # instead of ten minutes
    us.sends(bytes(9 * 960))
    probe = sent(peer)[0]
    assert len(probe) == 1500
    peer.ignores()
    too_big(peer, probe, 1400)
    assert us.tcb.path.high == 1400
    assert us.tcb.congestion.cwnd >= 10 * 960, "no congestion"
    us.waits(0.05)
    peer.sends(ACK, ack=peer.rcv_nxt)
    peer.sends(ACK, ack=peer.rcv_nxt)
    peer.ignores()
    us.sends(bytes(12 * 960))
    assert len(sent(peer)[0]) == 1400
    peer.ignores()


def test_a_path_that_becomes_wider_is_noticed_after_ten_minutes() -> None:
    """RFC 8899 §5.1.1, PMTU_RAISE_TIMER."""
    download = Download(1400)
    download.runs(10.0)
    assert download.connection.path_mtu < 1500
    download.there.mtu = 1500
    download.connection.path.search_at = download.network.now + 1.0  # instead of simulating ten minutes of bulk data
    download.runs(2.0)
    assert download.connection.path_mtu == 1500
    assert download.connection.snd_mss == 1448
    assert len(download.client.path_mtus) == 0


def test_an_outage_is_not_a_black_hole_for_long() -> None:
    """All segments vanish for a while: afterwards the first probe has the full size."""
    download = Download(1500)
    download.runs(0.5)
    download.there.mtu = 0
    download.runs(2.5)
    assert download.client.stats["path-mtu-black-holes"] == 1
    download.there.mtu = 1500
    download.runs(3.0)
    assert download.connection.path_mtu == 1500
    assert download.client.stats["path-mtu-probes"] == 1


def test_without_probing_a_black_hole_stays_one() -> None:
    download = Download(1400, Settings(mtu_probing=False))
    download.runs(10.0)
    assert download.connection.path_mtu == 1500
    assert download.arrived == 0


def test_without_sack_small_segments_have_to_do() -> None:
    """RFC 4821 §7.4: the loss of one probe could not be told from congestion."""
    download = Download(1400, Settings(sack=False))
    download.runs(10.0)
    assert download.connection.path_mtu == 1064
    assert download.client.stats["path-mtu-probes"] == 0
    assert download.arrived > 100_000


def test_very_narrow() -> None:
    """RFC 4821 §7.7: smaller still."""
    download = Download(600)
    download.runs(20.0)
    assert download.arrived > 100_000
    assert 552 <= download.connection.path_mtu <= 600
