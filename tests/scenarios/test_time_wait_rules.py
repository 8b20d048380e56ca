"""What TIME-WAIT answers, by other rules than RFC 9293 §3.10.7.4's order of checks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, in_state
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

NEXT = replace(PLAIN, time_wait_rule="next")
DUPLICATES = replace(PLAIN, time_wait_rule="duplicates")
STAMPS = replace(NEXT, timestamps=True)


def _waiting(settings: Settings) -> tuple[Us, Peer]:
    """Both FINs are through: the peer's next number is 2, and so is ours."""
    return in_state(State.TIME_WAIT, settings)


def _is_gone(us: Us) -> bool:
    return us.gone


def _end(us: Us) -> float:
    return us.host.time_waits[us.peer.key].due


def test_next_is_silent_about_what_stands_there_and_waits_anew() -> None:
    us, peer = _waiting(NEXT)
    us.waits(10)
    peer.sends(ACK, seq=2, ack=2)
    peer.sends(ACK, seq=2, ack=1)
    peer.hears_nothing()
    assert _end(us) == us.now + 60


def test_next_answers_all_else_at_a_bounded_rate() -> None:
    us, peer = _waiting(NEXT)
    peer.sends(ACK, seq=1, ack=2)
    peer.receives(ACK, seq=2, ack=2)
    peer.sends(ACK, seq=2_000_000, ack=2)
    peer.hears_nothing()
    for _ in range(2):
        peer.sends(ACK, seq=2, ack=2, data=b"what has text is never a loop")
        peer.receives(ACK, seq=2, ack=2)
        peer.sends(FIN | ACK, seq=1, ack=2)
        peer.receives(ACK, seq=2, ack=2)
    us.waits(0.5)
    peer.sends(SYN, seq=0)
    peer.receives(ACK, seq=2, ack=2)


def test_next_ends_by_a_rst_exactly_there() -> None:
    us, peer = _waiting(NEXT)
    peer.sends(RST, seq=3)
    assert not _is_gone(us)
    peer.sends(RST, seq=2)
    assert _is_gone(us)
    peer.hears_nothing()
    us, peer = _waiting(replace(NEXT, rfc1337=True))
    peer.sends(RST, seq=2)
    assert not us.gone


def _with_stamps() -> tuple[Us, Peer, int]:
    us, peer = established(PLAIN)
    us.host.config = replace(us.host.config, settings=STAMPS)
    us.tcb.settings = STAMPS
    us.tcb.timestamps = True
    us.tcb.ts_recent = 1000
    us.closes()
    ours = peer.receives(FIN | ACK, seq=1).ts_val or 0
    peer.sends(FIN | ACK, seq=1, ack=2, ts=(1300, ours))
    peer.receives(ACK, seq=2, ack=2)
    return us, peer, ours


def test_next_takes_timestamps_only_from_there() -> None:
    _, peer, ours = _with_stamps()
    peer.sends(FIN | ACK, seq=1, ack=2, ts=(1400, ours))
    assert peer.receives(ACK).ts_ecr == 1300
    peer.sends(ACK, seq=2, ack=2, ts=(1500, ours))
    peer.sends(FIN | ACK, seq=1, ack=2, ts=(1450, ours))
    assert peer.receives(ACK).ts_ecr == 1500


@pytest.mark.parametrize(
    ("seq", "stamp", "taken"),
    [(3, 1400, True), (3, 1300, True), (3, 1200, False), (2, 1400, True), (0, 1400, True), (0, 1300, False)],
)
def test_next_gives_way_to_a_later_number_or_a_newer_timestamp(seq: int, stamp: int, taken: bool) -> None:
    _, peer, _ = _with_stamps()
    peer.sends(SYN, seq=seq, ts=(stamp, 0))
    peer.receives(SYN | ACK if taken else ACK)


def test_duplicates_are_silence() -> None:
    us, peer = _waiting(DUPLICATES)
    peer.sends(ACK, seq=2, ack=2)
    peer.sends(RST, seq=2)
    peer.sends(SYN, seq=0)
    peer.sends(FIN, seq=1)
    peer.hears_nothing()
    assert not us.gone


def test_duplicates_aside_everything_is_answered() -> None:
    us, peer = _waiting(DUPLICATES)
    us.waits(10)
    end = _end(us)
    for seq, ack, data in ((1, 2, b""), (2, 1, b""), (2, 2, b"text"), (2_000_000, 2, b"")):
        peer.sends(ACK, seq=seq, ack=ack, data=data)
        peer.receives(ACK, seq=2, ack=2)
    assert _end(us) == end
    peer.sends(FIN | ACK, seq=1, ack=2)
    peer.receives(ACK, seq=2, ack=2)
    assert _end(us) == us.now + 60


def test_duplicates_give_way_to_later_numbers_only() -> None:
    _, peer = _waiting(DUPLICATES)
    peer.sends(SYN, seq=2)
    peer.hears_nothing()
    peer.sends(SYN, seq=3)
    peer.receives(SYN | ACK)
