"""The packetdrill language: text to :class:`~usertcp.drill.script.Script`.

Both dialects, Google's and the one of the FreeBSD test suites, are one grammar here.  Spelling may vary where that
cannot change the meaning; what is not understood is an error.  This module reads options, times and events; packets
and system calls have modules of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from usertcp.drill.errors import ScriptError
from usertcp.drill.lexer import CODE, COMMAND, END, FRACTION, INTEGER, OPTION, WORD, Lexer
from usertcp.drill.parser_calls import system_call
from usertcp.drill.parser_packets import packet_event
from usertcp.drill.script import Action, Code, Command, Event, Script, Time, TimeKind

#: ``--name=value``, ``--name value``, ``--name``; ``-D NAME=VALUE``.  A value ends at a blank outside of quotes.
_VALUE = r"(?:\"(?:[^\"\\\n]|\\[^\n])*+\"|'[^'\n]*+'|(?!//|/\*)[^\s\#\"'])++"
_OPTION = re.compile(
    rf"--(?P<name>\w[\w-]*+)(?:(?:[ \t]*+=[ \t]*+|[ \t]++(?!--|`))(?P<value>{_VALUE}))?+(?:[ \t]*+=)?"
    rf"|-D[ \t=]*+(?P<definition>{_VALUE})",
    re.ASCII,
)
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'")


def parse(text: str, path: str, defines: Mapping[str, str] | None = None) -> Script:
    """The script in ``text``.

    ``defines`` are words and what stands for them; they win over the script's own ``--define=NAME=VALUE``.
    Raises :class:`~usertcp.drill.errors.ScriptError` for what is no script, and
    :class:`~usertcp.drill.errors.Unsupported` for what is one but not for us.
    """
    lexer = Lexer(text)
    options: list[tuple[str, str]] = []
    lines: list[int] = []
    init: list[Command] = []
    while True:
        if lexer.kind == OPTION:
            lines.append(lexer.line)
            options.append(_option(lexer))
        elif lexer.kind == COMMAND:
            init.append(_command(lexer))
        else:
            break
    lexer.define(_definitions(options, lines) | dict(defines or {}))
    events = []
    while lexer.kind != END:
        events.append(_event(lexer))
    return Script(path, tuple(options), tuple(init), tuple(events), tuple(lines))


def _option(lexer: Lexer) -> tuple[str, str]:
    start = lexer.start
    match = lexer.raw(_OPTION)
    if match is None:
        raise lexer.wrong("expected an option: --name or --name=value", start)
    if match["definition"]:
        return "define", match["definition"]
    name, value = match["name"], match["value"] or ""
    if name != "define":
        value = _QUOTED.sub(lambda m: m[1] if m[1] is not None else m[2], value)
    return name, value


def _definitions(options: list[tuple[str, str]], lines: list[int]) -> dict[str, str]:
    found = {}
    for (name, value), line in zip(options, lines, strict=True):
        if name == "define":
            word, equals, meaning = value.partition("=")
            if not equals or not re.fullmatch(r"\w+", word, re.ASCII):
                raise ScriptError(line, "expected --define=NAME=VALUE")
            found[word] = meaning[1:-1] if meaning[:1] == "'" == meaning[-1:] else meaning
    return found


def _event(lexer: Lexer) -> Event:
    line = lexer.line
    time = _time(lexer)
    end = None
    if lexer.kind == "...":
        if time.kind is TimeKind.ANY:
            raise lexer.expected("an action")
        lexer.take()
        if time.kind in (TimeKind.RELATIVE, TimeKind.RELATIVE_RANGE):
            lexer.accept("+")
        start = lexer.start
        end = _seconds(lexer)
        if end < time.start:
            raise lexer.wrong("this call ends before it begins", start)
    return Event(time, _action(lexer, end), line)


def _time(lexer: Lexer) -> Time:
    if lexer.accept("*"):
        return Time(TimeKind.ANY)
    relative = lexer.accept("+")
    offset = lexer.start
    start = _seconds(lexer)
    if not lexer.accept("~"):
        return Time(TimeKind.RELATIVE if relative else TimeKind.ABSOLUTE, start)
    if relative:
        lexer.accept("+")
    end = _seconds(lexer)
    if end < start:
        raise lexer.wrong("this range of time ends before it begins", offset)
    return Time(TimeKind.RELATIVE_RANGE if relative else TimeKind.ABSOLUTE_RANGE, start, end)


def _seconds(lexer: Lexer) -> float:
    if (lexer.kind != INTEGER and lexer.kind != FRACTION) or lexer.text[0] == "-" or len(lexer.text) > 40:
        raise lexer.expected("a time in seconds")
    return float(lexer.take())


def _action(lexer: Lexer, end: float | None) -> Action:
    kind = lexer.kind
    if kind == WORD:
        return system_call(lexer, end)
    if end is not None:
        raise lexer.expected("a system call")
    if kind == "<" or kind == ">":
        return packet_event(lexer)
    if kind == CODE:
        line = lexer.line
        return Code(lexer.take()[2:-2], line)
    if kind == COMMAND:
        return _command(lexer)
    raise lexer.expected("a packet, a system call, a command or code")


def _command(lexer: Lexer) -> Command:
    line = lexer.line
    return Command(lexer.take()[1:-1], line)
