"""Echo, port 7 (RFC 862): every byte that arrives goes back, until the peer closes its side."""

from __future__ import annotations

from trio.abc import HalfCloseableStream

from usertcp.services.serving import service


@service
async def serve(stream: HalfCloseableStream) -> None:
    """Echo one connection; the peer may half-close and still gets all of its bytes back."""
    while data := await stream.receive_some():
        await stream.send_all(data)
    await stream.send_eof()
