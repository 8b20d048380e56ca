"""``usertcp listen`` and ``usertcp connect`` as processes: signals in mid transfer, and what becomes of the TUN."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import pytest
import trio

from tests.kernel.clients import KERNEL, OURS, PATIENCE, curl, dial, until, url
from usertcp.services.http.routes import block

FOREVER = b"GET /bytes/1000000000000 HTTP/1.1\r\nHost: x\r\n\r\n"
UPLOAD = b"PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"


class Command:
    """A running ``usertcp``."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.told = ""

    @property
    def complaints(self) -> str:
        """What it told, but for where its control socket is."""
        return "".join(line for line in self.told.splitlines(keepends=True) if "control socket" not in line)

    async def wait_until_told(self, words: str) -> None:
        """Until these were written to stderr."""
        assert self.process.stderr is not None
        with trio.fail_after(PATIENCE):
            while words not in self.told:
                data = await self.process.stderr.receive_some()
                assert data, f"it ended and never said {words!r}: {self.told}"
                self.told += data.decode()

    async def ended(self) -> int:
        """Its exit status; ``told`` is complete then."""
        assert self.process.stderr is not None
        with trio.fail_after(PATIENCE):
            async for data in self.process.stderr:
                self.told += data.decode()
            return await self.process.wait()


@asynccontextmanager
async def usertcp(*arguments: str, **streams: int | IO[str]) -> AsyncIterator[Command]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "usertcp", *arguments], stderr=subprocess.PIPE, **streams
    )
    try:
        yield Command(process)
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def listening(*arguments: str, **streams: int | IO[str]) -> AsyncIterator[Command]:
    async with usertcp("listen", *arguments, **streams) as command:
        await command.wait_until_told("Ctrl-C ends")
        yield command


def interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


async def ip(*arguments: str) -> None:
    await trio.run_process(["ip", *arguments])


# -- Stopping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 0, marks=pytest.mark.rootless)],
    ids=["SIGINT", "SIGTERM"],
)
async def test_a_signal_in_the_midst_of_transfers(number: signal.Signals, status: int) -> None:
    """FIN to everybody, a time of grace, and a RST for those who did not want to hear of it."""
    async with listening("80", "7") as command:
        idle = await dial(7)
        reader, sleeper, uploader = [await dial(80, family) for family in (4, 6, 4)]
        await reader.send_all(FOREVER)
        await sleeper.send_all(FOREVER)
        await uploader.send_all(UPLOAD + bytes(1_000_000))
        await reader.receive_some()
        command.process.send_signal(number)
        for client in (idle, reader, uploader):
            assert not await ending(client)
        with pytest.raises(ConnectionRefusedError):
            await dial(7)
        # Its window is closed and stays so: neither our data nor the FIN behind it can reach it.
        assert await command.ended() == status
        assert isinstance(await ending(sleeper), ConnectionResetError)
        assert "RSTs sent" in command.told
        for client in (idle, reader, sleeper, uploader):
            await client.aclose()
    assert interfaces() == {"lo"}


async def ending(stream: trio.SocketStream) -> BaseException | None:
    """Read to the end: the error that it was, or None for a FIN."""
    try:
        with trio.fail_after(PATIENCE):
            async for _ in stream:
                pass
    except trio.BrokenResourceError as error:
        return error.__cause__
    return None


async def test_no_grace_is_needed_where_everybody_closes() -> None:
    async with listening("80", "7") as command:
        clients = [await dial(7) for _ in range(20)]
        command.process.send_signal(signal.SIGINT)
        for client in clients:
            assert not await ending(client)
            await client.aclose()
        assert await command.ended() == 130
        assert "RSTs sent" not in command.told


async def test_killed_it_takes_the_tun_with_it() -> None:
    async with listening("80") as command:
        assert "usertcp0" in interfaces()
        command.process.kill()
        assert await command.ended() == -signal.SIGKILL
        await until(lambda: "usertcp0" not in interfaces())


# -- The TUN -----------------------------------------------------------------------------------------


async def test_a_persistent_tun_is_used_and_stays() -> None:
    await ip("tuntap", "add", "dev", "usertcp0", "mode", "tun")
    # Whoever had it before us may have wanted offload or not.
    for option in ("--offload", "--no-offload", "--offload"):
        async with listening("80", option) as command:
            size = 300_000
            assert len(await curl("-w", "%{size_download}", "-o", "/dev/null", url(4, f"/bytes/{size}"))) == 6
            assert "Hello" in await curl(url(6))
            command.process.send_signal(signal.SIGTERM)
            assert await command.ended() == 0
        assert "usertcp0" in interfaces()


async def test_a_tun_that_is_removed_under_us() -> None:
    async with listening("80") as command:
        assert "Hello" in await curl(url(4))
        await ip("link", "delete", "usertcp0")
        assert await command.ended() == 1
        assert "usertcp: the TUN usertcp0 was removed" in command.told
        assert "Traceback" not in command.told


async def test_a_tun_that_is_down_for_a_while() -> None:
    """To TCP that is a loss like any other."""
    async with listening("7") as command, await dial(7) as client:
        await client.send_all(b"one")
        assert await client.receive_some() == b"one"
        await ip("link", "set", "usertcp0", "down")
        await ip("link", "set", "usertcp0", "up")
        await client.send_all(b"two")
        with trio.fail_after(PATIENCE):
            assert await client.receive_some() == b"two"
        await client.aclose()
        command.process.send_signal(signal.SIGTERM)
        assert await command.ended() == 0


async def test_a_trace_that_nobody_reads_stops_nobody(tmp_path: Path) -> None:
    """A pipe that is full, a terminal after Ctrl-S."""
    size = 20_000_000
    async with listening("80", "--trace", "--no-offload", stdout=subprocess.PIPE):
        await curl(url(4, f"/bytes/{size}"), "-o", str(tmp_path / "file"))
        assert (tmp_path / "file").read_bytes() == (block() * 20)[:size]


# -- usertcp connect ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
async def test_connect_both_ways_at_once(family: int, tmp_path: Path) -> None:
    """What goes to stdin comes back while it is still going."""
    size = 30_000_000
    (tmp_path / "in").write_bytes((block() * 30)[:size])
    listener = trio.socket.socket(trio.socket.AF_INET if family == 4 else trio.socket.AF_INET6)
    await listener.bind(("", 0))
    listener.listen(1)
    port = str(listener.getsockname()[1])

    async def echo() -> None:
        client, _ = await listener.accept()
        async with trio.SocketStream(client) as stream:
            async for data in stream:
                await stream.send_all(data)

    with listener, (tmp_path / "in").open() as stdin, (tmp_path / "out").open("w") as stdout:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo)
            async with usertcp("connect", KERNEL[family], port, stdin=stdin, stdout=stdout) as command:
                assert await command.ended() == 0
                assert command.complaints == ""
    sums = {hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("in", "out")}
    assert len(sums) == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_connect_ends_well_by_a_signal(number: signal.Signals, status: int) -> None:
    listener = trio.socket.socket()
    await listener.bind(("", 0))
    listener.listen(1)
    with listener:
        arguments = ("connect", KERNEL[4], str(listener.getsockname()[1]))
        async with usertcp(*arguments, stdin=subprocess.PIPE) as command:
            client, (peer, _) = await listener.accept()
            assert peer == OURS[4]
            async with trio.SocketStream(client) as stream:
                assert command.process.stdin is not None
                await command.process.stdin.send_all(b"half a sen")
                assert await stream.receive_some() == b"half a sen"
                command.process.send_signal(number)
                with trio.fail_after(PATIENCE):
                    assert await stream.receive_some() == b""
            assert await command.ended() == status
            assert command.complaints == ""
    assert interfaces() == {"lo"}
