from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from usertcp.runtime.device import DeviceGone, PacketDevice
from usertcp.runtime.errors import SetupError
from usertcp.runtime.interface import configure, parse_address
from usertcp.runtime.tun import NODE_VARIABLE, Tun, tun_node
from usertcp.wire import icmp, ipv4, tcp, virtio
from usertcp.wire.malformed import Malformed

pytestmark = [pytest.mark.kernel, pytest.mark.rootless]

HOST = bytes((192, 0, 2, 1))
OURS = bytes((192, 0, 2, 2))


@pytest.fixture
def tun() -> Iterator[Tun]:
    made = made_tun()
    yield made
    made.close()


def made_tun(offload: bool = True) -> Tun:
    tun = Tun(offload=offload)
    configure(tun.name, [parse_address("192.0.2.2/24")], mtu=1500)
    return tun


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


async def next_ipv4(tun: Tun) -> bytes:
    """The next IPv4 packet, without its virtio header (IPv6 has its own chatter)."""
    start = virtio.LENGTH if tun.offload else 0
    with trio.fail_after(5):
        while True:
            await tun.wait_readable()
            packet = tun.receive()
            if packet is not None and packet[start] >> 4 == 4:
                return packet[start:]


def echo_request(tun: Tun) -> tuple[bytes, ...]:
    message = icmp.emit_v4(icmp.Echo(reply=False, ident=7, seq=1, data=b"hello"))
    header = ipv4.emit(ipv4.Header(OURS, HOST, 1), len(message))
    return (bytes(virtio.LENGTH) + header, message) if tun.offload else (header, message)


async def test_is_made_and_removed() -> None:
    tun: PacketDevice = Tun("usertcp0", mtu=1400)
    assert tun.offload
    assert tun.mtu == 1400
    assert "usertcp0" in interfaces()
    tun.close()
    tun.close()
    assert "usertcp0" not in interfaces()


@pytest.mark.parametrize("offload", [True, False])
async def test_packets_both_ways(offload: bool) -> None:
    tun = made_tun(offload)
    assert tun.offload == offload
    assert tun.send(echo_request(tun))
    packet = await next_ipv4(tun)
    header = ipv4.parse(packet)
    assert not isinstance(header, Malformed)
    assert (header.src, header.dst) == (HOST, OURS)
    assert icmp.parse_v4(packet[header.header_length :]) == icmp.Echo(True, 7, 1, b"hello")
    counters = tun.counters()
    assert counters["packets-sent"] == 1
    assert counters["packets-received"] >= 1
    assert counters["bytes-received"] >= len(packet)
    tun.close()
    assert tun.counters()["packets-sent"] == 1


async def test_nothing_waiting(tun: Tun) -> None:
    while tun.receive() is not None:
        pass
    assert tun.receive() is None


async def test_the_kernel_hands_over_partial_checksums_and_super_segments(tun: Tun) -> None:
    """What offload is for: more than one segment of payload in one read."""
    with socket.socket() as client:
        client.setblocking(False)
        assert client.connect_ex(("192.0.2.2", 80)) != 0
        await tun.wait_readable()
        while (packet := tun.receive()) is None or packet[virtio.LENGTH] >> 4 != 4:
            await tun.wait_readable()
        header = virtio.parse(packet)
        assert not isinstance(header, Malformed)
        assert header.flags & virtio.NEEDS_CSUM
        syn = tcp.parse(packet[virtio.LENGTH + 20 :])
        assert isinstance(syn, tcp.Segment)
        answer = tcp.Segment(
            80, syn.src_port, 1, syn.seq + 1, tcp.SYN | tcp.ACK, 65535, options=tcp.Options(mss=1460)
        )
        assert tun.send(in_packet(answer))
        await next_ipv4(tun)  # the ACK
        client.sendall(bytes(10_000))
        assert len(await next_ipv4(tun)) > 2 * 1460


def in_packet(segment: tcp.Segment) -> tuple[bytes, ...]:
    head = tcp.emit(segment, OURS, HOST)
    length = len(head) + len(segment.payload)
    header = ipv4.emit(ipv4.Header(OURS, HOST, tcp.PROTOCOL), length)
    return (bytes(virtio.LENGTH), header, head, bytes(segment.payload))


async def test_an_impossible_packet_is_a_counted_loss(tun: Tun) -> None:
    assert tun.send((bytes(virtio.LENGTH), b"\xff"))
    assert tun.counters()["send-drops"] == 1


async def test_a_link_that_is_down_loses_packets() -> None:
    tun = Tun()
    assert tun.send(echo_request(tun))
    assert tun.counters()["send-drops"] == 1


async def test_a_super_segment_that_the_kernel_refuses_is_cut_in_software(tun: Tun) -> None:
    refused = virtio.NetHeader(
        virtio.NEEDS_CSUM, virtio.GSO_TCPV4 | 0x20, 40, 500, 20, tcp.CHECKSUM_OFFSET
    )  # a GSO type that does not exist: EINVAL
    segment = tcp.Segment(80, 9, 1, 1, tcp.ACK, 100, payload=bytes(1200))
    packet = (virtio.emit(refused), *in_packet(segment)[1:])
    assert tun.send(packet)
    assert tun.send(packet)
    counters = tun.counters()
    assert counters["offload-refused"] == 1
    assert counters["packets-sent"] == 6
    assert counters["send-drops"] == 0
    # No connection: each of the six is answered with a RST, if its checksum is right.
    for _ in range(6):
        reset = tcp.parse((await next_ipv4(tun))[20:])
        assert isinstance(reset, tcp.Segment)
        assert reset.flags & tcp.RST


@pytest.mark.parametrize("closer", ["close", "somebody else"])
async def test_whoever_waits_learns_that_the_device_is_gone(closer: str) -> None:
    tun = Tun()

    async def reader() -> None:
        while True:
            await tun.wait_readable()
            tun.receive()

    async def expect_the_end() -> None:
        with pytest.raises(DeviceGone):
            await reader()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_the_end)
            await wait_all_tasks_blocked()
            if closer == "close":
                tun.close()
            else:
                ip("link", "delete", tun.name)
    with pytest.raises(DeviceGone):
        tun.send(echo_request(tun))
    with pytest.raises(DeviceGone):
        tun.receive()
    tun.close()
    for wait in (tun.wait_readable, tun.wait_writable):
        with pytest.raises(DeviceGone):
            await wait()


async def test_the_descriptor_is_not_inherited_and_never_blocks(tun: Tun) -> None:
    assert not os.get_inheritable(tun._fd)
    assert not os.get_blocking(tun._fd)
    await tun.wait_writable()


async def test_losses_of_the_full_queue_are_counted() -> None:
    tun = Tun()
    configure(tun.name, [parse_address("192.0.2.2/24")], mtu=1500, queue_length=1)
    ip("link", "set", tun.name, "txqueuelen", "10")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(100):
            client.sendto(b"x", ("192.0.2.2", 9))
    assert tun.counters()["queue-drops"] >= 80
    tun.close()
    assert tun.counters()["queue-drops"] >= 80


async def test_a_persistent_device_that_was_handed_over_stays() -> None:
    ip("tuntap", "add", "dev", "usertcp0", "mode", "tun", "vnet_hdr")
    tun = made_tun()
    assert tun.persistent
    assert tun.offload
    assert tun.send(echo_request(tun))
    assert await next_ipv4(tun)
    tun.close()
    assert "usertcp0" in interfaces()


async def test_a_persistent_device_keeps_no_offload_from_its_last_user() -> None:
    """Otherwise a plain TUN yields super-segments with unfinished checksums."""
    ip("tuntap", "add", "dev", "usertcp0", "mode", "tun")
    Tun(offload=True).close()
    tun = made_tun(offload=False)
    assert not tun.offload
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("192.0.2.2", 9))
    packet = await next_ipv4(tun)
    udp = packet[20:]
    assert icmp_sum(packet[12:20] + bytes((0, 17)) + len(udp).to_bytes(2, "big") + udp) == 0


def icmp_sum(data: bytes) -> int:
    return int.from_bytes(data + bytes(len(data) % 2), "big") % 0xFFFF


def test_setup_errors_say_what_to_do() -> None:
    first = Tun("usertcp0")
    with pytest.raises(SetupError, match=r"usertcp0 is in use .* --tun usertcp1 --address 198\.18\.1\.2/24$"):
        Tun("usertcp0")
    first.close()
    with pytest.raises(SetupError, match="too long"):
        Tun("a" * 16)
    with pytest.raises(SetupError, match="another kind of interface"):
        Tun("lo")
    for name in ("", "..", "a/b", "a b", "tun%d", "\x1b[31m"):
        with pytest.raises(SetupError, match="cannot name an interface"):
            Tun(name)


def test_without_a_device_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NODE_VARIABLE, "/nonexistent/tun")
    assert tun_node() == "/nonexistent/tun"
    with pytest.raises(SetupError, match=r"no TUN device node /nonexistent/tun: .* modprobe tun"):
        Tun()


def test_a_node_that_is_something_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "tun"
    node.touch()
    monkeypatch.setenv(NODE_VARIABLE, str(node))
    with pytest.raises(SetupError, match="cannot open the TUN"):
        Tun()


def test_the_default_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NODE_VARIABLE, raising=False)
    assert tun_node() == "/dev/net/tun"
