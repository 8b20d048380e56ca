"""Files of events may hold anything that has the right types: no drawing of them raises, or lets anything through."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.observe.scenes import SCENES
from usertcp.observe.diagram_path import listing
from usertcp.observe.diagram_svg import to_svg as diagram_svg
from usertcp.observe.jsonl import BadLine, read, to_line
from usertcp.observe.ladder import Ladder
from usertcp.observe.ladder_forms import Form, drawing
from usertcp.observe.lines import plain
from usertcp.observe.narrator import Telling
from usertcp.observe.plot.curves import NothingToPlot, curves
from usertcp.observe.plot.svg import to_svg as plot_svg
from usertcp.observe.plot.text import to_lines
from usertcp.observe.tales import paths
from usertcp.tcp.events import Cwnd, Estimated, TraceEvent

_VALUES = [0, -1, 2**32 - 1, 2**40, 10**30, 1e300, -5.5, "", "\x1b[2J<&;", "SYN,ACK", "LISTEN", None, True, [], {}]
_NAMES = ("request_and_answer", "sack_recovery", "syn_cookie", "closed_port", "close_by_both_at_once", "challenge_ack")


def _mangled(chance: random.Random) -> list[TraceEvent]:
    objects: list[dict[str, Any]] = []
    for name in chance.sample(_NAMES, 2):
        objects += [json.loads(to_line(event)) for event in SCENES[name]()]
    if chance.random() < 0.3:
        chance.shuffle(objects)
    for _ in range(chance.randint(1, 8)):
        victim = chance.choice(objects)
        victim[chance.choice(list(victim))] = chance.choice(_VALUES)
    kept: list[TraceEvent] = []
    for made in objects:
        try:
            kept += read([json.dumps(made)])
        except BadLine:
            continue
    return [event for event in kept if chance.random() > 0.1]


@pytest.mark.parametrize("seed", range(25))
def test_mangled_events_are_drawn(seed: int) -> None:
    chance = random.Random(seed)
    events = _mangled(chance)
    telling = Telling(chance.random() < 0.5, chance.random() < 0.5, chance.random() < 0.5)
    width = chance.choice([40, 60, 80, 160])
    text = drawing(events, Form.TEXT, telling=telling, width=width)
    assert all(len(line) <= width and (line.isprintable() or not line) for line in text.splitlines())
    ET.fromstring(drawing(events, Form.SVG, telling=telling))
    assert drawing(events, Form.MERMAID, telling=telling).startswith("sequenceDiagram\n")
    ladder = Ladder(width=width, telling=telling, numbered=True)
    lines = [line for event in events for line in ladder.feed(event)] + ladder.flush() + ladder.end()
    assert all(plain(line).isprintable() for line in lines)


@pytest.mark.parametrize("seed", range(40))
def test_mangled_events_are_plotted_and_walked(seed: int) -> None:
    chance = random.Random(seed)
    events = _mangled(chance)
    for path in paths(events):
        ET.fromstring(diagram_svg(path, "connection"))
        assert all(plain(line).isprintable() for line in listing(path))
    try:
        made = curves(events)
    except NothingToPlot:
        return
    document = plot_svg(made)
    ET.fromstring(document)
    assert "nan" not in document
    assert all(plain(line).isprintable() for line in to_lines(made, 80))


def test_what_is_told_years_after_the_last_segment_takes_no_years_to_plot() -> None:
    events = SCENES["request_and_answer"]()
    late = next(event for event in events if isinstance(event, Cwnd))._replace(time=events[0].time + 1e300)
    assert max(len(plain(line)) for line in to_lines(curves([*events, late]), 80)) <= 80
    plot_svg(curves([late._replace(time=0.0), *events]))


def test_no_time_is_too_long_to_be_plotted() -> None:
    events = SCENES["request_and_answer"]()
    patient = [event._replace(rto=1e308) if isinstance(event, Estimated) else event for event in events]
    assert any("rto" in plain(line) for line in to_lines(curves(patient), 80))
    ET.fromstring(plot_svg(curves(patient)))
