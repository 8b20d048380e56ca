"""The script's descriptors."""

from __future__ import annotations

import pytest

from usertcp.drill.descriptors import Descriptors


def test_numbers_are_the_scripts() -> None:
    descriptors = Descriptors()
    descriptors.opened(3, 7)
    assert descriptors.live(3) == 7
    assert descriptors.script(7) == 3
    assert descriptors.script(9) == 9
    assert descriptors.is_open(3)
    with pytest.raises(ValueError, match="3"):
        descriptors.opened(3, 8)


def test_what_was_never_opened_is_not_open() -> None:
    descriptors = Descriptors()
    descriptors.opened(3, 4)
    assert descriptors.live(-1) == -1
    assert descriptors.live(4) > 1000
    descriptors.closed(3)
    assert descriptors.live(3) > 1000
    assert not descriptors.is_open(3)
    descriptors.closed(3)


def test_assertions_are_about_the_newest_connection_that_is_open() -> None:
    descriptors = Descriptors()
    assert descriptors.newest() is None
    descriptors.opened(9, 1, socket=False)
    assert descriptors.newest() is None
    descriptors.opened(3, 30)
    assert descriptors.newest() == 30
    descriptors.opened(4, 40)
    descriptors.connected(4)
    descriptors.opened(5, 50)
    assert descriptors.newest() == 40
    descriptors.connected(5)
    assert descriptors.newest() == 50
    descriptors.closed(5)
    assert descriptors.newest() == 40
    descriptors.closed(4)
    assert descriptors.newest() == 30
