"""What docs/drill.md lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path

from usertcp.cli.drill import UNSUPPORTED
from usertcp.drill import options, syscalls
from usertcp.drill.ignore import Ignore
from usertcp.drill.profiles import NAMES

TEXT = " ".join((Path(__file__).parents[2] / "docs" / "drill.md").read_text().split())


def names(begin: str, end: str) -> list[str]:
    """What stands in backquotes between two pieces of text."""
    return re.findall(r"`([^`]+)`", TEXT.partition(begin)[2].partition(end)[0])


def test_system_calls() -> None:
    assert names("**System calls**: ", ".  A call" if ".  A call" in TEXT else ". A call") == list(syscalls.NAMES)


def test_options() -> None:
    assert set(names("they are taken, too, and win:", "`-D NAME=VALUE`")) == set(options.WITH_EFFECT)


def test_what_can_be_ignored() -> None:
    for member in Ignore:
        assert f"| `{member.value}` | {member.relaxes} |" in TEXT


def test_profiles() -> None:
    for name in NAMES:
        assert f"| `{name}` | " in TEXT


def test_statuses() -> None:
    assert f"| {UNSUPPORTED}, if none failed |" in TEXT
