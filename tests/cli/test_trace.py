"""``usertcp trace`` beside ``usertcp listen``: what curl does there, as it happens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

import usertcp.cli.listen  # before processes are forked: faster
import usertcp.cli.trace  # noqa: F401
from tests.control import own_places
from usertcp.observe import jsonl
from usertcp.tcp.events import Deleted, Joined, Lost, Opened, SegmentIn, TraceEvent, Transitioned
from usertcp.tcp.states import State

if TYPE_CHECKING:
    from tests.cli.conftest import Running

    Start: TypeAlias = Callable[..., Running]

pytestmark = [pytest.mark.kernel, pytest.mark.rootless]


@pytest.fixture(autouse=True)
def empty_places(monkeypatch: pytest.MonkeyPatch) -> None:
    own_places.hide(monkeypatch)


def listening(usertcp: Start, *arguments: str) -> Running:
    running: Running = usertcp("listen", "80", "7", *arguments)
    running.wait_until("Ctrl-C ends")
    return running


def following(usertcp: Start, *arguments: str) -> Running:
    running: Running = usertcp("trace", "--follow", *arguments)
    running.wait_until("Ctrl-C ends")
    return running


def curl(path: str = "/") -> None:
    subprocess.run(["curl", "-s", "--noproxy", "*", "-o", "/dev/null", f"http://192.0.2.2{path}"], check=True)


def events(out: str) -> list[TraceEvent]:
    return list(jsonl.read(out.splitlines()))


def test_what_curl_does_until_the_stack_ends(usertcp: Start) -> None:
    server = listening(usertcp)
    follower = following(usertcp, "--json")
    assert f"usertcp: following usertcp0 (listen, process {server.pid}); Ctrl-C ends" in follower.seen
    curl()
    server.signal(signal.SIGTERM)
    ended = follower.end()
    assert (ended.status, ended.err.count("\n")) == (0, 1)
    told = [event for event in events(ended.out) if event.conn == 1]
    assert isinstance(told[0], Opened)
    assert isinstance(told[-1], Deleted)
    states = [event.next_state for event in told if isinstance(event, Transitioned)]
    assert [state for state in State if state in states] == [
        State.CLOSED, State.LISTEN, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT, State.LAST_ACK,
    ]  # fmt: skip


def test_the_ladder_until_ctrl_c(usertcp: Start) -> None:
    server = listening(usertcp)
    follower = following(usertcp)
    curl()
    while "in good order" not in Path(follower.out_path).read_text():
        time.sleep(0.01)
    follower.signal(signal.SIGINT)
    ended = follower.end()
    assert ended.status == 130
    assert "Connection 1: usertcp 192.0.2.2:80 ◀── peer 192.0.2.1:" in ended.out
    assert "SYN-RECEIVED ◆" in ended.out
    server.signal(signal.SIGTERM)
    assert server.end().status == 0


def test_a_filter(usertcp: Start) -> None:
    server = listening(usertcp)
    follower = following(usertcp, "--json", "sport = :7")
    curl()
    with socket.create_connection(("192.0.2.2", 7)) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    server.signal(signal.SIGTERM)
    assert {event.conn for event in events(follower.end().out)} == {2}


def test_a_connection_that_was_there_before(usertcp: Start) -> None:
    server = listening(usertcp)
    with socket.create_connection(("192.0.2.2", 7)) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        follower = following(usertcp, "--json")
        client.sendall(b"yz")
        assert client.recv(2)
    server.signal(signal.SIGTERM)
    told = events(follower.end().out)
    joined = told[0]
    assert isinstance(joined, Joined)
    assert (joined.conn, joined.state, joined.local_port) == (1, State.ESTABLISHED, 7)
    assert [event.length for event in told if isinstance(event, SegmentIn) and event.length] == [2]


def test_a_follower_that_is_stopped_loses_events_and_neither_holds_up_nor_grows_the_stack(usertcp: Start) -> None:
    server = listening(usertcp, "--no-offload")
    follower = following(usertcp, "--json")
    follower.signal(signal.SIGSTOP)
    for _ in range(8):
        curl("/bytes/8000000")
    size = resident(server.pid)
    for _ in range(8):
        curl("/bytes/8000000")
    assert resident(server.pid) < size + (16 << 20)
    follower.signal(signal.SIGCONT)
    server.signal(signal.SIGTERM)
    ended = follower.end()
    assert ended.status == 0
    assert sum(event.events for event in events(ended.out) if isinstance(event, Lost)) > 10_000


def resident(pid: int) -> int:
    """How much memory a process has, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_only_what_was_asked_for_is_done(usertcp: Start) -> None:
    listening(usertcp)
    ended = usertcp("trace").end()
    assert ended.status == 1
    assert ended.err.endswith("usertcp0.sock: this usertcp keeps no events of the past: use trace --follow\n")
    listening(usertcp, "--tun", "other0", "--address", "198.51.100.2/24")
    ended = usertcp("trace", "--follow").end()
    assert ended.status == 1
    assert "usertcp: several are running, choose one by --socket or --tun: other0 (listen, process " in ended.err
    ended = usertcp("trace", "--follow", "state", "open").end()
    assert ended.status == 2
    assert "'open' is no state: there are closed, listen, syn-sent" in ended.err


def test_a_reader_that_goes_away(usertcp: Start) -> None:
    """``usertcp trace --follow | head``."""
    listening(usertcp)
    running = usertcp("trace", "--follow", stdout_closed=True)
    running.wait_until("Ctrl-C ends")
    curl()
    ended = running.end()
    assert ended.status == 1
    assert "Traceback" not in ended.err


def test_the_past_of_a_try() -> None:
    command = f"curl -s http://192.0.2.2/ >/dev/null; {sys.executable} -m usertcp trace --json sport = :80"
    done = subprocess.run(
        [sys.executable, "-m", "usertcp", "try", "--", "sh", "-c", command], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["event"] == "opened"
    assert any(isinstance(event, Deleted) for event in events(done.stdout))
