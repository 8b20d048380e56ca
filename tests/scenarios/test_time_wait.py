"""TIME-WAIT: what may end it early, and what may not (RFC 9293 §3.6.1, RFC 6191, RFC 1337)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, in_state, meet
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import Event, State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

STAMPED = replace(PLAIN, timestamps=True)


def in_time_wait(settings: Settings, *, timestamps: bool) -> tuple[Us, Peer]:
    """The peer's timestamps are at 500, where it has them; its FIN has sequence number 1."""
    us, peer = meet(settings)
    us.listens()
    stamp = (500, 0) if timestamps else None
    peer.sends(SYN, seq=0, ts=stamp)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1, ts=stamp)
    us.tcb = us.accepts()
    us.closes()
    peer.receives(FIN | ACK, seq=1)
    peer.sends(FIN | ACK, seq=1, ack=2, ts=stamp)
    peer.receives(ACK, seq=2, ack=2)
    assert us.state is State.TIME_WAIT
    return us, peer


@pytest.mark.parametrize(
    ("before", "seq", "ts", "reopens"),
    [
        # The old connection had timestamps (RFC 6191 §2, first): ...
        (True, -1000, 501, True),  # ... newer ones are enough,
        (True, 2, 500, True),  # ... equal ones are not,
        (True, 1, 500, False),
        (True, 1000, 499, False),  # ... and older ones never
        (True, 2, None, True),
        (True, 1, None, False),
        # The old connection had none (second)
        (False, -1000, 1, True),
        (False, 2, None, True),
        (False, 1, None, False),
    ],
)
def test_a_syn_beyond_all_numbers_of_the_old_connection_ends_time_wait(
    before: bool, seq: int, ts: int | None, reopens: bool
) -> None:
    us, peer = in_time_wait(STAMPED, timestamps=before)
    old = us.tcb
    peer.sends(SYN, seq=seq, ts=None if ts is None else (ts, 0))
    if reopens:
        assert (State.TIME_WAIT, Event.RCV_NEW_SYN, State.CLOSED) in us.path
        peer.receives(SYN | ACK, ack=(seq + 1) & 0xFFFFFFFF)
        assert us.tcb is not old
    else:
        peer.receives(ACK, seq=2, ack=2)  # a challenge (RFC 5961 §4)
        assert us.tcb is old
        assert old.state is State.TIME_WAIT


def test_without_timestamps_of_our_own_the_peers_mean_nothing() -> None:
    us, peer = in_time_wait(PLAIN, timestamps=True)
    peer.sends(SYN, seq=-1000, ts=(501, 0))
    peer.receives(ACK, seq=2, ack=2)
    assert us.state is State.TIME_WAIT


def test_the_new_connection_begins_beyond_all_that_the_old_one_sent() -> None:
    """RFC 9293 §3.6.1 (MAY-2, condition 1): whoever sends faster than the clock ticks would overtake it."""
    us, peer = meet(replace(PLAIN, initial_window=100))
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    us.sends(bytes(60_000))  # in no time
    us.closes()
    peer.ignores()
    peer.sends(FIN | ACK, seq=1, ack=60_002)
    peer.receives(ACK, seq=60_002, ack=2)
    old_isn = peer.our_isn
    peer.sends(SYN, seq=100)
    assert (peer.receives(SYN | ACK).seq - old_isn) & 0xFFFFFFFF > 60_002


def test_a_reset_does_not_assassinate_time_wait() -> None:
    """RFC 1337 §3 (F1)."""
    us, peer = in_state(State.TIME_WAIT, replace(PLAIN, rfc1337=Settings().rfc1337))
    peer.sends(RST, seq=2)
    peer.hears_nothing()
    assert us.state is State.TIME_WAIT
    assert us.counted("reset-in-time-wait") == 1
    us.waits(us.tcb.settings.time_wait)
    assert us.state is State.CLOSED


def test_without_rfc_1337_a_reset_ends_time_wait() -> None:
    """RFC 9293 §3.10.7.4, second."""
    us, peer = in_state(State.TIME_WAIT, replace(PLAIN, rfc1337=False))
    peer.sends(RST, seq=2)
    assert us.path[-1] == (State.TIME_WAIT, Event.RCV_RST, State.CLOSED)
    assert us.gone


@pytest.mark.parametrize("rfc1337", [True, False])
def test_a_reset_right_behind_the_fin(rfc1337: bool) -> None:
    """It comes before anything of ours has gone out, and is no reset connection: both sides had closed."""
    us, peer = in_state(State.FIN_WAIT_2, replace(PLAIN, rfc1337=rfc1337))
    with us.one_batch():
        peer.sends(FIN | ACK, seq=1, ack=2)
        peer.sends(RST, seq=2)
    assert us.state is (State.TIME_WAIT if rfc1337 else State.CLOSED)
    assert us.tcb.error is None


def test_a_repeated_fin_is_acknowledged_with_its_own_timestamp() -> None:
    """RFC 7323 §5.3, R3: in TIME-WAIT as before it."""
    us, peer = in_time_wait(STAMPED, timestamps=True)
    us.waits(50)
    peer.sends(FIN | ACK, seq=1, ack=2, ts=(700, 0))
    assert peer.receives(ACK, seq=2, ack=2).ts_ecr == 700
    us.waits(50)
    assert us.state is State.TIME_WAIT, "and begins 2 MSL anew"


def test_a_fin_of_long_ago_does_not_prolong_time_wait() -> None:
    """RFC 7323 §5.3, R1: an old duplicate, which is acknowledged and no more."""
    us, peer = in_time_wait(STAMPED, timestamps=True)
    us.waits(50)
    peer.sends(FIN | ACK, seq=1, ack=2, ts=(499, 0))
    assert peer.receives(ACK, seq=2, ack=2).ts_ecr == 500
    assert us.counted("paws") == 1
    us.waits(11)
    assert us.state is State.CLOSED
