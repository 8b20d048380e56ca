import re
from pathlib import Path

import pytest

import usertcp
from usertcp.stack.counters import NAMES, Counters
from usertcp.wire.malformed import Malformed


def test_counting() -> None:
    counters = Counters()
    counters.count("no-ack")
    counters.count("no-ack", 2)
    counters.count(Malformed.TCP_CHECKSUM)
    assert counters["no-ack"] == 3
    assert counters["tcp-checksum"] == 1
    snapshot = counters.snapshot()
    assert set(snapshot) == set(NAMES)
    assert sum(snapshot.values()) == 4
    counters.count("no-ack")
    assert snapshot["no-ack"] == 3


def test_unknown_names_raise() -> None:
    counters = Counters()
    with pytest.raises(KeyError):
        counters.count("no-such-thing")
    with pytest.raises(KeyError):
        counters["no-such-thing"]


def test_every_reason_of_the_codecs_has_a_name() -> None:
    for reason in Malformed:
        assert NAMES[reason] == reason.meaning


def test_names_and_meanings_are_fit_to_print() -> None:
    for name, meaning in NAMES.items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert meaning
        assert meaning.isprintable()


def test_every_name_in_the_code_is_known() -> None:
    package = Path(usertcp.__file__).parent
    pattern = re.compile(r"""(?:\bcount\(|\bdrop\([^"()]*)\s*"([^"]+)\"""")
    used = {
        name
        for directory in ("tcp", "stack")
        for path in (package / directory).rglob("*.py")
        for name in pattern.findall(path.read_text(encoding="utf-8"))
    }
    assert used
    assert used <= set(NAMES)
