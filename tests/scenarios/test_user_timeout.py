"""RFC 9293 §3.9.1.1 and RFC 5482: how long data may stay unacknowledged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, meet
from usertcp.tcp.errors import ConnectionTimedOut
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, SYN

OFFERS = replace(PLAIN, user_timeout_option=True)


def _ends_after(us: Us, peer: Peer) -> float:
    """Data is sent and never acknowledged: how long it takes to give up."""
    us.sends(b"x")
    began = us.now
    while us.state is not State.CLOSED:
        us.waits(1)
        peer.ignores()
        assert us.now < began + 200_000
    assert us.path[-1][1] is Event.USER_TIMEOUT
    return us.now - began


# -- The timeout of our own application --------------------------------------------------------------


@pytest.mark.parametrize("seconds", [20, 300, 3000])
def test_it_takes_the_place_of_r2(seconds: float) -> None:
    """RFC 9293 §3.8.3 (d), §3.10.8: found out by the first retransmission after it, so up to 60 s late."""
    us, peer = established(replace(PLAIN, user_timeout=seconds))
    assert seconds <= _ends_after(us, peer) <= seconds + 61
    assert isinstance(us.tcb.error, ConnectionTimedOut)
    assert us.gone


def test_for_one_connection() -> None:
    us, peer = established()
    us.tcb.user_timeout = 5.0
    assert _ends_after(us, peer) < 15


def test_progress_begins_it_anew() -> None:
    """RFC 5482 §1: for transmitted data that remains unacknowledged."""
    us, peer = established(replace(PLAIN, user_timeout=30))
    for _ in range(10):
        us.sends(b"x")
        us.waits(20)
        peer.ignores()
        peer.sends(ACK)
    assert us.state is State.ESTABLISHED
    us.waits(1000)
    assert us.state is State.ESTABLISHED, "nothing is outstanding"


def test_it_holds_for_a_syn() -> None:
    us, peer = meet(replace(PLAIN, user_timeout=5))
    us.connects()
    us.waits(10)
    assert us.state is State.CLOSED
    assert us.path[-1][1] is Event.USER_TIMEOUT
    peer.ignores()


def test_a_window_that_stays_closed_is_no_excuse() -> None:
    """RFC 9293 §3.8.6.1: without a user timeout it may stay closed for ever, as long as probes are answered."""
    for user_timeout in (None, 30.0):
        us, peer = established(replace(PLAIN, user_timeout=user_timeout), window=0)
        us.sends(b"x")
        for _ in range(100):
            us.waits(10)
            for probe in peer.ignores():
                assert len(probe.payload) == 1
            if us.state is State.CLOSED:
                break
            peer.sends(ACK, ack=1, window=0)
        assert us.state is (State.ESTABLISHED if user_timeout is None else State.CLOSED)


# -- The option --------------------------------------------------------------------------------------


def _offered(settings: Settings) -> int | None:
    us, peer = meet(settings)
    us.connects()
    return peer.receives(SYN).options.user_timeout


def test_our_syn_offers_ours_where_the_switch_is_on() -> None:
    """RFC 5482 §3.3: "SHOULD include a user timeout option in the SYN"; off by default."""
    assert _offered(PLAIN) is None
    assert _offered(OFFERS) == 900
    assert _offered(replace(OFFERS, user_timeout=45.0)) == 45
    assert _offered(replace(OFFERS, user_timeout=0.1)) == 1


def test_our_syn_ack_does_too() -> None:
    us, peer = meet(OFFERS)
    us.listens()
    peer.sends(SYN, seq=0)
    assert peer.receives(SYN | ACK).options.user_timeout == 900


def _after_offer(settings: Settings, offer: int | None) -> float | None:
    """The user timeout of a connection whose peer's SYN had ``offer``."""
    us, peer = meet(settings)
    us.listens()
    peer.sends(SYN, seq=0, user_timeout=offer)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1)
    return us.accepts().user_timeout


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        (None, 3600, 3600),  # the larger of theirs and ours (R2: 900)
        (None, 200, 900),
        (None, 10, 900),
        (None, 0x7FFF * 60, 24 * 3600),  # U_LIMIT: a peer does not make us wait for weeks
    ],
)
def test_what_both_end_up_with(ours: float | None, theirs: int, agreed: float) -> None:
    """RFC 5482 §3.1: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))."""
    assert _after_offer(replace(OFFERS, user_timeout=ours), theirs) == agreed


def test_the_lower_limit() -> None:
    """RFC 5482 §3.1: at least R2's 100 s (RFC 9293 §3.8.3)."""
    assert _after_offer(replace(OFFERS, r2=20), 30) == 100


def test_what_the_application_has_set_is_not_changed() -> None:
    """RFC 5482 §3: CHANGEABLE becomes false when an application sets the timeout itself."""
    assert _after_offer(replace(OFFERS, user_timeout=45.0), 3600) == 45


def test_an_option_that_nobody_asked_for_is_ignored() -> None:
    """RFC 5482 §3: "ENABLED ... false by default"; and a timeout of zero means nothing."""
    assert _after_offer(PLAIN, 3600) is None
    assert _after_offer(OFFERS, 0) is None
    assert _after_offer(OFFERS, None) is None


def test_it_is_acted_on() -> None:
    us, peer = meet(OFFERS)
    us.listens()
    peer.sends(SYN, seq=0, user_timeout=3600)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    assert 3600 <= _ends_after(us, peer) <= 3661
