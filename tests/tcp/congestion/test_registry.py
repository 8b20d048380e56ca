import pytest

from usertcp.tcp.congestion.registry import NAMES, make, of_settings, successor
from usertcp.tcp.settings import Settings


@pytest.mark.parametrize("name", NAMES)
def test_each_name_makes_a_controller_that_bears_it(name: str) -> None:
    control = make(name, 10, 8)
    control.set_mss(1448)
    assert control.name == name
    assert control.cwnd == 14480


def test_cubic_is_the_first() -> None:
    assert NAMES == ("cubic", "reno", "bbr", "dctcp")


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'vegas'.*cubic, reno, bbr, dctcp"):
        make("vegas", 10, 8)


def test_the_options_arrive() -> None:
    for name in ("cubic", "reno", "dctcp"):
        control = make(name, 10, 8, paced=True, validate=True)
        control.set_mss(1000)
        control.cwnd = 100_000
        control.on_idle(1.0)
        assert control.cwnd == 100_000
    for name, kept in (("cubic", 85_000), ("reno", 80_000), ("dctcp", 50_000)):
        control = make(name, 10, 8, abe=True)
        control.set_mss(1000)
        control.cwnd = control.ssthresh = 100_000
        control.on_congestion_mark(100_000, 0.0)
        assert control.cwnd == kept


@pytest.mark.parametrize("name", NAMES)
def test_a_successor_has_the_window_of_the_one_before(name: str) -> None:
    before = of_settings(Settings(initial_window=4))
    before.set_mss(1000)
    assert before.cwnd == 4000
    before.cwnd, before.ssthresh = 50_000, 70_000
    after = successor(before, Settings(congestion_control=name), 1000)
    assert (after.name, after.cwnd, after.ssthresh) == (name, 50_000, 70_000)


@pytest.mark.parametrize("name", ["cubic", "reno", "dctcp"])
def test_a_recovery_that_another_controller_began_does_not_end_with_no_limit(name: str) -> None:
    """BBR has no threshold; at the end of a recovery the others' window becomes theirs."""
    before = of_settings(Settings(congestion_control="bbr"))
    before.set_mss(1000)
    before.cwnd = 50_000
    settings = Settings(congestion_control=name)
    assert successor(before, settings, 1000).ssthresh > 1 << 30
    after = successor(before, settings, 1000, recovering=True)
    assert (after.cwnd, after.ssthresh) == (50_000, 50_000)
    after.on_recovered(40_000, 0.0)
    assert after.cwnd <= 50_000
