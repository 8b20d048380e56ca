"""What has arrived, in order and beyond gaps, against a dictionary of bytes by sequence number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from usertcp.tcp.receive_buffer import ReceiveBuffer

FIRST = (1 << 32) - 50


def octet(seq: int) -> int:
    return seq * 7 % 251


def text(seq: int, end: int) -> bytes:
    return bytes(octet(at) for at in range(seq, end))


def contents(buffer: ReceiveBuffer) -> dict[int, int]:
    """What is held, after checking that ranges are sorted, apart from each other, and add up."""
    found = {}
    last_end = -1
    for held in buffer.held:
        assert last_end < held.seq < held.end
        last_end = held.end
        assert held.chunks.length == held.end - held.seq
        data = b"".join(bytes(piece) for piece in held.chunks.pieces)
        found.update(dict(zip(range(held.seq, held.end), data, strict=True)))
    assert buffer.held_bytes == len(found)
    return found


PIECES = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), max_size=40)


@given(PIECES)
def test_pieces_in_any_order_make_the_stream(pieces: list[tuple[int, int]]) -> None:
    """As the caller does it: deliver what continues, hold what does not, pull after each."""
    buffer, rcv_nxt, arrived = ReceiveBuffer(max_gaps=100), FIRST, set[int]()
    for start, length in pieces:
        seq, end = FIRST + start, FIRST + start + length
        arrived.update(range(seq, end))
        if end <= rcv_nxt:
            continue
        seq = max(seq, rcv_nxt)
        if seq == rcv_nxt:
            buffer.deliver(text(seq, end))
            rcv_nxt = buffer.pull(end)
        else:
            already = contents(buffer)
            assert buffer.hold(seq, text(seq, end)) == len(set(range(seq, end)) - set(already))
        missing = next(at for at in range(FIRST, FIRST + 200) if at not in arrived)
        assert rcv_nxt == missing
        assert contents(buffer) == {at: octet(at) for at in arrived if at >= rcv_nxt}
    assert bytes(buffer.ready.take(1000)) == text(FIRST, rcv_nxt)


@given(PIECES, st.integers(0, 130))
def test_the_fin_cuts_what_lies_beyond(pieces: list[tuple[int, int]], fin: int) -> None:
    buffer = ReceiveBuffer(max_gaps=100)
    arrived = set[int]()
    for start, length in pieces:
        buffer.hold(FIRST + start, text(FIRST + start, FIRST + start + length))
        arrived.update(range(FIRST + start, FIRST + start + length))
    buffer.trim_beyond(FIRST + fin)
    assert contents(buffer) == {at: octet(at) for at in arrived if at < FIRST + fin}


@given(PIECES, st.integers(0, 130))
def test_pull_skips_what_was_delivered_otherwise(pieces: list[tuple[int, int]], delivered: int) -> None:
    buffer = ReceiveBuffer(max_gaps=100)
    arrived = set[int]()
    for start, length in pieces:
        buffer.hold(FIRST + start, text(FIRST + start, FIRST + start + length))
        arrived.update(range(FIRST + start, FIRST + start + length))
    rcv_nxt = buffer.pull(FIRST + delivered)
    expected = next(at for at in range(FIRST + delivered, FIRST + 300) if at not in arrived)
    assert rcv_nxt == expected
    assert bytes(buffer.ready.take(1000)) == text(FIRST + delivered, rcv_nxt)
    assert contents(buffer) == {at: octet(at) for at in arrived if at > rcv_nxt}


@given(PIECES, st.integers(1, 5))
def test_the_number_of_gaps_is_bounded(pieces: list[tuple[int, int]], max_gaps: int) -> None:
    buffer = ReceiveBuffer(max_gaps)
    for start, length in pieces:
        before = contents(buffer)
        new = buffer.hold(FIRST + start, text(FIRST + start, FIRST + start + length))
        after = contents(buffer)
        assert len(buffer.held) <= max_gaps
        assert len(after) == len(before) + new
        assert before.items() <= after.items()


@given(PIECES, st.integers(0, 130))
def test_finding_what_is_held(pieces: list[tuple[int, int]], start: int) -> None:
    buffer = ReceiveBuffer(max_gaps=100)
    for at, length in pieces:
        buffer.hold(FIRST + at, text(FIRST + at, FIRST + at + length))
    held = contents(buffer)
    found = buffer.find(FIRST + start)
    assert (found is not None) == (FIRST + start in held)
    part = buffer.held_part(FIRST + start, FIRST + start + 10)
    inside = [at for at in range(FIRST + start, FIRST + start + 10) if at in held]
    if not inside:
        assert part is None
    else:
        assert part is not None
        assert part[0] == inside[0]
        assert all(at in held for at in range(*part))


def test_clear() -> None:
    buffer = ReceiveBuffer(10)
    buffer.deliver(b"x")
    buffer.hold(10, b"y")
    buffer.clear()
    assert buffer.ready.length == buffer.held_bytes == 0
    assert not buffer.held
