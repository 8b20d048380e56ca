"""The package itself."""

from __future__ import annotations

from pathlib import Path

import usertcp
from usertcp.tcp import connection


def test_everything_that_is_promised_is_there() -> None:
    for name in usertcp.__all__:
        assert getattr(usertcp, name) is not None


def test_it_knows_whether_its_core_is_compiled() -> None:
    assert usertcp.core_is_compiled() is (Path(str(connection.__file__)).suffix == ".so")
