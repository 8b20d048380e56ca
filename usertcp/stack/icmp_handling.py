"""ICMP as a host does it: echo, the errors we send, and the errors that quote our segments.

RFC 792, RFC 1122 §3.2.2, RFC 4443; what reaches a connection is checked as RFC 5927 §4 asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from usertcp.stack import fragmentation, strays
from usertcp.tcp.errors import IcmpMeaning
from usertcp.wire import icmp, ipv6, ipv6_problem, tcp, virtio
from usertcp.wire.malformed import Malformed

if TYPE_CHECKING:
    from usertcp.stack.host import Host

_NO_OFFLOAD_NEEDED = virtio.emit(virtio.NetHeader())


def message_arrives(host: Host, src: bytes, dst: bytes, data: memoryview, now: float) -> None:
    """An ICMP message for one of our addresses."""
    message = icmp.parse_v4(data) if len(src) == 4 else icmp.parse_v6(data, src, dst)
    if isinstance(message, Malformed):
        strays.dropped(host, message, now)
    elif isinstance(message, icmp.Echo):
        if not message.reply:
            _send(host, dst, src, message._replace(reply=True), now, "echo-replies")
    elif isinstance(message, icmp.Other):
        host.count("icmp-ignored")
    else:
        _error_arrives(host, message, message.quoted, len(src), now)


def _error_arrives(host: Host, message: icmp.Message, quoted_bytes: bytes, family: int, now: float) -> None:
    """Deliver an error to the connection whose segment it quotes (RFC 9293 §3.9.2.2, MUST-54)."""
    quoted = icmp.quoted(quoted_bytes, family)
    if isinstance(quoted, Malformed):
        strays.dropped(host, quoted, now)
        return
    if quoted.protocol != tcp.PROTOCOL:
        host.count("icmp-ignored")
        return
    ports = quoted.dst_port.to_bytes(2, "big") + quoted.src_port.to_bytes(2, "big")
    connection = host.connections.get(quoted.dst + quoted.src + ports)
    if connection is None:
        host.count("icmp-no-connection")
        return
    host.count("icmp-errors-received")
    if isinstance(message, icmp.PacketTooBig):
        connection.packet_too_big(message.mtu, quoted.seq, now)
        return
    text, meaning = _meaning(message, family)
    connection.icmp_error(text, quoted.seq, now, meaning)


def _meaning(message: icmp.Message, family: int) -> tuple[str, IcmpMeaning]:
    """What the error says, and what that is to a connection (RFC 9293 §3.9.2.2)."""
    if isinstance(message, icmp.Unreachable):
        meanings = _V4_MEANINGS if family == 4 else _V6_MEANINGS
        text = f"no route: ICMP {_unreachable_name(message.code, family)}"
        return text, meanings.get(message.code, IcmpMeaning.OTHER)
    if isinstance(message, icmp.TimeExceeded):
        return "ICMP time exceeded", IcmpMeaning.UNDERWAY
    return "ICMP parameter problem", IcmpMeaning.UNDERWAY


_V4_MEANINGS = {
    icmp.V4_NET: IcmpMeaning.NO_ROUTE,
    icmp.V4_HOST: IcmpMeaning.NO_ROUTE,
    icmp.V4_PROTOCOL: IcmpMeaning.HARD,
    icmp.V4_PORT: IcmpMeaning.HARD,
    icmp.V4_NET_PROHIBITED: IcmpMeaning.FORBIDDEN,
    icmp.V4_HOST_PROHIBITED: IcmpMeaning.FORBIDDEN,
    icmp.V4_ADMINISTRATIVELY_PROHIBITED: IcmpMeaning.FORBIDDEN,
}
_V6_MEANINGS = {
    icmp.V6_NO_ROUTE: IcmpMeaning.NO_ROUTE,
    icmp.V6_ADMINISTRATIVELY_PROHIBITED: IcmpMeaning.HARD,
    icmp.V6_PORT: IcmpMeaning.HARD,
}

_V4_NAMES = {
    icmp.V4_NET: "network unreachable",
    icmp.V4_HOST: "host unreachable",
    icmp.V4_PROTOCOL: "protocol unreachable",
    icmp.V4_PORT: "port unreachable",
    icmp.V4_SOURCE_ROUTE_FAILED: "source route failed",
    icmp.V4_ADMINISTRATIVELY_PROHIBITED: "administratively prohibited",
}
_V6_NAMES = {
    icmp.V6_NO_ROUTE: "no route to destination",
    icmp.V6_ADMINISTRATIVELY_PROHIBITED: "administratively prohibited",
    icmp.V6_ADDRESS: "address unreachable",
    icmp.V6_PORT: "port unreachable",
}


def _unreachable_name(code: int, family: int) -> str:
    return (_V4_NAMES if family == 4 else _V6_NAMES).get(code, f"unreachable, code {code}")


# -- The errors we send ------------------------------------------------------------------------------


def port_unreachable(host: Host, src: bytes, dst: bytes, packet: memoryview, now: float) -> None:
    """Nobody listens on a UDP port here (RFC 1122 §4.1.3.1)."""
    code = icmp.V4_PORT if len(src) == 4 else icmp.V6_PORT
    _send(host, dst, src, icmp.Unreachable(code, _quote(packet)), now, "unreachables-sent")


def protocol_unreachable(host: Host, src: bytes, dst: bytes, packet: memoryview, now: float) -> None:
    """Neither TCP, UDP nor ICMP (RFC 1122 §3.2.2.1, RFC 4443 §3.4)."""
    quoted = _quote(packet)
    if len(src) == 4:
        message: icmp.Message = icmp.Unreachable(icmp.V4_PROTOCOL, quoted)
    else:
        message = icmp.ParameterProblem(icmp.V6_UNRECOGNIZED_NEXT_HEADER, _pointer(packet), quoted)
    _send(host, dst, src, message, now, "unreachables-sent")


def parameter_problem(
    host: Host, src: bytes, dst: bytes, packet: memoryview, problem: ipv6_problem.Problem, now: float
) -> None:
    """Something in the headers of ``packet`` kept it from being processed (RFC 4443 §3.4)."""
    message = icmp.ParameterProblem(problem.code, problem.pointer, _quote(packet))
    _send(host, dst, src, message, now, "unreachables-sent")


def _pointer(packet: memoryview) -> int:
    """Where the number of the upper layer's protocol stands: in the last extension header, if there is one."""
    header = ipv6.parse(packet)
    if isinstance(header, Malformed) or not header.extensions:
        return 6
    return ipv6.HEADER_LENGTH + sum(2 + len(extension.data) for extension in header.extensions[:-1])


def reassembly_timed_out(host: Host, now: float) -> None:
    """Give up datagrams whose fragments did not all come, and say so (RFC 792, RFC 8200 §4.5)."""
    for given_up in host.reassembler.expire(now):
        message = icmp.TimeExceeded(icmp.REASSEMBLY, given_up.quoted)
        _send(host, given_up.dst, given_up.src, message, now, "time-exceeded-sent")


def _quote(packet: memoryview) -> bytes:
    most = icmp.MAX_QUOTED_V4 if packet[0] >> 4 == 4 else icmp.MAX_QUOTED_V6
    return bytes(packet[:most])


def _send(host: Host, src: bytes, dst: bytes, message: icmp.Message, now: float, counter: str) -> None:
    """One ICMP message, at a bounded rate (RFC 4443 §2.4(f)), in fragments if it is longer than the MTU."""
    if not host.icmp.allow(now):
        host.count("icmp-held-back")
        return
    if len(src) == 4:
        protocol, body = icmp.PROTOCOL_V4, icmp.emit_v4(message)
    else:
        protocol, body = icmp.PROTOCOL_V6, icmp.emit_v6(message, src, dst)
    host.count(counter)
    virtio_header = _NO_OFFLOAD_NEEDED if host.offload else b""
    made = list(
        fragmentation.packets(
            src, dst, protocol, body, mtu=host.mtu, identification=host.new_identification(src, dst)
        )
    )
    if len(made) > 1:
        host.count("fragments-sent", len(made))
    host.outbox.extend((virtio_header + header, piece) for header, piece in made)
