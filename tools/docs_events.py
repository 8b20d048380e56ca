"""docs/events.md and its schema, docs/events.schema.json: the trace events, from their typed forms."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any, Final

from docs_markdown import page, table

from usertcp.observe.forms import FIELDS, KIND_NAMES, Field
from usertcp.observe.jsonl import MAX_LINE, VERSION, to_line
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
from usertcp.tcp.states import TABLE, Event, State
from usertcp.wire.tcp import ACK, NO_OPTIONS, PSH, RST, SYN, Options

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


#: The order in which they are explained.
_ORDER: Final[tuple[type[TraceEvent], ...]] = (
    *(Opened, Joined, Transitioned, Handshake, Deleted),
    *(SegmentIn, SegmentOut, StrayIn, StrayOut),
    *(Acknowledged, OutOfOrder, Dropped, ChallengeAck, Dsack),
    *(Retransmitted, Timer, Probe, HeldBack),
    *(WindowChanged, Congestion, Cwnd, Estimated),
    *(IcmpIn, PathMtu, PeerSeen, Lost),
)
_COMMON: Final = {
    "v": f"version of this format: {VERSION}",
    "event": "the kind, one of those below",
    "time": "seconds of the host's monotonic clock",
    "conn": "the connection's number within its host, from 1; 0: no connection",
}


# -- The page ------------------------------------------------------------------------------------------


def events() -> str:
    """docs/events.md."""
    return page(
        "usertcp/tcp/events.py",
        "# Trace events",
        "Whatever happens in usertcp is an event: a segment, a transition, a decision, and why.  "
        "`--json` of `usertcp listen`, `connect` and `try` prints one JSON object a line for each, `--events FILE` "
        "writes the same to a file beside anything else that is shown, and `usertcp trace --follow` asks a running "
        "usertcp for them.  `usertcp.observe.jsonl.read_file` reads such a file back.",
        "`open_stack(trace=...)` and `Stack.attach` hand the same events to a Python program, as flat tuples that "
        "`usertcp.tcp.events.read` makes typed; there, addresses are bytes and flags a number.  Several may watch at "
        "once.  While nobody does, no event is made.",
        "## Objects and versions",
        "Every object has",
        table(
            ("field", "type", "meaning"),
            ("`v`", "integer", _COMMON["v"]),
            ("`event`", "string", _COMMON["event"]),
            ("`time`", "number", _COMMON["time"]),
            ("`conn`", "integer", _COMMON["conn"]),
        ),
        "and then the fields of its kind.  Sequence numbers are as on the wire, from 0 to 4294967295.  "
        "[events.schema.json](events.schema.json) says all of this as a JSON Schema.",
        "A later version of usertcp may add kinds, add fields to a kind, options to `options`, and words to fields "
        "that hold one of several, and `v` stays the same: a reader passes over what it does not know.  Such fields "
        "are not in older files; the schema does not require them.  Where a field changes its meaning or goes away, "
        "`v` becomes another number, and a reader of this version refuses it.  "
        f"No line is longer than {MAX_LINE:,} characters.",
        "## In what order",
        "Events come in the order in which things happen.  After a `segment-in` stands what it caused; before a "
        "`segment-out`, the `retransmit` or `probe` that it is.  What changes with every segment is told when it is "
        "worth it, and each kind says when that is: windows, timers, the congestion window, estimates.  A stream "
        "never has more than a few events for each packet.",
        "Who keeps or carries events has room for so many; what does not fit is counted, and a [`lost`](#lost) event "
        "stands in its place.",
        "## Kinds",
        table(
            ("kind", "what it tells"),
            *((f"[`{KIND_NAMES[form]}`](#{KIND_NAMES[form]})", _summary(form)) for form in _ORDER),
        ),
        *(part for sample in sorted(_SAMPLES, key=lambda each: _ORDER.index(type(each))) for part in _event(sample)),
    )


def _meaning(form: type[TraceEvent], field: Field) -> str:
    return _FIELDS_OF.get((form, field.name)) or _COMMON.get(field.name) or _FIELDS[field.name]


def _text(form: type[TraceEvent]) -> str:
    return (inspect.getdoc(form) or "").replace("``", "`")


def _summary(form: type[TraceEvent]) -> str:
    """The first sentence."""
    first = _text(form).split("\n\n")[0].replace("\n", " ")
    return first.split(".  ")[0].split(". `")[0].rstrip(".")


def _event(sample: TraceEvent) -> Iterator[str | Iterator[str]]:
    form = type(sample)
    yield f"## {KIND_NAMES[form]}"
    yield _text(form)
    own = [field for field in FIELDS[form] if field.name not in _COMMON]
    rows = [(f"`{field.name}`", field.codec.words, _meaning(form, field)) for field in own]
    yield table(("field", "type", "meaning"), *rows)
    yield f"```json\n{to_line(sample)}\n```"


# -- The schema ----------------------------------------------------------------------------------------


def schema() -> str:
    """docs/events.schema.json: of one line."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Made by tools/make_docs from usertcp/tcp/events.py: change that, and run it again.",
        "title": "A trace event of usertcp",
        "description": "One line of a file of events; see events.md. Kinds that are not listed here are of a later "
        "version.",
        "type": "object",
        "required": ["v", "event", "time", "conn"],
        "properties": {
            "v": {"const": VERSION, "description": _COMMON["v"]},
            "event": {"type": "string", "description": _COMMON["event"]},
        },
        "allOf": [_where(form) for form in _ORDER],
        "$defs": {KIND_NAMES[form]: _definition(form) for form in _ORDER},
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _where(form: type[TraceEvent]) -> dict[str, Any]:
    name = KIND_NAMES[form]
    return {"if": {"properties": {"event": {"const": name}}}, "then": {"$ref": f"#/$defs/{name}"}}


def _definition(form: type[TraceEvent]) -> dict[str, Any]:
    return {
        "description": " ".join(_text(form).split()),
        "properties": {
            field.name: {**field.codec.schema, "description": _meaning(form, field)} for field in FIELDS[form]
        },
        "required": [field.name for field in FIELDS[form] if not field.optional],
    }
