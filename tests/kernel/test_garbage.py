"""Whatever arrives at a TUN in use: it is counted, and nobody else notices.

The packets go in by a packet socket on the interface, past the kernel's own stack, as from a bad network.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address

import pytest
import trio

from tests.kernel.clients import KERNEL, OURS, curl, dial, serving, until, url
from usertcp import Stack
from usertcp.wire import checksum, icmp, ipv4, ipv6, tcp
from usertcp.wire.tcp import ACK, FIN, NO_OPTIONS, PSH, RST, SYN, URG, Options, Segment

PACKETS = 10_000
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
US = {family: ip_address(text).packed for family, text in OURS.items()}
THEM = {family: ip_address(text).packed for family, text in KERNEL.items()}

families = pytest.mark.parametrize("family", [4, 6])
offloads = pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])


def wire(stack: Stack, family: int) -> socket.socket:
    """A socket that puts whole packets of a family on the TUN, for us to read."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETHERTYPE[family]))
    sock.bind(("usertcp0", ETHERTYPE[family]))
    return sock


async def put(sock: socket.socket, packet: bytes) -> None:
    """Send one; it is bound to an interface whose queue may be full for a moment."""
    while True:
        try:
            sock.send(packet)
        except (BlockingIOError, InterruptedError):
            await trio.sleep(0.001)
        else:
            break


def packet(family: int, protocol: int, payload: bytes, src: bytes, dst: bytes) -> bytes:
    if family == 4:
        return ipv4.emit(ipv4.Header(src, dst, protocol), len(payload)) + payload
    return ipv6.emit(ipv6.Header(src, dst, protocol), len(payload)) + payload


def tcp_packet(family: int, segment: Segment, src: bytes | None = None, dst: bytes | None = None) -> bytes:
    src, dst = src or THEM[family], dst or US[family]
    return packet(family, tcp.PROTOCOL, tcp.emit(segment, src, dst) + bytes(segment.payload), src, dst)


# -- Fuzzing -----------------------------------------------------------------------------------------


def seeds(family: int, chance: random.Random) -> Iterator[bytes]:
    """Packets of every kind that mean something to us, right in every detail."""
    for_syn = [NO_OPTIONS, Options(mss=1460, window_scale=7, sack_permitted=True), Options(fast_open=b"cookie12")]
    for_others = [NO_OPTIONS, Options(sack=((5, 9), (11, 13)))]
    protocol = icmp.PROTOCOL_V4 if family == 4 else icmp.PROTOCOL_V6
    while True:
        port, seq, ack = chance.randrange(1, 2**16), chance.randrange(2**32), chance.randrange(2**32)
        for flags in (SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK, RST, RST | ACK, ACK | URG, SYN | FIN, 0, 0x3F):
            data = chance.randbytes(chance.choice([0, 1, 100]))
            options = chance.choice(for_syn if flags & SYN else for_others)
            yield tcp_packet(family, Segment(port, 80, seq, ack, flags, 1000, 7, data, 1, 2, options))
        yield packet(family, 17, bytes(20), THEM[family], US[family])
        quoted = tcp_packet(family, Segment(80, port, seq, ack, ACK, 1), US[family], THEM[family])
        for message in (
            icmp.Echo(reply=False, ident=1, seq=2, data=b"hello"),
            icmp.Unreachable(1, quoted),
            icmp.PacketTooBig(1280, quoted),
            icmp.TimeExceeded(0, quoted),
            icmp.ParameterProblem(0, 6, quoted),
        ):
            body = (
                icmp.emit_v4(message) if family == 4 else icmp.emit_v6(message, THEM[family], US[family])
            )
            yield packet(family, protocol, body, THEM[family], US[family])
        yield chance.randbytes(chance.randrange(1, 100))


def damaged(sample: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, or cut off, or added; sometimes with checksums that are right again."""
    data = bytearray(sample)
    for _ in range(chance.randrange(4)):
        data[chance.randrange(len(data))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    match chance.randrange(4):
        case 0:
            del data[chance.randrange(1, len(data) + 1) :]
        case 1:
            data += chance.randbytes(chance.randrange(40))
    # The kernel hands over what the packet socket's protocol says, but not an empty packet.
    return repaired(bytes(data)) if chance.randrange(2) else bytes(data)


def repaired(data: bytes) -> bytes:
    """With the right IPv4 and TCP checksums, if it is long enough to have some."""
    if data[0] >> 4 == 4 and len(data) >= 40 and data[0] & 0xF == 5:
        zeroed = data[:10] + b"\0\0" + data[12:20]
        data = data[:10] + checksum.finish(checksum.ones_sum(zeroed)).to_bytes(2, "big") + data[12:]
        start, src, dst, protocol = 20, data[12:16], data[16:20], data[9]
    elif data[0] >> 4 == 6 and len(data) >= 60:
        start, src, dst, protocol = 40, data[8:24], data[24:40], data[6]
    else:
        return data
    if protocol != tcp.PROTOCOL:
        return data
    at = start + tcp.CHECKSUM_OFFSET
    body = data[start:at] + b"\0\0" + data[at + 2 :]
    total = checksum.pseudo_header_sum(src, dst, protocol, len(body)) + checksum.ones_sum(body)
    return data[:at] + checksum.finish(total).to_bytes(2, "big") + data[at + 2 :]


@families
@offloads
async def test_after_garbage_curl_is_answered(family: int, offload: bool) -> None:
    chance = random.Random(family)
    async with serving("80", "7", offload=offload) as stack, await dial(7, family) as before:
        with closing(wire(stack, family)) as sock:
            source = seeds(family, chance)
            for number in range(PACKETS):
                await put(sock, damaged(next(source), chance))
                if number % 50 == 0:
                    await trio.lowlevel.checkpoint()
        await until(lambda: stack.stats()["device-packets-received"] > PACKETS // 2)
        assert "Hello" in await curl(url(family))
        # Who had a connection before still has it.
        await before.send_all(b"still here?")
        assert await before.receive_some() == b"still here?"
        counted = {name for name, count in stack.stats().items() if count}
        assert {"tcp-checksum", "not-our-address", "no-connection", "resets-sent"} <= counted
        assert len(counted) > 30, counted


@families
async def test_what_is_wrong_has_a_name(family: int) -> None:
    """Each of these is dropped in silence, under its own counter."""
    us, them = US[family], THEM[family]
    good = tcp_packet(family, Segment(9, 80, 5, 0, SYN, 1000))
    nobody = bytes(len(us))
    many = {4: bytes([224, 0, 0, 1]), 6: bytes([0xFF, 2]) + bytes(13) + b"\1"}[family]
    length_at = {4: 2, 6: 4}[family]
    too_long = good[:length_at] + b"\xff\xf0" + good[length_at + 2 :]
    wrong = {
        "source-is-us": tcp_packet(family, Segment(80, 80, 5, 0, SYN, 1000), us, us),  # LAND
        "source-not-a-host": tcp_packet(family, Segment(9, 80, 5, 0, SYN, 1000), many),
        "port-zero": tcp_packet(family, Segment(0, 80, 5, 0, SYN, 1000)),
        "no-ack": tcp_packet(family, Segment(9, 80, 5, 0, 0, 1000)),
        "not-our-address": tcp_packet(family, Segment(9, 80, 5, 0, SYN, 1000), them, them),
        "tcp-checksum": good[:-1] + bytes([good[-1] ^ 1]),
        "tcp-header-truncated": packet(family, tcp.PROTOCOL, bytes(19), them, us),
        "tcp-data-offset": packet(family, tcp.PROTOCOL, bytes(20), them, us),
        "ipv4-total-length" if family == 4 else "ipv6-payload-length": repaired(too_long),
    }
    async with serving("80") as stack:
        with closing(wire(stack, family)) as sock:
            for name, sample in wrong.items():
                sent = stack.stats()["device-packets-sent"]
                await put(sock, sample)
                await until(lambda name=name: stack.stats()[name] == 1)  # type: ignore[misc]
                assert stack.stats()["device-packets-sent"] == sent, name
            await put(sock, tcp_packet(family, Segment(9, 80, 5, 0, SYN, 1000), nobody))
            await until(lambda: stack.stats()["source-not-a-host"] == 2)
        assert stack.stats()["connections-opened"] == 0


@families
async def test_blind_attacks_on_an_open_connection(family: int) -> None:
    """RFC 5961: who does not know the sequence numbers exactly ends nothing and injects nothing."""
    async with serving("7") as stack, await dial(7, family) as client:
        await client.send_all(b"one")
        assert await client.receive_some() == b"one"
        (connection,) = stack.host.connections.values()
        port, window = connection.remote_port, connection.rcv_wnd

        def forged(flags: int, seq: int, ack: int, data: bytes = b"") -> bytes:
            seq, ack = (connection.rcv_nxt + seq) % 2**32, (connection.snd_nxt + ack) % 2**32
            return tcp_packet(family, Segment(port, 7, seq, ack, flags, 1000, 0, data))

        with closing(wire(stack, family)) as sock:
            attacks = [
                forged(RST, 1, 0),  # in the window, but not exact
                forged(RST, window - 1, 0),
                forged(RST, window + 1, 0),
                forged(RST, -1, 0),
                forged(RST | ACK, 5, 0),
                forged(SYN, 0, 0),
                forged(SYN | ACK, 7, 0),
                forged(ACK, 0, 100_000, b"evil"),  # acknowledges what was never sent
                forged(ACK, 0, -(2**31) + 1, b"evil"),  # or was long ago
                forged(FIN | ACK, window + 10, 0),
                forged(ACK, window + 10, 0, b"evil"),
                forged(ACK, -(2**31), 0, b"evil"),
            ]
            arrived = stack.stats()["device-packets-received"]
            for attack in attacks:
                await put(sock, attack)
            await until(lambda: stack.stats()["device-packets-received"] >= arrived + len(attacks))
        await client.send_all(b"two")
        assert await client.receive_some() == b"two"
        await client.send_eof()
        assert not await client.receive_some()
        stats = stack.stats()
        assert stats["challenge-acks"] + stats["challenge-acks-held-back"] >= 6
        assert stats["connections-opened"] == 1
