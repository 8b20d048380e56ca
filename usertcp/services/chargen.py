"""Character generator, port 19 (RFC 864): text without end, until the peer closes its side."""

from __future__ import annotations

from typing import Final

import trio
from trio.abc import HalfCloseableStream

from usertcp.services import serving

_PRINTING: Final = bytes(range(0x20, 0x7F))
_WIDTH: Final = 72
#: The RFC's "one popular pattern", once around: each line begins one character later, 95 lines in all.
PATTERN: Final = b"".join(
    (_PRINTING * 2)[start : start + _WIDTH] + b"\r\n" for start in range(len(_PRINTING))
)
_BLOCK: Final = PATTERN * 32  # 220 KB in one immutable block: few calls, and nothing to copy


@serving.service
async def serve(stream: HalfCloseableStream) -> None:
    """Send the pattern over and over; what the peer sends is thrown away."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_at_end, stream, nursery.cancel_scope)
        while True:
            await stream.send_all(_BLOCK)


async def _stop_at_end(stream: HalfCloseableStream, sending: trio.CancelScope) -> None:
    await serving.discard(stream)
    sending.cancel()
