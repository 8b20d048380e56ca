"""Small changes to what a packetdrill script expects, each of which must make it fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from usertcp.drill.outcome import Result
from usertcp.drill.parser import parse
from usertcp.drill.profiles import NAMES
from usertcp.drill.runner import How, run_text
from usertcp.drill.script import Code, Event, Number, PacketEvent, SystemCall, TcpOption, TcpPacket, Time, TimeKind
from usertcp.drill.spelling import spell

#: Far beyond the tolerance of any script.
_LATE: Final = 0.7
#: What these return is a name that the script gives to a descriptor.
_NEW_DESCRIPTORS: Final = ("socket", "accept", "accept4", "dup", "epoll_create", "epoll_create1", "open")
_SWAPPED: Final = {"==": "!=", "!=": "==", "<=": ">", ">=": "<", "<": ">=", ">": "<="}
_COMPARISON: Final = re.compile("|".join(_SWAPPED))


class Verdict(NamedTuple):
    """How many changes were made, and which the script survived, as (line, the line as changed)."""

    made: int
    survivors: list[tuple[int, str]]


def perturb(path: Path, seed: int | None) -> Verdict:
    """Make one change chosen by ``seed``, or all (None), one after the other, and run the script each time."""
    how = How(profile=_profile_for(path), strict_end=True)
    text = path.read_text()
    if run_text(text, str(path), how).result is not Result.PASSED:
        return Verdict(0, [])
    lines = text.splitlines()
    changes = [change for change in _changes(text, str(path)) if lines[change[0] - 1].strip()]
    if seed is not None and changes:
        changes = [Random(f"{path.name} {seed}").choice(changes)]
    survivors = []
    for line, changed in changes:
        mutant = "\n".join([*lines[: line - 1], changed, *lines[line:], ""])
        if run_text(mutant, str(path), how).result is not Result.FAILED:
            survivors.append((line, changed))
    return Verdict(len(changes), survivors)


def _profile_for(path: Path) -> str:
    """Scripts for one system stand in a directory with its name."""
    return next((part for part in reversed(path.parts) if part in NAMES), "usertcp")


def _changes(text: str, path: str) -> Iterator[tuple[int, str]]:
    """(line, its new text) of everything that can be changed in one line."""
    events = parse(text, path).events
    starts = [event.line for event in events]
    for event, following in zip(events, [*starts[1:], len(text.splitlines()) + 1], strict=True):
        source = "\n".join(text.splitlines()[event.line - 1 : following - 1])
        if starts.count(event.line) > 1 or "\n" in re.sub(r"(//|#)[^\n]*", "", source).strip():
            continue  # several events in a line, or several lines for one
        for changed in _of_event(event):
            yield event.line, changed


def _of_event(event: Event) -> Iterator[str]:
    action = event.action
    if isinstance(action, PacketEvent) and not action.inbound:
        if isinstance(action.packet, TcpPacket):
            for packet in _of_segment(action.packet):
                yield spell(replace(event, action=replace(action, packet=packet)))
        if event.time.kind is TimeKind.RELATIVE:
            yield spell(replace(event, time=replace(event.time, start=event.time.start + _LATE)))
        # Without the packet, but not without its time: what follows stays where it was.
        yield spell(replace(event, action=Code(" assert True ", event.line)))
        yield spell(event) + "\n" + spell(replace(event, time=Time(TimeKind.RELATIVE)))
    elif isinstance(action, SystemCall):
        if isinstance(action.result, Number) and action.errno is None and action.name not in _NEW_DESCRIPTORS:
            yield spell(replace(event, action=replace(action, result=Number(int(action.result.value) + 7))))
        if action.errno is not None:
            other = "EIO" if action.errno != "EIO" else "EPERM"
            yield spell(replace(event, action=replace(action, errno=other, note="other error")))
    elif isinstance(action, Code):
        for found in _COMPARISON.finditer(action.text):
            start, end = found.span()
            turned = action.text[:start] + _SWAPPED[found.group()] + action.text[end:]
            yield spell(replace(event, action=replace(action, text=turned)))


def _of_segment(packet: TcpPacket) -> Iterator[TcpPacket]:
    for flag in "PUF":
        yield replace(packet, flags=packet.flags ^ {flag})
    sequence = packet.sequence
    if "S" not in packet.flags:  # its number is learned from it
        yield replace(packet, sequence=replace(sequence, start=sequence.start + 1, end=sequence.end + 1))
    yield replace(packet, sequence=replace(sequence, end=sequence.end + 1, length=sequence.length + 1))
    if packet.ack is not None and "." in packet.flags:
        yield replace(packet, ack=packet.ack + 1)
    if packet.window is not None:
        yield replace(packet, window=packet.window - 1 if packet.window else 1)
    if packet.options is not None:
        yield replace(packet, options=(*packet.options, *[TcpOption("nop")] * 4))
        if packet.options:
            yield replace(packet, options=packet.options[:-1])
