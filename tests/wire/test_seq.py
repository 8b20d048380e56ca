from hypothesis import given
from hypothesis import strategies as st

from usertcp.wire.seq import MASK, unwrap

numbers = st.integers(0, 2**40)


@given(numbers, st.integers(-(2**31), 2**31 - 1))
def test_what_was_wrapped_comes_back(near: int, distance: int) -> None:
    number = near + distance
    assert unwrap(number & MASK, near) == number


@given(st.integers(0, MASK), numbers)
def test_any_number_from_the_wire(wire: int, near: int) -> None:
    number = unwrap(wire, near)
    assert number & MASK == wire
    assert -(2**31) <= number - near < 2**31


def test_across_the_wrap() -> None:
    assert unwrap(5, 0xFFFFFFF0) == 0x1_0000_0005
    assert unwrap(0xFFFFFFF0, 0x1_0000_0005) == 0xFFFFFFF0
