"""A stack with everybody who was asked to watch it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from usertcp import Stack
from usertcp.cli.capturing import capturing
from usertcp.cli.common import StackOptions, open_stack
from usertcp.cli.pumping import watch
from usertcp.cli.watching import live_view
from usertcp.observe.capture_file import CaptureFile


@asynccontextmanager
async def watched_stack(options: StackOptions, file: CaptureFile | None, output: IO[str]) -> AsyncIterator[Stack]:
    """:func:`~usertcp.cli.common.open_stack`; what ``--trace`` or ``--json`` shows of it goes to ``output``, its
    packets into ``file``."""
    async with (
        watch(live_view(options, output)) as sink,
        capturing(file, options) as capture,
        open_stack(options, sink, capture=capture) as stack,
    ):
        yield stack
