from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usertcp.stack import fragmentation
from usertcp.stack.counters import Counters
from usertcp.stack.host import Host
from usertcp.stack.reassembly import Datagram, Reassembler
from usertcp.wire import icmp, ipv4, ipv6, udp, virtio
from usertcp.wire.malformed import Malformed

PAIRS = {4: (b"\xc0\0\2\2", b"\xc0\0\2\1"), 6: (bytes(range(16)), bytes(range(16, 32)))}
MAX_PAYLOAD = {4: ipv4.MAX_LENGTH - ipv4.HEADER_LENGTH, 6: ipv6.MAX_PAYLOAD}
MIN_MTU = {4: 68, 6: 1280}
families = pytest.mark.parametrize("family", [4, 6])


def packets(family: int, payload: bytes, mtu: int, identification: int = 7) -> list[bytes]:
    src, dst = PAIRS[family]
    made = fragmentation.packets(src, dst, 58, payload, mtu=mtu, identification=identification)
    return [header + bytes(piece) for header, piece in made]


def put_together(made: list[bytes]) -> tuple[int, bytes] | None:
    """Protocol and payload of the one datagram in packets, as our own receiving side reads them."""
    reassembler = Reassembler(Counters().count)
    for at, packet in enumerate(made):
        if packet[0] >> 4 == 4:
            v4 = ipv4.parse(packet)
            assert not isinstance(v4, Malformed)
            assert v4.total_length == len(packet)
            src, dst, protocol, payload = v4.src, v4.dst, v4.protocol, packet[v4.header_length :]
            identification, offset, more = v4.identification, v4.fragment_offset, v4.more_fragments
        else:
            v6 = ipv6.parse(packet)
            assert not isinstance(v6, Malformed)
            assert v6.payload_offset + v6.payload_length == len(packet)
            src, dst, protocol, payload = v6.src, v6.dst, v6.next_header, packet[v6.payload_offset :]
            offset, more, identification = v6.fragment or (0, False, 0)
        assert (src, dst) in PAIRS.values()
        datagram = reassembler.add(src, dst, protocol, identification, offset, more, payload, 0.0)
        if datagram is not None:
            assert at == len(made) - 1
            return datagram
    return None


@families
@given(data=st.data())
def test_what_was_cut_is_put_together_again(family: int, data: st.DataObject) -> None:
    length = data.draw(st.one_of(st.integers(1, 5000), st.just(MAX_PAYLOAD[family])))
    mtu = data.draw(st.integers(MIN_MTU[family], 9000))
    payload = bytes(number & 0xFF for number in range(length))
    made = packets(family, payload, mtu, data.draw(st.integers(0, 2**32 - 1)))
    assert max(map(len, made)) <= mtu
    assert put_together(made) == Datagram(58, payload)


@families
def test_what_fits_is_not_cut(family: int) -> None:
    header = {4: 20, 6: 40}[family]
    (packet,) = packets(family, bytes(1500 - header), 1500)
    assert len(packet) == 1500
    assert len(packets(family, bytes(1501 - header), 1500)) == 2


@families
def test_no_fragment_is_smaller_than_it_must_be(family: int) -> None:
    header = {4: 20, 6: 48}[family]
    sizes = [len(packet) - header for packet in packets(family, bytes(65_000), 1500)]
    assert set(sizes[:-1]) == {1480 if family == 4 else 1448}


def _echo(family: int, reply: bool, data: bytes) -> bytes:
    ours, peer = PAIRS[family]
    src, dst = (ours, peer) if reply else (peer, ours)
    message = icmp.Echo(reply=reply, ident=1, seq=2, data=data)
    return icmp.emit_v4(message) if family == 4 else icmp.emit_v6(message, src, dst)


def _arrive(host: Host, family: int, protocol: int, payload: bytes, framed: Callable[[bytes], bytes]) -> None:
    ours, peer = PAIRS[family]
    for header, piece in fragmentation.packets(peer, ours, protocol, payload, mtu=host.mtu, identification=9):
        host.packet_arrives(framed(header + bytes(piece)), 1.0)


@families
@pytest.mark.parametrize("offload", [False, True])
def test_a_long_ping_gets_its_long_answer(family: int, offload: bool) -> None:
    ours, _ = PAIRS[family]
    host = Host([ours], secret=bytes(16), mtu=1500, offload=offload)
    net = virtio.emit(virtio.NetHeader()) if offload else b""
    protocol = icmp.PROTOCOL_V4 if family == 4 else icmp.PROTOCOL_V6
    for data in (b"short", bytes(range(256)) * 20, bytes(range(256)) * 30):
        _arrive(host, family, protocol, _echo(family, False, data), lambda packet: net + packet)
        answer = [b"".join(buffers) for buffers in host.outbox]
        host.outbox.clear()
        assert all(packet.startswith(net) for packet in answer)
        answer = [packet[len(net) :] for packet in answer]
        assert max(map(len, answer)) <= host.mtu
        assert put_together(answer) == Datagram(protocol, _echo(family, True, data))
    assert host.stats["echo-replies"] == 3
    assert host.stats["fragments-sent"] == 4 + 6


@families
def test_a_port_unreachable_quotes_the_datagram_and_not_its_last_fragment(family: int) -> None:
    """RFC 1122 §3.2.2: an error is about the first fragment; its ports are what the sender looks for."""
    ours, theirs = PAIRS[family]
    host = Host([ours], secret=bytes(16), mtu=1500)
    datagram = udp.emit(theirs, ours, 99, 53, bytes(4992)) + bytes(4992)
    _arrive(host, family, udp.PROTOCOL, datagram, bytes)
    (buffers,) = host.outbox
    packet = b"".join(buffers)
    message = icmp.parse_v4(packet[20:]) if family == 4 else icmp.parse_v6(packet[40:], packet[8:24], packet[24:40])
    assert isinstance(message, icmp.Unreachable)
    quoted = icmp.quoted(message.quoted, len(ours))
    assert not isinstance(quoted, Malformed)
    assert (quoted.src_port, quoted.dst_port) == (99, 53)


@families
def test_every_fragmented_datagram_has_its_own_identification(family: int) -> None:
    """RFC 6864 §4.2, RFC 8200 §4.5: also a copy of one that went before; all fragments of one share it."""
    src, dst = PAIRS[family]
    host = Host([src], secret=b"0123456789abcdef")
    names = [host.new_identification(src, dst) for _ in range(1000)]
    assert len({name & 0xFFFF for name in names}) == 1000
    at = slice(4, 6) if family == 4 else slice(44, 48)
    pieces = packets(family, bytes(3000), 1500, names[0])
    assert len(pieces) == 3
    assert len({piece[at] for piece in pieces}) == 1
