"""echo, discard, daytime and chargen over trio's memory streams."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from usertcp.services import chargen, daytime, discard, echo, serving
from usertcp.services.registry import SERVICES


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    return b"".join([bytes(data) async for data in stream])


async def test_echo_returns_everything_to_a_client_that_half_closes() -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(echo.serve, server)
        await client.send_all(b"hello")
        assert await client.receive_some() == b"hello"
        await client.send_all(b"world")
        await client.send_eof()
        assert await read_all(client) == b"world"


async def test_discard_says_nothing() -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(discard.serve, server)
        await client.send_all(bytes(100_000))
        await client.send_eof()
        assert await read_all(client) == b""


async def test_daytime_is_one_line_and_the_end() -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: daytime.serve(server, clock=lambda: 0.0))
        assert await read_all(client) == b"Thursday, January 01, 1970 00:00:00-UTC\r\n"
        await client.aclose()


async def test_daytime_does_not_wait_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    client, server = trio.testing.memory_stream_pair()
    await daytime.serve(server)
    assert trio.current_time() >= serving.LINGER
    assert (await read_all(client)).endswith(b"-UTC\r\n")


def test_the_pattern_is_that_of_rfc_864() -> None:
    lines = chargen.PATTERN.split(b"\r\n")
    assert lines[0].startswith(b" !\"#$%&'()*+,-./0123456789:;<=>?@ABC")
    assert lines[0].endswith(b"efg")
    assert lines[1] == lines[0][1:] + b"h"
    assert lines.pop() == b""
    assert len(lines) == 95
    assert {len(line) for line in lines} == {72}
    assert lines[0] == lines[-1][1:] + b"g"  # it goes on without a seam


async def test_chargen_goes_on_until_the_client_ends() -> None:
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(chargen.serve, server)
        got = b""
        while len(got) < 3 * len(chargen.PATTERN):
            got += await client.receive_some()
        await client.send_eof()
    assert got.startswith(chargen.PATTERN * 3)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
async def test_a_reset_connection_ends_a_service_in_silence(
    service: object, caplog: pytest.LogCaptureFixture
) -> None:
    client, server = trio.testing.memory_stream_pair()

    async def broken(*_: object) -> None:
        raise trio.BrokenResourceError

    server.send_stream.send_all_hook = broken  # type: ignore[attr-defined]
    server.receive_stream.receive_some_hook = broken  # type: ignore[attr-defined]
    server.receive_stream.close_hook = None  # type: ignore[attr-defined]
    await client.send_all(b"GET / HTTP/1.0\r\n\r\n")
    await client.send_eof()
    serve: Callable[[trio.StapledStream], Awaitable[None]] = service.serve  # type: ignore[attr-defined]
    await serve(server)
    assert not caplog.records


async def test_a_bug_is_logged_and_the_stream_closed(caplog: pytest.LogCaptureFixture) -> None:
    @serving.service
    async def buggy(stream: trio.abc.HalfCloseableStream) -> None:
        raise RuntimeError("a bug")

    client, server = trio.testing.memory_stream_pair()
    with caplog.at_level(logging.ERROR):
        await buggy(server)
    assert await client.receive_some() == b""
    assert "a bug" in caplog.text


async def test_cancellation_passes_through_and_closes() -> None:
    client, server = trio.testing.memory_stream_pair()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(chargen.serve, server)
            await client.receive_some()
            scope.cancel()
    assert scope.cancelled_caught
