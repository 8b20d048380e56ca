"""A queue of bytes, against ``bytes``."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usertcp.tcp.chunks import COALESCE_BELOW, COALESCED_MAX, Chunks

SIZES = st.one_of(st.integers(1, 20), st.integers(COALESCE_BELOW - 2, COALESCE_BELOW + 2), st.just(70_000))
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), SIZES),
        st.tuples(st.just("view"), SIZES),
        st.tuples(st.just("extend"), SIZES),
        st.tuples(st.just("take"), SIZES),
        st.tuples(st.just("take_into"), SIZES),
    ),
    max_size=40,
)


#: Every byte tells its place, modulo a prime.
PATTERN = bytes(range(251)) * 300


def text(size: int, start: int) -> bytes:
    return PATTERN[start % 251 : start % 251 + size]


@given(OPERATIONS)
def test_what_goes_in_comes_out(operations: list[tuple[str, int]]) -> None:
    chunks, model, written = Chunks(), b"", 0
    taken: list[tuple[bytes | bytearray, bytes]] = []
    for name, size in operations:
        data = text(size, written)
        if name == "take_into":
            room = bytearray(size)
            length = chunks.take_into(memoryview(room))
            assert bytes(room[:length]) == model[:size]
            model = model[size:]
        elif name == "take":
            out = chunks.take(size)
            assert bytes(out) == model[:size]
            taken.append((out, model[:size]))
            model = model[size:]
        else:
            written += size
            model += data
            if name == "append":
                chunks.append(data)
            elif name == "view":
                chunks.append(memoryview(data))
            else:
                other = Chunks()
                other.append(data[: size // 2])
                other.append(memoryview(data[size // 2 :]))
                chunks.extend(other)
                assert other.length == 0
        assert chunks.length == len(model)
    # What was handed out belongs to whoever took it: later appends must not reach into it.
    assert all(bytes(out) == expected for out, expected in taken)
    assert chunks.take(len(model) + 1) == model
    assert chunks.length == 0
    assert chunks.take(1) == b""


def test_small_pieces_do_not_pin_the_packets_they_came_in() -> None:
    chunks = Chunks()
    for _ in range(1000):
        chunks.append(memoryview(bytes(65536))[:10])
    assert len(chunks.pieces) == 1
    assert all(type(piece) is bytearray for piece in chunks.pieces)


def test_pieces_copied_together_stop_growing() -> None:
    chunks = Chunks()
    for _ in range(100):
        chunks.append(bytes(4000))
    assert all(len(piece) < COALESCED_MAX + 4000 for piece in chunks.pieces)


def test_large_pieces_are_not_copied() -> None:
    chunks = Chunks()
    packet = bytes(65536)
    chunks.append(memoryview(packet))
    (piece,) = chunks.pieces
    assert isinstance(piece, memoryview)
    assert piece.obj is packet


def test_clear() -> None:
    chunks = Chunks()
    chunks.append(b"x")
    chunks.clear()
    assert chunks.length == 0
    assert chunks.take(1) == b""
