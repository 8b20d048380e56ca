"""What the HTTP service answers: one function for each resource, and the table that finds it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from usertcp.services import description
from usertcp.services.http import page
from usertcp.services.http.exchange import Exchange
from usertcp.services.text import visible

Stats: TypeAlias = Callable[[], Mapping[str, int]]
Handler: TypeAlias = Callable[[Exchange, Stats], Awaitable[None]]

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"

#: The largest N of /bytes/N.
MAX_BYTES: Final = 10**12
BLOCK_SIZE: Final = 1 << 20


@cache
def block() -> bytes:
    """What /bytes repeats: 1 MiB without a pattern, the same everywhere, so that any shift shows."""
    return hashlib.shake_128(b"usertcp /bytes").digest(BLOCK_SIZE)


def no_stats() -> Mapping[str, int]:
    """The counters of a host that has none (a kernel socket's)."""
    return {}


async def route(exchange: Exchange, stats: Stats) -> None:
    """Answer one request whose head has been read."""
    path = _path(exchange.target)
    methods = _ROUTES.get(path)
    if methods is None and path.startswith("/bytes/"):
        methods = _GET_BYTES
    if methods is None:
        text = f"404: nothing is at {visible(path)}\n{page.RESOURCES}"
        await exchange.answer(404, TEXT, text.encode())
        return
    handler = methods.get(exchange.method)
    if handler is None:
        allow = ", ".join(method.decode() for method in methods)
        text = f"405: {visible(path)} takes {allow}\n"
        await exchange.answer(405, TEXT, text.encode(), [(b"Allow", allow.encode())])
        return
    await handler(exchange, stats)


def _path(target: bytes) -> str:
    """The path of a request target in any of its forms (RFC 9112 §3.2), without its query."""
    text = target.decode("ascii", "replace")
    if text.startswith("/"):
        return text.partition("?")[0]
    try:
        return urlsplit(text).path or "/"
    except ValueError:
        return text


async def _index(exchange: Exchange, stats: Stats) -> None:
    connection = description.describe(exchange.stream)
    vary = (b"Vary", b"Accept")
    if b"text/html" in exchange.header(b"accept").lower():
        request = f"{visible(exchange.method)} {visible(exchange.target)}"
        body = page.html_page(connection, request, visible(exchange.header(b"user-agent")))
        await exchange.answer(200, "text/html; charset=utf-8", body.encode(), [vary, *page.HTML_HEADERS])
    else:
        await exchange.answer(200, TEXT, page.text_page(connection).encode(), [vary])


async def _bytes(exchange: Exchange, stats: Stats) -> None:
    number = _path(exchange.target).removeprefix("/bytes/")
    if not re.fullmatch("[0-9]{1,13}", number) or int(number) > MAX_BYTES:
        await exchange.answer(400, TEXT, b"400: N in /bytes/N is a whole number from 0 to %d\n" % MAX_BYTES)
        return
    await exchange.answer_blocks("application/octet-stream", int(number), block())


async def _upload(exchange: Exchange, stats: Stats) -> None:
    digest = hashlib.sha256()
    length = await exchange.read_body(digest.update)
    await _answer_json(exchange, {"bytes": length, "sha256": digest.hexdigest()})


async def _sink(exchange: Exchange, stats: Stats) -> None:
    await _answer_json(exchange, {"bytes": await exchange.read_body()})


async def _connection(exchange: Exchange, stats: Stats) -> None:
    await _answer_json(exchange, description.describe(exchange.stream), indent=2)


async def _stats(exchange: Exchange, stats: Stats) -> None:
    await _answer_json(exchange, description.to_json(stats()), indent=2)


async def _answer_json(exchange: Exchange, value: description.Json, indent: int | None = None) -> None:
    body = json.dumps(value, indent=indent)
    await exchange.answer(200, JSON, body.encode() + b"\n", [(b"Cache-Control", b"no-store")])


def _get(handler: Handler) -> dict[bytes, Handler]:
    return {b"GET": handler, b"HEAD": handler}


def _put(handler: Handler) -> dict[bytes, Handler]:
    return {b"PUT": handler, b"POST": handler}


_GET_BYTES: Final = _get(_bytes)
_ROUTES: Final[Mapping[str, Mapping[bytes, Handler]]] = {
    "/": _get(_index),
    "/connection": _get(_connection),
    "/stats": _get(_stats),
    "/upload": _put(_upload),
    "/sink": _put(_sink),
}
