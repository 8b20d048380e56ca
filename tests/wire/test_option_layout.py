"""How options stand in a header: as stacks in use have them."""

from __future__ import annotations

import pytest

from usertcp.wire.option_layout import LAYOUTS
from usertcp.wire.tcp import ACK, NO_OPTIONS, SYN, Options, Segment, emit, parse

_OFFER = Options(mss=1460, window_scale=8, sack_permitted=True)
_STAMPS = "080a0000000100000002"


@pytest.mark.parametrize(
    ("layout", "flags", "stamps", "options", "expected"),
    [
        ("words", SYN, True, _OFFER, f"020405b40402{_STAMPS}01030308"),
        ("words", SYN, False, _OFFER, "020405b40101040201030308"),
        ("words", SYN, True, _OFFER._replace(sack_permitted=False), f"020405b40101{_STAMPS}01030308"),
        ("words", SYN, False, Options(mss=1460, window_scale=8), "020405b401030308"),
        ("words", SYN, False, Options(mss=1460), "020405b4"),
        ("words", SYN, True, NO_OPTIONS, f"0101{_STAMPS}"),
        ("words", ACK, True, Options(sack=((1, 2),)), f"0101{_STAMPS}0101050a0000000100000002"),
        ("words", SYN, False, Options(mss=1460, fast_open=b""), "020405b422020101"),
        ("words", SYN, False, Options(fast_open=bytes(8)), f"220a{bytes(8).hex()}0101"),
        ("words", SYN, False, Options(fast_open_experiment=b""), "fe04f989"),
        ("words", SYN, False, Options(user_timeout=7), "1c040007"),
        ("scale-first", SYN, True, _OFFER, f"020405b4010303080402{_STAMPS}"),
        ("scale-first", SYN, False, _OFFER, "020405b40103030804020000"),
        ("scale-first", SYN, True, _OFFER._replace(window_scale=None), f"020405b40402{_STAMPS}"),
        ("scale-first", SYN, True, _OFFER._replace(sack_permitted=False), f"020405b4010303080101{_STAMPS}"),
        ("scale-first", SYN, False, Options(mss=1460, sack_permitted=True), "020405b404020000"),
        ("scale-first", ACK, True, Options(sack=((1, 2),)), f"0101{_STAMPS}0101050a0000000100000002"),
        ("scale-first", ACK, False, Options(sack=((1, 2),)), "0101050a0000000100000002"),
        ("scale-first", SYN, False, Options(mss=1460, fast_open=bytes(8)), f"020405b4220a{bytes(8).hex()}0000"),
    ],
)
def test_the_bytes(layout: str, flags: int, stamps: bool, options: Options, expected: str) -> None:
    val, echo = (1, 2) if stamps else (None, None)
    assert LAYOUTS[layout](flags, val, echo, options).hex() == expected


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stamps", [(None, None), (3, 4)])
@pytest.mark.parametrize(
    "options",
    [
        NO_OPTIONS,
        _OFFER,
        Options(sack=((1, 2), (5, 6))),
        Options(mss=9, fast_open=bytes(6), user_timeout=40),
        Options(fast_open_experiment=b"12345678", unknown=((77, b"x"),)),
    ],
)
@pytest.mark.parametrize("flags", [SYN, ACK])
def test_each_says_the_same(layout: str, stamps: tuple[int | None, int | None], options: Options, flags: int) -> None:
    encoded = LAYOUTS[layout](flags, *stamps, options)
    assert len(encoded) % 4 == 0
    header = bytearray(emit(Segment(1, 2, 0, 0, flags, 0), bytes(4), bytes(4)))
    header[12] = (20 + len(encoded)) << 2
    segment = parse(bytes(header) + encoded)
    assert isinstance(segment, Segment)
    assert (segment.ts_val, segment.ts_ecr) == stamps
    assert segment.options == options


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_does_not_fit_is_refused(layout: str) -> None:
    with pytest.raises(ValueError, match="TCP options of"):
        LAYOUTS[layout](ACK, 1, 2, Options(sack=((1, 2), (3, 4), (5, 6), (7, 8))))
    with pytest.raises(ValueError, match="in pairs"):
        LAYOUTS[layout](ACK, 1, None, NO_OPTIONS)
