"""packetdrill's words for the types and codes of ICMP (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1, RFC 4443)."""

from __future__ import annotations

from typing import Final

from usertcp.drill.packets.errors import UnknownPart

_UNREACHABLE_4: Final = {
    "net_unreachable": 0,
    "host_unreachable": 1,
    "protocol_unreachable": 2,
    "port_unreachable": 3,
    "frag_needed": 4,
    "source_route_failed": 5,
    "net_unknown": 6,
    "host_unknown": 7,
    "source_host_isolated": 8,
    "net_prohibited": 9,
    "host_prohibited": 10,
    "net_unreachable_for_tos": 11,
    "host_unreachable_for_tos": 12,
    "packet_filtered": 13,
    "administratively_prohibited": 13,
    "admin_prohibited": 13,
    "precedence_violation": 14,
    "precedence_cutoff": 15,
}
_UNREACHABLE_6: Final = {
    "no_route": 0,
    "net_unreachable": 0,
    "administratively_prohibited": 1,
    "admin_prohibited": 1,
    "packet_filtered": 1,
    "not_neighbour": 2,
    "beyond_scope": 2,
    "address_unreachable": 3,
    "addr_unreachable": 3,
    "host_unreachable": 3,
    "port_unreachable": 4,
    "source_address_failed_policy": 5,
    "reject_route": 6,
}
_TIME_EXCEEDED: Final = {
    "exceeded_in_transit": 0,
    "ttl_exceeded": 0,
    "hop_limit_exceeded": 0,
    "exceeded_reassembly": 1,
    "fragment_reassembly_time_exceeded": 1,
    "reassembly": 1,
}
_TYPES_4: Final = {
    "echo_reply": 0,
    "unreachable": 3,
    "source_quench": 4,
    "redirect": 5,
    "echo_request": 8,
    "time_exceeded": 11,
    "parameter_problem": 12,
    "timestamp_request": 13,
    "timestamp_reply": 14,
    "information_request": 15,
    "information_reply": 16,
    "address_mask_request": 17,
    "address_mask_reply": 18,
}
_TYPES_6: Final = {
    "unreachable": 1,
    "packet_too_big": 2,
    "time_exceeded": 3,
    "parameter_problem": 4,
    "echo_request": 128,
    "echo_reply": 129,
}
_CODES_4: Final = {3: _UNREACHABLE_4, 11: _TIME_EXCEEDED}
_CODES_6: Final = {
    1: _UNREACHABLE_6,
    3: _TIME_EXCEEDED,
    4: {"erroneous_header": 0, "unknown_next_header": 1, "unknown_option": 2},
}
#: The messages that quote a packet.
_ERRORS: Final = {4: frozenset((3, 4, 5, 11, 12)), 6: frozenset((1, 2, 3, 4))}


def number_of_type(word: str, version: int) -> int:
    """The type that ``word`` (or a number as text) is in ICMP for IP ``version``.  Raises UnknownPart."""
    return _number(word, _TYPES_6 if version == 6 else _TYPES_4, f"ICMPv{version} type")


def number_of_code(word: str | None, kind: int, version: int) -> int:
    """The code of type ``kind``; 0 where none is said.  Raises UnknownPart."""
    if word is None:
        return 0
    codes = _CODES_6 if version == 6 else _CODES_4
    return _number(word, codes.get(kind, {}), f"code of ICMPv{version} type {kind}")


def _number(word: str, words: dict[str, int], what: str) -> int:
    if word in words:
        return words[word]
    try:
        number = int(word, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFF:
        raise UnknownPart(f"no such {what}: {word}")
    return number


def word_of_type(kind: int, version: int) -> str:
    return _word(kind, _TYPES_6 if version == 6 else _TYPES_4)


def word_of_code(code: int, kind: int, version: int) -> str:
    codes = _CODES_6 if version == 6 else _CODES_4
    return _word(code, codes.get(kind, {}))


def _word(number: int, words: dict[str, int]) -> str:
    return next((word for word, value in words.items() if value == number), str(number))


def is_error(kind: int, version: int) -> bool:
    """Whether messages of this type quote the packet that they are about."""
    return kind in _ERRORS[version]


def takes_mtu(kind: int, code: int, version: int) -> bool:
    """Whether the message names the next hop's MTU (RFC 1191 §4, RFC 4443 §3.2)."""
    return (version, kind, code) == (4, 3, 4) or (version, kind) == (6, 2)
