"""The grammar of packets: ``< [ect0] 1234 > 80 P. 1:1001(1000) ack 1 win 257 <nop,nop,TS val 1 ecr 2>``.

Sequence numbers have 32 bits; more, or less than zero, is taken modulo 2**32.  ``@`` in front of one (also ``!``)
says that it is the number on the wire.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from usertcp.drill.lexer import FRACTION, HEXADECIMAL, INTEGER, WORD, Lexer
from usertcp.drill.parser_tcp_options import tcp_options
from usertcp.drill.script import (
    IcmpPacket,
    IpInfo,
    OuterHeader,
    Packet,
    PacketEvent,
    Sequence,
    TcpPacket,
    UdpPacket,
)

_MASK = 0xFFFF_FFFF
_FLAGS = re.compile(r"[FSRPEUWAN]*([0-7]?)[FSRPEUWAN]*\.?([0-7]?)|-", re.ASCII)
_FLAG_PIECES = (WORD, INTEGER, FRACTION, ".", "-")
_ECN = ("noecn", "ect0", "ect1", "ect01", "ce")
#: The colon that ends a header may adjoin an address that is made of colons.
_ADDRESSES = {
    "ipv4": re.compile(r"[0-9.]+", re.ASCII),
    "ipv6": re.compile(r"[0-9a-fA-F:.]+(?=\s*[:>])|[0-9a-fA-F:.]+", re.ASCII),
}
_MUTATIONS = re.compile(r"\{([^{}\n]*+)\}")

Ports = tuple[int, int] | None


def packet_event(lexer: Lexer) -> PacketEvent:
    """The packet that comes next, from its ``<`` or ``>``."""
    inbound = lexer.take() == "<"
    ip, outer, echoed = _brackets(lexer, _NOTHING_SAID), [], None
    while (header := _outer_header(lexer)) is not None:
        outer.append(header)
        if len(outer) > _MOST_HEADERS:
            raise lexer.wrong("a packet with too many headers")
    ip = _brackets(lexer, ip)
    if lexer.kind == "[":
        echoed = _echoed(lexer)
    ports = _ports(lexer)
    packet: Packet
    if lexer.accept_word("udp"):
        packet = _udp(lexer, ip, tuple(outer), ports)
    elif lexer.accept_word("icmp") or lexer.accept_word("icmpv6"):
        packet = _icmp(lexer, ip, tuple(outer), echoed)
    elif echoed is not None:
        raise lexer.expected("'icmp' behind the packet that it quotes")
    else:
        packet = _tcp(lexer, ip, tuple(outer), ports)
    if lexer.kind == "{":
        raise lexer.unsupported("a mutation of a packet that is not TCP")
    if lexer.kind == "/":
        raise lexer.unsupported("encapsulation in UDP")
    return PacketEvent(inbound, packet)


_NOTHING_SAID = IpInfo()
#: Headers around a packet, fields of one of them; more than fit is the packet builder's to say.
_MOST_HEADERS = _MOST_FIELDS = 100

# -- IP -------------------------------------------------------------------------------------------------


def _brackets(lexer: Lexer, ip: IpInfo) -> IpInfo:
    """What brackets say of the IP header, added to ``ip``; an ICMP message's quotation is left alone."""
    while lexer.kind == "[" and lexer.looks_at(_INFORMATION):
        lexer.take()
        said = {"ecn": ip.ecn, "ttl": ip.ttl, "tos": ip.tos, "flow_label": ip.flow_label}
        while not lexer.accept("]"):
            _ip_field(lexer, said)
            if not lexer.accept(",") and lexer.kind not in ("]", WORD):
                raise lexer.expected("',' or ']'")
        ip = IpInfo(**said)  # type: ignore[arg-type]  # each has its field's type
    return ip


_INFORMATION = re.compile(r"\[\s*(?!(?:udp|tcp|raw)\b)[a-zA-Z]", re.ASCII)


def _ip_field(lexer: Lexer, said: dict[str, str | int | None]) -> None:
    if lexer.kind == WORD and lexer.text in _ECN:
        said["ecn"] = lexer.take()
        return
    if lexer.kind != WORD:
        raise lexer.expected("what the IP header holds")
    name, high = _IP_FIELDS.get(lexer.text, ("", 0))
    if not name:
        raise lexer.unsupported(f"{lexer.found()} of an IP header")
    what = f"{lexer.take()} and a number"
    lexer.accept("=")
    said[name] = lexer.integer(what, 0, high)


_IP_FIELDS = {
    "ttl": ("ttl", 255),
    "hoplimit": ("ttl", 255),
    "tos": ("tos", 255),
    "tclass": ("tos", 255),
    "flowlabel": ("flow_label", 0xF_FFFF),
}


def _outer_header(lexer: Lexer) -> OuterHeader | None:
    if lexer.kind != WORD:
        return None
    kind = lexer.text
    if kind in ("ipv4", "ipv6"):
        lexer.take()
        source = _address(lexer, kind)
        lexer.expect(">", "'>' and an address")
        destination = _address(lexer, kind)
        lexer.expect(":", "':'")
        return OuterHeader(kind, source, destination)
    if kind == "gre":
        lexer.take()
        fields = _header_fields(lexer)
        lexer.expect(":", "':'")
        return OuterHeader(kind, fields=fields)
    if kind == "mpls":
        lexer.take()
        return _mpls(lexer)
    if kind == "udp" and lexer.looks_at(_UDP_ENCAPSULATES):
        lexer.take()
        ports = _ports(lexer)
        lexer.expect(":", "':'")
        return OuterHeader(kind, fields=(("sport", ports[0]), ("dport", ports[1]))) if ports else None
    return None


_UDP_ENCAPSULATES = re.compile(r"udp\s+\d+\s*>\s*\d+\s*:", re.ASCII)


def _address(lexer: Lexer, family: str) -> str:
    offset = lexer.start
    match = lexer.raw(_ADDRESSES[family])
    text = match[0] if match else ""
    try:
        (ipaddress.IPv4Address if family == "ipv4" else ipaddress.IPv6Address)(text)
    except ValueError:
        raise lexer.wrong(f"expected an {family} address, found '{text[:60]}'", offset) from None
    return text


def _header_fields(lexer: Lexer) -> tuple[tuple[str, int], ...]:
    """``name number, name number``, bare or in parentheses."""
    fields: list[tuple[str, int]] = []
    bracket = lexer.accept("(")
    while lexer.kind == WORD:
        if len(fields) > _MOST_FIELDS:
            raise lexer.wrong("a header with too many fields")
        name = lexer.take()
        fields.append((name, lexer.integer(f"a number for {name[:40]}", 0, _MASK)))
        lexer.accept(",")
    if bracket:
        lexer.expect(")", "')'")
    return tuple(fields)


def _mpls(lexer: Lexer) -> OuterHeader:
    """A stack of labels; the fields of all follow each other, ``S`` is the bottom's."""
    fields: list[tuple[str, int]] = []
    while lexer.accept("("):
        while not lexer.accept(")"):
            if len(fields) > _MOST_FIELDS:
                raise lexer.wrong("a header with too many fields")
            if lexer.accept("["):
                lexer.expect(WORD, "'S'")
                lexer.expect("]", "']'")
                fields.append(("s", 1))
            else:
                name = lexer.expect(WORD, "a field of a label")
                fields.append((name, lexer.integer(f"a number for {name[:40]}", 0, 0xF_FFFF)))
            if not lexer.accept(",") and lexer.kind != ")":
                raise lexer.expected("',' or ')'")
    lexer.accept(",")
    lexer.expect(":", "':'")
    return OuterHeader("mpls", fields=tuple(fields))


def _ports(lexer: Lexer) -> Ports:
    if lexer.kind != INTEGER or not lexer.looks_at(_PORTS):
        return None
    source = lexer.integer("a port", 0, 0xFFFF)
    lexer.expect(">", "'>' and a port")
    return source, lexer.integer("a port", 0, 0xFFFF)


_PORTS = re.compile(r"\d+\s*>", re.ASCII)

# -- TCP ------------------------------------------------------------------------------------------------


def _tcp(lexer: Lexer, ip: IpInfo, outer: tuple[OuterHeader, ...], ports: Ports) -> TcpPacket:
    flags, ace = _flags(lexer)
    sequence = _sequence(lexer)
    numbers, ack_absolute = _numbers(lexer)
    options = tcp_options(lexer) if lexer.kind == "<" else ()
    ack, window, urgent = numbers.get("ack"), numbers.get("win"), numbers.get("urg")
    return TcpPacket(
        flags, sequence, ack, window, urgent, options, ip, outer, ports, ace, ack_absolute, _mutations(lexer)
    )


def _numbers(lexer: Lexer) -> tuple[dict[str, int], bool]:
    """``ack 1 win 257 urg 5``, each at most once, and whether the acknowledgment is absolute."""
    numbers: dict[str, int] = {}
    absolute = False
    while lexer.kind == WORD and lexer.text in _NUMBERS and lexer.text not in numbers:
        name = lexer.take()
        if name == "ack":
            absolute = _absolute(lexer)
            numbers[name] = lexer.integer("an acknowledgment number") & _MASK
        else:
            numbers[name] = lexer.integer(_NUMBERS[name], 0, 0xFFFF)
    return numbers, absolute


_NUMBERS = {"ack": "an acknowledgment number", "win": "a window", "urg": "an urgent pointer"}


def _flags(lexer: Lexer) -> tuple[frozenset[str], int | None]:
    offset, text = lexer.start, ""
    while lexer.kind in _FLAG_PIECES and (not text or lexer.kind == "." or lexer.adjoins(offset + len(text))):
        text += lexer.take()
    if not text:
        raise lexer.expected("a packet")
    meaning = _meaning(text[:_MOST_FLAGS])
    if meaning is not None and len(text) < _MOST_FLAGS:
        return meaning
    if text[0].islower():
        raise lexer.unsupported(f"a packet of the kind '{text[:40]}'", offset)
    raise lexer.wrong(f"expected the flags of a segment, found '{text[:40]}'", offset)


_MOST_FLAGS = 20


@lru_cache(1024)
def _meaning(text: str) -> tuple[frozenset[str], int | None] | None:
    """Flags, and the accurate-ECN counter if they have it as a digit in place of its three flags."""
    match = _FLAGS.fullmatch(text)
    if match is None:
        return None
    digit = match[1] or match[2]
    flags = frozenset(text.replace("N", "A")) - {"-", digit}
    if not digit:
        return flags, None
    return None if (match[1] and match[2]) or flags & {"E", "W", "A"} else (flags, int(digit))


def _absolute(lexer: Lexer) -> bool:
    return lexer.accept("@") or lexer.accept("!")


def _sequence(lexer: Lexer) -> Sequence:
    offset = lexer.start
    plain = lexer.raw(_PLAIN_SEQUENCE)
    if plain is not None:  # nearly always, and much faster than seven tokens
        absolute = False
        start, end, length = map(int, plain.groups())
    else:
        absolute, start, end, length = _spelled_out(lexer)
    if (end - start - length) & _MASK or length > 0xFFFF:
        raise lexer.wrong(f"from {start} to {end} are not {length} bytes of a segment", offset)
    return Sequence(start & _MASK, end & _MASK, length, absolute)


_PLAIN_SEQUENCE = re.compile(r"([0-9]{1,20}):([0-9]{1,20})\(([0-9]{1,9})\)", re.ASCII)


def _spelled_out(lexer: Lexer) -> tuple[bool, int, int, int]:
    absolute = _absolute(lexer)
    start = lexer.integer("a sequence number")
    lexer.expect(":", "':' and the sequence number behind the data")
    _absolute(lexer)
    end = lexer.integer("the sequence number behind the data")
    return absolute, start, end, _length(lexer)


def _mutations(lexer: Lexer) -> str:
    if lexer.kind != "{":
        return ""
    match = lexer.raw(_MUTATIONS)
    if match is None:
        raise lexer.wrong("a mutation begins here and never ends")
    return " ".join(match[1].split())


# -- UDP and ICMP ---------------------------------------------------------------------------------------


def _udp(lexer: Lexer, ip: IpInfo, outer: tuple[OuterHeader, ...], ports: Ports) -> UdpPacket:
    ports = ports or _ports(lexer)
    return UdpPacket(_length(lexer), ip, outer, ports)


def _length(lexer: Lexer) -> int:
    lexer.expect("(", "'(' and the number of bytes")
    length = lexer.integer("a number of bytes", 0, 0xFFFF)
    lexer.expect(")", "')'")
    return length


def _echoed(lexer: Lexer) -> Sequence | int:
    """What an ICMP message quotes: ``[1:1001(1000)]`` or ``[udp (100)]``."""
    lexer.expect("[", "'['")
    echoed: Sequence | int
    if lexer.accept_word("udp"):
        echoed = _length(lexer)
    elif lexer.kind == WORD and not lexer.accept_word("tcp"):
        raise lexer.unsupported(f"an ICMP message that quotes {lexer.found()}")
    else:
        echoed = _sequence(lexer)
    lexer.expect("]", "']'")
    return echoed


def _icmp(lexer: Lexer, ip: IpInfo, outer: tuple[OuterHeader, ...], echoed: Sequence | int | None) -> IcmpPacket:
    offset = lexer.start
    type_ = _icmp_word(lexer, "the type of an ICMP message")
    code = mtu = None
    # A number on the next line is a time.
    if (lexer.kind == WORD and lexer.text != "mtu") or (lexer.kind == INTEGER and lexer.on_line_of(offset)):
        code = _icmp_word(lexer, "the code of an ICMP message")
    if lexer.accept_word("mtu"):
        mtu = lexer.integer("an MTU", 0, _MASK)
    if lexer.kind == "[":
        if echoed is not None:
            raise lexer.wrong("this ICMP message quotes two packets")
        echoed = _echoed(lexer)
    tcp, udp = (echoed, None) if isinstance(echoed, Sequence) else (None, echoed)
    return IcmpPacket(type_, code, mtu, tcp, udp, ip, outer)


def _icmp_word(lexer: Lexer, what: str) -> str:
    if lexer.kind in (INTEGER, HEXADECIMAL):
        return str(lexer.integer(what, 0, 0xFF))
    return lexer.expect(WORD, what)
