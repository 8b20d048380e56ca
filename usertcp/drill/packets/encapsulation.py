"""Headers around a packet: ``ipv4 1.1.1.1 > 2.2.2.2: gre: mpls (label 5, ttl 64):`` as bytes, and back.

The packet inside is complete.  Only plain headers are known: GRE without checksum, key or sequence number
(RFC 2784), MPLS entries as of RFC 3032.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final, NamedTuple

from usertcp.drill.packets.errors import Unbuildable, UnknownPart
from usertcp.drill.script import OuterHeader
from usertcp.wire import ipv4, ipv6
from usertcp.wire.malformed import Malformed

#: What may be inside of an IP header, as a protocol number.
_IN_IP: Final = {"ipv4": 4, "ipv6": 41, "gre": 47, "mpls": 137}
#: The same in a GRE header, as an ethertype.
_IN_GRE: Final = {"ipv4": 0x0800, "ipv6": 0x86DD, "mpls": 0x8847}
_BY_PROTOCOL: Final = {number: kind for kind, number in _IN_IP.items()}
_BY_ETHERTYPE: Final = {number: kind for kind, number in _IN_GRE.items()}

_GRE = Struct("!HH")
_MPLS = Struct("!I")
_MPLS_FIELDS = frozenset(("label", "tc", "s", "ttl"))
_TTL = 255
#: More headers than any script writes, so that a crafted packet ends.
_MAX_DEPTH = 16


def wrap(packet: bytes, outer: tuple[OuterHeader, ...]) -> bytes:
    """``packet`` inside of the headers ``outer``, the outermost first.  Raises Unbuildable."""
    inside = "ipv6" if packet[0] >> 4 == 6 else "ipv4"
    for header in reversed(outer):
        packet = _header(header, inside, len(packet)) + packet
        inside = header.kind
    if inside not in ("ipv4", "ipv6"):
        raise Unbuildable(f"a packet cannot begin with a header of {inside}")
    return packet


def _header(header: OuterHeader, inside: str, length: int) -> bytes:
    try:
        match header.kind:
            case "ipv4":
                return _ipv4(header, inside, length)
            case "ipv6":
                return _ipv6(header, inside, length)
            case "gre":
                return _gre(header, inside)
            case "mpls":
                return _mpls(header, last=inside != "mpls")
    except KeyError:
        raise Unbuildable(f"{header.kind} cannot carry {inside}") from None
    raise UnknownPart(f"no such encapsulation: {header.kind}")


def _ipv4(header: OuterHeader, inside: str, length: int) -> bytes:
    try:
        source, destination = IPv4Address(header.source).packed, IPv4Address(header.destination).packed
        return ipv4.emit(ipv4.Header(source, destination, _IN_IP[inside], ttl=_TTL, dont_fragment=True), length)
    except ValueError as error:
        raise Unbuildable(str(error)) from None


def _ipv6(header: OuterHeader, inside: str, length: int) -> bytes:
    try:
        source, destination = IPv6Address(header.source).packed, IPv6Address(header.destination).packed
        return ipv6.emit(ipv6.Header(source, destination, _IN_IP[inside], hop_limit=_TTL), length)
    except ValueError as error:
        raise Unbuildable(str(error)) from None


def _gre(header: OuterHeader, inside: str) -> bytes:
    if any(value for _, value in header.fields):
        raise UnknownPart("a GRE header with more than a protocol")
    return _GRE.pack(0, _IN_GRE[inside])


def _mpls(header: OuterHeader, *, last: bool) -> bytes:
    """One entry of the stack or several; ``last``: the bottom is among them, and is the last one if none says so."""
    entries: list[dict[str, int]] = [{}]
    for name, value in header.fields:
        name = name.lower()
        if name not in _MPLS_FIELDS:
            raise UnknownPart(f"{name} of an MPLS label")
        if name in entries[-1]:
            entries.append({})
        entries[-1][name] = value
    if last and not any("s" in entry for entry in entries):
        entries[-1]["s"] = 1
    return b"".join(map(_mpls_entry, entries))


def _mpls_entry(fields: dict[str, int]) -> bytes:
    label, traffic_class, ttl = fields.get("label", 0), fields.get("tc", 0), fields.get("ttl", _TTL)
    bottom = fields.get("s", 0)
    if label >> 20 or traffic_class >> 3 or ttl >> 8 or bottom >> 1:
        raise Unbuildable("an MPLS field is out of its range")
    return _MPLS.pack(label << 12 | traffic_class << 9 | bottom << 8 | ttl)


class Peeled(NamedTuple):
    """``problem`` is "" unless a header made no sense."""

    outer: tuple[OuterHeader, ...]
    packet: bytes
    problem: str


def peel(packet: bytes) -> Peeled:
    """The headers around the innermost IP packet of ``packet``, and that packet."""
    outer: list[OuterHeader] = []
    kind = "ipv6" if packet and packet[0] >> 4 == 6 else "ipv4"
    while len(outer) < _MAX_DEPTH:
        step = _peel_ip(packet, kind) if kind in ("ipv4", "ipv6") else _peel_other(packet, kind)
        if step is None:
            return Peeled(tuple(outer), packet, "")
        if isinstance(step, str):
            return Peeled(tuple(outer), packet, step)
        header, kind, packet = step
        outer.append(header)
    return Peeled(tuple(outer), packet, "too many headers around a packet")


#: A header, the kind of what it carries, and that.
_Step = tuple[OuterHeader, str, bytes]


def _peel_ip(packet: bytes, kind: str) -> _Step | None:
    """None: this is the innermost one, or it cannot be read as an IP header."""
    if kind == "ipv6":
        header6 = ipv6.parse(packet)
        if isinstance(header6, Malformed) or header6.next_header not in _BY_PROTOCOL:
            return None
        outer = OuterHeader("ipv6", str(IPv6Address(header6.src)), str(IPv6Address(header6.dst)))
        end = header6.payload_offset + header6.payload_length
        return outer, _BY_PROTOCOL[header6.next_header], packet[header6.payload_offset : end]
    header4 = ipv4.parse(packet)
    if isinstance(header4, Malformed) or header4.protocol not in _BY_PROTOCOL:
        return None
    outer = OuterHeader("ipv4", str(IPv4Address(header4.src)), str(IPv4Address(header4.dst)))
    return outer, _BY_PROTOCOL[header4.protocol], packet[header4.header_length : header4.total_length]


def _peel_other(packet: bytes, kind: str) -> _Step | str:
    if kind == "mpls":
        return _peel_mpls(packet)
    if len(packet) < _GRE.size:
        return "GRE header cut short"
    flags, ethertype = _GRE.unpack_from(packet)
    if flags or ethertype not in _BY_ETHERTYPE:
        return f"GRE with flags {flags:#06x} and ethertype {ethertype:#06x}"
    return OuterHeader("gre"), _BY_ETHERTYPE[ethertype], packet[_GRE.size :]


def _peel_mpls(packet: bytes) -> _Step | str:
    """The whole stack."""
    fields: list[tuple[str, int]] = []
    for at in range(0, len(packet) - _MPLS.size, _MPLS.size):
        (entry,) = _MPLS.unpack_from(packet, at)
        bottom = entry >> 8 & 1
        fields += (("label", entry >> 12), ("tc", entry >> 9 & 7))
        fields += (("s", 1),) if bottom else ()
        fields.append(("ttl", entry & 0xFF))
        if bottom:
            rest = packet[at + _MPLS.size :]
            return OuterHeader("mpls", fields=tuple(fields)), "ipv6" if rest[0] >> 4 == 6 else "ipv4", rest
    return "MPLS labels without a bottom, or nothing behind it"
