from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.observe.plot.scale import LogScale, Scale, bytes_labels, duration_labels, time_labels


@given(low=st.floats(-1e6, 1e6), reach=st.floats(1e-3, 1e12), most=st.integers(2, 12))
def test_ticks_are_within_the_limits_evenly_spaced_and_not_too_many(low: float, reach: float, most: int) -> None:
    scale = Scale(low, max(low, 0) + reach, 0, 100)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 1
    slack = (scale.high - max(low, 0)) * 1e-6
    assert all(max(low, 0) - slack <= tick <= scale.high + slack for tick in ticks)


def test_ticks_are_round() -> None:
    assert Scale(0, 1.05, 0, 1).ticks(5) == [0, 0.5, 1]
    assert Scale(-40, 980, 0, 1).ticks(5) == [0, 200, 400, 600, 800]


def test_equal_ratios_are_equally_far_apart() -> None:
    scale = LogScale(0.001, 1, 0, 300)
    assert [scale(value) for value in (0.001, 0.01, 0.1, 1)] == pytest.approx([0, 100, 200, 300])
    assert scale(0) == 0, "what is below the picture stays at its edge"
    assert scale.ticks(4) == pytest.approx([0.001, 0.01, 0.1, 1])
    assert len(LogScale(1e-6, 1e6, 0, 1).ticks(4)) <= 5


def test_labels_have_units() -> None:
    assert bytes_labels([0, 500_000, 1_000_000]) == ["0", "0.5 MB", "1 MB"]
    assert bytes_labels([0, 500]) == ["0", "500 B"]
    assert time_labels([0, 0.0005, 0.001]) == ["0", "0.5 ms", "1 ms"]
    assert duration_labels([0.001, 1]) == ["1 ms", "1 s"]
