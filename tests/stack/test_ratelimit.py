from hypothesis import given
from hypothesis import strategies as st

from usertcp.stack.ratelimit import RateLimiter


def test_a_burst_and_then_the_rate() -> None:
    limiter = RateLimiter(rate=10, burst=3)
    assert [limiter.allow(100.0) for _ in range(4)] == [True, True, True, False]
    assert [limiter.allow(100.125) for _ in range(2)] == [True, False]
    assert [limiter.allow(200.0) for _ in range(4)] == [True, True, True, False]


def test_time_that_stands_still_or_goes_back_gives_nothing() -> None:
    limiter = RateLimiter(rate=1, burst=1)
    assert limiter.allow(5.0)
    assert not limiter.allow(4.0)
    assert not limiter.allow(5.5)
    assert limiter.allow(6.0)


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 20), st.integers(1, 10))
def test_never_more_than_burst_plus_rate(gaps: list[float], rate: int, burst: int) -> None:
    limiter = RateLimiter(rate, burst)
    now = allowed = 0
    for gap in gaps:
        now += gap
        allowed += limiter.allow(now)
    assert allowed <= burst + now * rate + 1e-6
