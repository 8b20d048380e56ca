"""Ladders as SVG: well-formed, safe, and nothing on top of anything else."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from math import cos, radians, sin
from typing import Any, Final

import pytest

from tests.observe.scenes import SCENES
from usertcp.observe.ladder_layout import lay_out
from usertcp.observe.ladder_page import LEFT, PEER_NOTES, RIGHT, WIDTH, Page, Text
from usertcp.observe.ladder_svg import MAX_DRAWN, to_svg
from usertcp.observe.narrator import Telling
from usertcp.observe.tales import tales
from usertcp.tcp.events import IcmpIn

Make = Callable[..., Any]

SVG: Final = "{http://www.w3.org/2000/svg}"
#: Of a character, at most, in pixels: labels are in a font of fixed width.
_LABEL, _OTHER = 6.7, 5.9


def _pages(name: str, telling: Telling = Telling()) -> list[Page]:  # noqa: B008
    return [lay_out(tale) for tale in tales(SCENES[name](), telling) if tale.story]


def _width(text: Text) -> float:
    return len(text.text) * (_LABEL if text.kind.startswith(("label", "detail")) else _OTHER)


def _box(text: Text) -> tuple[float, float, float, float]:
    """Where ``text`` is, turned back so that its own line is level: left, right, top, bottom."""
    left = text.x - _width(text) if text.right else text.x
    return left, left + _width(text), text.y - 8, text.y + 2


@pytest.mark.parametrize("name", SCENES)
def test_it_is_well_formed(name: str) -> None:
    root = ET.fromstring(to_svg(SCENES[name]()))
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title") is not None
    assert not [each for each in root.iter() if each.tag in (f"{SVG}script", f"{SVG}image", f"{SVG}foreignObject")]


@pytest.mark.parametrize("name", SCENES)
def test_no_label_stands_on_another(name: str) -> None:
    for page in _pages(name):
        arrows = [text for text in page.texts if text.kind.startswith(("label", "detail"))]
        for one, other in pairwise(sorted((t for t in arrows if not t.right), key=lambda text: text.y)):
            assert other.y - one.y >= 10, (one, other)
        for one, other in pairwise(sorted((t for t in arrows if t.right), key=lambda text: text.y)):
            assert other.y - one.y >= 10, (one, other)
        for one in arrows:
            for other in arrows:
                assert one.right or not other.right or _apart(one, other), (one, other)


def _apart(one: Text, other: Text) -> bool:
    """Two labels, one from either side, wherever they share a column: one of them is lower."""
    (_, right, _, _), (left, _, _, _) = _box(one), _box(other)
    if right <= left:
        return True

    def height(text: Text, x: float) -> float:
        return text.y + (x - text.x) * sin(radians(text.angle)) / cos(radians(text.angle))

    gaps = [height(other, x) - height(one, x) for x in (left, right)]
    return all(gap >= 11 for gap in gaps) or all(gap <= -11 for gap in gaps)


@pytest.mark.parametrize("name", SCENES)
def test_columns_keep_to_themselves(name: str) -> None:
    for page in _pages(name, Telling(verbose=True)):
        for text in page.texts:
            left, right, _, bottom = _box(text)
            if text.kind.startswith(("label", "detail")):
                assert left >= LEFT
                assert right <= RIGHT
            elif text.x == PEER_NOTES:
                assert right <= WIDTH + 10
            assert bottom <= page.height + 20


@pytest.mark.parametrize("name", SCENES)
def test_time_runs_downward(name: str) -> None:
    for page in _pages(name):
        for one, other in pairwise(page.shafts):
            assert one.head > one.tail
            ours = (one.tail if one.out else one.head), (other.tail if other.out else other.head)
            assert ours[0] <= ours[1]
        for side in (True, False):
            steps = [step.y for step in page.steps if step.ours is side]
            assert all(lower - upper >= 15 for upper, lower in pairwise(steps))
            bands = [band for band in page.bands if band.ours is side]
            assert all(upper.bottom == lower.top for upper, lower in pairwise(sorted(bands, key=lambda b: b.top)))


@pytest.mark.parametrize(("name", "flag"), [("close_by_both_at_once", "FIN,ACK"), ("open_simultaneously", "SYN")])
def test_what_crossed_on_the_way_crosses_in_the_picture(name: str, flag: str) -> None:
    (page,) = _pages(name)
    ours, theirs = next((a, b) for a, b in pairwise(page.shafts) if a.out and not b.out and a.tail == b.tail)
    assert ours.head > theirs.tail
    assert theirs.head > ours.tail
    labels = [text for text in page.texts if text.kind == "label" and ours.tail - 40 < text.y < ours.tail]
    assert {text.right for text in labels if text.text.startswith(flag)} == {True, False}
    if name == "close_by_both_at_once":
        states = [band.state.value for band in page.bands if not band.ours]
        assert states == ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]


def test_nothing_crosses_where_one_answers_the_other() -> None:
    (page,) = _pages("close_by_us")
    assert not [1 for a, b in pairwise(page.shafts) if a.out is not b.out and b.tail < a.head]


def test_marks_are_said_in_words_too() -> None:
    text = to_svg(SCENES["sack_recovery"]())
    assert 'class="line again"' in text
    assert "sent again, attempt 1: fast retransmit" in text
    text = to_svg(SCENES["challenge_ack"]())
    assert 'class="line lost"' in text
    assert "dropped: reset-not-exact (RFC 9293 §3.10.7.4)" in text


def test_what_others_say_cannot_become_markup(script: Make) -> None:
    made = script()
    made.handshake()
    made.events.append(IcmpIn(made.time, 1, "</text><script>alert(1)</script>", "&\x1b[2J\"'"))
    made.drops("<b>")
    made.delete("<img src=x>")
    text = to_svg(made.events)
    ET.fromstring(text)
    assert "<script" not in text
    assert "\x1b" not in text
    assert "&lt;img" in text


def test_many_connections_are_not_all_drawn(script: Make) -> None:
    events = []
    for number in range(1, MAX_DRAWN + 4):
        made = script(conn=number)
        made.handshake()
        events += made.events
    text = to_svg(events)
    assert text.count("Connection ") == MAX_DRAWN
    assert "3 more connections are not drawn" in text


def test_no_events_are_a_picture_that_says_so() -> None:
    assert "No connection was seen" in to_svg([])


def test_the_path_of_each_end_stands_at_the_foot_with_its_times() -> None:
    document = to_svg(SCENES["close_by_both_at_once"]())
    assert "usertcp: CLOSED → LISTEN 0.000 → SYN-RECEIVED 0.000 → ESTABLISHED 20.000" in document
    assert "peer ◇: CLOSED → SYN-SENT" in document
