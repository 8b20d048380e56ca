"""Whatever answers at a socket, the client says in one line what is wrong with it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usertcp.control import client, places
from usertcp.control.client import Gone, NoAnswer, asked

GREETING = (
    b'{"v":1,"usertcp":"0.1.0","program":"listen","pid":7,"tun":"usertcp0","addresses":["192.0.2.2","fd00:9293::2"]}\n'
)
LISTENER = (
    b'{"v":1,"time":1.5,"conn":0,"state":"LISTEN","local_address":"","local_port":80,"remote_address":"",'
    b'"remote_port":0,"recv_q":0,"send_q":1024,"timers":{},"status":null}\n'
)
EVENT = b'{"v":1,"event":"deleted","time":1.0,"conn":1,"error":""}\n'


@contextmanager
def answering(directory: Path, answer: bytes, *, ends: bool = True) -> Iterator[Path]:
    """A socket at which one is answered."""
    path = directory / "s"
    bound = places.bind_at(path)
    bound.listener.setblocking(True)
    held: list[socket.socket] = []

    def serve() -> None:
        connection, _ = bound.listener.accept()
        held.append(connection)
        with suppress(OSError):
            connection.recv(8192)
            connection.sendall(answer)
        if ends:
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield path
    finally:
        thread.join()
        bound.remove()
        bound.listener.close()
        for connection in held:
            connection.close()


def test_the_greeting_and_the_sockets(tmp_path: Path) -> None:
    with answering(tmp_path, GREETING + LISTENER + b'{"v":1,"end":1}\n') as path:
        with asked(path, command="sockets") as answer:
            assert answer.greeting.addresses == ("192.0.2.2", "fd00:9293::2")
            (shown,) = answer.sockets()
        assert shown.local_port == 80


def test_events_until_the_end_with_pauses_between(tmp_path: Path) -> None:
    later = b'{"v":1,"event":"of-a-later-version"}\n'
    with answering(tmp_path, GREETING + EVENT + later + EVENT) as path, asked(path, command="trace") as answer:
        assert [event.conn for event in answer.events() if event is not None] == [1, 1]
    with answering(tmp_path, GREETING + EVENT[:20], ends=False) as path, asked(path, command="trace") as answer:
        assert next(answer.events(quiet=0.01)) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "it ended in the middle of its answer"),
        (b"HTTP/1.1 400 Bad Request\r\n", "not a JSON object on one line"),
        (b'{"v":2}\n', "this usertcp speaks version 1, the other side does not"),
        (b'{"v":1}\n', "it does not answer as a usertcp does"),
        (b'{"v":1,"error":"\\u001b[2J"}\n', r"\x1b[2J"),
        (b"x" * 200_000, "it does not answer as a usertcp does"),
        (GREETING, "it ended in the middle of its answer"),
        (GREETING + b'{"v":1,"end":1}\n', "some of the answer is missing"),
        (GREETING + b'{"v":1,"error":"no"}\n', "no"),
        (GREETING + LISTENER.replace(b"80", b"null"), "a socket's local_port is missing or wrong"),
    ],
)
def test_what_is_no_answer_is_told_in_a_line(tmp_path: Path, answer: bytes, said: str) -> None:
    with (
        answering(tmp_path, answer) as path,
        pytest.raises(NoAnswer) as caught,
        asked(path, command="sockets") as sockets,
    ):
        list(sockets.sockets())
    assert str(caught.value) == f"{tmp_path / 's'}: {said}"


def test_what_is_no_event_is_told_in_a_line(tmp_path: Path) -> None:
    with (
        answering(tmp_path, GREETING + EVENT + b'{"v":1,"event":"deleted"}\n') as path,
        pytest.raises(NoAnswer, match="a line is no trace event: deleted has no time"),
        asked(path, command="trace") as answer,
    ):
        list(answer.events())


def test_one_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.01)
    with (
        answering(tmp_path, b"", ends=False) as path,
        pytest.raises(NoAnswer, match="no answer within 0 s; is that usertcp stopped or very busy"),
        asked(path, command="who"),
    ):
        pass


def test_nobody_is_there(tmp_path: Path) -> None:
    bound = places.bind_at(tmp_path / "left")
    bound.listener.close()
    for name in ("left", "never"):
        with pytest.raises(Gone, match="no usertcp is running there"), asked(tmp_path / name, command="who"):
            pass


VALID = GREETING + LISTENER + b'{"v":1,"end":1}\n'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.integers(0, len(VALID) - 1), st.binary(max_size=4))
def test_any_answer_is_read_or_refused(tmp_path: Path, at: int, noise: bytes) -> None:
    damaged = VALID[:at] + noise + VALID[at + len(noise) :]
    with answering(tmp_path, damaged) as path, suppress(NoAnswer), asked(path, command="sockets") as answer:
        assert all(json.dumps(each.local_port) for each in answer.sockets())
