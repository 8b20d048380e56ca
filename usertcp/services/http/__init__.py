"""HTTP/1.1 (RFC 9112) with keep-alive and pipelining: something for curl and a browser to talk to.

====================  ==========================================================================
``GET /``             a short text, or a page for a browser, that says which connection served it
``GET /bytes/N``      N bytes, streamed
``PUT /upload``       counts and hashes the body (``POST`` as well)
``PUT /sink``         only counts it
``GET /connection``   the very connection that carries the request, as JSON
``GET /stats``        the host's counters, as JSON
====================  ==========================================================================
"""

from __future__ import annotations

import logging
from typing import Final

import trio
from trio.abc import HalfCloseableStream

from usertcp.services.http.exchange import Exchange, RequestError
from usertcp.services.http.routes import TEXT, Stats, no_stats, route
from usertcp.services.serving import hang_up, service
from usertcp.services.text import visible

_log: Final = logging.getLogger(__name__)


@service
async def serve(stream: HalfCloseableStream, *, stats: Stats = no_stats) -> None:
    """Serve one connection until the client ends it, breaks HTTP's rules, or falls silent.

    ``stats`` gives what ``GET /stats`` shows.
    """
    exchange: Exchange | None = Exchange(stream)
    while exchange is not None and await _serve_one(exchange, stats):
        exchange = exchange.next()
    # Where the client ended it, the stream is closed at once: nothing more can come.


async def _serve_one(exchange: Exchange, stats: Stats) -> bool:
    """Whether an answer was sent after which the connection may go on."""
    try:
        if not await exchange.read_head():
            return False
        await route(exchange, stats)
    except RequestError as error:
        await _refuse(exchange, error.status, str(error))
    except trio.BrokenResourceError:
        raise
    except Exception:
        _log.exception("a request failed")
        await _refuse(exchange, 500, "the service has a bug; its log says which")
    else:
        if not exchange.body_waits:
            return True
    await hang_up(exchange.stream)
    return False


async def _refuse(exchange: Exchange, status: int, message: str) -> None:
    if exchange.can_answer:
        text = f"{status}: {visible(message)}\n".encode()
        await exchange.answer(status, TEXT, text, [(b"Connection", b"close")])
