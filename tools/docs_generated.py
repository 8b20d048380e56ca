"""The pages of docs/ that are made from the code, each as its text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from docs_events import events, schema
from docs_markdown import page as _page
from docs_markdown import table as _table

from usertcp.cli.listen import _DEVICE as DEVICE_COUNTERS
from usertcp.drill.sysctl import Variable
from usertcp.drill.sysctl_freebsd import FREEBSD
from usertcp.drill.sysctl_linux import LINUX
from usertcp.observe.diagram import to_mermaid
from usertcp.observe.diagram_svg import to_svg
from usertcp.stack.counters import NAMES
from usertcp.tcp.states import TABLE, UNREACHABLE, Event, State
from usertcp.wire.malformed import Malformed


def pages() -> dict[Path, str]:
    """Each page's path below the root of the project, and its text."""
    docs = Path("docs")
    return {
        docs / "counters.md": counters(),
        docs / "drill_variables.md": drill_variables(),
        docs / "events.md": events(),
        docs / "events.schema.json": schema(),
        docs / "states.md": states(),
        docs / "states.svg": to_svg(),
    }


# -- Variables of scripts ----------------------------------------------------------------------------


def drill_variables() -> str:
    """docs/drill_variables.md."""
    return _page(
        "usertcp/drill/sysctl_linux.py and sysctl_freebsd.py",
        "# Variables that scripts may set",
        "`usertcp drill` runs no command of a script.  It knows these variables by their names, takes the values that "
        "their system would take, and sets what stands beside them: fields of "
        "[`Settings`](../usertcp/tcp/settings.py), of the [host](../usertcp/stack/host.py) or of the "
        "[sockets](../usertcp/sim/posix/config.py).  A script that sets anything else is unsupported, and so is one "
        "that sets a value that is not honoured.",
        "## Linux",
        _variable_table(LINUX),
        "## FreeBSD",
        _variable_table(FREEBSD),
    )


def _variable_table(table: Mapping[str, Variable]) -> Iterator[str]:
    shown = {name: variable for name, variable in table.items() if not variable.effect.says.startswith("nothing")}
    rows = [(f"`{name}`", variable.default, variable.effect.says) for name, variable in shown.items()]
    yield from _table(("variable", "default", "what it sets"), *rows)
    yield ""
    yield "May be set to anything, and a script cannot tell the difference:"
    yield ""
    reasons: dict[str, list[str]] = {}
    for name, variable in table.items():
        if name not in shown:
            reasons.setdefault(variable.effect.says.removeprefix("nothing: "), []).append(f"`{name}`")
    for reason, names in reasons.items():
        yield f"- {reason}: {', '.join(names)}"


# -- Counters ----------------------------------------------------------------------------------------


def counters() -> str:
    """docs/counters.md."""
    malformed = {reason.value for reason in Malformed}
    fragments = [name for name in NAMES if name not in malformed and "fragment" in name] + ["datagrams-reassembled"]
    rest = [name for name in NAMES if name not in malformed and name not in fragments]
    return _page(
        "usertcp/stack/counters.py",
        "# Counters",
        "A host counts what it drops, answers and gives up, each under a name of its own.  `GET /stats` of the "
        "http service shows all of them, `usertcp listen` prints at its end those that are not 0, and the "
        "trace event [`dropped`](events.md#dropped) names the counter as its reason.",
        "## Packets that make no sense",
        "Dropped as early as it is known.",
        _counter_table(sorted(malformed, key=list(NAMES).index), NAMES),
        "## Fragments",
        _counter_table(fragments, NAMES),
        "## TCP and the host",
        _counter_table(rest, NAMES),
        "## The TUN",
        "Counted by the device, below the stack.",
        _counter_table(DEVICE_COUNTERS, DEVICE_COUNTERS),
    )


def _counter_table(names: list[str] | Mapping[str, str], meanings: Mapping[str, str]) -> Iterator[str]:
    return _table(("name", "what it counts"), *((f"`{name}`", meanings[name]) for name in names))


# -- States ------------------------------------------------------------------------------------------


def states() -> str:
    """docs/states.md."""
    return _page(
        "usertcp/tcp/states.py",
        "# States",
        "Every step of a connection goes through one table: a state and an event give the next state, the "
        "section of RFC 9293 that says so, and a reason.  This page is that table; `usertcp states` prints it too.",
        "![The states of a TCP connection: RFC 9293, figure 5, and what the figure leaves out](states.svg)",
        "Dotted arrows are transitions that the RFC's figure 5 leaves out: errors, timeouts, ABORT.",
        "<details><summary>The same as a Mermaid flowchart</summary>",
        f"```mermaid\n{to_mermaid()}```",
        "</details>",
        *(part for state in State for part in _state(state)),
        "## What cannot happen",
        "A pair that is not in the table above is here, with the reason why it never comes up.  If one did, it "
        "would be a bug in usertcp, and `ImpossibleTransition` is raised.",
        _table(("event", "not in", "because"), *_impossible()),
    )


def _state(state: State) -> Iterator[str | Iterator[str]]:
    moves = [event for event in Event if (state, event) in TABLE and TABLE[state, event].next_state is not state]
    stays = [event for event in Event if (state, event) in TABLE and TABLE[state, event].next_state is state]
    yield f"## {state}"
    if moves:
        yield _table(
            ("event", "next state", "RFC 9293", "why"),
            *((f"{event}", f"**{TABLE[state, event].next_state}**", *_why(state, event)) for event in moves),
        )
    yield f"Stays {state}:"
    yield _table(("event", "RFC 9293", "why"), *((f"{event}", *_why(state, event)) for event in stays))


def _why(state: State, event: Event) -> tuple[str, str]:
    transition = TABLE[state, event]
    return f"§{transition.section}", transition.reason


def _impossible() -> Iterator[tuple[str, str, str]]:
    """Events and the states they cannot come in, those with the same proof together."""
    for event in Event:
        proofs: dict[str, list[State]] = {}
        for state in State:
            if (state, event) in UNREACHABLE:
                proofs.setdefault(UNREACHABLE[state, event], []).append(state)
        for proof, where in proofs.items():
            yield f"{event}", _these(where), proof


def _these(where: list[State]) -> str:
    others = [state for state in State if state not in where]
    if len(others) <= 3:
        return "any but " + ", ".join(map(str, others))
    return ", ".join(map(str, where))
