"""What hosts may choose in TCP Fast Open: keys, doing without cookies, the option's former form, what is repeated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, meet
from usertcp.stack.host import HostConfig
from usertcp.tcp.fast_open import FastOpenOutcome
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, PSH, RST, SYN, Options

COOKIE = b"a cookie"
KEYS = (bytes(range(16)), bytes(16))


def server(settings: Settings = PLAIN, *, fast_open: int = 8, **config: object) -> tuple[Us, Peer]:
    us, peer = meet(config=HostConfig(settings=settings, **config))  # type: ignore[arg-type]
    us.listens(fast_open=fast_open)
    return us, peer


def given(peer: Peer) -> bytes:
    """The cookie that the peer gets when it asks for one."""
    peer.sends(SYN, seq=0, fast_open=b"")
    cookie = peer.receives(SYN | ACK, seq=0, ack=1).options.fast_open
    peer.sends(RST, seq=1)
    return cookie or b""


# -- Keys ----------------------------------------------------------------------------------------------


def test_servers_with_the_same_key_give_the_same_cookies() -> None:
    cookies = [given(server(fast_open_keys=keys)[1]) for keys in (KEYS, KEYS[:1], KEYS[1:])]
    assert cookies[0] == cookies[1] != cookies[2]


def test_a_cookie_of_the_other_key_is_right_and_replaced() -> None:
    old = given(server(fast_open_keys=KEYS[1:])[1])
    us, peer = server(fast_open_keys=KEYS)
    new = given(peer)
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=old)
    assert peer.receives(SYN | ACK, seq=0, ack=6).options.fast_open == new
    us.tcb = us.accepts()
    assert us.reads() == b"GET /"


def test_a_listener_may_have_keys_of_its_own() -> None:
    us, peer = server(fast_open_keys=KEYS)
    assert us.listener is not None
    us.listener.fast_open_keys = KEYS[1:]
    assert given(peer) == given(server(fast_open_keys=KEYS[1:])[1])


# -- Without cookies -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cookie", [None, b"", COOKIE])
def test_a_server_may_take_data_without_cookies(cookie: bytes | None) -> None:
    us, peer = server(replace(PLAIN, fast_open_server_cookie=False))
    peer.sends(SYN, seq=0, data=b"GET /", fast_open=cookie)
    assert peer.receives(SYN | ACK, seq=0, ack=6).options.fast_open is None
    us.tcb = us.accepts()
    assert us.state is State.SYN_RECEIVED
    assert us.tcb.fast_open_outcome is FastOpenOutcome.TAKEN
    assert us.reads() == b"GET /"


def test_without_cookies_a_syn_without_data_is_a_plain_one() -> None:
    us, peer = server(replace(PLAIN, fast_open_server_cookie=False))
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.listener is not None
    assert us.listener.accept() is None


@pytest.mark.parametrize(("settings", "places"), [(PLAIN, 8), (replace(PLAIN, fast_open_server_cookie=False), 0)])
def test_otherwise_data_without_a_cookie_waits_for_the_handshake(settings: Settings, places: int) -> None:
    us, peer = server(settings, fast_open=places)
    peer.sends(SYN, seq=0, data=b"GET /")
    peer.receives(SYN | ACK, seq=0, ack=1)
    assert us.listener is not None
    assert us.listener.accept() is None


def test_a_client_may_send_data_without_a_cookie() -> None:
    us, peer = meet(replace(PLAIN, fast_open_client_cookie=False))
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, data=b"GET /").options.fast_open is None
    peer.sends(SYN | ACK, seq=0, ack=6)
    peer.receives(ACK, seq=6, ack=1)
    assert us.tcb.fast_open_outcome is FastOpenOutcome.TAKEN


# -- The former experiment -------------------------------------------------------------------------------


def asked_by_experiment() -> tuple[Us, Peer]:
    """Our host asked a server that does not know the option, and asks again."""
    us, peer = meet(config=HostConfig(settings=PLAIN, fast_open_experiment=True))
    us.connects(b"GET /")
    assert peer.receives(SYN, seq=0, length=0).options.fast_open == b""
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK | PSH)
    again(us, peer)
    return us, peer


def again(us: Us, peer: Peer) -> None:
    us.aborts()
    peer.ignores()
    peer.snd_nxt = peer.rcv_nxt = 0
    us.connects(b"GET /")


def test_a_server_that_gives_no_cookie_is_asked_by_the_experiment() -> None:
    us, peer = asked_by_experiment()
    options = peer.receives(SYN, seq=0, length=0).options
    assert (options.fast_open, options.fast_open_experiment) == (None, b"")
    peer.sends(SYN | ACK, seq=0, ack=1, options=Options(mss=1460, fast_open_experiment=COOKIE))
    peer.receives(ACK | PSH)
    again(us, peer)
    options = peer.receives(SYN, seq=0, data=b"GET /").options
    assert (options.fast_open, options.fast_open_experiment) == (None, COOKIE)


def test_one_that_knows_neither_is_asked_by_turns() -> None:
    us, peer = asked_by_experiment()
    assert peer.receives(SYN, seq=0, length=0).options.fast_open_experiment == b""
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK | PSH)
    again(us, peer)
    assert peer.receives(SYN, seq=0, length=0).options.fast_open == b""


def test_whoever_asks_by_the_experiment_is_answered_so() -> None:
    us, peer = server()
    peer.sends(SYN, seq=0, options=Options(mss=1460, fast_open_experiment=b""))
    options = peer.receives(SYN | ACK, seq=0, ack=1).options
    assert options.fast_open is None
    assert options.fast_open_experiment
    peer.sends(RST, seq=1)
    peer.sends(SYN, seq=0, data=b"GET /", options=Options(mss=1460, fast_open_experiment=options.fast_open_experiment))
    assert peer.receives(SYN | ACK, seq=0, ack=6).options.fast_open_experiment is None
    assert us.accepts().early


# -- The rest ------------------------------------------------------------------------------------------


def known_server(settings: Settings, **config: object) -> tuple[Us, Peer]:
    us, peer = meet(config=HostConfig(settings=settings, **config))  # type: ignore[arg-type]
    us.connects(b"GET /")
    assert us.tcb.fast_open_outcome is FastOpenOutcome.NO_COOKIE
    peer.receives(SYN, seq=0, length=0)
    peer.sends(SYN | ACK, seq=0, ack=1, mss=1000, fast_open=COOKIE)
    peer.receives(ACK | PSH)
    again(us, peer)
    return us, peer


def test_data_may_leave_room_for_all_options() -> None:
    us, peer = known_server(replace(PLAIN, syn_data_reserve=40))
    us.aborts()
    peer.ignores()
    us.connects(bytes(2000))
    peer.receives(SYN, seq=0, length=960)


def test_without_a_penalty_what_failed_is_tried_again() -> None:
    us, peer = known_server(PLAIN, fast_open_penalty=0.0)
    for _ in range(2):
        peer.receives(SYN, seq=0, data=b"GET /")
        peer.sends(SYN | ACK, seq=0, ack=1)
        peer.receives(ACK | PSH, seq=1, data=b"GET /")
        assert us.tcb.fast_open_outcome is FastOpenOutcome.NOT_ACKNOWLEDGED
        again(us, peer)


def test_a_repeated_syn_is_told_from_data_that_was_not_taken() -> None:
    us, peer = known_server(PLAIN)
    peer.receives(SYN, seq=0, data=b"GET /")
    peer.receives(SYN, seq=0, length=0, after=1.0)
    peer.sends(SYN | ACK, seq=0, ack=1)
    assert us.tcb.fast_open_outcome is FastOpenOutcome.REPEATED


def answered_early(settings: Settings) -> tuple[Us, Peer]:
    us, peer = server(replace(settings, fast_open_server_cookie=False))
    peer.sends(SYN, seq=0, data=b"GET /", sack=True)
    peer.receives(SYN | ACK, seq=0, ack=6)
    us.tcb = us.accepts()
    us.sends(b"200 OK")
    peer.receives(ACK, seq=1, ack=6, data=b"200 OK")
    return us, peer


def test_early_data_is_no_tail() -> None:
    """The SYN,ACK's timer is the only one: no probe repeats what nobody can acknowledge."""
    _, peer = answered_early(Settings())
    peer.hears_nothing(0.99)
    peer.receives(SYN | ACK, seq=0, ack=6, length=0, after=0.01)


def test_early_data_may_wait_for_the_end_of_the_handshake() -> None:
    _, peer = answered_early(replace(PLAIN, early_data_waits=True))
    peer.receives(SYN | ACK, seq=0, ack=6, length=0, after=1.0)
    peer.hears_nothing()
    peer.sends(ACK, seq=6, ack=1)
    peer.receives(ACK | PSH, seq=1, ack=6, data=b"200 OK")
