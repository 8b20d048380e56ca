"""Segments that do not fit the connection, as settings have them treated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, in_state, meet
from usertcp.tcp.errors import ConnectionReset
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN


def _with(**values: object) -> Settings:
    return replace(PLAIN, **values)  # type: ignore[arg-type]


# -- RST -----------------------------------------------------------------------------------------------------


def test_a_reset_counts_where_we_acknowledged_last() -> None:
    """Not at RCV.NXT, which the peer does not know yet."""
    us, peer = established(_with(reset_at="acknowledged", ack_delay=0.4))
    peer.sends(ACK, data=b"hello")
    peer.hears_nothing()
    peer.sends(RST, seq=6)
    peer.receives(ACK, ack=6)
    assert us.state is State.ESTABLISHED
    peer.sends(ACK, data=b"hello")
    peer.sends(RST, seq=6)
    assert us.state is State.CLOSED


@pytest.mark.parametrize("seq", [1, 2, 65535])
def test_a_reset_anywhere_in_the_window(seq: int) -> None:
    us, peer = established(_with(reset_at="window"))
    peer.sends(RST, seq=seq)
    assert us.state is State.CLOSED
    with pytest.raises(ConnectionReset):
        us.reads()


@pytest.mark.parametrize("where", ["next", "acknowledged", "window"])
@pytest.mark.parametrize("seq", [0, 65536])
def test_a_reset_outside_is_dropped(where: str, seq: int) -> None:
    us, peer = established(_with(reset_at=where, receive_buffer=65535))
    peer.sends(RST, seq=seq)
    peer.hears_nothing()
    assert us.state is State.ESTABLISHED


# -- SYN -----------------------------------------------------------------------------------------------------


def test_a_syn_in_the_window_resets() -> None:
    us, peer = established(_with(syn_in_window_resets=True, reset_acknowledges=True))
    peer.sends(SYN, seq=0)
    peer.receives(ACK, ack=1)
    peer.sends(SYN, seq=100)
    peer.receives(RST | ACK, seq=1)
    with pytest.raises(ConnectionReset, match="SYN inside the window"):
        us.reads()


def test_it_is_a_challenge_without_that() -> None:
    us, peer = established()
    peer.sends(SYN, seq=100)
    peer.receives(ACK, ack=1)
    assert us.state is State.ESTABLISHED


def test_several_challenges_in_a_time() -> None:
    us, peer = established(_with(challenge_count=3, challenge_interval=1.0))
    for round_ in range(2):
        for _ in range(3):
            peer.sends(SYN, seq=100)
            peer.receives(ACK, ack=1)
        peer.sends(SYN, seq=100)
        peer.hears_nothing()
        assert us.counted("challenge-acks-held-back") == round_ + 1
        us.waits(1.1)


# -- Old duplicates ------------------------------------------------------------------------------------------


def test_each_empty_unacceptable_segment_is_answered() -> None:
    _us, peer = established(_with(challenge_unacceptable=False))
    for _ in range(3):
        peer.sends(ACK, seq=0)
        peer.receives(ACK, ack=1)
        peer.sends(ACK, seq=1, ack=5)
        peer.receives(ACK, ack=1)


@pytest.mark.parametrize("counts", [True, False])
def test_the_acknowledgment_of_an_old_duplicate(counts: bool) -> None:
    us, peer = established(_with(old_acks_count=counts))
    us.sends(b"x")
    peer.receives(ACK, data=b"x")
    peer.sends(ACK, seq=0, ack=2)
    peer.receives(ACK, ack=1)
    assert us.tcb.snd_una == us.tcb.iss + (2 if counts else 1)


def test_text_and_fin_of_an_old_duplicate_do_not_count() -> None:
    us, peer = established(_with(old_acks_count=True))
    peer.sends(ACK, data=b"hello")
    us.waits(1)
    peer.ignores()
    peer.sends(ACK | FIN, seq=1, data=b"HELL")
    peer.receives(ACK, ack=6)
    assert us.state is State.ESTABLISHED
    assert us.reads() == b"hello"


def test_a_fin_again_counts_for_its_acknowledgment_only() -> None:
    us, peer = in_state(State.CLOSE_WAIT, _with(old_acks_count=True))
    peer.sends(ACK | FIN, seq=1)
    peer.receives(ACK, ack=2)
    assert us.state is State.CLOSE_WAIT


# -- Timestamps ----------------------------------------------------------------------------------------------


def _with_timestamps(**values: object) -> tuple[Us, Peer]:
    """The peer's clock shows 101."""
    us, peer = meet(_with(timestamps=True, **values))
    us.listens()
    peer.sends(SYN, seq=0, ts=(100, 0))
    answer = peer.receives(SYN | ACK)
    peer.sends(ACK, seq=1, ack=1, ts=(101, answer.ts_val or 0))
    us.tcb = us.accepts()
    return us, peer


@pytest.mark.parametrize("required", [True, False])
def test_a_missing_timestamp(required: bool) -> None:
    us, peer = _with_timestamps(require_timestamps=required)
    peer.sends(ACK, seq=1, ack=1, data=b"hello")
    assert us.counted("timestamp-missing") == required
    assert us.reads() == (b"" if required else b"hello")
    peer.ignores()
    peer.sends(RST, seq=1 if required else 6)
    assert us.state is State.CLOSED


@pytest.mark.parametrize("answers", [True, False])
def test_an_old_timestamp_on_an_empty_segment(answers: bool) -> None:
    _us, peer = _with_timestamps(paws_answers_empty=answers)
    peer.sends(ACK, seq=1, ack=1, ts=(50, 0))
    if answers:
        peer.receives(ACK)
    peer.hears_nothing()
    peer.sends(ACK, seq=1, ack=1, data=b"x", ts=(50, 0))
    peer.receives(ACK)
