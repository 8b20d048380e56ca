"""The lessons in docs/: pages and pictures from runs of real clients, which are kept in docs/lessons/ as events.

    tools/make_lessons       # run the clients again, and keep what happened
    tools/make_docs          # write the pages and pictures from what is kept

Times, ports and initial sequence numbers on the pages are those of the run that is kept.  What must be the same
in every run is its :func:`shape`; a test runs the clients and compares.

A page's text is in tools/lessons/NAME.md, with these in double braces:

    command RUN, states RUN   how it was made, and both ends' states
    picture RUN WORDS         an SVG, and what it shows
    ladder RUN WORDS          in text, up to the first line with WORDS
    segments RUN              the handshake as a table
    close RUN, wait RUN       the answers below the ladder
    their-isn RUN, our-isn RUN, both also with "+ 1" behind it
    client                    curl's command line
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Final, NamedTuple

from usertcp.observe import jsonl
from usertcp.observe.ladder import ladders
from usertcp.observe.ladder_svg import to_svg
from usertcp.observe.lines import plain
from usertcp.observe.names import flag_names
from usertcp.observe.path import Stop
from usertcp.observe.summary import Summary
from usertcp.observe.tales import paths
from usertcp.tcp.events import SegmentIn, SegmentOut, TraceEvent
from usertcp.wire.seq import MASK
from usertcp.wire.tcp import ACK, FIN, PSH, RST, SYN

_TIMEOUT: Final = 60.0
#: Columns of a line, and of what a question takes.
_WIDTH: Final = 80
_LABEL: Final = 14
_CURL: Final = "curl -s http://192.0.2.2/"
#: A close without FINs: by SO_LINGER of zero seconds, close() is ABORT.
_ABORT: Final = """python -c '
import socket, struct
with socket.create_connection(("192.0.2.2", 7)) as echo:
    echo.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))'"""
#: Each run: what follows ``usertcp try``.
RUNS: Final = {
    "client_first": f"-- {_CURL}",
    "server_first": f"--close-first server -- {_CURL}",
    "both": f"--close-first both -- {_CURL}",
    "reset": f"-- {_ABORT}",
    "written_fin": "-- bash -c 'printf FIN >/dev/tcp/192.0.2.2/9'",
}


class Run(NamedTuple):
    """What happened once."""

    name: str
    events: list[TraceEvent]

    @property
    def segments(self) -> list[SegmentIn | SegmentOut]:
        """All segments."""
        return [event for event in self.events if isinstance(event, SegmentIn | SegmentOut)]

    def isn(self, kind: type[SegmentIn] | type[SegmentOut]) -> int:
        """The initial sequence number of the segments of ``kind``."""
        return next(event.seq for event in self.segments if isinstance(event, kind) and event.flags & SYN)


def kept(root: Path, name: str) -> Run:
    """The run that is kept.  Raises OSError, :class:`usertcp.observe.jsonl.BadLine`."""
    with (root / f"docs/lessons/{name}.jsonl").open(errors="replace") as file:
        return Run(name, list(jsonl.read_file(file)))


def perform(name: str, file: Path) -> Run:
    """Run it now, with its events to ``file``."""
    command = [sys.executable, "-m", "usertcp", "try", "--events", str(file), *shlex.split(RUNS[name])]
    subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT)
    with file.open(errors="replace") as events:
        return Run(name, list(jsonl.read_file(events)))


def shape(run: Run) -> list[str]:
    """What is the same each time: the segments that open and close, with relative numbers, and both ends' states."""
    ours, theirs = run.isn(SegmentOut), run.isn(SegmentIn)
    told = []
    for segment in run.segments:
        out = isinstance(segment, SegmentOut)
        sender, receiver = (ours, theirs) if out else (theirs, ours)
        if segment.flags & (SYN | FIN | RST):
            ack = f" ack={(segment.ack - receiver) & MASK}" if segment.flags & ACK else ""
            told.append(
                f"{'out' if out else 'in'} {flag_names(segment.flags & ~PSH)} seq={(segment.seq - sender) & MASK}{ack}"
            )
    (path,) = paths(run.events)
    for end, stops in (("usertcp", path.ours), ("peer", path.peers)):
        told.append(f"{end} {' '.join(stop.state.value for stop in stops)}")
    return told


def pages(root: Path) -> dict[Path, str]:
    """The lessons' pages and pictures, each as its text, by their paths below ``root``."""
    runs = {name: kept(root, name) for name in RUNS}
    made = {Path(f"docs/lessons/{name}.svg"): to_svg(run.events) for name, run in runs.items()}
    for source in sorted((root / "tools/lessons").glob("*.md")):
        head = f"<!-- Made by tools/make_docs from {source.relative_to(root)} and docs/lessons: change these. -->\n\n"
        made[Path("docs") / source.name] = head + _filled(source.read_text(), runs)
    return made


def _filled(text: str, runs: dict[str, Run]) -> str:
    def fill(match: re.Match[str]) -> str:
        if match[1] == "client":
            return _CURL
        what, name, *rest = match[1].split(maxsplit=2)
        return _FILLINGS[what](runs[name], *rest)

    return re.sub(r"\{\{(.+?)\}\}", fill, text)


def _command(run: Run) -> str:
    return f"usertcp try {RUNS[run.name]}"


def _picture(run: Run, says: str) -> str:
    return f"![{says}](lessons/{run.name}.svg)"


def _ladder(run: Run, end: str) -> str:
    lines = takewhile(lambda line: end not in line, map(plain, ladders(run.events)))
    return "\n".join(["```", *lines, "```"])


def _segments(run: Run) -> str:
    opening = run.segments[:3]
    rows = [
        ("", "from", "SYN", "ACK", "sequence number", "acknowledgment number"),
        *(_handshake_row(number, segment, run) for number, segment in enumerate(opening, 1)),
    ]
    return "\n".join(_table(rows))


def _handshake_row(number: int, segment: SegmentIn | SegmentOut, run: Run) -> tuple[str, ...]:
    out = isinstance(segment, SegmentOut)
    other = run.isn(SegmentIn if out else SegmentOut)
    ack = f"{segment.ack} = {other} + 1" if segment.flags & ACK else f"{segment.ack}, without meaning"
    isn = ": its ISN" if segment.flags & SYN else ""
    who = "usertcp" if out else "curl's kernel"
    syn, has_ack = int(bool(segment.flags & SYN)), int(bool(segment.flags & ACK))
    return str(number), who, str(syn), str(has_ack), f"{segment.seq}{isn}", ack


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    for index, row in enumerate(rows):
        yield f"| {' | '.join(row)} |"
        if index == 0:
            yield "|" + " --- |" * len(row)


def _states(run: Run) -> str:
    (path,) = paths(run.events)
    return "\n".join(_table([("end", "its states"), ("usertcp", _stops(path.ours)), ("the peer", _stops(path.peers))]))


def _stops(stops: tuple[Stop, ...]) -> str:
    return " → ".join(stop.state.value for stop in stops)


def _answer(question: str, run: Run) -> str:
    """One answer of those below the ladder, as it stands there."""
    summary = Summary()
    for event in run.events:
        summary.feed(event)
    (path,) = paths(run.events)
    (answer,) = (each for each in summary.answers(path) if each.question == question)
    lines = [broken for line in answer.lines for broken in textwrap.wrap(line, _WIDTH - _LABEL)]
    labels = [question, *[""] * (len(lines) - 1)]
    return "\n".join(["```", *(f"{label:{_LABEL}}{line}" for label, line in zip(labels, lines, strict=True)), "```"])


def _number(kind: type[SegmentIn] | type[SegmentOut], run: Run, plus: str = "") -> str:
    return str((run.isn(kind) + (1 if plus == "+ 1" else 0)) & MASK)


_FILLINGS: Final[dict[str, Callable[..., str]]] = {
    "command": _command,
    "picture": _picture,
    "ladder": _ladder,
    "segments": _segments,
    "states": _states,
    "close": partial(_answer, "Closed first"),
    "wait": partial(_answer, "TIME-WAIT"),
    "their-isn": partial(_number, SegmentIn),
    "our-isn": partial(_number, SegmentOut),
}
