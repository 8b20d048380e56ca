"""``--events FILE``."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from usertcp.cli.ending import Failure
from usertcp.cli.event_file import event_file
from usertcp.cli.pumping import watch
from usertcp.observe.jsonl import read_file
from usertcp.tcp.events import Deleted, Kind, SegmentIn, TraceEvent, Transitioned
from usertcp.tcp.states import State

DELETED = (Kind.DELETED, 2.0, 1, "")


def events_of(path: Path) -> list[TraceEvent]:
    with path.open(errors="replace") as file:
        return list(read_file(file))


async def test_each_event_is_a_line_that_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with event_file(str(path)) as file:
        async with watch(file) as sink:
            assert sink is not None
            sink(DELETED)
    assert events_of(path) == [Deleted(2.0, 1, "")]


def test_no_file_was_asked_for() -> None:
    with event_file(None) as file:
        assert file is None


def test_a_file_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="No such file or directory"), event_file(str(tmp_path / "none" / "events")):
        pytest.fail("it was opened")


async def test_a_full_disk_ends_the_file_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with event_file("/dev/full") as file:
        async with watch(file) as sink:
            assert sink is not None
            for _ in range(3):
                sink(DELETED)
    said = capsys.readouterr().err
    assert said == "usertcp: the events in /dev/full end here: No space left on device\n"


# -- With a real kernel --------------------------------------------------------------------------------


@pytest.mark.kernel
def test_try_writes_them_beside_the_ladder(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    command = ["--events", str(path), "--", "curl", "-s", "http://192.0.2.2/"]
    done = subprocess.run([sys.executable, "-m", "usertcp", "try", *command], capture_output=True, text=True)
    assert done.returncode == 0
    assert "ESTABLISHED" in done.stderr
    events = events_of(path)
    steps = [event.next_state for event in events if isinstance(event, Transitioned)]
    assert steps[:3] == [State.LISTEN, State.SYN_RECEIVED, State.ESTABLISHED]
    assert steps[-1] is State.CLOSED


@pytest.mark.kernel
def test_ctrl_c_closes_the_file_with_the_last_events_in_it(usertcp: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    running = usertcp("listen", "7", "--events", str(path))
    running.wait_until("Ctrl-C ends")
    with socket.create_connection(("192.0.2.2", 7)) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        running.signal(signal.SIGINT)
        assert client.recv(1) == b""
    assert running.end().status == 130
    assert path.read_text().endswith("\n")
    events = events_of(path)
    assert [event.length for event in events if isinstance(event, SegmentIn) and event.length] == [1]
    last = [event.next_state for event in events if isinstance(event, Transitioned)]
    assert State.FIN_WAIT_1 in last, "how the stack closed after Ctrl-C is in it"


@pytest.mark.kernel
def test_several_who_watch_at_once(usertcp: Any, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    running = usertcp("listen", "7", "--json", "--events", str(path))
    running.wait_until("Ctrl-C ends")
    with socket.create_connection(("192.0.2.2", 7)) as client:
        client.sendall(b"x")
        client.recv(1)
    running.signal(signal.SIGTERM)
    ended = running.end()
    written = [json.loads(line) for line in path.read_text().splitlines()]
    shown = [json.loads(line) for line in ended.out.splitlines()]
    assert written == shown != []


@pytest.mark.kernel
def test_connect_does_not_begin_where_the_file_cannot_be_written(usertcp: Any) -> None:
    ended = usertcp("connect", "192.0.2.1", "80", "--events", "/proc/nothing/here").end()
    assert ended.status == 1
    assert ended.err == "usertcp: the events cannot be written to /proc/nothing/here: No such file or directory\n"
