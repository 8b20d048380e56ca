"""A SYN flood from spoofed addresses, during which a real curl gets its answers (RFC 4987)."""

from __future__ import annotations

import socket
from pathlib import Path

import trio

from tests.kernel.clients import OURS, curl, serving, until, url
from usertcp import Stack
from usertcp.runtime.stack import DEFAULT_BACKLOG
from usertcp.wire import ipv4, tcp
from usertcp.wire.tcp import SYN, Options, Segment

SYNS = 100_000
#: How many go out before the stack has its turn: fewer than it reads in one, so that none waits for long.
BATCH = 50
_OPTIONS = Options(mss=1460, window_scale=7, sack_permitted=True)


def spoofed_syn(number: int) -> bytes:
    """The SYN of a modern host that does not exist: the answers go nowhere."""
    src, dst = (0x0A000000 + number).to_bytes(4, "big"), socket.inet_aton(OURS[4])
    segment = Segment(1024 + number % 60000, 80, number, 0, SYN, 65535, 0, b"", number, 0, _OPTIONS)
    header = tcp.emit(segment, src, dst)
    return ipv4.emit(ipv4.Header(src, dst, tcp.PROTOCOL), len(header)) + header


async def flood(stack: Stack) -> int:
    """Send all of them as fast as the stack reads them; returns the most connections that there were."""
    most = 0
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for first in range(0, SYNS, BATCH):
            for number in range(first, first + BATCH):
                raw.sendto(spoofed_syn(number), (OURS[4], 0))
            await trio.lowlevel.checkpoint()
            most = max(most, len(stack.host.connections))
    return most


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_curl_is_answered_during_a_flood_and_memory_stays_bounded() -> None:
    answers = 0

    async def asks_again_and_again() -> None:
        nonlocal answers
        while True:
            assert await curl("-H", "Connection: close", "-H", "Accept: text/plain", url(4))
            answers += 1

    async with serving("80") as stack, trio.open_nursery() as nursery:
        await curl(url(4, "/bytes/1000"), "-o", "/dev/null")
        before = resident_bytes()
        nursery.start_soon(asks_again_and_again)
        most = await flood(stack)
        during = answers
        await until(lambda: answers > during)
        stats = stack.stats()
        grown = resident_bytes() - before
        nursery.cancel_scope.cancel()
    assert stats["device-packets-received"] > SYNS
    assert stats["syn-cookies-sent"] > SYNS // 2
    assert during >= 3
    assert most <= DEFAULT_BACKLOG + 16  # curl's own among them
    assert grown < 64 << 20, f"{grown >> 20} MB"
