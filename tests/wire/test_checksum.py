from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire.checksum import finish, ones_sum, pseudo_header_sum


def word_by_word(data: bytes) -> int:
    """RFC 1071 §1, as written there."""
    total = 0
    for high, low in zip(data[::2], data[1::2] + bytes(len(data) % 2), strict=True):
        total += high << 8 | low
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.binary(max_size=100))
def test_sum_is_that_of_rfc_1071(data: bytes) -> None:
    assert ones_sum(data) == word_by_word(data)


@given(st.integers(0, 70000), st.integers(0, 255), st.binary(max_size=20))
def test_sum_of_large_buffers(size: int, fill: int, tail: bytes) -> None:
    data = bytes((fill, 255 - fill)) * (size // 2) + tail
    assert ones_sum(data) == word_by_word(data)


def test_example_of_rfc_1071() -> None:
    assert ones_sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2


@given(st.binary(max_size=64).map(lambda data: data + bytes(len(data) % 2)))
def test_finish_makes_the_whole_vanish(data: bytes) -> None:
    field = finish(ones_sum(data))
    assert field == ~word_by_word(data) & 0xFFFF
    assert ones_sum(data + field.to_bytes(2, "big")) == 0xFFFF


def test_views_are_taken() -> None:
    assert ones_sum(memoryview(b"\x01\x02\x03")) == 0x0402


@given(st.integers(0, 0xFFFF), st.sampled_from([4, 16]), st.data())
def test_pseudo_header(length: int, size: int, data: st.DataObject) -> None:
    src = data.draw(st.binary(min_size=size, max_size=size))
    dst = data.draw(st.binary(min_size=size, max_size=size))
    laid_out = src + dst + length.to_bytes(4, "big") + (6).to_bytes(4, "big")
    assert pseudo_header_sum(src, dst, 6, length) == word_by_word(laid_out)
