"""The state diagram and the table of transitions, all made from :data:`usertcp.tcp.states.TABLE`.

Figure 5 of RFC 9293 shows "only state changes" and leaves out errors and most timeouts; the transitions it
does show are named in :data:`FIGURE_5`, so that a drawing can tell them from those that it leaves out.
"""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from usertcp.tcp.states import TABLE, UNREACHABLE, Event, State

_S, _E = State, Event

#: The transitions of RFC 9293 figure 5, each with the action that the figure writes under the event.
FIGURE_5: Final[dict[tuple[State, Event], str]] = {
    (_S.CLOSED, _E.PASSIVE_OPEN): "create TCB",
    (_S.CLOSED, _E.ACTIVE_OPEN): "create TCB, snd SYN",
    (_S.LISTEN, _E.CLOSE): "delete TCB",
    (_S.LISTEN, _E.RCV_SYN): "snd SYN,ACK",
    (_S.LISTEN, _E.SEND): "snd SYN",
    (_S.SYN_SENT, _E.CLOSE): "delete TCB",
    (_S.SYN_SENT, _E.RCV_SYN): "snd SYN,ACK",
    (_S.SYN_SENT, _E.RCV_SYN_ACK): "snd ACK",
    (_S.SYN_RECEIVED, _E.RCV_RST_PASSIVE): "",
    (_S.SYN_RECEIVED, _E.RCV_ACK): "",
    (_S.SYN_RECEIVED, _E.CLOSE): "snd FIN",
    (_S.ESTABLISHED, _E.CLOSE): "snd FIN",
    (_S.ESTABLISHED, _E.RCV_FIN): "snd ACK",
    (_S.FIN_WAIT_1, _E.RCV_ACK_OF_FIN): "",
    (_S.FIN_WAIT_1, _E.RCV_FIN): "snd ACK",
    (_S.FIN_WAIT_2, _E.RCV_FIN): "snd ACK",
    (_S.CLOSE_WAIT, _E.CLOSE): "snd FIN",
    (_S.CLOSING, _E.RCV_ACK_OF_FIN): "",
    (_S.LAST_ACK, _E.RCV_ACK_OF_FIN): "",
    (_S.TIME_WAIT, _E.TIME_WAIT_TIMEOUT): "delete TCB",
}


class Edge(NamedTuple):
    """An arrow of the diagram: every event of one sort that leads from ``source`` to ``target``.

    ``in_figure`` tells whether RFC 9293 figure 5 has it; edges of both sorts may join the same states.
    """

    source: State
    target: State
    in_figure: bool
    events: tuple[Event, ...]


def edges() -> list[Edge]:
    """All edges, in the order of the states; events that leave the state as it is have none."""
    grouped: dict[tuple[State, State, bool], list[Event]] = {}
    for state in State:
        for event in Event:
            transition = TABLE.get((state, event))
            if transition is not None and transition.next_state is not state:
                key = (state, transition.next_state, (state, event) in FIGURE_5)
                grouped.setdefault(key, []).append(event)
    return [Edge(*key, tuple(events)) for key, events in grouped.items()]


def action(state: State, event: Event) -> str:
    """What figure 5 says is done at this transition; empty for nothing, and for what it does not show."""
    return FIGURE_5.get((state, event), "")


def to_mermaid() -> str:
    """A Mermaid flowchart; dotted arrows are those that figure 5 leaves out."""
    lines = ["flowchart TD"]
    lines += [f'    {state.name}(["{state}"])' for state in State]
    for edge in edges():
        arrow = "-->" if edge.in_figure else "-.->"
        label = "<br>".join(_mermaid_label(edge.source, event) for event in edge.events)
        lines.append(f'    {edge.source.name} {arrow}|"{label}"| {edge.target.name}')
    return "\n".join(lines) + "\n"


def _mermaid_label(state: State, event: Event) -> str:
    done = action(state, event)
    return f"{event} / {done}" if done else event.value


def to_json() -> str:
    """The whole table as one JSON object; ``version`` changes when a field's meaning does."""
    transitions = []
    unreachable = []
    for state in State:
        for event in Event:
            pair = {"state": state.value, "event": event.value}
            if (state, event) in UNREACHABLE:
                unreachable.append({**pair, "proof": UNREACHABLE[state, event]})
                continue
            next_state, section, reason = TABLE[state, event]
            in_figure = (state, event) in FIGURE_5
            transitions.append(
                {
                    **pair,
                    "next_state": next_state.value,
                    "section": section,
                    "reason": reason,
                    "in_figure_5": in_figure,
                }
            )
    table = {
        "version": 1,
        "source": "RFC 9293",
        "states": [state.value for state in State],
        "events": [event.value for event in Event],
        "transitions": transitions,
        "unreachable": unreachable,
    }
    return json.dumps(table, indent=2, ensure_ascii=False) + "\n"
