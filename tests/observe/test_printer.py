from __future__ import annotations

import io
from typing import Any

import pytest

from tests.observe.scenes import SCENES
from usertcp.observe.escape import for_ascii
from usertcp.observe.ladder import ladders
from usertcp.observe.lines import plain
from usertcp.observe.narrator import Telling
from usertcp.observe.printer import LivePrinter, Printer, live_ladder
from usertcp.tcp.events import Deleted, Kind, Lost, TraceEvent


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class _Pipe(io.StringIO):
    encoding = "utf-8"


def test_a_pipe_gets_plain_text_of_80_columns(visit: Any) -> None:
    pipe = _Pipe()
    printer = Printer(pipe)
    assert printer.width == 80
    printer.print(ladders(visit.events, width=printer.width))
    assert "\x1b" not in pipe.getvalue()
    assert "SYN,ACK seq=0 (ISN 1774102233) ack=1 ─▶│" in pipe.getvalue()


def test_a_terminal_gets_the_same_in_colour(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = _Terminal(), _Pipe()
    Printer(terminal, width=100).print(ladders(visit.events, width=100))
    Printer(pipe, width=100).print(ladders(visit.events, width=100))
    assert "\x1b[" in terminal.getvalue()
    assert _without_colour(terminal.getvalue()) == pipe.getvalue()


def test_colour_can_be_refused(visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = _Terminal()
    Printer(terminal, width=100).print(ladders(visit.events, width=100))
    assert "\x1b" not in terminal.getvalue()


def _without_colour(text: str) -> str:
    import re

    return "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).split("\n"))


def test_an_output_that_can_only_write_ascii_gets_ascii_in_the_same_columns(visit: Any) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    Printer(file).print(ladders(visit.events))
    text = raw.getvalue().decode("ascii")
    assert "|<- SYN seq=0 (ISN 2954113876) win=64256 --|" in text
    assert "?" not in text


@pytest.mark.parametrize("name", SCENES)
def test_nothing_of_a_ladder_is_lost_in_ascii(name: str) -> None:
    for verbose in (False, True):
        lines = ladders(SCENES[name](), width=100, telling=Telling(verbose=verbose))
        text = for_ascii("\n".join(map(plain, lines)))
        assert "?" not in text


def test_live_events_are_shown_only_when_pumped() -> None:
    shown: list[TraceEvent] = []
    woken: list[None] = []
    printer = LivePrinter(shown.append, wake=lambda: woken.append(None))
    printer((Kind.DELETED, 1.0, 1, ""))
    printer((Kind.DELETED, 2.0, 2, ""))
    assert not shown
    assert len(woken) == 1
    printer.pump()
    assert shown == [Deleted(1.0, 1, ""), Deleted(2.0, 2, "")]
    printer((Kind.DELETED, 3.0, 3, ""))
    assert len(woken) == 2


def test_too_many_waiting_events_push_out_the_oldest_and_are_counted() -> None:
    shown: list[TraceEvent] = []
    printer = LivePrinter(shown.append, limit=2)
    for number in range(5):
        printer((Kind.DELETED, 0.0, number, ""))
    printer.pump()
    assert shown[0] == Lost(0.0, 0, 3)
    assert [event.conn for event in shown[1:]] == [3, 4]
    assert printer.lost == 3


def test_the_live_ladder_is_as_wide_as_the_printer(visit: Any) -> None:
    pipe = _Pipe()
    printer = Printer(pipe, width=110)
    ladder = live_ladder(printer)
    live = LivePrinter(lambda event: printer.print(ladder.feed(event)))
    for event in visit.events:
        live((event_kind(event), *event))
    live.pump()
    lines = pipe.getvalue().splitlines()
    assert max(map(len, lines)) <= 110
    assert "#1" in lines[2]


def event_kind(event: TraceEvent) -> Kind:
    from usertcp.tcp.events import TYPES

    return Kind(TYPES.index(type(event)))
