"""Networks of hosts for the tests of trio programs.

    async with usertcp.testing.open_network(seed=7) as network:
        server = await network.add_host("server", "10.0.0.1")
        client = await network.add_host("client", "10.0.0.2")
        network.link(client, server, Conditions(delay=0.05, drop=(Nth("syn", 3),)))

Each host is a full TCP stack; links lose, delay, reorder, repeat and damage packets, all from the seed.  Under
``trio.testing.MockClock(autojump_threshold=0)`` time that nobody needs passes at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from usertcp.sim.impairment import PERFECT, Burst, Conditions
    from usertcp.sim.selection import Nth
    from usertcp.testing.determinism import seed_scheduling
    from usertcp.testing.host import NetworkHost
    from usertcp.testing.link import Direction, Link
    from usertcp.testing.network import Network, Opener, open_network
    from usertcp.testing.tap import Tapped

__all__ = [
    "PERFECT",
    "Burst",
    "Conditions",
    "Direction",
    "Link",
    "Network",
    "NetworkHost",
    "Nth",
    "Opener",
    "Tapped",
    "open_network",
    "seed_scheduling",
]

# Loaded when first asked for: the pytest plugin stands in this package, and in everybody's runs of pytest.
_HOMES = {
    "PERFECT": "usertcp.sim.impairment",
    "Burst": "usertcp.sim.impairment",
    "Conditions": "usertcp.sim.impairment",
    "Direction": "usertcp.testing.link",
    "Link": "usertcp.testing.link",
    "Network": "usertcp.testing.network",
    "NetworkHost": "usertcp.testing.host",
    "Nth": "usertcp.sim.selection",
    "Opener": "usertcp.testing.network",
    "Tapped": "usertcp.testing.tap",
    "open_network": "usertcp.testing.network",
    "seed_scheduling": "usertcp.testing.determinism",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'usertcp.testing' has no attribute {name!r}")
    return getattr(import_module(home), name)
