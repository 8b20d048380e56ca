"""The HTTP service, byte for byte over trio's memory streams."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import h11
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usertcp.services import http
from usertcp.services.http import exchange, routes
from usertcp.tcp.states import State

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def get(target: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *fields, "", ""]).encode("latin-1")


class Wrapped(trio.abc.HalfCloseableStream):
    """Another stream, to which a test adds something (trio's own cannot be subclassed)."""

    def __init__(self, inner: trio.StapledStream) -> None:
        self.inner = inner

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self.inner.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.inner.aclose()


@asynccontextmanager
async def served(**options: object) -> AsyncIterator[trio.StapledStream]:
    """The client's end of a stream whose other end is served; both are done at the end."""
    client, server = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(http.serve, server, **options))
        yield client
        await client.aclose()


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    return b"".join([bytes(data) async for data in stream])


@dataclass
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


def replies(data: bytes, *methods: bytes) -> list[Reply]:
    """What a client that sent requests with these methods makes of ``data``; nothing may be left over."""
    found = []
    for method in methods:
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        client.receive_data(data)
        client.receive_data(b"")
        reply = Reply(0, {}, b"")
        while not isinstance(event := client.next_event(), (h11.EndOfMessage, h11.ConnectionClosed)):
            if isinstance(event, h11.Response):
                reply = Reply(event.status_code, dict(event.headers), b"")
            elif isinstance(event, h11.Data):
                reply.body += event.data
        found.append(reply)
        data = client.trailing_data[0]
    assert data == b""
    return found


async def ask(request: bytes, *methods: bytes, **options: object) -> list[Reply]:
    """Send ``request``, half-close, and read everything."""
    async with served(**options) as client:
        await client.send_all(request)
        await client.send_eof()
        return replies(await read_all(client), *(methods or (b"GET",)))


async def test_curl_gets_text_and_a_browser_a_page() -> None:
    [text] = await ask(get("/", "Accept: */*"))
    [page] = await ask(get("/", "Accept: text/html,application/xhtml+xml,*/*;q=0.8"))
    assert text.status == page.status == 200
    assert text.headers[b"content-type"].startswith(b"text/plain")
    assert b"/bytes/N" in text.body
    assert page.headers[b"content-type"].startswith(b"text/html")
    assert b"/bytes/N" in page.body


async def test_the_page_escapes_what_it_echoes() -> None:
    [page] = await ask(get("/?<script>'\"", "Accept: text/html", "User-Agent: <b>&\x9b31m"))
    assert b"<script>" not in page.body
    assert b"<b>" not in page.body
    assert b"&lt;b&gt;&amp;\\x9b31m" in page.body
    assert page.body.isascii()


async def test_not_found_shows_only_printing_ascii() -> None:
    [reply] = await ask(get("http://x/%1b[31m<b>"))
    assert reply.status == 404
    assert b"/%1b[31m<b>" in reply.body
    assert reply.headers[b"content-type"].startswith(b"text/plain")


@pytest.mark.parametrize("size", [0, 1, 1000, routes.BLOCK_SIZE, 3 * routes.BLOCK_SIZE + 7])
async def test_bytes(size: int) -> None:
    [reply] = await ask(get(f"/bytes/{size}"))
    assert reply.status == 200
    expected = routes.block() * (size // routes.BLOCK_SIZE + 1)
    assert reply.body == expected[:size]


async def test_bytes_sends_the_block_itself() -> None:
    """So that the stack can keep views instead of copies."""
    sent = []

    class Watched(Wrapped):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            sent.append(data)

    client, server = trio.testing.memory_stream_pair()
    await client.send_all(get(f"/bytes/{2 * routes.BLOCK_SIZE}"))
    await client.send_eof()
    await http.serve(Watched(server))
    assert [data is routes.block() for data in sent] == [False, True, True]


@pytest.mark.parametrize("number", ["", "x", "-1", "1_0", "1.0", str(10**12 + 1), "9" * 5000, "1/2"])
async def test_bytes_refuses_what_is_no_number_in_range(number: str) -> None:
    [reply] = await ask(get(f"/bytes/{number}"))
    assert reply.status == 400


async def test_head_has_the_length_and_no_body() -> None:
    [reply, after] = await ask(get("/bytes/1000000000000", method="HEAD") + GET, b"HEAD", b"GET")
    assert reply.status == 200
    assert reply.headers[b"content-length"] == b"1000000000000"
    assert after.status == 200


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize("size", [0, 5, 300_000])
async def test_upload_and_sink_read_a_counted_body(method: str, size: int) -> None:
    body = bytes(index % 251 for index in range(size))
    field = f"Content-Length: {size}"
    requests = get("/upload", field, method=method) + body + get("/sink", field, method=method) + body + GET
    [upload, sink, after] = await ask(requests, b"PUT", b"PUT", b"GET")
    assert json.loads(upload.body) == {"bytes": size, "sha256": hashlib.sha256(body).hexdigest()}
    assert json.loads(sink.body) == {"bytes": size}
    assert after.status == 200


async def test_a_chunked_body_is_read_too() -> None:
    chunked = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    request = get("/upload", "Transfer-Encoding: chunked", method="PUT") + chunked + GET
    [upload, after] = await ask(request, b"PUT", b"GET")
    assert json.loads(upload.body) == {"bytes": 5, "sha256": hashlib.sha256(b"abcde").hexdigest()}
    assert after.status == 200


async def test_a_body_may_arrive_in_any_pieces() -> None:
    request = get("/upload", "Content-Length: 4", method="PUT") + b"data" + GET
    async with served() as client:
        for index in range(len(request)):
            await client.send_all(request[index : index + 1])
            await trio.testing.wait_all_tasks_blocked()
        await client.send_eof()
        [upload, after] = replies(await read_all(client), b"PUT", b"GET")
    assert json.loads(upload.body)["bytes"] == 4
    assert after.status == 200


async def test_expect_100_continue_is_answered_before_the_body() -> None:
    async with served() as client:
        await client.send_all(get("/sink", "Content-Length: 3", "Expect: 100-continue", method="PUT"))
        assert (await client.receive_some()).startswith(b"HTTP/1.1 100 ")
        await client.send_all(b"abc")
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200 ")


async def test_no_continue_for_a_body_nobody_wants() -> None:
    async with served() as client:
        await client.send_all(get("/", "Content-Length: 3", "Expect: 100-continue", method="PUT"))
        [reply] = replies(await read_all(client), b"PUT")
    assert reply.status == 405
    assert reply.headers[b"connection"] == b"close"


async def test_a_refused_upload_is_drained_so_that_the_answer_arrives() -> None:
    async with served() as client:
        await client.send_all(get("/nowhere", "Content-Length: 1000000", method="PUT"))
        [reply] = replies(await read_all(client), b"PUT")
        for _ in range(10):
            await client.send_all(bytes(100_000))
    assert reply.status == 404


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("DELETE", "/", b"GET, HEAD"),
        ("OPTIONS", "*", None),
        ("POST", "/bytes/1", b"GET, HEAD"),
        ("GET", "/upload", b"PUT, POST"),
        ("CONNECT", "example.org:443", None),
    ],
)
async def test_other_methods(method: str, target: str, allow: bytes | None) -> None:
    [reply] = await ask(get(target, method=method), method.encode())
    assert reply.status == (405 if allow else 404)
    assert reply.headers.get(b"allow") == allow


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 2 * exchange.MAX_HEAD, 431),
        (b"PUT /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"PUT /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"PUT /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nshort", 400),
        (b"PUT /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 400),
        (b"GET / HT", 400),
    ],
)
async def test_what_breaks_the_rules_is_refused_and_the_connection_closed(request_bytes: bytes, status: int) -> None:
    [reply] = await ask(request_bytes)
    assert reply.status == status
    assert reply.headers[b"connection"] == b"close"
    assert reply.body.startswith(b"%d: " % status)


async def test_pipelined_requests_are_answered_in_order() -> None:
    numbers = range(200)
    found = await ask(b"".join(get(f"/bytes/{n}") for n in numbers), *[b"GET"] * len(numbers))
    assert [len(reply.body) for reply in found] == list(numbers)


async def test_http_1_0_and_connection_close_end_the_connection() -> None:
    for request in (b"GET /bytes/1 HTTP/1.0\r\n\r\n", get("/bytes/1", "Connection: close")):
        async with served() as client:
            await client.send_all(request)
            [reply] = replies(await read_all(client), b"GET")
        assert reply.body == routes.block()[:1]
        assert reply.headers[b"connection"] == b"close"


async def test_a_client_that_says_nothing_is_left_in_silence() -> None:
    async with served() as client:
        await client.send_eof()
        assert await read_all(client) == b""


async def test_a_silent_client_is_hung_up_on(autojump_clock: trio.testing.MockClock) -> None:
    async with served() as client:
        assert await read_all(client) == b""
        assert trio.current_time() >= exchange.PATIENCE


@pytest.mark.parametrize("request_bytes", [b"GET / HT", get("/sink", "Content-Length: 5", method="PUT")])
async def test_a_client_that_stops_halfway_is_told_so(
    request_bytes: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with served() as client:
        await client.send_all(request_bytes)
        [reply] = replies(await read_all(client), b"GET")
    assert reply.status == 408


async def test_a_client_that_goes_away_in_mid_transfer() -> None:
    async with served() as client:
        await client.send_all(get("/bytes/1000000000000"))
        await client.receive_some(10_000)
    # The service has ended without an exception.


async def test_connection_describes_the_very_connection() -> None:
    @dataclass(frozen=True)
    class Info:
        state: State = State.ESTABLISHED
        local_address: bytes = b"\xc0\x00\x02\x02"
        local_port: int = 80
        remote_address: bytes = b"\xfd" + bytes(14) + b"\x01"
        remote_port: int = 5
        srtt: float | None = float("inf")

    class Ours(Wrapped):
        def info(self) -> Info:
            return Info()

    client, server = trio.testing.memory_stream_pair()
    await client.send_all(get("/connection") + GET)
    await client.send_eof()
    await http.serve(Ours(server))
    [reply, text] = replies(await read_all(client), b"GET", b"GET")
    told = json.loads(reply.body)
    assert 0 <= trio.current_time() - told.pop("now") < 60
    assert told == {
        "state": "ESTABLISHED",
        "local_address": "192.0.2.2",
        "local_port": 80,
        "remote_address": "fd00::1",
        "remote_port": 5,
        "srtt": None,
    }
    assert b"the TCP connection from [fd00::1]:5 to 192.0.2.2:80, now ESTABLISHED," in text.body


async def test_stats() -> None:
    [reply] = await ask(get("/stats"), stats=lambda: {"packets-received": 3})
    assert json.loads(reply.body) == {"packets-received": 3}


async def test_a_bug_is_answered_and_logged_and_hurts_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> dict[str, int]:
        raise RuntimeError("secret")

    with caplog.at_level(logging.ERROR):
        [reply] = await ask(get("/stats"), stats=broken)
    assert reply.status == 500
    assert "secret" in caplog.text
    assert b"secret" not in reply.body


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(st.binary(max_size=300), max_size=5))
async def test_arbitrary_bytes_raise_nothing(pieces: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    await _survives(pieces, caplog)


_TOKENS = st.sampled_from(
    [
        *(b"GET", b"PUT", b"HEAD", b"CONNECT", b" ", b"/", b"/sink", b"/upload", b"/bytes/3", b" HTTP/1.1"),
        *(b" HTTP/1.0", b"\r\n", b"\r\n\r\n", b"Host: x\r\n", b"Content-Length: 5\r\n", b"\n", b"12345"),
        *(b"Transfer-Encoding: chunked\r\n", b"5\r\n", b"0\r\n\r\n", b"Expect: 100-continue\r\n", b"http://["),
        *(b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Accept: text/html\r\n"),
        *(b"\x00", b"\xff", b"?", b"#", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
@given(pieces=st.lists(_TOKENS, max_size=30))
async def test_almost_http_raises_nothing(pieces: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    await _survives(pieces, caplog)


async def _survives(pieces: list[bytes], caplog: pytest.LogCaptureFixture) -> None:
    async with served() as client:
        for piece in pieces:
            await client.send_all(piece)
        await client.send_eof()
        answers = await read_all(client)
    assert answers == b"" or answers.startswith(b"HTTP/1.1 ")
    assert not caplog.records
