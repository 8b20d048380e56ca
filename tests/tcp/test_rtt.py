"""The retransmission timeout: RFC 6298."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.tcp.rtt import GRANULARITY, RttEstimator


def estimator(minimum: float = 0.2) -> RttEstimator:
    return RttEstimator(1.0, minimum, 60.0)


def test_before_any_sample() -> None:
    """RFC 6298 §2.1."""
    assert estimator().rto == 1.0
    assert estimator().srtt is None


@pytest.mark.parametrize("sampled", [False, True])
def test_a_back_off_can_be_taken_back(sampled: bool) -> None:
    rtt = estimator()
    if sampled:
        rtt.sample(0.5)
    timeouts = [rtt.rto]
    for _ in range(3):
        rtt.back_off()
        timeouts.append(rtt.rto)
    for expected in timeouts[2::-1]:
        rtt.take_back()
        assert rtt.rto == expected
    assert rtt.backoffs == 0


def test_the_first_sample() -> None:
    """RFC 6298 §2.2: SRTT <- R, RTTVAR <- R/2, RTO <- SRTT + max(G, K*RTTVAR)."""
    rtt = estimator()
    rtt.sample(0.5)
    assert (rtt.srtt, rtt.rttvar) == (0.5, 0.25)
    assert rtt.rto == 0.5 + 4 * 0.25


def test_the_next_sample() -> None:
    """RFC 6298 §2.3: RTTVAR before SRTT, with the old SRTT."""
    rtt = estimator()
    rtt.sample(0.5)
    rtt.sample(0.9)
    assert rtt.rttvar == pytest.approx(3 / 4 * 0.25 + 1 / 4 * abs(0.5 - 0.9))
    assert rtt.srtt == pytest.approx(7 / 8 * 0.5 + 1 / 8 * 0.9)


def test_back_off_and_what_ends_it() -> None:
    """RFC 6298 §5.5, §5.7."""
    rtt = estimator()
    rtt.sample(0.5)
    before = rtt.rto
    for number in range(1, 4):
        rtt.back_off()
        assert rtt.rto == before * 2**number
    rtt.sample(0.5)
    assert rtt.rto < before
    assert rtt.backoffs == 0


def test_bounds() -> None:
    """RFC 6298 §2.4, §2.5."""
    rtt = estimator()
    for _ in range(20):
        rtt.back_off()
    assert rtt.rto == 60.0
    rtt.sample(1000.0)
    assert rtt.rto == 60.0
    steady = estimator()
    for _ in range(200):
        steady.sample(0.01)
    assert steady.rto == pytest.approx(0.21)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_whatever_is_measured(samples: list[float]) -> None:
    rtt = estimator(minimum=0.0)
    for sample in samples:
        rtt.sample(sample)
        assert rtt.srtt is not None
        assert min(samples) - 1e-9 <= rtt.srtt <= max(samples) + 1e-9
        assert rtt.srtt + GRANULARITY <= rtt.rto + 1e-9 or rtt.rto == 60.0
    assert rtt.latest == samples[-1]
    assert rtt.min_rtt == min(samples)
