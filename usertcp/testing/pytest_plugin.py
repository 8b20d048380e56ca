"""The fixture ``usertcp_network``: networks of hosts for tests, the same in each run.

    async def test_my_client(usertcp_network, autojump_clock):
        async with usertcp_network() as network:
            ...

A test that fails shows the seed and a ladder of the last segments of each of its networks.  ``--usertcp-seed N`` has
other losses and another order of trio's tasks, ``--usertcp-seed random`` new ones in each run, and ``--usertcp-pcap
DIR`` writes each network's packets to a file.  Nothing else of usertcp is loaded until a test asks for the fixture.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Generator
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from usertcp.testing.network import Network, Opener

_SEED: Final = "--usertcp-seed"
_PCAP: Final = "--usertcp-pcap"
_RANDOM: Final = "random"

_seed = pytest.StashKey[int]()
_networks = pytest.StashKey["list[Network]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The seed, and where packets are written."""
    group = parser.getgroup("usertcp", "networks of hosts (usertcp)")
    group.addoption(_SEED, metavar="N", default="0", help=f"of the networks of usertcp_network; {_RANDOM}: a new one")
    group.addoption(_PCAP, metavar="DIR", type=Path, help="write the packets of each network of usertcp_network there")


def pytest_configure(config: pytest.Config) -> None:
    """Read the seed.  Raises pytest.UsageError."""
    text = str(config.getoption(_SEED))
    if text == _RANDOM:
        from secrets import randbits

        config.stash[_seed] = randbits(32)
    elif text.isascii() and text.isdigit():
        config.stash[_seed] = int(text)
    else:
        raise pytest.UsageError(f"{_SEED} {text}: a whole number from 0, or {_RANDOM}")


@pytest.fixture
def usertcp_network(request: pytest.FixtureRequest) -> Generator[Opener]:
    """A function that opens a network: ``async with usertcp_network() as network``, in any trio program.

    Inside of the test trio's tasks run in an order that comes from the seed.
    """
    from usertcp.testing.determinism import seed_scheduling

    networks: list[Network] = []
    request.node.stash[_networks] = networks
    seed = request.config.stash[_seed]
    with seed_scheduling(seed):
        yield lambda: _open(networks, seed, _file(request, len(networks)))


@asynccontextmanager
async def _open(networks: list[Network], seed: int, path: Path | None) -> AsyncIterator[Network]:
    from usertcp.observe.capture_file import CaptureFile
    from usertcp.testing.capture import Capture
    from usertcp.testing.network import open_network

    with ExitStack() as files:
        async with open_network(seed=seed) as network:
            networks.append(network)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                network.tap(Capture(files.enter_context(closing(CaptureFile(str(path))))))
            yield network


def _file(request: pytest.FixtureRequest, number: int) -> Path | None:
    """Where the packets of this test's network of that ``number`` (from 0) go."""
    directory = request.config.getoption(_PCAP)
    if directory is None:
        return None
    name = re.sub(r"[^\w.\[\]-]+", "-", request.node.nodeid)[-200:]
    return Path(directory) / f"{name}{f'-{number + 1}' if number else ''}.pcapng"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a failed test's networks have to say."""
    result = yield
    networks = item.stash.get(_networks, None)
    if networks and result.when == "call" and result.failed:
        from usertcp.testing.report import report

        for network in networks:
            title = f"usertcp network (again: {_SEED} {network.seed})"
            result.sections.append((title, report(network)))
    if result.when == "teardown" and networks is not None:
        del item.stash[_networks]
    return result
