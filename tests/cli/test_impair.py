"""``--impair`` as it is written, and what is said about what it is not."""

import pytest

from usertcp.cli.impair import REORDER_DELAY, ImpairError, Path, parse
from usertcp.sim.impairment import PERFECT, Burst, Conditions
from usertcp.sim.selection import Nth


def test_nothing_is_a_good_path() -> None:
    assert parse([]) is None


def test_both_directions_unless_one_is_named() -> None:
    assert parse(["loss=5%"]) == Path(Conditions(loss=0.05), Conditions(loss=0.05))
    assert parse(["in:loss=5%"]) == Path(Conditions(loss=0.05), PERFECT)
    assert parse(["out:loss=5%", "in:delay=20ms"]) == Path(Conditions(delay=0.02), Conditions(loss=0.05))


def test_every_key() -> None:
    text = (
        "loss=0.5%,burst=1%/4,reorder=10%,delay=20ms,jitter=5ms,duplicate=1%,corrupt=2%,rate=10mbit,queue=50,"
        "drop=data:3,drop=syn:1,seed=7"
    )
    conditions = Conditions(
        loss=0.005,
        burst=Burst(0.01, 4),
        reorder=0.1,
        reorder_delay=REORDER_DELAY,
        delay=0.02,
        jitter=0.005,
        duplicate=0.01,
        corrupt=0.02,
        rate=10e6,
        queue=50,
        drop=(Nth("data", 3), Nth("syn", 1)),
    )
    assert parse([text]) == Path(conditions, conditions, 7)
    assert parse(["reorder=10%/1s"]) == Path(*[Conditions(reorder=0.1, reorder_delay=1.0)] * 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "KEY=VALUE"),
        ("loss", "KEY=VALUE"),
        ("loss=", "KEY=VALUE"),
        ("loss=5", "share"),
        ("loss=101%", "share"),
        ("loss=nan%", "share"),
        ("delay=20", "time"),
        ("delay=-1ms", "time"),
        ("rate=0mbit", "rate"),
        ("rate=10", "rate"),
        ("queue=0", "whole number from 1"),
        ("seed=x", "whole number"),
        ("drop=rst:1", "names no segment"),
        ("drop=data", "whole number from 1"),
        ("up:loss=1%", "no 'up:loss'"),
        ("colour=red", "no 'colour'"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(ImpairError, match=says):
        parse([text])
