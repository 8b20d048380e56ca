"""A control socket is asked, by those who keep to the protocol and by those who do not."""

from __future__ import annotations

import json
import os
import random
import stat
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

import usertcp
from tests.control.cable import OURS, PATIENCE, PEERS, Both, asking, both
from usertcp.control import server
from usertcp.control.filter_parser import UNDERSTOOD
from usertcp.control.protocol import MAX_REQUEST
from usertcp.control.sockets import from_object
from usertcp.observe import jsonl
from usertcp.observe.recorder import Recorder
from usertcp.tcp.events import Joined, Lost, Opened, SegmentIn, TraceEvent, Transitioned
from usertcp.tcp.states import State

FOLLOW = {"command": "trace", "follow": True}


async def connected(pair: Both, port: int = 7) -> tuple[usertcp.TcpStream, usertcp.TcpStream]:
    """A connection from the peer to us: our end, and the peer's."""
    listener = await pair.ours.open_listener(port)
    client = await pair.peer.open_stream(OURS, port)
    return await listener.accept(), client


def event(made: dict[str, Any]) -> TraceEvent:
    found = jsonl.from_line(json.dumps(made))
    assert found is not None
    return found


async def test_who_answers(tmp_path: Path) -> None:
    said: list[str] = []
    async with both(tmp_path, name="mine0", program="test", say=said.append) as pair:
        assert said == [f"usertcp: control socket {pair.path}"]
        async with asking(pair.path, {"command": "who"}) as answer:
            assert await answer.rest() == [
                {
                    "v": 1,
                    "usertcp": usertcp.__version__,
                    "program": "test",
                    "pid": os.getpid(),
                    "tun": "mine0",
                    "addresses": [OURS],
                }
            ]


async def test_sockets_with_and_without_their_status(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        ours, client = await connected(pair)
        await client.send_all(b"hello")
        while not ours.status().unread:
            await trio.testing.wait_all_tasks_blocked()
        async with asking(pair.path, {"command": "sockets", "filter": "state established", "status": True}) as answer:
            _, shown, end = await answer.rest()
        assert end == {"v": 1, "end": 1}
        socket = from_object(shown)
        assert socket.status is not None
        assert (socket.state, socket.local_port, socket.recv_q) == (State.ESTABLISHED, 7, 5)
        assert socket.status.bytes_received == 5
        assert socket.remote_port == ours.remote[1]
        async with asking(pair.path, {"command": "sockets"}) as answer:
            _, *all_of_them, end = await answer.rest()
        assert [each["state"] for each in all_of_them] == ["LISTEN", "ESTABLISHED"]
        assert [each["status"] for each in all_of_them] == [None, None]


async def test_a_connection_that_waits_in_time_wait(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        ours, client = await connected(pair)
        await ours.send_eof()
        assert await client.receive_some() == b""
        await client.aclose()
        assert await ours.receive_some() == b""
        async with asking(pair.path, {"command": "sockets", "filter": "state time-wait"}) as answer:
            _, shown, _ = await answer.rest()
        assert (shown["local_port"], shown["remote_address"], shown["conn"]) == (7, PEERS, 1)
        assert 59 < shown["timers"]["time-wait"] <= 60


async def test_the_events_of_the_past_if_there_are_any(tmp_path: Path) -> None:
    async with both(tmp_path) as pair, asking(pair.path, {"command": "trace"}) as answer:
        assert await answer.rest() == [
            {"v": 1, "error": "this usertcp keeps no events of the past: use trace --follow"}
        ]
    recorder = Recorder()
    async with both(tmp_path, kept=recorder.flat_events) as pair:
        pair.ours.attach(recorder)
        await connected(pair, 7)
        await connected(pair, 8)
        async with asking(pair.path, {"command": "trace", "filter": "sport = :8"}) as answer:
            _, *told = await answer.rest()
    assert {made["conn"] for made in told} == {2}
    assert told[0]["event"] == "opened"


async def test_followers_see_what_happens_and_how_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        server, "LAST_WORDS", 1.5 * PATIENCE
    )  # they are let go when they have everything, not because it is late
    async with AsyncExitStack() as exits:
        async with both(tmp_path) as pair:
            assert pair.ours.host.trace is None
            one = await exits.enter_async_context(asking(pair.path, FOLLOW))
            two = await exits.enter_async_context(asking(pair.path, {**FOLLOW, "filter": "sport = :8"}))
            await one.line()
            await two.line()
            await connected(pair, 7)
            await connected(pair, 8)
            began = trio.current_time()
        assert trio.current_time() - began < PATIENCE
        everything = [event(made) for made in await one.rest()]
        selected = [event(made) for made in await two.rest()]
    # The stack has ended, and with it both connections.
    ended = [each.conn for each in everything if isinstance(each, Transitioned) and each.next_state is State.CLOSED]
    assert sorted(ended) == [1, 2]
    assert isinstance(selected[0], Opened)
    assert selected == [each for each in everything if each.conn == 2]


async def test_a_follower_joins_connections_that_are_there(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        ours, client = await connected(pair, 7)
        async with asking(pair.path, FOLLOW) as follower:
            await follower.line()
            await client.send_all(b"x")
            joined, segment = event(await follower.line()), event(await follower.line())
        status = ours.status()
    assert isinstance(joined, Joined)
    assert (joined.conn, joined.state, joined.role) == (1, State.ESTABLISHED, "passive")
    assert (joined.iss, joined.irs, joined.remote_port) == (status.iss, status.irs, status.remote_port)
    assert isinstance(segment, SegmentIn)
    assert segment.length == 1
    assert segment.time == joined.time


async def test_nothing_is_built_once_the_last_follower_has_gone(tmp_path: Path) -> None:
    async with both(tmp_path) as pair:
        async with asking(pair.path, FOLLOW) as follower:
            await follower.line()
            assert pair.ours.host.trace is not None
        while pair.ours.host.trace is not None:
            await trio.testing.wait_all_tasks_blocked()


async def test_a_follower_that_does_not_read_loses_events_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_WAITING", 100)
    async with both(tmp_path) as pair:
        ours, client = await connected(pair, 7)
        async with asking(pair.path, FOLLOW) as follower:
            await follower.line()
            for number in range(3000):
                await client.send_all(b"%4d" % number)
                await ours.receive_some()
            told = []
            while not any(isinstance(each, Lost) for each in told):
                told.append(event(await follower.line()))
            lost = told[-1]
            assert isinstance(lost, Lost)
            assert lost.events > 1000
            after = event(await follower.line())
            assert after.time == lost.time


# -- Those who do not keep to the protocol --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (b"\n", "not a JSON object on one line"),
        (b"[]\n", "not a JSON object on one line"),
        (b"[" * (MAX_REQUEST - 1) + b"\n", "not a JSON object on one line"),
        (b"\xff\xfe\n", "not a JSON object on one line"),
        (b"{}\n", "this usertcp speaks version 1, the other side does not"),
        (b'{"v":true,"command":"who"}\n', "this usertcp speaks version 1, the other side does not"),
        (b'{"v":1}\n', "the command is missing or not known; there are who, sockets, trace"),
        (b'{"v":1,"command":["who"]}\n', "the command is missing or not known; there are who, sockets, trace"),
        (b'{"v":1,"command":"sockets","filter":3}\n', "the filter is a string"),
        (b'{"v":1,"command":"sockets","filter":"foo"}\n', f"not understood: 'foo'; {UNDERSTOOD}"),
        (b'{"v":1,"command":"trace","follow":1}\n', "status and follow are true or false"),
        (b"x" * MAX_REQUEST, f"the request is longer than {MAX_REQUEST} bytes"),
    ],
)
async def test_what_is_no_request_is_told_so(tmp_path: Path, request_: bytes, said: str) -> None:
    async with both(tmp_path) as pair, asking(pair.path, request_) as answer:
        assert await answer.rest() == [{"v": 1, "error": said}]


async def test_requests_of_noise_end_no_stack(tmp_path: Path) -> None:
    chance = random.Random(7)
    valid = json.dumps({"v": 1, "command": "sockets", "filter": "sport = :80", "status": True}).encode() + b"\n"
    async with both(tmp_path) as pair:
        for number in range(200):
            noise = bytearray(valid if number % 2 else chance.randbytes(chance.randrange(1, 300)) + b"\n")
            for _ in range(chance.randrange(4)):
                noise[chance.randrange(len(noise))] = chance.randrange(256)
            async with asking(pair.path, bytes(noise)) as answer:
                if number % 3:
                    with suppress(trio.BrokenResourceError):  # it was refused before all was read
                        await answer.stream.send_eof()
                        await answer.rest()
        ours, client = await connected(pair)
        await client.send_all(b"still here")
        assert await ours.receive_some() == b"still here"


async def test_a_request_that_never_comes(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with both(tmp_path) as pair, asking(pair.path, b'{"v":1,') as answer:
        assert await answer.rest() == [{"v": 1, "error": "no request came within 5 s"}]
    async with both(tmp_path) as pair, asking(pair.path, b'{"v":1,') as answer:
        await answer.stream.send_eof()
        assert await answer.rest() == [{"v": 1, "error": "the request breaks off: it ends with a line end"}]


async def test_an_answer_that_nobody_reads_is_given_up(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    async with both(tmp_path) as pair:
        for port in range(1, 4000):
            await pair.ours.open_listener(port)
        async with asking(pair.path, {"command": "sockets"}) as answer:
            await trio.sleep(server.PATIENCE + 1)
            assert "end" not in (await answer.rest())[-1]


async def test_too_many_who_ask_and_do_not(tmp_path: Path) -> None:
    async with both(tmp_path) as pair, AsyncExitStack() as exits:
        followers = [await exits.enter_async_context(asking(pair.path, FOLLOW)) for _ in range(server.MAX_FOLLOWERS)]
        for follower in followers:
            assert "pid" in await follower.line()
        async with asking(pair.path, FOLLOW) as answer:
            assert await answer.rest() == [{"v": 1, "error": "16 are following already: end one of them"}]
        silent = [await exits.enter_async_context(asking(pair.path, b"{")) for _ in range(server.MAX_FOLLOWERS)]
        assert silent
        async with asking(pair.path, {"command": "who"}) as answer:
            assert await answer.line() == {"v": 1, "error": "32 are asking already: try again later"}


async def test_a_follower_that_says_more_is_hung_up_on(tmp_path: Path) -> None:
    async with both(tmp_path) as pair, asking(pair.path, FOLLOW) as follower:
        await follower.line()
        await follower.stream.send_all(b"x")
        assert await follower.rest() == []


# -- The socket itself ----------------------------------------------------------------------------------------


async def test_it_is_its_users_and_gone_at_the_end(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with both(tmp_path) as pair:
            info = pair.path.stat()
            assert stat.S_IMODE(info.st_mode) == 0o600
            assert info.st_uid == os.geteuid()
    finally:
        os.umask(before)
    assert not pair.path.exists()


async def test_where_it_cannot_be_made_all_else_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "control.sock").write_text("a file of somebody's")
    async with both(tmp_path, say=said.append) as pair:
        await connected(pair)
    assert said == [
        "usertcp: no control socket, so ss and trace will not see this: "
        f"{tmp_path / 'control.sock'}: Address already in use"
    ]
    assert pair.path.read_text() == "a file of somebody's"


async def test_what_cannot_be_said_leaves_no_socket(tmp_path: Path) -> None:
    def say(line: str) -> None:
        raise BrokenPipeError

    with pytest.raises(ExceptionGroup) as caught:
        async with both(tmp_path, say=say):
            raise AssertionError("not reached")
    assert caught.group_contains(BrokenPipeError)
    assert not (tmp_path / "control.sock").exists()
