"""How the window field follows from the buffer: one rule for each habit that is known (RFC 9293 §3.8.6)."""

from __future__ import annotations

from dataclasses import replace

from tests.scenarios.driver import Peer, Us, meet
from usertcp.tcp.settings import Settings
from usertcp.wire.tcp import ACK, SYN

UP = Settings(
    timestamps=False,
    window_rule="up",
    window_space_ratio=0.5,
    round_syn_window=True,
    initial_receive_buffer=540_000,
    window_scale_buffer=15 << 20,
)
EXACT = Settings(timestamps=False, window_rule="exact", initial_receive_buffer=65_700, window_scale_buffer=2 << 20)


def _with_buffer(settings: Settings, size: int) -> Settings:
    """Of one size that stays."""
    return replace(settings, initial_receive_buffer=size, receive_buffer=size, window_scale_buffer=0)


def _open(settings: Settings, *, wscale: int | None = 7) -> tuple[Us, Peer, int]:
    """A connection, and the window field of our SYN,ACK."""
    us, peer = meet(settings)
    us.listens()
    peer.sends(SYN, seq=0, wscale=wscale)
    promised = peer.receives(SYN | ACK).window
    peer.sends(ACK, seq=1, ack=1)
    us.tcb = us.accepts()
    return us, peer, promised


def test_the_scale_may_be_made_for_another_buffer() -> None:
    for settings, shift in ((UP, 8), (EXACT, 6), (Settings(receive_buffer=1 << 20), 5)):
        us, peer = meet(settings)
        us.listens()
        peer.sends(SYN, seq=0, wscale=0)
        assert peer.receives(SYN | ACK).options.window_scale == shift


def test_a_syn_offers_whole_segments_of_the_share_that_payload_has() -> None:
    _, peer, promised = _open(replace(_with_buffer(UP, 40_000), window_space_measured=True))
    assert promised == 20_000 // 1460 * 1460
    peer.sends(ACK, data=bytes(1000))
    peer.receives(ACK, ack=1001, window=promised - 1000, after=0.04)


def test_up_rounds_to_the_next_unit() -> None:
    us, peer, promised = _open(UP)
    assert promised == 65535  # of 268640, as far as a field without scale can say it
    peer.sends(ACK, data=bytes(100))
    peer.receives(ACK, ack=101, window=-(-(268_640 - 100) >> 8), after=0.04)
    us.reads()
    peer.hears_nothing(during=1)


def test_without_scale_up_moves_by_segments() -> None:
    us, peer, promised = _open(replace(_with_buffer(UP, 10_000), window_space_measured=True), wscale=None)
    assert promised == 4380
    for _ in range(4):
        peer.sends(ACK, data=bytes(1000))
        us.waits(0.05)
    assert [segment.window for segment in peer.ignores()] == [3380, 2380, 1380, 380]
    us.reads(1000)
    peer.hears_nothing(during=1)
    us.reads()
    assert peer.receives(ACK, ack=4001).window == 4000  # 1000 of 2304 bytes, so 111/256 of the buffer: 4335


def test_a_window_may_be_bounded_from_above() -> None:
    assert _open(replace(UP, window_clamp=20_000))[2] == 18_980


def test_segments_that_are_worth_their_memory_let_it_grow() -> None:
    us, peer, promised = _open(replace(_with_buffer(UP, 30_000), window_space_measured=True), wscale=None)
    assert promised == 14_600
    peer.sends(ACK, data=bytes(1460))  # 1460 of 2304 bytes, so 162/256 of the buffer may be window
    peer.sends(ACK, data=bytes(1460))
    us.reads()
    edge = us.tcb.rcv_adv - 1
    assert edge > 14_600


def test_exact_says_what_is_free_and_rounds_down() -> None:
    us, peer, promised = _open(EXACT)
    assert promised == 65535
    peer.sends(ACK, data=bytes(100))
    peer.receives(ACK, ack=101, window=(65_700 - 100) >> 6, after=0.04)
    us.reads()
    peer.hears_nothing(during=1)


def test_exact_is_silent_about_less_than_two_segments() -> None:
    us, peer, _ = _open(_with_buffer(EXACT, 16 * 1460))
    for _ in range(16):
        peer.sends(ACK, data=bytes(1460))
    peer.ignores()
    us.reads(1460)
    peer.hears_nothing(during=1)
    us.reads(1460)
    assert peer.receives(ACK).window == 2 * 1460
