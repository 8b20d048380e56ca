"""Ladders as mermaid: every line is a statement of its grammar, whatever is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.observe.scenes import SCENES
from usertcp.observe.ladder_mermaid import MAX_DRAWN, to_mermaid
from usertcp.tcp.events import IcmpIn

Make = Callable[..., Any]

#: Text of a message or note: no statement ends in it (;), no comment or entity begins but ours, no HTML but <br/>.
_TEXT: Final = r"(?:<br/>|#(?:\d+|lt|gt);|[^;#<>%{}])+"
_STATEMENT: Final = re.compile(
    rf"    (?:participant [UP] as {_TEXT}|[UP]--?(?:>>|x)[UP]: {_TEXT}|Note (?:left of U|right of P|over U,P): {_TEXT})"
)


def _statements(text: str) -> list[str]:
    first, *lines = text.splitlines()
    assert first == "sequenceDiagram"
    for line in lines:
        assert _STATEMENT.fullmatch(line), line
    return lines


@pytest.mark.parametrize("name", SCENES)
def test_every_line_is_a_statement(name: str) -> None:
    _statements(to_mermaid(SCENES[name]()))


def test_marks_of_arrows() -> None:
    again = to_mermaid(SCENES["sack_recovery"]())
    assert re.search(r"U-->>P: .* ACK seq=2897 .*<br/>sent again, attempt 1: fast retransmit", again)
    dropped = to_mermaid(SCENES["challenge_ack"]())
    assert re.search(r"P-xU: .* RST seq=100<br/>.*<br/>dropped: reset-not-exact", dropped)


def test_steps_have_section_and_reason() -> None:
    text = to_mermaid(SCENES["request_and_answer"]())
    assert "Note left of U: 60.000 ms CLOSE-WAIT: rcv FIN<br/>RFC 9293 §3.10.7.4: the peer closed first:<br/>it" in text
    assert "Note right of P: FIN-WAIT-1: CLOSE (inferred)" in text


def test_bulk_is_folded() -> None:
    assert re.search(r"Note over U,P: … ▶ \d+ segments", to_mermaid(SCENES["bulk"]()))


def test_what_others_say_cannot_become_a_statement(script: Make) -> None:
    made = script()
    made.handshake()
    made.events.append(IcmpIn(made.time, 1, "x; end\nactivate U %% <script>", "#quot; {init}"))
    made.drops("a;b")
    lines = _statements(to_mermaid(made.events))
    told = "\n".join(lines).replace("<br/>", " ")
    assert "x#59; end\\x0aactivate U #37;#37; #lt;script#gt;: #35;quot#59; #123;init#125;" in told


def test_several_connections_are_one_diagram_and_bounded(script: Make) -> None:
    events = []
    for number in range(1, MAX_DRAWN + 3):
        made = script(conn=number)
        made.handshake()
        events += made.events
    lines = _statements(to_mermaid(events))
    assert sum("Connection " in line for line in lines) == MAX_DRAWN
    assert lines[-1] == "    Note over U,P: 2 more connections are not drawn"


def test_no_events_are_a_diagram_that_says_so() -> None:
    assert "no connection was seen" in to_mermaid([])


def test_the_answers_and_both_ends_paths_stand_at_the_foot() -> None:
    foot = to_mermaid(SCENES["close_by_both_at_once"]()).splitlines()[-3:]
    assert any("Closed first<br/>both at once" in line for line in foot)
    assert "States, ms<br/>usertcp: CLOSED → LISTEN 0.000" in foot[-1]
    assert "peer ◇: CLOSED → SYN-SENT" in foot[-1]
