"""SipHash-2-4 against its authors' vectors."""

from __future__ import annotations

import pytest

from usertcp.stack.siphash import siphash24

KEY = bytes(range(16))


@pytest.mark.parametrize(
    ("length", "value"),
    [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (8, 0x93F5F5799A932462), (15, 0xA129CA6149BE45E5)],
)
def test_vectors(length: int, value: int) -> None:
    assert siphash24(KEY, bytes(range(length))) == value


def test_the_key_counts() -> None:
    assert siphash24(KEY, b"x") != siphash24(bytes(16), b"x")
