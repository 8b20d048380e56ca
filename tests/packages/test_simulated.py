"""Published programs on two simulated hosts, in virtual time, over a link that loses packets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from tests.packages.programs import PROGRAMS, Ends
from usertcp.testing import Conditions, Opener


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
async def test_it_runs_unmodified(
    program: Callable[[Ends], Awaitable[None]], usertcp_network: Opener, autojump_clock: MockClock
) -> None:
    async with usertcp_network() as network:
        server = await network.add_host("server", "10.0.0.1")
        client = await network.add_host("client", "10.0.0.2")
        network.link(server, client, Conditions(delay=0.005, loss=0.01))
        with trio.fail_after(60):
            await program(Ends(server.sockets, client.sockets, "10.0.0.1"))
