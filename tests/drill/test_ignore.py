"""The names of ``--ignore``."""

from __future__ import annotations

import pytest

from usertcp.drill.ignore import Ignore, UnknownIgnore, describe, parse


def test_names_with_commas_and_repeated_options_add_up() -> None:
    assert parse(["window, timing", "option-order"]) == {Ignore.WINDOW, Ignore.TIMING, Ignore.OPTION_ORDER}


def test_nothing_is_relaxed_by_default() -> None:
    assert parse([]) == frozenset()
    assert describe(frozenset()) == []


@pytest.mark.parametrize("text", ["", "window,", "windows", "all", "OPTION_ORDER"])
def test_an_unknown_name_is_an_error_that_names_the_known_ones(text: str) -> None:
    with pytest.raises(UnknownIgnore, match="option-order") as caught:
        parse([text])
    assert repr(text.split(",")[-1]) in str(caught.value)


def test_the_summary_says_what_each_name_relaxes_in_a_fixed_order() -> None:
    lines = describe(parse(["timing", "window"]))
    assert lines == [f"window: {Ignore.WINDOW.relaxes}", f"timing: {Ignore.TIMING.relaxes}"]


def test_every_name_can_be_given_and_says_something_of_its_own() -> None:
    names = [member.value for member in Ignore]
    assert parse(names) == frozenset(Ignore)
    assert len({member.relaxes for member in Ignore}) == len(names) == 10
