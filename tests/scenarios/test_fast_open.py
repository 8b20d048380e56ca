"""TCP Fast Open (RFC 7413), with us as the server and as the client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.scenarios.driver import OURS, PLAIN, THEIRS, Peer, Us, meet
from usertcp.stack.fast_open import PERIOD, Server
from usertcp.tcp.errors import ConnectionClosing, ConnectionReset, ConnectionTimedOut
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import Event, State
from usertcp.wire import icmp
from usertcp.wire.tcp import ACK, FIN, PSH, RST, SYN

MODERN = Settings()

# -- The server ----------------------------------------------------------------------------------------


def with_cookie(settings: Settings = PLAIN, *, fast_open: int = 8) -> tuple[Us, Peer, bytes]:
    """The peer has asked for a cookie before, in a connection that is over."""
    us, peer = meet(settings)
    us.listens(fast_open=fast_open)
    peer.sends(SYN, seq=0, fast_open=b"")
    answer = peer.receives(SYN | ACK, seq=0, ack=1)
    assert answer.options.fast_open is not None
    assert len(answer.options.fast_open) == 8
    peer.sends(RST, seq=1)
    return us, peer, answer.options.fast_open


def fast_opened(settings: Settings = PLAIN, flags: int = SYN) -> tuple[Us, Peer]:
    """In SYN-RECEIVED with data."""
    us, peer, cookie = with_cookie(settings)
    peer.sends(flags, seq=0, data=b"GET /", fast_open=cookie)
    peer.receives(SYN | ACK, seq=0, ack=6)
    us.tcb = us.accepts()
    assert us.state is State.SYN_RECEIVED
    return us, peer


def test_data_of_the_syn_is_answered_before_the_handshake_ends() -> None:
    """RFC 7413 §3, and §4.2.2."""
    us, peer = fast_opened()
    assert us.reads() == b"GET /"
    us.sends(b"200 OK")
    peer.receives(ACK, seq=1, ack=6, data=b"200 OK")
    assert us.state is State.SYN_RECEIVED
    peer.sends(ACK, seq=6, ack=7)
    assert us.state is State.ESTABLISHED
    assert us.counted("fast-open-taken") == 1
    peer.sends(ACK, seq=6, ack=7, data=b"more")
    assert us.reads() == b"more"
    assert us.listener is not None
    assert us.listener.accept() is None  # once is enough


def test_the_handshake_may_acknowledge_the_syn_alone() -> None:
    us, peer = fast_opened()
    us.sends(b"200 OK")
    peer.receives(ACK, seq=1, ack=6, data=b"200 OK")
    peer.sends(ACK, seq=6, ack=1)
    assert us.state is State.ESTABLISHED
    peer.hears_nothing()  # what is on its way is not sent again
    peer.sends(ACK, seq=6, ack=7)
    peer.hears_nothing(60)


def test_close_waits_for_the_end_of_the_handshake() -> None:
    """RFC 9293 §3.10.4: queued for processing after entering ESTABLISHED."""
    us, peer = fast_opened()
    us.sends(b"200 OK")
    us.closes()
    peer.receives(ACK, seq=1, ack=6, data=b"200 OK")
    peer.hears_nothing()
    assert us.state is State.SYN_RECEIVED
    with pytest.raises(ConnectionClosing):
        us.sends(b"more")
    peer.sends(ACK, seq=6, ack=7)
    peer.receives(FIN | ACK, seq=7, ack=6)
    assert us.state is State.FIN_WAIT_1


def test_close_without_a_word_waits_too() -> None:
    us, peer = fast_opened()
    us.closes()
    peer.hears_nothing()
    peer.sends(ACK, seq=6, ack=1)
    peer.receives(FIN | ACK, seq=1, ack=6)


def test_a_fin_with_the_syn_waits_for_the_end_of_the_handshake() -> None:
    us, peer = fast_opened(flags=SYN | FIN)
    assert us.reads() == b"GET /"
    assert not us.tcb.at_eof
    peer.sends(ACK, seq=7, ack=1)
    assert us.state is State.CLOSE_WAIT
    assert us.tcb.at_eof


def test_what_the_peer_lost_is_sent_again_without_the_option() -> None:
    """RFC 7413 §4.2.2: the SYN,ACK goes again with neither data nor option; the data follows it."""
    us, peer, _ = with_cookie()
    us.listener.close(us.now)  # type: ignore[union-attr]
    us.listens(fast_open=8)
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=b"")
    assert peer.receives(SYN | ACK, seq=0, ack=1, length=0).options.fast_open
    assert peer.receives(SYN | ACK, seq=0, ack=1, length=0, after=1.0).options.fast_open is None

    us, peer = fast_opened()
    us.sends(b"200 OK")
    peer.receives(ACK, seq=1, ack=6, data=b"200 OK")
    peer.receives(SYN | ACK, seq=0, ack=6, length=0, after=1.0)
    peer.receives(ACK, seq=1, ack=6, data=b"200 OK")


def test_the_syn_again_gets_the_same_answer() -> None:
    """The client did not see our SYN,ACK; its SYN comes without data now, or as it was."""
    us, peer = fast_opened()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=6)
    peer.sends(SYN, seq=0, data=b"GET /")
    peer.receives(SYN | ACK, seq=0, ack=6)
    assert us.reads() == b"GET /"
    peer.sends(ACK, seq=6, ack=1)
    assert us.state is State.ESTABLISHED
    assert us.reads() == b""


def test_a_plain_syn_with_data_that_comes_again_gets_the_same_answer() -> None:
    us, peer = meet()
    us.listens()
    for _ in range(2):
        peer.sends(SYN, seq=0, data=b"GET /")
        peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK, seq=6, ack=1)
    us.tcb = us.accepts()
    assert us.reads() == b"GET /"


def _reset(us: Us, peer: Peer) -> None:
    peer.sends(RST, seq=6)


def _silence(us: Us, peer: Peer) -> None:
    us.waits(300)


@pytest.mark.parametrize(("end", "error"), [(_reset, ConnectionReset), (_silence, ConnectionTimedOut)])
def test_the_application_is_told_how_an_early_connection_ended(
    end: Callable[[Us, Peer], None], error: type[Exception]
) -> None:
    us, peer = fast_opened()
    assert us.reads() == b"GET /"
    end(us, peer)
    assert us.state is State.CLOSED  # and not LISTEN, from where a SEND would open it again
    with pytest.raises(error):
        us.sends(b"200 OK")
    assert us.gone


def test_a_new_syn_does_not_take_an_early_connection_from_its_application() -> None:
    """RFC 5961 §4, as if it were synchronized."""
    us, peer = fast_opened()
    peer.sends(SYN, seq=50)
    peer.receives(ACK, seq=1, ack=6)
    assert us.path[-1] == (State.SYN_RECEIVED, Event.RCV_SYN, State.SYN_RECEIVED)


def test_a_wrong_cookie_gets_a_right_one_and_the_data_waits() -> None:
    us, peer, cookie = with_cookie()
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=bytes(8))
    assert peer.receives(SYN | ACK, seq=0, ack=1).options.fast_open == cookie
    assert us.listener is not None
    assert us.listener.accept() is None
    assert us.counted("fast-open-invalid") == 1
    peer.sends(ACK, seq=1, ack=1, data=b"GET /")
    us.tcb = us.accepts()
    assert us.reads() == b"GET /"


def test_an_old_cookie_is_taken_and_replaced() -> None:
    us, peer, cookie = with_cookie()
    us.waits(PERIOD)
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=cookie)
    new = peer.receives(SYN | ACK, seq=0, ack=6).options.fast_open
    assert new
    assert new != cookie


@pytest.mark.parametrize("off", ["listener", "settings"])
def test_where_it_is_off_the_option_is_ignored(off: str) -> None:
    """RFC 7413 §4.2: FastOpenEnabled."""
    us, peer = meet(replace(PLAIN, fast_open=off != "settings"))
    us.listens(fast_open=0 if off == "listener" else 8)
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=b"")
    assert peer.receives(SYN | ACK, seq=0, ack=1).options.fast_open is None


def test_too_many_pending_requests_turn_it_off_and_resets_do_not_turn_it_on() -> None:
    """RFC 7413 §4.2 and §5.1."""
    us, peer, cookie = with_cookie(fast_open=1)
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=cookie)
    peer.receives(SYN | ACK, seq=0, ack=6)
    peer.sends(RST, seq=6)
    other = us.peer = Peer(us, 9000, 65535, port=50000)
    other.sends(SYN, seq=0, data=b"GET /", fast_open=cookie)
    assert other.receives(SYN | ACK, seq=0, ack=1).options.fast_open is None
    assert us.counted("fast-open-held-back") == 1
    other.sends(RST, seq=1)
    us.waits(60)
    other.sends(SYN, seq=0, data=b"GET /", fast_open=cookie)
    other.receives(SYN | ACK, seq=0, ack=6)


# -- The client ----------------------------------------------------------------------------------------

COOKIE = b"a cookie"


def known_server(settings: Settings = PLAIN, *, mss: int = 1460, **how: int) -> tuple[Us, Peer]:
    """Our host has a cookie from an earlier connection."""
    us, peer = meet(settings, **how)  # type: ignore[arg-type]
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, length=0).options.fast_open == b""
    peer.sends(SYN | ACK, seq=0, ack=1, mss=mss, fast_open=COOKIE)
    peer.receives(ACK | PSH, seq=1, ack=1, data=b"GET /")
    us.aborts()
    peer.receives(RST)
    peer.snd_nxt = peer.rcv_nxt = 0
    return us, peer


def test_the_first_time_we_ask_for_a_cookie_and_then_data_goes_with_the_syn() -> None:
    """RFC 7413 §3: the whole story."""
    us, peer = known_server()
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, data=b"GET /").options.fast_open == COOKIE
    peer.sends(SYN | ACK, seq=0, ack=6, data=b"200 OK")
    assert us.state is State.ESTABLISHED
    peer.receives(ACK, seq=6, ack=7)
    assert us.reads() == b"200 OK"
    assert us.counted("fast-open-data-sent") == 1
    assert us.counted("fast-open-data-refused") == 0
    peer.hears_nothing(60)


def test_without_data_nothing_is_tried() -> None:
    us, peer = known_server()
    us.connects()
    assert peer.receives(SYN, seq=0, length=0).options.fast_open is None


def test_where_it_is_off_the_data_goes_after_the_handshake() -> None:
    us, peer = meet(replace(PLAIN, fast_open=False))
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, length=0).options.fast_open is None
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK | PSH, seq=1, ack=1, data=b"GET /")


@pytest.mark.parametrize(
    ("settings", "family", "mss", "most"),
    # 4 bytes for the MSS, 10 for the cookie, 2 to fill up: the options count (RFC 6691)
    [(PLAIN, 4, 1000, 984), (PLAIN, 4, 9000, 1444), (PLAIN, 6, 9000, 1424), (MODERN, 4, 1460, 1428)],
)
@pytest.mark.parametrize("offload", [False, True])
def test_the_syn_takes_what_fits_into_one_segment_of_the_server(
    settings: Settings, family: int, mss: int, most: int, offload: bool
) -> None:
    """RFC 7413 §4.1.3, and what is left follows after the handshake."""
    us, peer = known_server(replace(settings, sack=False), mss=mss, family=family, offload=offload)
    us.connects(bytes(1500))
    peer.receives(SYN, seq=0, length=most)
    peer.sends(SYN | ACK, seq=0, ack=1 + most, mss=mss)
    peer.receives(ACK | PSH, seq=1 + most, ack=1, length=1500 - most)


@pytest.mark.parametrize(("more", "fits"), [(False, True), (True, False)])
def test_a_cookie_that_leaves_no_room_for_the_other_options_stays_away(more: bool, fits: bool) -> None:
    """RFC 7413 §4.2.2, the client's step 1a."""
    us, peer = meet(replace(MODERN, user_timeout_option=more))
    cookie = bytes(16)
    us.host.fast_open_servers.remember(OURS[4] + THEIRS[4] + (40000).to_bytes(2, "big"), Server(cookie, 1460))
    us.connects(b"GET /")
    assert peer.receives(SYN, length=5 if fits else 0).options.fast_open == (cookie if fits else None)
    peer.sends(SYN | ACK, seq=0, ack=6 if fits else 1)
    assert us.state is State.ESTABLISHED


@pytest.mark.parametrize("taken", [0, 3])
def test_data_that_the_server_did_not_take_goes_with_the_ack(taken: int) -> None:
    """RFC 7413 §4.2.2: no latency penalty."""
    us, peer = known_server()
    us.connects(b"GET /")
    peer.receives(SYN, seq=0, data=b"GET /")
    peer.sends(SYN | ACK, seq=0, ack=1 + taken)
    peer.receives(ACK | PSH, seq=1 + taken, ack=1, data=b"GET /"[taken:])
    peer.hears_nothing()
    assert us.counted("fast-open-data-refused") == 1
    assert us.tcb.congestion.cwnd == us.tcb.congestion.initial_window()  # nothing was lost
    peer.sends(ACK, seq=1, ack=6)
    peer.hears_nothing(60)


def test_a_syn_that_is_not_answered_goes_again_without_option_and_data() -> None:
    """RFC 7413 §4.2.2, and the path is not tried again for a while (§4.1.3.1)."""
    us, peer = known_server()
    us.connects(b"GET /")
    peer.receives(SYN, seq=0, data=b"GET /")
    assert peer.receives(SYN, seq=0, length=0, after=1.0).options.fast_open is None
    assert peer.receives(SYN, seq=0, length=0, after=2.0).options.fast_open is None
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK | PSH, seq=1, ack=1, data=b"GET /")
    us.aborts()
    peer.ignores()
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, length=0).options.fast_open is None
    us.aborts()
    us.waits(us.host.config.fast_open_penalty)
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, length=0).options.fast_open == b""


def test_a_new_cookie_replaces_the_old_one_although_the_data_was_not_taken() -> None:
    us, peer = known_server()
    us.connects(b"GET /")
    peer.receives(SYN, seq=0, data=b"GET /")
    peer.sends(SYN | ACK, seq=0, ack=1, fast_open=b"new one!")
    us.aborts()
    peer.ignores()
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, data=b"GET /").options.fast_open == b"new one!"


@pytest.mark.parametrize("how", ["silence", "icmp"])
def test_a_server_that_cannot_be_reached_is_not_tried_again_for_a_while(how: str) -> None:
    """RFC 7413 §4.1.3.1: most importantly, no answer at all."""
    us, peer = known_server()
    us.connects(b"GET /")
    if how == "silence":
        us.waits(300)
    else:
        assert us.peer.inbox
        peer.reports(icmp.Unreachable(icmp.V4_PORT, peer.inbox[0].packet))
    assert us.gone
    peer.ignores()
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, length=0).options.fast_open is None


def test_simultaneous_open_with_data_in_our_syn() -> None:
    """RFC 7413 §4.2.2: the protocol remains the same."""
    us, peer = known_server()
    us.connects(b"GET /")
    peer.receives(SYN, seq=0, data=b"GET /")
    peer.sends(SYN, seq=0)
    assert peer.receives(SYN | ACK, seq=0, ack=1, length=0).options.fast_open is None
    peer.sends(ACK, seq=1, ack=1)
    assert us.state is State.ESTABLISHED
    us.waits(2)
    assert any(bytes(segment.payload) == b"GET /" for segment in peer.ignores())


def test_more_data_than_the_send_buffer_takes_is_refused() -> None:
    us, _ = meet(replace(PLAIN, send_buffer=100))
    with pytest.raises(ValueError, match="send buffer"):
        us.connects(bytes(101))
    assert not us.host.connections


def test_addresses_of_the_cache_are_those_of_the_path() -> None:
    us, _ = known_server()
    path = OURS[4] + THEIRS[4] + (40000).to_bytes(2, "big")
    assert us.host.fast_open_servers.find(path, us.now) == Server(COOKIE, 1460)
