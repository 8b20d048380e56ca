from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.drill.packets.strategies import option_lists
from usertcp.drill.packets.options import canonical, decode, encode
from usertcp.drill.script import TcpOption

EOL = TcpOption("eol")


def unknown(kind: int, data: str = "") -> TcpOption:
    return TcpOption("unknown", data=bytes.fromhex(data), kind_number=kind)


@given(option_lists)
def test_what_is_encoded_is_decoded(options: tuple[TcpOption, ...]) -> None:
    assert decode(encode(options)) == (options, "")
    assert canonical(options) == options


@given(st.binary(max_size=40))
def test_anything_is_decoded(data: bytes) -> None:
    """And nothing is lost: what could be read is encoded to the same bytes."""
    options, problem = decode(data)
    encoded = encode(options)
    if not problem:
        assert encoded == data + bytes(-len(data) & 3)
    else:
        assert data.startswith(encoded.rstrip(b"\0"))


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("0103030700", (TcpOption("nop"), TcpOption("wscale", (7,)), EOL)),
        ("02020000", (unknown(2), EOL, EOL)),
        ("020505b400", (unknown(2, "05b400"),)),
        ("03040102", (unknown(3, "0102"),)),
        ("0403ff", (unknown(4, "ff"),)),
        ("0502", (unknown(5),)),
        ("050600000001", (unknown(5, "00000001"),)),
        ("080600000001", (unknown(8, "00000001"),)),
        ("4d0a0000000100000002", (unknown(77, "0000000100000002"),)),
        ("fe06f9890102", (TcpOption("FOEXP", data=b"\1\2"),)),
        ("fe04f98a", (unknown(254, "f98a"),)),
        ("fd04f989", (unknown(253, "f989"),)),
        ("1312" + 16 * "07", (TcpOption("md5", data=16 * b"\7"),)),
        ("1311" + 15 * "07", (unknown(19, 15 * "07"),)),
        ("1d12" + 16 * "07", (unknown(29, 16 * "07"),)),
        ("ac05000001", (TcpOption("AccECN", (1,), kind_number=172),)),
        ("ae05000001", (TcpOption("AccECN", (1,), kind_number=174),)),
        ("ae040001", (unknown(174, "0001"),)),
        ("ad05000001", (unknown(173, "000001"),)),
    ],
)
def test_decoding(data: str, options: tuple[TcpOption, ...]) -> None:
    assert decode(bytes.fromhex(data)) == (options, "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("0102", "option 2 at byte 1 has no length"),
        ("0200", "option 2 at byte 0 has length 0, with 2 bytes left"),
        ("010201", "option 2 at byte 1 has length 1, with 2 bytes left"),
        ("01020405", "option 2 at byte 1 has length 4, with 3 bytes left"),
    ],
)
def test_what_cannot_be_decoded(data: str, problem: str) -> None:
    options, found = decode(bytes.fromhex(data))
    assert found == problem
    assert all(option == TcpOption("nop") for option in options)


@pytest.mark.parametrize(
    ("options", "padding"),
    [
        ((TcpOption("md5"),), 2),
        ((TcpOption("mss"),), 0),
        ((TcpOption("wscale"),), 1),
        ((TcpOption("TS"),), 2),
        ((TcpOption("TS"), TcpOption("md5"), TcpOption("wscale"), TcpOption("nop")), 0),
        ((TcpOption("sackOK"),), 2),
        ((TcpOption("nop"),), 3),
    ],
)
def test_padding_of_what_says_no_value(options: tuple[TcpOption, ...], padding: int) -> None:
    assert canonical(options) == (*options, *(EOL,) * padding)
