"""Published programs with our sockets at one end of a TUN, and the kernel's at the other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial

import pytest
import trio

import usertcp
from tests.packages.programs import PROGRAMS, Ends

OURS, KERNELS = "192.0.2.2", "192.0.2.1"


@pytest.mark.parametrize("we", ["serve", "ask"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_it_runs_unmodified(program: Callable[[Ends], Awaitable[None]], we: str) -> None:
    async def main() -> None:
        async with usertcp.open_stack(addresses=["192.0.2.2/24"], grace=0.2) as stack:
            ours = partial(usertcp.trio_sockets, stack)
            ends = Ends(ours, nullcontext, OURS) if we == "serve" else Ends(nullcontext, ours, KERNELS)
            with trio.fail_after(30):
                await program(ends)
            assert stack.stats()["device-packets-received"] > 1

    trio.run(main)
