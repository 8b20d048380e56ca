from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.drill.packets.strategies import outers
from usertcp.drill.packets.encapsulation import peel, wrap
from usertcp.drill.packets.errors import Unbuildable
from usertcp.drill.script import OuterHeader
from usertcp.wire import ipv4

IN_IPV4 = OuterHeader("ipv4", "1.1.1.1", "2.2.2.2")
INNER = ipv4.emit(ipv4.Header(b"\3\3\3\3", b"\4\4\4\4", 6), 4) + b"data"


def in_gre(header: str, rest: bytes = INNER) -> bytes:
    payload = bytes.fromhex(header) + rest
    return ipv4.emit(ipv4.Header(b"\1\1\1\1", b"\2\2\2\2", 47), len(payload)) + payload


@given(outers)
def test_what_is_wrapped_is_peeled(outer: tuple[OuterHeader, ...]) -> None:
    peeled = peel(wrap(INNER, outer))
    assert (peeled.packet, peeled.problem) == (INNER, "")
    # Wrapped once more it is the same to the last bit.
    assert wrap(INNER, peeled.outer) == wrap(INNER, outer)


def test_a_stack_of_labels_is_one_header() -> None:
    peeled = peel(in_gre("000088470000560900006108"))
    assert peeled.outer[1:] == (
        OuterHeader("gre"),
        OuterHeader(
            "mpls", fields=(("label", 5), ("tc", 3), ("ttl", 9), ("label", 6), ("tc", 0), ("s", 1), ("ttl", 8))
        ),
    )
    assert peeled.packet == INNER


def test_labels_apart_make_the_same_stack() -> None:
    apart = (OuterHeader("mpls", fields=(("label", 5),)), OuterHeader("mpls", fields=(("label", 6),)))
    together = (OuterHeader("mpls", fields=(("label", 5), ("label", 6))),)
    assert wrap(INNER, (IN_IPV4, *apart)) == wrap(INNER, (IN_IPV4, *together))


@pytest.mark.parametrize(
    ("packet", "problem"),
    [
        (in_gre("80000800"), "GRE with flags 0x8000 and ethertype 0x0800"),
        (in_gre("00000806"), "GRE with flags 0x0000 and ethertype 0x0806"),
        (in_gre("0000", b""), "GRE header cut short"),
        (in_gre("0000884700005609", b""), "MPLS labels without a bottom, or nothing behind it"),
        (in_gre("0000884700005709", b""), "MPLS labels without a bottom, or nothing behind it"),
        (in_gre("000088470000560900005609", b"\0"), "MPLS labels without a bottom, or nothing behind it"),
        (in_gre("00008847", b""), "MPLS labels without a bottom, or nothing behind it"),
    ],
)
def test_headers_that_make_no_sense(packet: bytes, problem: str) -> None:
    assert peel(packet).problem == problem


def test_there_is_an_end() -> None:
    assert peel(wrap(INNER, (IN_IPV4,) * 15)).problem == ""
    assert peel(wrap(INNER, (IN_IPV4,) * 16)).problem == "too many headers around a packet"


@given(st.binary(max_size=60), st.sampled_from(["", "00000800", "00008847", "000086dd"]))
def test_garbage_is_peeled_too(garbage: bytes, header: str) -> None:
    assert peel(in_gre(header, garbage)).outer
    peel(garbage)


@pytest.mark.parametrize("field", [("label", 1 << 20), ("tc", 8), ("s", 2), ("ttl", 256), ("label", -1)])
def test_fields_out_of_their_range(field: tuple[str, int]) -> None:
    with pytest.raises(Unbuildable, match="out of its range"):
        wrap(INNER, (IN_IPV4, OuterHeader("mpls", fields=(field,))))
