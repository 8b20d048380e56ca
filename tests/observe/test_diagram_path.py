"""The way that a connection took, on the state diagram."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tests.observe.scenes import SCENES
from usertcp.observe import diagram_text
from usertcp.observe.diagram import edges
from usertcp.observe.diagram_path import listing, walks
from usertcp.observe.diagram_svg import to_svg
from usertcp.observe.lines import plain
from usertcp.observe.path import Path
from usertcp.observe.tales import paths
from usertcp.tcp.states import Event, State

SVG = "{http://www.w3.org/2000/svg}"


def of(name: str) -> Path:
    return paths(SCENES[name]())[0]


def test_the_steps_of_both_ends_in_a_simultaneous_close() -> None:
    ours, peers = walks(of("close_by_both_at_once"))
    assert [step.target for step in ours.steps][-3:] == [State.FIN_WAIT_1, State.CLOSING, State.TIME_WAIT] or [
        step.target for step in ours.steps
    ][-4:] == [State.FIN_WAIT_1, State.CLOSING, State.TIME_WAIT, State.CLOSED]
    assert State.CLOSING in peers.states
    assert ours.on(State.FIN_WAIT_1, State.CLOSING, [Event.RCV_FIN])
    assert not ours.on(State.FIN_WAIT_1, State.CLOSING, [Event.RCV_ACK_OF_FIN])
    assert [step.order for step in ours.steps] == list(range(1, len(ours.steps) + 1))


def test_the_text_draws_what_was_entered_in_heavy_lines_and_nothing_else() -> None:
    ours, _ = walks(of("request_and_answer"))
    drawing = diagram_text.diagram(ours)
    assert "┃ SYN-RECEIVED ┃" in drawing
    assert "│  FIN-WAIT-2  │" in drawing
    assert max(map(len, drawing.splitlines())) <= 80
    heavy = str.maketrans("━┃┏┓┗┛┣┫┳┻╋╹╺╻╸", "─│┌┐└┘├┤┬┴┼╵╶╷╴")
    assert drawing.translate(heavy) == diagram_text.diagram()


def test_the_listing_says_when_and_by_what() -> None:
    lines = [plain(line) for line in listing(of("request_and_answer"))]
    assert lines[0] == "usertcp's way"
    assert any("SYN-RECEIVED" in line and "rcv SYN" in line and " ms" in line for line in lines)
    assert "peer's way" in lines
    assert any("SYN-SENT" in line and "(inferred)" in line for line in lines)


def test_the_svg_has_a_badge_for_each_step_on_the_figure_and_in_the_table() -> None:
    path = of("close_by_both_at_once")
    root = ET.fromstring(to_svg(path, "connection 1"))
    ours, peers = walks(path)
    for style, walk in (("way-us", ours), ("way-peer", peers)):
        numbers = [group.findtext(f"{SVG}text") for group in root.iter(f"{SVG}g") if group.attrib.get("class") == style]
        arrows = [step.order for edge in edges() for step in walk.on(edge.source, edge.target, edge.events)]
        assert len(arrows) >= 4
        assert sorted(numbers) == sorted(map(str, [*arrows, *(step.order for step in walk.steps)]))
    assert "The way of connection 1" in "".join(root.itertext())


def test_without_a_path_the_diagram_is_what_it_was() -> None:
    root = ET.fromstring(to_svg())
    assert not [group for group in root.iter(f"{SVG}g") if "opacity" in group.attrib]
