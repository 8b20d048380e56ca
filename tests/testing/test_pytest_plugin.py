"""The fixture in somebody's project."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

import pytest

import usertcp.testing.network
import usertcp.testing.report  # noqa: F401 - loaded before, or each run inside of this one would load it anew

pytest_plugins = ["pytester"]

Run: TypeAlias = Callable[..., tuple[int, str]]

TESTS = """
import trio
from trio.testing import MockClock
from usertcp.testing import Conditions

async def use(usertcp_network):
    async with usertcp_network() as network:
        server = await network.add_host("server", "10.0.0.1")
        client = await network.add_host("client", "10.0.0.2")
        network.link(client, server, Conditions(delay=0.1, loss=0.5))
        await server.open_listener(80)
        stream = await client.open_stream("10.0.0.1", 80)
        await stream.send_all(b"hello")
        await trio.sleep(100)
        return network.seed

async def test_async(usertcp_network, autojump_clock):
    print("seed", await use(usertcp_network))

def test_plain(usertcp_network):
    print("seed", trio.run(use, usertcp_network, clock=MockClock(autojump_threshold=0)))
"""

FAILS = (
    TESTS
    + """
async def test_fails(usertcp_network, autojump_clock):
    await use(usertcp_network)
    assert False, "on purpose"
"""
)


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    def run_pytest(text: str, *arguments: str) -> tuple[int, str]:
        pytester.makeini("[pytest]\ntrio_mode = true\n")
        pytester.makepyfile(text)
        done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rA", *arguments)
        return int(done.ret), done.stdout.str() + done.stderr.str()

    return run_pytest


def test_with_pytest_trio_and_without(run: Run) -> None:
    status, output = run(TESTS)
    assert status == 0
    assert "2 passed" in output
    assert output.count("seed 0") == 2


def test_the_example_in_the_docs(run: Run) -> None:
    page = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    for seed in ("0", "1"):
        status, output = run(example, "--usertcp-seed", seed)
        assert status == 0
        assert "1 passed" in output


def test_the_last_segments_are_counted_from_the_beginning(run: Run) -> None:
    """As the whole ladder counts them, its times too."""
    test = """
    from usertcp.testing import Conditions

    async def test_fails(usertcp_network, autojump_clock):
        async with usertcp_network() as network:
            server = await network.add_host("server", "10.0.0.1")
            client = await network.add_host("client", "10.0.0.2")
            network.link(client, server, Conditions(delay=0.1))
            listener = await server.open_listener(80)
            stream = await client.open_stream("10.0.0.1", 80)
            peer = await listener.accept()
            for _ in range(100):
                await stream.send_all(bytes(1000))
                await peer.receive_some()
            assert False, "on purpose"
    """
    _, output = run(dedent(test))
    assert " 9000.000              ├── PSH,ACK seq=87001 ack=1 len=1000 ─────▶│" in output, output


def test_the_seed(run: Run) -> None:
    _, output = run(TESTS, "--usertcp-seed", "42")
    assert output.count("seed 42") == 2


def test_a_random_seed_can_be_had_again(run: Run) -> None:
    _, output = run(FAILS, "--usertcp-seed", "random")
    seed = output.partition("again: --usertcp-seed ")[2].partition(")")[0]
    assert seed.isdigit()
    assert f"seed {seed}" in run(FAILS, "--usertcp-seed", seed)[1]


def test_a_wrong_seed(run: Run) -> None:
    status, output = run(TESTS, "--usertcp-seed", "x")
    assert status == int(pytest.ExitCode.USAGE_ERROR)
    assert "--usertcp-seed x: a whole number from 0, or random" in output


def test_a_failure_tells_the_seed_and_the_ladder(run: Run) -> None:
    status, output = run(FAILS, "--usertcp-seed", "3")
    assert status == 1
    section = output.partition("usertcp network (again: --usertcp-seed 3)")[2]
    assert "client to server: " in section
    assert "lost" in section
    assert "Connection 1: usertcp 10.0.0.2:" in section
    assert "SYN seq=0" in section
    assert "On server" not in section  # the same connection, seen from the other end
    # And nobody's who did not fail.
    assert output.count("usertcp network (again") == 1


def test_packets_in_a_file(run: Run, tmp_path: Path) -> None:
    runs = []
    for name in ("one", "other"):
        status, _ = run(TESTS, f"--usertcp-pcap={tmp_path / name}")
        assert status == 0
        files = sorted((tmp_path / name).iterdir())
        assert [file.name.partition("py-")[2] for file in files] == ["test_async.pcapng", "test_plain.pcapng"]
        runs.append([file.read_bytes() for file in files])
    assert runs[0] == runs[1], "the same seed, the same packets"
    assert b"client to server" in runs[0][0]
    assert b"lost" in runs[0][0]
    assert "SYN-SENT · cwnd ".encode() in runs[0][0]


def test_it_loads_nothing_that_is_not_asked_for() -> None:
    code = """
import sys, usertcp.testing.pytest_plugin
print([name for name in sys.modules if name.partition(".")[0] in ("usertcp", "trio")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['usertcp', 'usertcp.testing', 'usertcp.testing.pytest_plugin']"
