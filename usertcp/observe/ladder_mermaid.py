"""Ladders as mermaid ``sequenceDiagram``, for pages that draw such."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import Final

from usertcp.observe.ladder import title
from usertcp.observe.narrator import CONCISE, Telling
from usertcp.observe.story import Arrow, Begun, Ended, Folded, Note, Rung, Turn, foot, why
from usertcp.observe.tales import Tale, tales
from usertcp.tcp.events import TraceEvent

#: Mermaid ends a statement at ``;``, begins an entity with ``#``, and takes ``<`` for HTML; ``%%`` is a comment, and
#: the words that end a block are no words of ours.
_ENTITIES: Final = {"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;", "%": "#37;", "{": "#123;", "}": "#125;"}
#: One diagram draws no more connections than these.
MAX_DRAWN: Final = 20
_LINE: Final = 44
_FOOT: Final = 90


def to_mermaid(events: Iterable[TraceEvent], *, telling: Telling = CONCISE) -> str:
    """One diagram; several connections stand in it below each other."""
    return "".join(f"{line}\n" for line in _diagram([tale for tale in tales(events, telling) if tale.story]))


def _diagram(told: list[Tale]) -> Iterator[str]:
    yield "sequenceDiagram"
    yield "    participant U as usertcp"
    yield f"    participant P as {_peer(told)}"
    if not told:
        yield "    Note over U,P: no connection was seen"
    for tale in told[:MAX_DRAWN]:
        for rung in tale.rungs:
            for line in _statements(rung, tale.rungs[0].time):
                yield f"    {line}"
    if len(told) > MAX_DRAWN:
        yield f"    Note over U,P: {len(told) - MAX_DRAWN:,} more connections are not drawn"


def _peer(told: list[Tale]) -> str:
    if not any(tale.peer_is_read for tale in told):
        return "peer (states inferred)"
    return "peer (states as its kernel says, where not marked as inferred)"


def _statements(rung: Rung, started: float) -> Iterator[str]:
    clock = f"{(rung.time - started) * 1000:.3f} ms"
    match rung:
        case Arrow():
            head = "x" if rung.dropped else ">>"
            line = "--" if rung.again else "-"
            ends = ("U", "P") if rung.out else ("P", "U")
            said = "".join(f"<br/>{_escaped(remark.text)}" for remark in rung.remarks)
            yield f"{ends[0]}{line}{head}{ends[1]}: {clock} {_escaped(rung.label.whole())}{said}"
            for turn in rung.after:
                yield from _statements(turn, started)
        case Turn():
            state = f"{rung.state.value}: " if rung.state is not None else ""
            if rung.ours:
                yield f"Note left of U: {clock} {_escaped(f'{state}{rung.cause}')}<br/>{_broken(why(rung))}"
            else:
                known = "" if rung.read else " (inferred)"
                yield f"Note right of P: {_escaped(f'{state}{rung.cause}')}{known}"
        case Note():
            side = "left of U" if rung.ours else "right of P"
            yield f"Note {side}: {_broken(f'{clock} {rung.text}')}"
        case Folded():
            yield f"Note over U,P: {_escaped(rung.text)}"
        case Ended():
            if rung.text:
                yield f"Note left of U: {_broken(f'{clock} {rung.text}')}"
            yield f"Note over U,P: {_escaped(' · '.join(rung.summary))}"
            for answer in foot(rung):
                said = "<br/>".join(_escaped(line) for text in answer.lines for line in wrap(text, _FOOT))
                yield f"Note over U,P: {_escaped(answer.question)}<br/>{said}"
        case Begun():
            yield f"Note over U,P: {_escaped(title(rung))}"


def _broken(text: str) -> str:
    """In lines of moderate length: mermaid's boxes are too small for longer ones."""
    return "<br/>".join(map(_escaped, wrap(text, _LINE)))


def _escaped(text: str) -> str:
    return "".join(_ENTITIES.get(character, character) for character in text)
