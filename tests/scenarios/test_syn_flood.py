"""SYN floods: a bounded backlog, then SYN cookies (RFC 4987 §3.6)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.scenarios.driver import OUR_PORT, OURS, PLAIN, Peer, Us, meet
from usertcp.stack.host import HostConfig
from usertcp.stack.syn_cookies import LIFETIME
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire import ipv4, tcp
from usertcp.wire.tcp import ACK, CWR, ECE, FIN, RST, SYN, Options, Segment

MODERN = Settings(receive_buffer=1 << 20)


def spoofed_syns(count: int) -> Iterator[bytes]:
    """SYNs from so many hosts, each with the options of a modern system."""
    options = Options(mss=1460, window_scale=7, sack_permitted=True)
    for number in range(count):
        src = (0x0A000000 + number).to_bytes(4, "big")
        segment = Segment(1024 + number % 60000, OUR_PORT, number, 0, SYN, 65535, 0, b"", number, 0, options)
        header = tcp.emit(segment, src, OURS[4])
        yield ipv4.emit(ipv4.Header(src, OURS[4], tcp.PROTOCOL), len(header)) + header


def flood(us: Us, count: int) -> None:
    """The answers go to hosts that never asked, which in this world do not exist."""
    for packet in spoofed_syns(count):
        us.host.packet_arrives(packet, us.now)
        us.host.flush(us.now)
        us.host.outbox.clear()


def flooded(settings: Settings = PLAIN, *, backlog: int = 4, config: HostConfig | None = None) -> tuple[Us, Peer]:
    """The backlog is full of half-open connections with nobody, which keep silent."""
    us, peer = meet(replace(settings, initial_rto=10_000), config=config)
    us.listens(backlog=backlog)
    flood(us, backlog)
    return us, peer


def test_the_backlog_is_full_and_a_cookie_opens_the_connection_all_the_same() -> None:
    us, peer = flooded()
    peer.sends(SYN, seq=0)
    answer = peer.receives(SYN | ACK, seq=0, ack=1, window=65535)
    assert answer.options == Options(mss=1460)
    assert peer.key not in us.host.connections  # nothing is remembered
    peer.hears_nothing(60)  # so nothing is sent again
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    assert us.state is State.ESTABLISHED
    assert [str(step[0]) for step in us.path[-3:]] == ["CLOSED", "LISTEN", "SYN-RECEIVED"]
    us.sends(b"welcome")
    peer.receives(ACK, seq=1, ack=1, data=b"welcome")
    assert (us.counted("syn-cookies-sent"), us.counted("syn-cookies-valid")) == (1, 1)


def test_without_timestamps_only_the_mss_is_agreed_on() -> None:
    """There is nowhere to keep more, so nothing more is promised."""
    us, peer = flooded(MODERN)
    peer.sends(SYN, seq=0, mss=1400, wscale=7, sack=True)
    answer = peer.receives(SYN | ACK, seq=0, ack=1)
    assert answer.options == Options(mss=1460)
    assert answer.ts_val is None
    peer.sends(ACK, seq=1, ack=1, window=500)
    us.tcb = us.accepts()
    status = us.tcb.status()
    assert (status.snd_mss, status.sack, status.timestamps) == (1400, False, False)
    assert (status.snd_wscale, status.rcv_wscale, status.snd_wnd) == (0, 0, 500)


def test_with_timestamps_everything_is_agreed_on() -> None:
    us, peer = flooded(MODERN)
    peer.sends(SYN, seq=0, mss=1400, wscale=7, sack=True, ts=(50, 0))
    answer = peer.receives(SYN | ACK, seq=0, ack=1)
    assert answer.options == Options(mss=1460, window_scale=5, sack_permitted=True)
    assert answer.ts_ecr == 50
    assert answer.ts_val is not None
    us.waits(0.01)
    peer.sends(ACK, seq=1, ack=1, window=500, ts=(60, answer.ts_val))
    us.tcb = us.accepts()
    status = us.tcb.status()
    assert (status.snd_mss, status.sack, status.timestamps) == (1388, True, True)
    assert (status.snd_wscale, status.rcv_wscale, status.snd_wnd) == (7, 5, 500 << 7)
    us.sends(b"x")
    later = peer.receives(ACK, seq=1, ack=1, data=b"x")
    assert later.ts_ecr == 60
    assert later.ts_val is not None
    assert 0 < later.ts_val - answer.ts_val < 64 + 10  # our clock goes on from the cookie's


@pytest.mark.parametrize(("ours", "agreed"), [("passive", True), ("off", False)])
def test_ecn_is_agreed_on_as_well(ours: str, agreed: bool) -> None:
    """RFC 3168 §6.1.1, remembered in the timestamp."""
    us, peer = flooded(replace(MODERN, ecn=ours))
    peer.sends(SYN | ECE | CWR, seq=0, ts=(50, 0))
    answer = peer.receives(SYN | ACK | ECE if agreed else SYN | ACK, seq=0, ack=1)
    assert answer.ts_val is not None
    peer.sends(ACK, seq=1, ack=1, ts=(60, answer.ts_val))
    assert us.accepts().ecn.sends == agreed


@pytest.mark.parametrize("fin", [False, True])
def test_the_ack_of_a_cookie_may_bring_data(fin: bool) -> None:
    """The bare ACK was lost: the next segment says the same."""
    us, peer = flooded()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK | FIN if fin else ACK, seq=1, ack=1, data=b"GET /")
    us.tcb = us.accepts()
    assert us.reads() == b"GET /"
    assert us.state is (State.CLOSE_WAIT if fin else State.ESTABLISHED)


def test_data_that_overtakes_the_ack_of_a_cookie_is_not_refused() -> None:
    us, peer = flooded()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=6, ack=1, data=b" HTTP/1.1")
    peer.hears_nothing()
    peer.sends(ACK, seq=1, ack=1, data=b"GET /")
    peer.sends(ACK, seq=6, ack=1, data=b" HTTP/1.1")
    us.tcb = us.accepts()
    assert us.reads() == b"GET / HTTP/1.1"


@pytest.mark.parametrize("wrong", ["ack", "seq", "late"])
def test_an_ack_that_acknowledges_no_cookie_is_answered_with_a_reset(wrong: str) -> None:
    """RFC 9293 §3.10.7.2, second."""
    us, peer = flooded()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    if wrong == "late":
        us.waits(LIFETIME - 1)
        flood(us, 1000)  # cookies go on
        us.waits(2)
    peer.sends(ACK, seq=2 if wrong == "seq" else 1, ack=2 if wrong == "ack" else 1)
    peer.receives(RST, seq=2 if wrong == "ack" else 1)
    assert us.counted("syn-cookies-failed") == 1
    assert us.counted("syn-cookies-valid") == 0


def test_where_no_cookie_was_sent_none_is_believed() -> None:
    """A cookie of long ago can not be guessed at leisure either: the time without cookies is no time to try."""
    us, peer = flooded()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    us.waits(LIFETIME + 1)
    peer.sends(ACK, seq=1, ack=1)
    peer.receives(RST, seq=1)
    assert us.counted("syn-cookies-failed") == 0


def test_while_the_accept_queue_is_full_nothing_is_promised_and_nothing_refused() -> None:
    us, peer = flooded(backlog=2)
    others = [Peer(us, 9000, 65535, port=50000 + number) for number in range(3)]
    for us.peer in others:
        us.peer.sends(SYN, seq=0)
        us.peer.receives(SYN | ACK)
    for us.peer in others:
        us.peer.sends(ACK, seq=1, ack=1)
        us.peer.hears_nothing()  # the third, too late, will send again
    assert us.counted("accept-queue-full") == 1
    us.peer = peer
    peer.sends(SYN, seq=0)
    peer.hears_nothing()
    assert us.counted("backlog-full") == 1
    us.accepts()
    us.peer = others[2]
    us.peer.sends(ACK, seq=1, ack=1, data=b"me too")
    us.accepts()
    us.tcb = us.accepts()
    assert us.reads() == b"me too"


def test_a_half_open_child_keeps_its_place() -> None:
    """Its SYN,ACK was a promise, whatever cookies have done to the accept queue in the meantime."""
    us, peer = meet()
    us.listens(backlog=1)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    other = us.peer = Peer(us, 9000, 65535, port=50000)
    other.sends(SYN, seq=0)
    other.receives(SYN | ACK)
    other.sends(ACK, seq=1, ack=1)
    us.peer = peer
    peer.sends(ACK, seq=1, ack=1)
    assert us.accepts().remote_port == other.port
    assert us.accepts().remote_port == peer.port


def test_a_peer_whose_mss_no_cookie_can_say_is_dropped() -> None:
    us, peer = flooded()
    peer.sends(SYN, seq=0, mss=100)
    peer.hears_nothing()
    assert us.counted("backlog-full") == 1


def test_without_cookies_a_full_backlog_drops() -> None:
    us, peer = flooded(config=HostConfig(settings=PLAIN, syn_cookies=False))
    peer.sends(SYN, seq=0)
    peer.hears_nothing()
    assert us.counted("backlog-full") == 1


def test_a_handshake_completes_in_a_flood_of_100_000() -> None:
    us, peer = meet(MODERN)
    us.host.trace = None
    us.listens(backlog=128)
    flood(us, 49_000)
    tracemalloc.start()  # only for a while, since it is slow
    peer.sends(SYN, seq=0, wscale=7, sack=True, ts=(50, 0))
    answer = peer.receives(SYN | ACK, seq=0, ack=1)
    assert answer.ts_val is not None
    flood(us, 2_000)
    peer.sends(ACK, seq=1, ack=1, data=b"GET /", ts=(60, answer.ts_val))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    flood(us, 49_000)
    us.tcb = us.accepts()
    assert us.reads() == b"GET /"
    assert held < 50_000
    assert len(us.host.connections) == 128 + 1
    assert us.counted("syn-cookies-sent") >= 99_000
