"""What every service shares: how it ends, and that no peer and no bug of ours can end the listener."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import update_wrapper
from typing import Concatenate, Final, ParamSpec

import trio
from trio.abc import HalfCloseableStream

_log: Final = logging.getLogger("usertcp.services")
_P = ParamSpec("_P")

#: How long a closing service waits for the peer to close too, in seconds.
LINGER: Final = 2.0


def service(
    serve: Callable[Concatenate[HalfCloseableStream, _P], Awaitable[None]],
) -> Callable[Concatenate[HalfCloseableStream, _P], Awaitable[None]]:
    """Make ``serve(stream)`` safe for a listener: it always closes the stream and raises no Exception.

    A broken connection is the peer's right and passes in silence; any other exception is a bug of the
    service and is logged with its traceback under ``usertcp.services``.
    """

    async def guarded(stream: HalfCloseableStream, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            async with stream:
                await serve(stream, *args, **kwargs)
        except* trio.BrokenResourceError:
            pass
        except* Exception as problems:
            _log.error("%s failed on one connection", serve.__module__, exc_info=problems)

    update_wrapper(guarded, serve)
    return guarded


async def hang_up(stream: HalfCloseableStream) -> None:
    """Close our side, then throw away what still comes until the peer closes or :data:`LINGER` is over.

    Closing at once with the peer's data unread would answer it with a RST, which can destroy the last of
    our own data on its way (RFC 1122 §4.2.2.13, RFC 9112 §9.6).
    """
    await stream.send_eof()
    with trio.move_on_after(LINGER):
        await discard(stream)


async def discard(stream: HalfCloseableStream) -> None:
    """Receive and forget until the peer closes its side."""
    while await stream.receive_some():
        pass
