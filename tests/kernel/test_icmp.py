"""What is not TCP: the kernel's pings and datagrams."""

from __future__ import annotations

import errno
import os
import shutil
import socket

import pytest
import trio

from tests.kernel.clients import OURS, PATIENCE, curl, serving, until, url
from usertcp import HostConfig

families = pytest.mark.parametrize("family", [4, 6])
offloads = pytest.mark.parametrize("offload", [True, False], ids=["offload", "no-offload"])
SOCKET_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
#: Seconds between pings.  ping waits for the last answer as long as one interval, or twice the longest round
#: trip before, and gives it up then: too short an interval is an answer lost on a busy machine.
INTERVAL = "0.3"

needs_ping = pytest.mark.skipif(shutil.which("ping") is None, reason="ping is not installed")


async def ping(family: int, count: int, *arguments: str) -> str:
    """ping's report of so many answers, with the data that was sent; it asks again for those that are late."""
    command = ["ping", f"-{family}", "-n", "-c", str(count), "-w", str(PATIENCE), *arguments, OURS[family]]
    done = await trio.run_process(command, capture_stdout=True, check=False)
    report: str = (done.stdout or b"").decode()
    assert done.returncode == 0, report
    assert f", {count} received" in report
    assert "wrong data" not in report
    return report


@pytest.mark.rootless
@needs_ping
@families
@offloads
async def test_ping(family: int, offload: bool) -> None:
    async with serving(offload=offload) as stack:
        await ping(family, 3, "-i", INTERVAL)
        assert stack.stats()["echo-replies"] >= 3


@needs_ping
@families
@offloads
@pytest.mark.parametrize("size", [1472, 1473, 65_000])
async def test_ping_longer_than_the_mtu(family: int, offload: bool, size: int) -> None:
    """Fragments come in, and fragments go out, until the MTU is no limit any more."""
    async with serving(offload=offload) as stack:
        report = await ping(family, 3, "-i", INTERVAL, "-s", str(size))
        assert report.count(f"{size + 8} bytes from ") == 3
        stats = stack.stats()
        assert stats["echo-replies"] >= 3
        fits = size + 8 + (20 if family == 4 else 40) <= 1500
        assert stats["datagrams-reassembled"] == (0 if fits else stats["echo-replies"])
        assert (stats["fragments-sent"] == 0) is fits


@needs_ping
async def test_a_flood_of_pings() -> None:
    async with serving() as stack:
        await ping(4, 500, "-f")
        assert stack.stats()["icmp-held-back"] == 0


@needs_ping
async def test_more_pings_than_anybody_needs_are_not_answered() -> None:
    """RFC 4443 §2.4(f): the rate is bounded; what comes beside them is answered all the same."""
    async with serving("80", config=HostConfig(icmp_rate=0.0, icmp_burst=5)) as stack:
        command = ["ping", "-4", "-n", "-c", "20", "-l", "20", "-W", "0.2", OURS[4]]
        done = await trio.run_process(command, capture_stdout=True, check=False)
        assert b"20 packets transmitted, 5 received" in (done.stdout or b"")
        assert stack.stats()["icmp-held-back"] == 15
        assert "Hello" in await curl(url(4))


@families
@offloads
@pytest.mark.parametrize("size", [0, 1400, 65_000])
async def test_udp_is_refused(family: int, offload: bool, size: int) -> None:
    """RFC 1122 §4.1.3.1; the kernel finds the socket by the ports in what the ICMP message quotes."""
    async with serving(offload=offload) as stack:
        with trio.socket.socket(SOCKET_FAMILY[family], socket.SOCK_DGRAM) as client:
            await client.connect((OURS[family], 53))
            await client.send(os.urandom(size))
            with trio.fail_after(PATIENCE), pytest.raises(ConnectionRefusedError):
                await client.recv(1)
        assert stack.stats()["udp-port-closed"] == 1
        assert stack.stats()["unreachables-sent"] == 1


async def test_the_very_first_answer_arrives() -> None:
    """The kernel takes a new IPv6 address into use some time after it was told to, and drops what is for it."""
    for _ in range(30):
        async with serving():
            with trio.socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
                await client.connect((OURS[6], 53))
                await client.send(b"")
                with trio.fail_after(PATIENCE), pytest.raises(ConnectionRefusedError):
                    await client.recv(1)


@pytest.mark.rootless
async def test_an_unknown_protocol_is_refused() -> None:
    """RFC 1122 §3.2.2.1."""
    async with serving() as stack:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) as client:
            await client.connect((OURS[4], 0))
            await client.send(bytes(8))  # the kernel ignores an error that quotes less
            with trio.fail_after(PATIENCE), pytest.raises(OSError, match=os.strerror(errno.ENOPROTOOPT)):
                await client.recv(1)
        assert stack.stats()["unknown-protocol"] == 1


async def test_fragments_that_never_become_a_datagram_cost_little() -> None:
    async with serving("80") as stack:
        with trio.socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as client:
            for number in range(1000):
                # A first fragment of 1,480 bytes of UDP, with more to come.
                header = bytes([0x45, 0, 0, 0]) + number.to_bytes(2, "big") + bytes([0x20, 0, 64, 17, 0, 0])
                addresses = socket.inet_aton("192.0.2.1") + socket.inet_aton(OURS[4])
                await client.sendto(header + addresses + bytes(1480), (OURS[4], 0))
        await until(lambda: stack.stats()["fragments-received"] == 1000)
        assert stack.stats()["fragment-evicted"] == 1000 - stack.host.config.reassembly_datagrams
        assert "Hello" in await curl(url(4))
