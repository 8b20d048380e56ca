"""The numbers of a SYN cookie: what goes in comes out, for the right peer and for two minutes."""

from __future__ import annotations

from itertools import product

import pytest

from usertcp.stack import syn_cookies
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, CWR, ECE, SYN, Options, Segment

SECRET = b"sixteen bytes or more"
SOCKETS = bytes(range(12))
NOW = 64 * 1000.0


def ack_of(cookie: int, irs: int = 7000, ts_ecr: int | None = None) -> Segment:
    ts_val = None if ts_ecr is None else 123_456
    return Segment(40000, 80, (irs + 1) & MASK, (cookie + 1) & MASK, ACK, 100, ts_val=ts_val, ts_ecr=ts_ecr)


def made(mss: int = 1460, *, irs: int = 7000, now: float = NOW) -> int:
    cookie = syn_cookies.make(SECRET, SOCKETS, irs, mss, now)
    assert cookie is not None
    return cookie


@pytest.mark.parametrize(
    ("mss", "remembered"),
    [(216, 216), (535, 216), (536, 536), (1300, 1220), (1459, 1440), (1460, 1460), (9000, 8940), (65535, 8940)],
)
def test_the_mss_comes_back_and_never_larger(mss: int, remembered: int) -> None:
    syn = syn_cookies.syn_of(SECRET, SOCKETS, ack_of(made(mss)), NOW)
    assert syn is not None
    assert syn.options == Options(mss=remembered)
    assert (syn.seq, syn.flags, syn.ts_val) == (7000, SYN, None)


def test_an_mss_that_no_cookie_can_say() -> None:
    assert syn_cookies.make(SECRET, SOCKETS, 7000, 215, NOW) is None


@pytest.mark.parametrize("irs", [0, 0xFFFFFFFF])
def test_the_peers_number_may_wrap(irs: int) -> None:
    syn = syn_cookies.syn_of(SECRET, SOCKETS, ack_of(made(irs=irs), irs), NOW)
    assert syn is not None
    assert syn.seq == irs


@pytest.mark.parametrize(("age", "valid"), [(0, True), (63, True), (64, True), (127, True), (128, False)])
def test_a_cookie_lives_through_two_periods(age: float, valid: bool) -> None:
    assert (syn_cookies.syn_of(SECRET, SOCKETS, ack_of(made()), NOW + age) is not None) == valid


def test_a_clock_that_has_only_just_begun() -> None:
    assert syn_cookies.syn_of(SECRET, SOCKETS, ack_of(made(now=0.0)), 0.0) is not None
    assert syn_cookies.syn_of(SECRET, SOCKETS, ack_of(made()), 0.0) is None


def test_a_cookie_is_for_one_peer_one_syn_and_one_host_only() -> None:
    cookie = made()
    assert syn_cookies.syn_of(SECRET, bytes(12), ack_of(cookie), NOW) is None
    assert syn_cookies.syn_of(SECRET, SOCKETS, ack_of(cookie, irs=7001), NOW) is None
    assert syn_cookies.syn_of(b"another secret, as long", SOCKETS, ack_of(cookie), NOW) is None
    for bit in range(32):
        assert syn_cookies.syn_of(SECRET, SOCKETS, ack_of(cookie ^ 1 << bit), NOW) is None


@pytest.mark.parametrize(("scale", "sack", "ecn"), [*product([None, 0, 7, 14], [False, True], [False, True])])
@pytest.mark.parametrize("clock", [0, 10, 5000, 0xFFFFFFFF])
def test_the_timestamp_carries_the_rest(clock: int, scale: int | None, sack: bool, ecn: bool) -> None:
    options = Options(mss=1460, window_scale=scale, sack_permitted=sack)
    flags = SYN | ECE | CWR if ecn else SYN
    stamped = syn_cookies.timestamp(clock, options, ecn=ecn)
    assert 0 <= (clock - stamped) & MASK < 64  # never ahead of the clock, or PAWS would drop what follows
    syn = syn_cookies.syn_of(SECRET, SOCKETS, ack_of(made(), ts_ecr=stamped), NOW)
    assert syn is not None
    assert (syn.options, syn.flags, syn.ts_val) == (options, flags, 123_456)


def test_a_shift_beyond_the_largest_is_the_largest() -> None:
    stamped = syn_cookies.timestamp(5000, Options(window_scale=200), ecn=False)
    syn = syn_cookies.syn_of(SECRET, SOCKETS, ack_of(made(), ts_ecr=stamped), NOW)
    assert syn is not None
    assert syn.options.window_scale == 14
