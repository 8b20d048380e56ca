"""Both forms of a plot: well-formed, bounded, explained, and within their limits."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.observe.scenes import SCENES
from usertcp.observe.lines import plain
from usertcp.observe.plot.curves import Bar, Curves, Direction, Point, curves
from usertcp.observe.plot.svg import to_svg
from usertcp.observe.plot.text import MIN_WIDTH, to_lines

SVG = "{http://www.w3.org/2000/svg}"
NAMES = [name for name in SCENES if name not in ("closed_port", "syn_cookie")]


def drawn(name: str) -> Curves:
    return curves(SCENES[name]())


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", NAMES)
def test_the_svg_is_a_document_whose_text_stays_inside(name: str) -> None:
    root = ET.fromstring(to_svg(drawn(name)))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for text in root.iter(f"{SVG}text"):
        if "x" in text.attrib:
            assert 0 <= float(text.attrib["x"]) <= width
            assert 0 <= float(text.attrib["y"]) <= height


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [80, 160])
def test_the_text_fits(name: str, width: int) -> None:
    lines = [plain(line) for line in to_lines(drawn(name), width)]
    assert max(map(len, lines)) <= width


def test_narrower_than_possible_is_as_narrow_as_possible() -> None:
    panel = [plain(line) for line in to_lines(drawn("bulk"), 1) if "│" in plain(line)]
    assert max(map(len, panel)) <= MIN_WIDTH


def test_everything_that_is_drawn_is_in_the_legend() -> None:
    made = drawn("bulk_on_a_lossy_path")
    assert made.repeats
    assert made.held
    assert made.ssthresh
    svg = " ".join(texts(ET.fromstring(to_svg(made))))
    text = " ".join(plain(line) for line in to_lines(made, 100))
    for page in (svg, text):
        for word in ("sent again", "SACK", "acknowledged up to here", "window", "cwnd", "ssthresh", "srtt", "rto"):
            assert word in page
    assert "fast recovery" in svg
    quiet = " ".join(plain(line) for line in to_lines(drawn("request_and_answer"), 100))
    assert "R sent again" not in quiet


def test_a_retransmission_is_seen_in_the_text() -> None:
    rows = [plain(line) for line in to_lines(drawn("retransmission_timeout"), 80)]
    panel = rows[3:23]
    assert any("R" in row for row in panel)


def test_ever_more_segments_do_not_make_an_ever_larger_file() -> None:
    def of(count: int) -> Curves:
        made = Curves(1, Direction.OUT, started=0.0, ended=10.0)
        for index in range(count):
            time = 10 * index / count
            made.segments.append(Bar(time, index * 1000, index * 1000 + 1000))
            made.acks.append(Point(time, index * 1000))
            made.cwnd.append(Point(time, 10_000 + index % 7))
            made.srtt.append(Point(time, 0.01 + index % 5 / 1000))
        return made

    assert len(to_svg(of(400_000))) < 1.5 * len(to_svg(of(40_000))) < 1_000_000


def test_nothing_in_a_name_is_markup() -> None:
    made = drawn("request_and_answer")
    made.remote = '<script>"&\x1b[31m'
    root = ET.fromstring(to_svg(made))
    assert not list(root.iter(f"{SVG}script"))
    assert "\x1b" not in "".join(plain(line) for line in to_lines(made, 80))
