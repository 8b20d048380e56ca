import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire import tcp
from usertcp.wire.checksum import ones_sum, pseudo_header_sum
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, NO_OPTIONS, PSH, SYN, Options, Segment

A4, B4 = b"\xc0\0\2\1", b"\xc0\0\2\2"
A6, B6 = bytes(range(16)), bytes(range(16, 32))

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 2**32 - 1)
cookies = st.just(b"") | st.integers(2, 8).flatmap(lambda n: st.binary(min_size=2 * n, max_size=2 * n))
user_timeouts = st.integers(0, 0x7FFF) | st.integers(547, 0x7FFF).map(lambda minutes: minutes * 60)
unknown_options = st.tuples(
    u8.filter(lambda kind: kind not in (0, 1, 2, 3, 4, 5, 8, 28, 34)), st.binary(max_size=12)
)
options_of_all_kinds = st.builds(
    Options,
    mss=st.none() | u16,
    window_scale=st.none() | u8,
    sack_permitted=st.booleans(),
    sack=st.lists(st.tuples(u32, u32), max_size=4).map(tuple),
    fast_open=st.none() | cookies,
    user_timeout=st.none() | user_timeouts,
    unknown=st.lists(unknown_options, max_size=3).map(tuple),
    fast_open_experiment=st.none() | st.binary(max_size=16),
)


def fits(segment: Segment) -> bool:
    try:
        return tcp.options_length(segment) <= 40
    except ValueError:
        return False


@st.composite
def all_segments(draw: st.DrawFn) -> Segment:
    has_timestamps = draw(st.booleans())
    return Segment(
        draw(u16),
        draw(u16),
        draw(u32),
        draw(u32),
        draw(st.integers(0, 0x1FF)),
        draw(u16),
        draw(u16),
        draw(st.binary(max_size=40)),
        draw(u32) if has_timestamps else None,
        draw(u32) if has_timestamps else None,
        draw(st.just(NO_OPTIONS) | options_of_all_kinds),
    )


segments = all_segments().filter(fits)
pairs = st.sampled_from([(A4, B4), (A6, B6)])


@given(segments, pairs)
def test_round_trip(segment: Segment, pair: tuple[bytes, bytes]) -> None:
    header = tcp.emit(segment, *pair)
    data = header + segment.payload
    assert len(header) == 20 + tcp.options_length(segment)
    assert tcp.parse(data) == segment
    assert tcp.parse(memoryview(data)) == segment
    assert tcp.checksum_ok(data, *pair)


@given(segments, pairs)
def test_partial_checksum_is_completed_by_summing_the_segment(
    segment: Segment, pair: tuple[bytes, bytes]
) -> None:
    partial = tcp.emit(segment, *pair, partial_checksum=True)
    whole = tcp.emit(segment, *pair)
    assert int.from_bytes(partial[16:18], "big") == pseudo_header_sum(
        *pair, 6, len(partial) + len(segment.payload)
    )
    completed = 0xFFFF - ones_sum(partial + segment.payload)
    assert partial[:16] + completed.to_bytes(2, "big") + partial[18:] == whole


@given(segments, pairs, st.data())
def test_checksum_notices_a_changed_byte(
    segment: Segment, pair: tuple[bytes, bytes], data: st.DataObject
) -> None:
    whole = bytearray(tcp.emit(segment, *pair) + segment.payload)
    at = data.draw(st.integers(0, len(whole) - 1))
    change = data.draw(st.integers(1, 0xFE))
    whole[at] ^= change
    assert not tcp.checksum_ok(bytes(whole), *pair)


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    assert isinstance(tcp.parse(data), Segment | Malformed)


@given(st.integers(5, 15), st.binary(min_size=40, max_size=60))
def test_any_options(words: int, tail: bytes) -> None:
    data = bytes(12) + bytes((words << 4,)) + bytes(7) + tail
    parsed = tcp.parse(memoryview(data))
    assert isinstance(parsed, Segment | Malformed)
    if isinstance(parsed, Segment):
        assert parsed.payload == data[words * 4 :]


@given(segments, st.data())
def test_mutated(segment: Segment, data: st.DataObject) -> None:
    packet = bytearray(tcp.emit(segment, A4, B4) + segment.payload)
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(u8)
    cut = data.draw(st.integers(0, len(packet)))
    assert isinstance(tcp.parse(memoryview(packet)[:cut]), Segment | Malformed)


def header(options: bytes) -> bytes:
    assert not len(options) % 4
    return bytes(12) + bytes((0x50 + 4 * len(options),)) + bytes(7) + options


def test_reasons() -> None:
    assert tcp.parse(bytes(19)) is Malformed.TCP_HEADER_TRUNCATED
    for first in (0x00, 0x40, 0x60, 0x80, 0xF0):
        assert tcp.parse(bytes(12) + bytes((first,)) + bytes(7)) is Malformed.TCP_DATA_OFFSET
    assert tcp.parse(header(b"\x03\0\0\0")) is Malformed.TCP_OPTION_LENGTH
    assert tcp.parse(header(b"\x63\1\0\0")) is Malformed.TCP_OPTION_LENGTH
    assert tcp.parse(header(b"\x02\5\0\0")) is Malformed.TCP_OPTION_TRUNCATED
    assert tcp.parse(header(b"\1\1\1\2")) is Malformed.TCP_OPTION_TRUNCATED
    assert tcp.parse(header(b"\1\1\x08\x0b" + bytes(8))) is Malformed.TCP_OPTION_TRUNCATED


def test_known_options_of_impossible_length_are_kept_as_unknown() -> None:
    parsed = tcp.parse(header(b"\x22\3\0\x22\5\0\0\0\x1c\2\5\4\0\0\4\4\0\0\0\0"))
    assert isinstance(parsed, Segment)
    assert parsed.options == Options(
        unknown=((34, b"\0"), (34, b"\0\0\0"), (28, b""), (5, b"\0\0"), (4, b"\0\0"))
    )


def test_nothing_after_the_end_of_options() -> None:
    parsed = tcp.parse(header(b"\0\2\0\0"))
    assert isinstance(parsed, Segment)
    assert parsed.options is NO_OPTIONS


def test_the_last_of_two_equal_options_counts() -> None:
    parsed = tcp.parse(header(b"\2\4\0\1\2\4\0\2"))
    assert isinstance(parsed, Segment)
    assert parsed.options == Options(mss=2)


def test_layout_of_a_syn() -> None:
    options = Options(mss=1460, window_scale=7, sack_permitted=True, fast_open=b"")
    assert tcp.encode_options(SYN, 1, 0, options) == bytes.fromhex(
        "020405b4 0402 080a 00000001 00000000 01030307 2202 0000".replace(" ", "")
    )


def test_layout_of_an_acknowledgment() -> None:
    assert tcp.encode_options(ACK, 1, 2, Options(sack=((3, 4),))) == bytes.fromhex(
        "0101080a 00000001 00000002 0101050a 00000003 00000004".replace(" ", "")
    )


def test_timestamps_fast_path_equals_the_general_one() -> None:
    common = header(b"\1\1\x08\x0a\0\0\0\1\0\0\0\2")
    general = header(b"\x08\x0a\0\0\0\1\0\0\0\2\1\1")
    assert tcp.parse(common + b"data") == tcp.parse(general + b"data")


def test_user_timeout_is_seconds() -> None:
    assert tcp.parse(header(b"\x1c\4\x00\x1e")).options.user_timeout == 30  # type: ignore[union-attr]
    assert tcp.parse(header(b"\x1c\4\x80\x1e")).options.user_timeout == 1800  # type: ignore[union-attr]
    rounded_up = tcp.encode_options(ACK, None, None, Options(user_timeout=40001))
    assert rounded_up == b"\x1c\4" + (0x8000 | 667).to_bytes(2, "big")


def test_what_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="over 40"):
        tcp.encode_options(ACK, 1, 2, Options(sack=((1, 2), (3, 4), (5, 6), (7, 8))))
    with pytest.raises(ValueError, match="pairs"):
        tcp.encode_options(ACK, 1, None, NO_OPTIONS)


def test_equality_and_representation() -> None:
    segment = Segment(1, 2, 3, 4, ACK | PSH, 5, payload=b"data")
    view = Segment(1, 2, 3, 4, ACK | PSH, 5, payload=memoryview(b"data"))
    assert segment == view
    assert segment != Segment(1, 2, 3, 4, ACK, 5, payload=b"data")
    assert segment != "segment"
    assert "payload=4 bytes" in repr(view)
    assert "seq=3" in repr(segment)
