"""What an IPv6 host says about packets whose headers it cannot process (RFC 8200 §4, RFC 4443 §3.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.stack.host import Host
from usertcp.wire import icmp, ipv6
from usertcp.wire.ipv6_problem import Problem, problem_of
from usertcp.wire.malformed import Malformed

US = bytes.fromhex("fd009293000000000000000000000002")
PEER = bytes.fromhex("fd009293000000000000000000000001")
#: A protocol that we do not have.
UNHEARD_OF = 99


def packet(*headers: tuple[int, str], upper: int = UNHEARD_OF, body: bytes = bytes(8), dst: bytes = US) -> bytes:
    """``headers``: types and bodies in hexadecimal, without "next header"."""
    kinds = [kind for kind, _ in headers] + [upper]
    chain = b"".join(
        bytes([following]) + bytes.fromhex(data) for following, (_, data) in zip(kinds[1:], headers, strict=True)
    )
    return ipv6.emit(ipv6.Header(PEER, dst, kinds[0]), len(chain + body)) + chain + body


def answers(*packets: bytes) -> list[icmp.Message]:
    host = Host([US], secret=b"0123456789abcdef")
    for one in packets:
        host.packet_arrives(one, 1.0)
    messages = []
    for buffers in host.outbox:
        header = ipv6.parse(b"".join(buffers))
        assert not isinstance(header, Malformed)
        assert (header.src, header.dst) == (US, PEER)
        message = icmp.parse_v6(b"".join(buffers)[40:], US, PEER)
        assert not isinstance(message, Malformed)
        messages.append(message)
    return messages


FINE = (60, "00 010400000000")
#: An option of each kind that nobody knows, in a destination options header.
UNKNOWN = {action: (60, f"00 {action:02x}04 00000000") for action in (0x1E, 0x5E, 0x9E, 0xDE)}
ROUTING = (43, "00 0001 00000000")  # type 0, one segment left
NO_SEGMENTS = (43, "00 0000 00000000")
FRAGMENT_OF_ODD_LENGTH = (44, "00 0001 00000007")
FRAGMENT_TOO_LONG = (44, "00 fff9 00000007")


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ([UNKNOWN[0x9E]], Problem(icmp.V6_UNRECOGNIZED_OPTION, 42)),
        ([UNKNOWN[0xDE]], Problem(icmp.V6_UNRECOGNIZED_OPTION, 42)),
        ([FINE, UNKNOWN[0x9E]], Problem(icmp.V6_UNRECOGNIZED_OPTION, 50)),
        ([NO_SEGMENTS, UNKNOWN[0x9E]], Problem(icmp.V6_UNRECOGNIZED_OPTION, 50)),
        ([(60, "00 0000 01009e00")], Problem(icmp.V6_UNRECOGNIZED_OPTION, 46)),
        ([ROUTING], Problem(icmp.V6_ERRONEOUS_HEADER, 42)),
        ([FINE, ROUTING], Problem(icmp.V6_ERRONEOUS_HEADER, 50)),
        ([FINE, (0, "00 010400000000")], Problem(icmp.V6_UNRECOGNIZED_NEXT_HEADER, 40)),
    ],
    ids=str,
)
def test_the_sender_is_told_where_it_is(headers: list[tuple[int, str]], problem: Problem) -> None:
    """RFC 8200 §4, §4.2, §4.4: the packet is discarded, and not silently."""
    sent = packet(*headers)
    assert answers(sent) == [icmp.ParameterProblem(problem.code, problem.pointer, sent)]


@pytest.mark.parametrize(
    ("fragment", "length", "pointer"), [(FRAGMENT_OF_ODD_LENGTH, 7, 4), (FRAGMENT_TOO_LONG, 16, 42)]
)
def test_fragments_that_can_not_be_right(fragment: tuple[int, str], length: int, pointer: int) -> None:
    """RFC 8200 §4.5: a length that is no multiple of 8, and a datagram that would be too long."""
    sent = packet(fragment, body=bytes(length))
    assert answers(sent) == [icmp.ParameterProblem(icmp.V6_ERRONEOUS_HEADER, pointer, sent)]


#: First fragments, of which more follow.
FIRST = (44, "00 0001 00000007")


@pytest.mark.parametrize(
    ("upper", "length", "incomplete"),
    [
        (6, 16, True), (6, 24, False), (17, 0, True), (17, 8, False), (58, 0, False), (59, 0, False),
        (UNHEARD_OF, 0, True), (UNHEARD_OF, 8, False),
    ],
)  # fmt: skip
def test_a_first_fragment_has_all_headers(upper: int, length: int, incomplete: bool) -> None:
    """RFC 8200 §4.5; of ICMPv6 it cannot be known that it is no error."""
    for headers in ([FIRST], [FINE, FIRST], [FIRST, FINE]):
        sent = packet(*headers, upper=upper, body=bytes(length))
        told = [icmp.ParameterProblem(icmp.V6_INCOMPLETE_CHAIN, 0, sent)] if incomplete else []
        assert answers(sent) == told


def test_an_extension_header_that_is_not_all_there() -> None:
    """It says that it has 24 bytes, of which 8 are in the first fragment."""
    sent = packet(FIRST, upper=60, body=bytes.fromhex("63 02 01040000 0000"))
    assert answers(sent) == [icmp.ParameterProblem(icmp.V6_INCOMPLETE_CHAIN, 0, sent)]


@pytest.mark.parametrize("headers", [[UNKNOWN[0x1E]], [FINE], [NO_SEGMENTS]], ids=str)
def test_what_is_to_be_skipped_is_skipped(headers: list[tuple[int, str]]) -> None:
    """RFC 8200 §4.2, §4.4: the packet is processed, and refused for the protocol behind the headers."""
    sent = packet(*headers)
    assert answers(sent) == [icmp.ParameterProblem(icmp.V6_UNRECOGNIZED_NEXT_HEADER, 40, sent)]


@pytest.mark.parametrize(
    "sent",
    [
        packet(UNKNOWN[0x5E]),  # 01: discard, and nothing else
        packet((60, "00 5e00 9e000000")),
        packet(UNKNOWN[0x5E], UNKNOWN[0x9E]),
        packet((60, "00 010300000001"), UNKNOWN[0x5E], ROUTING),
        packet(UNKNOWN[0x9E], dst=PEER),
        packet(UNKNOWN[0x9E], dst=bytes.fromhex("ff02") + bytes(13) + b"\1"),
        packet(UNKNOWN[0x9E], upper=58, body=icmp.emit_v6(icmp.TimeExceeded(0, b""), PEER, US)),
        packet(UNKNOWN[0x9E], upper=58, body=b""),
        packet((60, "02 9e04 00000000")),  # goes past the end
        packet(UNKNOWN[0x9E])[:39],
        packet((44, "00 0009 00000007"), body=bytes(16)),
    ],
    ids=[
        "silent",
        "silent before an option",
        "silent before a header",
        "silent between",
        "not for us",
        "to a group",
        "an error",
        "nothing",
        "truncated",
        "no header",
        "a good fragment",
    ],
)
def test_nothing_is_said_about_others(sent: bytes) -> None:
    """RFC 8200 §4.2, RFC 4443 §2.4(e)."""
    assert answers(sent) == []


def test_an_echo_request_is_no_error() -> None:
    """RFC 4443 §2.4(e) is about errors only."""
    sent = packet(UNKNOWN[0x9E], upper=58, body=icmp.emit_v6(icmp.Echo(False, 1, 1), PEER, US))
    assert answers(sent) == [icmp.ParameterProblem(icmp.V6_UNRECOGNIZED_OPTION, 42, sent)]


@given(st.binary(min_size=40, max_size=120))
def test_any_bytes(data: bytes) -> None:
    problem = problem_of(data)
    assert problem is None or 0 <= problem.pointer < len(data)


CHAINS = st.lists(st.tuples(st.sampled_from([0, 43, 44, 60]), st.binary(min_size=7, max_size=7)), max_size=6)


@given(CHAINS, st.binary())
def test_any_chain(headers: list[tuple[int, bytes]], body: bytes) -> None:
    problem_of(packet(*((kind, data.hex()) for kind, data in headers), body=body))
