"""Which segments are acceptable by other rules than Table 6 of RFC 9293 §3.4, and what RSTs, SYNs and ACKs then do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.driver import PLAIN, Peer, Us, established, in_state, meet
from usertcp.tcp.settings import Settings
from usertcp.tcp.states import State
from usertcp.wire.tcp import ACK, FIN, RST, SYN

SMALL = replace(PLAIN, receive_buffer=2000, initial_receive_buffer=2000)
LAST_ACK = replace(SMALL, acceptance="last-ack")


# -- From the last acknowledgment on ------------------------------------------------------------------------


def test_text_that_goes_beyond_the_window_is_taken_whole_if_nothing_is_unread() -> None:
    us, peer = established(LAST_ACK)
    peer.sends(ACK, data=bytes(3000))
    peer.receives(ACK, ack=3001, window=0)
    assert len(us.reads()) == 3000


def test_or_not_at_all() -> None:
    us, peer = established(LAST_ACK)
    peer.sends(ACK, data=b"unread")
    peer.sends(ACK, seq=7, data=bytes(2000))
    peer.receives(ACK, ack=7, window=1994)
    assert us.reads() == b"unread"


def test_and_a_closed_window_takes_nothing_but_the_acknowledgment() -> None:
    us, peer = established(LAST_ACK)
    peer.sends(ACK, data=bytes(2000))
    peer.receives(ACK, ack=2001, window=0, after=0.04)
    us.sends(b"to be acknowledged")
    peer.ignores()
    peer.sends(ACK, seq=2001, ack=19, data=b"x")
    peer.receives(ACK, ack=2001)
    assert us.tcb.snd_una == us.tcb.iss + 1  # not looked at: something is unread


def test_an_old_segment_still_acknowledges_up_to_our_last_acknowledgment() -> None:
    us, peer = established(LAST_ACK, sack=True)
    peer.sends(ACK, data=b"new")
    us.sends(b"sent")
    peer.receives(ACK, ack=4, data=b"sent")
    peer.sends(ACK, seq=1, ack=5, data=b"new")
    peer.receives(ACK, ack=4, blocks=[(1, 4)])
    assert us.tcb.snd_una == us.tcb.snd_nxt
    us.sends(b"more")
    peer.ignores()
    peer.sends(ACK, seq=0, ack=9)
    assert us.tcb.snd_una < us.tcb.snd_nxt  # before that it does not


def test_an_old_timestamp_is_no_matter_for_a_duplicate_acknowledgment() -> None:
    us, peer = meet(replace(LAST_ACK, timestamps=True))
    us.listens()
    peer.sends(SYN, seq=0, ts=(1000, 0))
    ours = peer.receives(SYN | ACK).ts_val or 0
    us.waits(0.1)
    peer.sends(ACK, seq=1, ack=1, ts=(1100, ours))
    us.tcb = us.accepts()
    peer.sends(ACK, seq=1, ack=1, ts=(1000, ours))
    peer.hears_nothing()
    peer.sends(ACK, seq=1, ack=1, window=40000, ts=(1000, ours))
    peer.hears_nothing()  # that may be the later one
    peer.sends(ACK, seq=0, ack=1, ts=(500, ours))
    peer.hears_nothing()  # an old acknowledgment is too common
    peer.sends(ACK, seq=1, ack=1, ts=(500, ours))
    peer.receives(ACK, ack=1)
    peer.sends(RST, seq=1, ts=(500, ours))
    assert us.state is State.ESTABLISHED
    peer.sends(ACK, seq=1, ack=1, ts=(1099, ours), data=b"one is nothing")
    assert us.reads()


# -- RSTs and ACKs -----------------------------------------------------------------------------


def test_a_rst_where_the_peer_may_think_that_we_are() -> None:
    settings = replace(LAST_ACK, reset_at="sack")
    us, peer = established(settings, sack=True)
    peer.sends(ACK, seq=101, data=b"held")
    peer.ignores()
    peer.sends(RST, seq=103)
    peer.receives(ACK, ack=1)
    peer.sends(RST, seq=105)
    assert us.state is State.CLOSED
    for state in (State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING):
        us, peer = in_state(state, settings)
        peer.sends(RST, seq=1)
        assert us.gone
    us, peer = in_state(State.CLOSE_WAIT)
    peer.sends(RST, seq=1)
    assert us.state is State.CLOSE_WAIT


def test_acknowledgments_older_than_any_window_may_pass() -> None:
    us, peer = established(replace(PLAIN, accept_old_acks=True), window=100)
    peer.sends(ACK, ack=-1000 & 0xFFFFFFFF, data=b"taken")
    assert us.reads() == b"taken"


def test_ghosts() -> None:
    """RFC 5961 §5 would let pass what lies a window before our first number."""
    us, peer = established(replace(PLAIN, reject_ghost_acks=True))
    peer.sends(ACK, ack=0, data=b"from a ghost")
    peer.receives(ACK, ack=1)
    assert us.reads() == b""


# -- Half open --------------------------------------------------------------------------------------------------


def _half_open(settings: Settings) -> tuple[Us, Peer]:
    us, peer = meet(settings)
    us.listens()
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)
    return us, peer


REQUEST = replace(PLAIN, half_open="request")
ENTRY = replace(PLAIN, half_open="entry")


def test_a_request_repeats_its_answer_at_a_bounded_rate() -> None:
    us, peer = _half_open(REQUEST)
    peer.sends(ACK, seq=500_000, ack=1)
    peer.receives(ACK, seq=1, ack=1)
    peer.sends(SYN, seq=0)
    peer.sends(ACK, seq=500_000, ack=1)
    peer.hears_nothing()
    us.waits(0.6)
    peer.sends(SYN, seq=0)
    peer.receives(SYN | ACK, seq=0, ack=1)


def test_a_request_ends_by_a_syn_or_a_rst_in_the_window() -> None:
    us, peer = _half_open(REQUEST)
    peer.sends(RST, seq=70_000)
    assert not us.gone
    peer.sends(RST, seq=1000)
    peer.hears_nothing()
    assert us.gone
    us, peer = _half_open(REQUEST)
    peer.sends(SYN, seq=1)
    reset = peer.receives(RST | ACK, ack=2)
    assert reset.seq == 0
    assert us.gone


@pytest.mark.parametrize("settings", [REQUEST, ENTRY])
def test_what_was_never_said_is_not_acknowledged(settings: Settings) -> None:
    us, peer = _half_open(settings)
    peer.sends(ACK, seq=1, ack=100)
    peer.receives(RST, seq=100)
    peer.sends(FIN, seq=1)
    peer.hears_nothing()
    peer.sends(ACK, seq=1, ack=1, data=b"and it lives on")
    assert us.accepts().receive(100, us.now) == b"and it lives on"


def test_an_entry_repeats_its_answer_to_any_syn() -> None:
    _, peer = _half_open(ENTRY)
    for seq in (0, 1, 100, 70_000):
        peer.sends(SYN, seq=seq)
        peer.receives(SYN | ACK, seq=0, ack=1)


def test_an_entry_ends_by_a_rst_exactly_or_a_syn_ack() -> None:
    us, peer = _half_open(ENTRY)
    peer.sends(RST, seq=0)
    peer.hears_nothing()
    peer.sends(RST, seq=2)
    peer.receives(ACK, seq=1, ack=1)
    assert not us.gone
    peer.sends(RST, seq=1)
    peer.hears_nothing()
    assert us.gone
    us, peer = _half_open(ENTRY)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(RST, seq=1)
    assert us.gone


def test_an_entry_wants_an_answer_from_the_window() -> None:
    us, peer = _half_open(ENTRY)
    for seq in (0, 70_000):
        peer.sends(ACK, seq=seq, ack=1)
        peer.receives(RST, seq=1)
    assert not us.gone


# -- SYN-SENT and simultaneous open ------------------------------------------------------------------------------


def test_after_an_answer_to_somebody_else_the_syn_leaves_again_soon() -> None:
    _, peer = in_state(State.SYN_SENT, replace(PLAIN, syn_again_after=0.005))
    peer.sends(SYN | ACK, seq=0, ack=77)
    peer.receives(RST, seq=77)
    peer.receives(SYN, after=0.005)
    peer.sends(SYN | ACK, seq=0, ack=77)
    peer.receives(RST, seq=77)
    peer.hears_nothing(during=0.9)


def test_a_syn_ack_that_crossed_ours_may_be_acknowledged() -> None:
    settings = replace(PLAIN, acknowledge_crossed_syn=True)
    us, peer = in_state(State.SYN_SENT, settings)
    peer.sends(SYN, seq=0, sack=True)
    peer.receives(SYN | ACK, seq=0, ack=1)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.receives(ACK, seq=1, ack=1, blocks=[(0, 1)])
    assert us.state is State.ESTABLISHED
