from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from usertcp.observe import diagram_svg, diagram_text
from usertcp.observe.diagram import FIGURE_5, edges, to_json, to_mermaid
from usertcp.tcp.states import TABLE, UNREACHABLE, Event, State

SVG = "{http://www.w3.org/2000/svg}"
EDGES = edges()


def test_edges_are_all_the_changes_of_the_table_and_nothing_else() -> None:
    drawn = {(edge.source, event, edge.target) for edge in EDGES for event in edge.events}
    assert drawn == {(s, e, t.next_state) for (s, e), t in TABLE.items() if t.next_state is not s}
    assert sum(len(edge.events) for edge in EDGES if edge.in_figure) == len(FIGURE_5) == 20


def test_the_text_diagram_shows_every_edge_of_the_figure_in_80_columns() -> None:
    text = diagram_text.diagram()
    assert max(map(len, text.splitlines())) <= 80
    assert all(state.value in text for state in State)
    heads = sum(text.count(head) for head in "▲▶▼◀")
    assert heads == sum(edge.in_figure for edge in EDGES)
    for (_, event), action in FIGURE_5.items():
        assert event.value in text
        assert action in text
    assert not set("┼┴┬") & set(_outside_boxes(text))


def _outside_boxes(text: str) -> str:
    """The diagram's rows that touch no box: lines that would cross there are a mistake in the layout."""
    return "\n".join(line for line in text.splitlines() if not set("┌┐└┘") & set(line))


def test_the_routes_are_those_of_the_table() -> None:
    in_figure = {(edge.source, edge.target) for edge in EDGES if edge.in_figure}
    assert set(diagram_text._ROUTES) == in_figure
    drawn = {(edge.source, edge.target, edge.in_figure) for edge in EDGES}
    routed = set(diagram_svg._ROUTES) | {(state, State.CLOSED, False) for state in diagram_svg._ESCAPES}
    assert routed == drawn


def test_the_figure_leaves_out_what_the_list_below_it_tells() -> None:
    text = diagram_text.not_in_figure(80)
    assert "→ CLOSED    from any but CLOSED, LISTEN\n" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("width", [80, 132])
def test_the_table_tells_each_change(width: int) -> None:
    text = diagram_text.table(width)
    assert max(map(len, text.splitlines())) <= width
    assert sum(line.count("→") for line in text.splitlines()) == sum(len(edge.events) for edge in EDGES)


@pytest.mark.parametrize("width", [80, 132])
def test_the_complete_table_tells_every_pair(width: int) -> None:
    text = diagram_text.table(width, complete=True)
    assert max(map(len, text.splitlines())) <= width
    rows = [line for line in text.splitlines() if line.startswith("  ") and line[2] != " "]
    assert len(rows) == len(State) * len(Event)
    assert sum("  never" in row for row in rows) == len(UNREACHABLE)


def test_svg_is_well_formed_and_draws_every_edge_in_its_style() -> None:
    root = ET.fromstring(diagram_svg.to_svg())
    paths = [path.get("class") for path in root.iter(f"{SVG}path")]
    legend = 1
    assert paths.count("edge") == legend + sum(edge.in_figure for edge in EDGES)
    assert paths.count("extra") == legend + sum(not edge.in_figure for edge in EDGES)
    texts = {text.text for text in root.iter(f"{SVG}text")}
    assert {state.value for state in State} <= texts
    assert {event.value for edge in EDGES for event in edge.events} <= texts


def test_svg_stays_inside_its_canvas() -> None:
    root = ET.fromstring(diagram_svg.to_svg())
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    for rect in root.iter(f"{SVG}rect"):
        x, y = float(rect.get("x", "0")), float(rect.get("y", "0"))
        assert 0 <= x <= x + float(rect.get("width", "0")) <= width
        assert 0 <= y <= y + float(rect.get("height", "0")) <= height
    for text in root.iter(f"{SVG}text"):
        anchor = text.get("text-anchor", "start")
        x, room = float(text.get("x", "0")), 7 * len(text.text or "")
        assert 0 <= float(text.get("y", "0")) <= height
        if anchor == "start" and "title" not in (text.get("class") or ""):
            assert x + room <= width
        elif anchor == "end":
            assert x - room >= 0


def test_mermaid_has_a_line_for_each_state_and_each_edge() -> None:
    lines = to_mermaid().splitlines()
    assert lines[0] == "flowchart TD"
    assert len(lines) == 1 + len(State) + len(EDGES)
    assert '    LISTEN -->|"rcv SYN / snd SYN,ACK"| SYN_RECEIVED' in lines
    assert sum("-.->" in line for line in lines) == sum(not edge.in_figure for edge in EDGES)


def test_json_is_the_whole_table() -> None:
    made = json.loads(to_json())
    assert made["version"] == 1
    assert made["states"] == [state.value for state in State]
    assert len(made["transitions"]) == len(TABLE)
    assert len(made["unreachable"]) == len(UNREACHABLE)
    assert {
        "state": "LISTEN",
        "event": "rcv SYN",
        "next_state": "SYN-RECEIVED",
        "section": "3.10.7.2",
        "reason": "a peer's SYN is answered with SYN,ACK",
        "in_figure_5": True,
    } in made["transitions"]
