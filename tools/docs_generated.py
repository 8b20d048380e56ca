"""The pages of docs/ that are made from the code, each as its text."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from usertcp.cli.listen import _DEVICE as DEVICE_COUNTERS
from usertcp.drill.sysctl import Variable
from usertcp.drill.sysctl_freebsd import FREEBSD
from usertcp.drill.sysctl_linux import LINUX
from usertcp.observe.diagram import to_mermaid
from usertcp.observe.diagram_svg import to_svg
from usertcp.observe.forms import KIND_NAMES
from usertcp.observe.jsonl import VERSION, to_line
from usertcp.stack.counters import NAMES
from usertcp.tcp.events import (
    Acknowledged,
    ChallengeAck,
    Congestion,
    Cwnd,
    Deleted,
    Dropped,
    Dsack,
    Estimated,
    Handshake,
    HeldBack,
    IcmpIn,
    Joined,
    Lost,
    Opened,
    OutOfOrder,
    PathMtu,
    PeerSeen,
    Probe,
    Retransmitted,
    SegmentIn,
    SegmentOut,
    StrayIn,
    StrayOut,
    Timer,
    TraceEvent,
    Transitioned,
    WindowChanged,
)
from usertcp.tcp.states import TABLE, UNREACHABLE, Event, State
from usertcp.wire.malformed import Malformed
from usertcp.wire.tcp import ACK, NO_OPTIONS, PSH, RST, SYN, Options

_HEAD: Final = "<!-- Made by tools/make_docs from {source}: change that, and run it again. -->\n"


def pages() -> dict[Path, str]:
    """Each page's path below the root of the project, and its text."""
    docs = Path("docs")
    return {
        docs / "counters.md": counters(),
        docs / "drill_variables.md": drill_variables(),
        docs / "events.md": events(),
        docs / "states.md": states(),
        docs / "states.svg": to_svg(),
    }


def _table(*rows: tuple[str, ...]) -> Iterator[str]:
    """A table in Markdown; the first row is its head."""
    for index, row in enumerate(rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        if index == 0:
            yield "|" + " --- |" * len(row)


def _page(source: str, *parts: str | Iterator[str]) -> str:
    lines = [_HEAD.format(source=source)]
    for part in parts:
        lines += [*([part] if isinstance(part, str) else part), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


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


# -- Trace events ------------------------------------------------------------------------------------

_FIELDS: Final = {
    "ack": "acknowledgment number",
    "acked": "sequence numbers that it acknowledges for the first time",
    "after": "`open`, `segment-in` or `segment-out`",
    "attempt": "how often before, or which of them, from 1",
    "backoffs": "how often the timeout was doubled since the last sample",
    "cause": "the event, as in [the table](states.md)",
    "congestion": "state of loss recovery",
    "cwnd": "congestion window, in bytes",
    "due": "when it will fire, on the clock of `time`; null where it does not run",
    "ecn": "ECN field of the IP header, 0 to 3",
    "edge": "sequence number at its right edge",
    "end": "sequence number after the last",
    "effect": "what was done about it",
    "events": "how many",
    "error": "why it ended; empty after an orderly end",
    "flags": "control bits by name, as `SYN,ACK`",
    "held": "bytes that wait behind gaps now",
    "in_flight": "sequence numbers that are in the network",
    "irs": "the peer's initial sequence number",
    "iss": "our initial sequence number",
    "latest": "last sample of the round trip, in seconds",
    "length": "bytes of data",
    "local_address": "our address",
    "local_port": "our port",
    "message": "what the ICMP message says",
    "mss": "bytes of data that a segment of ours carries",
    "mtu": "the largest packet that the path takes, in bytes",
    "next_state": "state after it",
    "options": "the options that were there, timestamps excepted",
    "purpose": "what is asked",
    "queued": "bytes that it sent or will send, and that we have not acknowledged",
    "reason": "why",
    "remote_address": "the peer's address",
    "remote_port": "the peer's port",
    "retransmitted": "segments sent again",
    "role": "`active` or `passive`",
    "room": "bytes that may be sent as far as this reason goes",
    "rto": "retransmission timeout, in seconds",
    "rttvar": "variance of the round trip, in seconds",
    "rule": "who decided it",
    "sacked": "bytes that it reports for the first time as held beyond a gap",
    "scale": "shift by which the window was scaled",
    "section": "where it is written",
    "segments": "how many the path sees",
    "sent": "whether it was sent, or held back by the rate limit",
    "seq": "sequence number",
    "side": "`ours` or `theirs`",
    "srtt": "smoothed round trip, in seconds",
    "ssthresh": "slow start threshold, in bytes; 2^40 before the first loss",
    "start": "first sequence number",
    "state": "state before it",
    "timer": "which timer",
    "timer_left": "seconds until it fires",
    "ts_ecr": "timestamp echo, or null",
    "ts_val": "timestamp, or null",
    "unacked": "segments outstanding",
    "unread": "bytes that its application has not read",
    "unsent": "bytes that wait",
    "urgent": "urgent pointer",
    "verdict": "what was made of it",
    "what": "what happened",
    "window": "window in bytes, scaled",
}
#: Where a field means something else than in other kinds.
_FIELDS_OF: Final[dict[tuple[type[TraceEvent], str], str]] = {
    (Congestion, "state"): "state of loss recovery",
    (Dropped, "reason"): "the name of its [counter](counters.md)",
    (Joined, "state"): "its state now",
    (PeerSeen, "state"): "the state of the peer's end",
    (PeerSeen, "timer"): "which timer runs, or empty",
    (Retransmitted, "attempt"): "how often these bytes were sent before",
}
_TYPES: Final = {
    "bool": "true or false",
    "bytes": "string",
    "float": "number",
    "float | None": "number or null",
    "int": "integer",
    "int | None": "integer or null",
    "str": "string",
    "str | None": "string or null",
    "Event": "string",
    "Options": "object",
    "State": "string",
}
_OURS, _THEIRS = bytes((192, 0, 2, 2)), bytes((192, 0, 2, 1))
_SYN_OPTIONS: Final = Options(mss=1460, window_scale=10, sack_permitted=True)
#: An event of each kind, as it might come.
_SAMPLES: Final[tuple[TraceEvent, ...]] = (
    Opened(7.25, 1, _OURS, 80, _THEIRS, 45678, "passive"),
    SegmentIn(7.25, 1, 454667456, 0, SYN, 64240, 0, 2474550113, 0, _SYN_OPTIONS),
    SegmentOut(7.5, 1, 1116503790, 454667530, PSH | ACK, 4194304, 511, 9120, 2474550113, NO_OPTIONS, 1, 0, 2, 7),
    Transitioned(7.25, 1, State.LISTEN, Event.RCV_SYN, *TABLE[State.LISTEN, Event.RCV_SYN]),
    Retransmitted(8.0, 1, 1116503790, 511, "retransmission timeout", 1),
    Dropped(8.25, 1, "old-duplicate", "3.10.7.4", 454667457, 73),
    OutOfOrder(8.25, 1, 454668978, 1448, 2896),
    ChallengeAck(8.5, 1, "a RST inside the window, but not at its left edge", True),
    Congestion(8.5, 1, "three duplicate acknowledgments: fast retransmit", 7240, 7240, "recovery", 5792),
    Deleted(9.0, 1, ""),
    IcmpIn(8.75, 1, "no route: ICMP host unreachable", "remembered, nothing else"),
    PathMtu(8.75, 1, "ICMP says that the path takes less", 1400, 1348),
    Acknowledged(7.75, 1, "accepted", 1116504301, 511, 0, 0, "3.10.7.4", "it acknowledges what was outstanding"),
    WindowChanged(7.75, 1, "theirs", "closed", 0, 1116504301, "the peer has no room", "3.8.6.1"),
    Timer(7.5, 1, "retransmission", "armed", 7.75),
    Cwnd(7.75, 1, 17376, 1 << 40, 14480),
    Estimated(7.75, 1, 0.0125, 0.00625, 0.2125, 0.0125, 0),
    HeldBack(7.75, 1, "window", 2896, 0, "3.8.6"),
    Probe(9.75, 1, "keep-alive", 1, "3.8.4"),
    Dsack(8.25, 1, "ours", 454667457, 454667530),
    Handshake(7.25, 1, "the SYN cookie that we sent comes back: the connection is made from it", "RFC 4987 §3.6"),
    StrayIn(7.0, 0, _OURS, 81, _THEIRS, 45676, 31337, 0, SYN, 64240, 0, 2474550000, 0, _SYN_OPTIONS, 0, 0),
    StrayOut(
        7.0, 0, _OURS, 81, _THEIRS, 45676, 0, 31338, RST | ACK, 0, 0, None, None, NO_OPTIONS, 0, 0, "reset", "3.10.7.1"
    ),
    PeerSeen(
        8.0,
        1,
        "segment-in",
        State.ESTABLISHED,
        14480,
        None,
        1,
        0,
        0.0125,
        0.00625,
        0.2125,
        "retransmission",
        0.2,
        0,
        73,
    ),
    Lost(8.0, 0, 1204),
    Joined(8.0, 1, _OURS, 80, _THEIRS, 45678, "passive", State.ESTABLISHED, 1116503789, 454667456),
)


def events() -> str:
    """docs/events.md."""
    return _page(
        "usertcp/tcp/events.py",
        "# Trace events",
        "`--json` of `usertcp listen`, `connect` and `try` writes one JSON object a line for everything that "
        "happens.  `open_stack(trace=...)` hands the same events to a Python program, as flat tuples that "
        "`usertcp.tcp.events.read` makes typed; there, addresses are bytes and flags a number.",
        "Every object has",
        _table(
            ("field", "type", "meaning"),
            ("`v`", "integer", f"version of this format: {VERSION}; a later one may add fields without changing it"),
            ("`event`", "string", "the kind, one of those below"),
            ("`time`", "number", "seconds of the host's monotonic clock"),
            ("`conn`", "integer", "the connection's number within its host, from 1; 0: no connection"),
        ),
        "Sequence numbers are as on the wire, from 0 to 4294967295.",
        *(part for sample in _SAMPLES for part in _event(sample)),
    )


def _event(sample: TraceEvent) -> Iterator[str | Iterator[str]]:
    kind = type(sample)
    yield f"## {KIND_NAMES[kind]}"
    yield (inspect.getdoc(kind) or "").replace("``", "`")
    rows = []
    for name, annotation in kind.__annotations__.items():
        if name in ("time", "conn"):
            continue
        name = "cause" if name == "event" else name
        text = str(getattr(annotation, "__forward_arg__", annotation))
        meaning = _FIELDS_OF.get((kind, name)) or _FIELDS[name]
        rows.append((f"`{name}`", "string" if name == "flags" else _TYPES[text], meaning))
    yield _table(("field", "type", "meaning"), *rows)
    yield f"```json\n{to_line(sample)}\n```"
