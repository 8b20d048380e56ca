"""Discard, port 9 (RFC 863): whatever arrives is thrown away."""

from __future__ import annotations

from trio.abc import HalfCloseableStream

from usertcp.services import serving


@serving.service
async def serve(stream: HalfCloseableStream) -> None:
    """Read one connection until the peer closes its side, then close ours."""
    await serving.discard(stream)
