"""Daytime, port 13 (RFC 867): the date and time as one line of text, then the end."""

from __future__ import annotations

import time
from collections.abc import Callable

from trio.abc import HalfCloseableStream

from usertcp.services.serving import hang_up, service


def line(now: float) -> bytes:
    """``now`` (seconds since 1970) in the first form that RFC 867 suggests, in UTC."""
    return time.strftime("%A, %B %d, %Y %H:%M:%S-UTC\r\n", time.gmtime(now)).encode("ascii")


@service
async def serve(stream: HalfCloseableStream, *, clock: Callable[[], float] = time.time) -> None:
    """Send the time and close; what the peer sends is thrown away, as the RFC says."""
    await stream.send_all(line(clock()))
    await hang_up(stream)
