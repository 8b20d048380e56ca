"""What was sent and is not acknowledged, against ``bytes``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.tcp.send_buffer import COALESCE_BELOW, SendBuffer

START = (1 << 32) - 1000
SIZES = st.one_of(st.integers(0, 20), st.integers(COALESCE_BELOW - 2, COALESCE_BELOW + 2), st.just(70_000))
FRACTION = st.floats(0, 1)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["bytes", "bytearray", "view of bytes", "view of bytearray"]), SIZES, FRACTION),
        st.tuples(st.just("acknowledge"), st.just(0), FRACTION),
        st.tuples(st.just("view"), SIZES, FRACTION),
    ),
    max_size=40,
)


#: Every byte tells its place, modulo a prime.
PATTERN = bytes(range(251)) * 300


def text(size: int, start: int) -> bytes:
    return PATTERN[start % 251 : start % 251 + size]


@given(OPERATIONS)
def test_every_view_is_right(operations: list[tuple[str, int, float]]) -> None:
    buffer, everything, acknowledged = SendBuffer(START), b"", 0
    views: list[tuple[bytes | memoryview, bytes]] = []
    for name, size, fraction in operations:
        if name == "acknowledge":
            acknowledged += round((len(everything) - acknowledged) * fraction)
            buffer.acknowledge(START + acknowledged)
        elif name == "view":
            at = acknowledged + round((len(everything) - acknowledged) * fraction)
            length = min(size, len(everything) - at)
            if length:
                view = buffer.view(START + at, length)
                assert view == everything[at : at + length]
                views.append((view, everything[at : at + length]))
        else:
            data = text(size, len(everything))
            everything += data
            _append(buffer, name, data)
        assert buffer.start == START + acknowledged
        assert buffer.end == START + len(everything)
        assert len(buffer) == len(everything) - acknowledged
    assert all(view == expected for view, expected in views)


def _append(buffer: SendBuffer, kind: str, data: bytes) -> None:
    """As the application may hand it over, and go on using it."""
    mutable = bytearray(data)
    if kind == "bytes":
        buffer.append(data)
    elif kind == "bytearray":
        buffer.append(mutable)
    elif kind == "view of bytes":
        buffer.append(memoryview(data))
    else:
        buffer.append(memoryview(mutable))
    mutable[:] = b"?" * len(mutable)


def test_large_bytes_are_not_copied() -> None:
    buffer = SendBuffer(0)
    data = bytes(100_000)
    buffer.append(data)
    view = buffer.view(50_000, 10)
    assert isinstance(view, memoryview)
    assert view.obj is data


def test_what_is_acknowledged_is_let_go() -> None:
    """A long stream does not keep its beginning."""
    buffer = SendBuffer(0)
    for number in range(10_000):
        buffer.append(bytes(5000))
        buffer.acknowledge(number * 5000)
    assert len(buffer._pieces) < 200


def test_a_million_small_writes_are_not_a_million_pieces() -> None:
    buffer = SendBuffer(0)
    for _ in range(10_000):
        buffer.append(b"x")
    assert len(buffer._pieces) <= 3


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_clear(size: int) -> None:
    buffer = SendBuffer(7)
    buffer.append(bytes(size))
    buffer.clear()
    assert len(buffer) == 0
