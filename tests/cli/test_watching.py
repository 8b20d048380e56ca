from __future__ import annotations

import io
import json
import os
import threading

import pytest
import trio

from usertcp.cli.common import StackOptions
from usertcp.cli.pumping import watch
from usertcp.cli.watching import JsonView, LadderView, live_view
from usertcp.tcp.events import Deleted, Kind, Opened

OURS, PEER = b"\xc0\x00\x02\x02", b"\xc0\x00\x02\x01"
EVENTS = [
    (Kind.OPENED, *Opened(1.0, 1, OURS, 80, PEER, 5000, "passive")),
    (Kind.DELETED, *Deleted(2.0, 1, "")),
]


def test_what_the_options_ask_for() -> None:
    assert live_view(StackOptions(), io.StringIO()) is None
    assert isinstance(live_view(StackOptions(trace=True), io.StringIO()), LadderView)
    assert isinstance(live_view(StackOptions(trace=True, json=True), io.StringIO()), JsonView)


async def test_nothing_to_show() -> None:
    async with watch(None) as sink:
        assert sink is None


async def test_json_is_a_line_for_each_event() -> None:
    file = io.StringIO()
    async with watch(JsonView(file)) as sink:
        assert sink is not None
        for event in EVENTS:
            sink(event)
    lines = [json.loads(line) for line in file.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["opened", "deleted"]


async def test_the_ladder_is_complete_also_after_a_cancellation() -> None:
    file = io.StringIO()
    with trio.CancelScope() as scope:
        async with watch(LadderView(file)) as sink:
            assert sink is not None
            sink(EVENTS[0])
            scope.cancel()
            try:
                await trio.sleep_forever()
            finally:
                sink(EVENTS[1])
    assert "192.0.2.2:80" in file.getvalue()
    assert "ended in good order" in file.getvalue()


async def test_events_are_shown_as_they_come() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as output, os.fdopen(writer, "w") as file:
        async with watch(JsonView(file)) as sink:
            assert sink is not None
            for event in EVENTS:
                sink(event)
                line = await trio.to_thread.run_sync(output.readline)
                assert line.endswith("\n")


async def test_a_reader_that_goes_away_ends_the_work() -> None:
    class Gone(JsonView):
        def flush(self) -> None:
            raise BrokenPipeError

        settle = end = flush

    async def work() -> None:
        async with watch(Gone(io.StringIO())) as sink:
            assert sink is not None
            sink(EVENTS[0])
            await trio.sleep_forever()

    with pytest.raises(BrokenPipeError):
        await work()


async def test_the_work_goes_on_while_the_output_is_stuck() -> None:
    stuck, release = threading.Event(), threading.Event()

    class Stuck(JsonView):
        def flush(self) -> None:
            stuck.set()
            release.wait()

        settle = end = flush

    file = io.StringIO()
    async with watch(Stuck(file)) as sink:
        assert sink is not None
        sink(EVENTS[0])
        await trio.to_thread.run_sync(stuck.wait)
        sink(EVENTS[1])
        assert file.getvalue().count("\n") == 1
        release.set()
    assert file.getvalue().count("\n") == 2
