"""What is wrong with a script, or beyond us, before anything of it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from usertcp.drill import code, shell, syscalls
from usertcp.drill.arguments import Context
from usertcp.drill.descriptors import Descriptors
from usertcp.drill.errors import ScriptError, Unsupported
from usertcp.drill.options import Options
from usertcp.drill.packets import Unbuildable, UnknownPart, check
from usertcp.drill.profiles import Profile
from usertcp.drill.script import Code as CodeBlock
from usertcp.drill.script import Command, Event, PacketEvent, Script, SystemCall, TcpPacket, TimeKind
from usertcp.drill.target import NotPossible

#: Scripts are short: more is a mistake, or malice.
MOST_EVENTS: Final = 100_000
#: In seconds of the script.
MOST_TIME: Final = 1e6
_FIXED: Final = (TimeKind.ABSOLUTE, TimeKind.RELATIVE)


class Checked:
    """A script that can be run, and what its shell lines mean.

    ``rehearse`` gets each action of the shell lines in their order, and raises NotPossible for what cannot be done.

    Raises Unsupported where it wants what we do not do, wherever that stands, and ScriptError where it cannot be.
    """

    def __init__(
        self, script: Script, options: Options, profile: Profile, rehearse: Callable[[shell.Action], None]
    ) -> None:
        self._options = options
        self._profile = profile
        self._rehearse = rehearse
        #: What is to be done before the first event.
        self.init: list[shell.Action] = []
        #: By the event's place in the script.
        self.commands: dict[int, list[shell.Action]] = {}
        if len(script.events) > MOST_EVENTS:
            raise Unsupported(script.events[MOST_EVENTS].line, f"more than {MOST_EVENTS} events")
        if not script.events:
            raise ScriptError(1, "nothing happens in this script")
        for command in (*map(Command, options.init_scripts), *script.init):
            self.init += self._actions(command, command.line)
        for index, event in enumerate(script.events):
            self._check(index, event)

    def _actions(self, command: Command, line: int) -> list[shell.Action]:
        actions = shell.interpret(command.text, line, self._profile.dialect)
        try:
            for action in actions:
                self._rehearse(action)
        except NotPossible as error:
            raise Unsupported(line, str(error)) from None
        return actions

    def _check(self, index: int, event: Event) -> None:
        action, line = event.action, event.line
        if max(event.time.start, event.time.end) > MOST_TIME:
            raise too_long(line)
        if isinstance(action, PacketEvent) and not action.inbound:
            self._check_packet(line, action)
            return
        if event.time.kind not in _FIXED:
            raise ScriptError(line, "only an expected packet can have a time that is not fixed")
        match action:
            case PacketEvent():
                self._check_packet(line, action)
            case SystemCall():
                syscalls.check(action, line, self._profile.personality)
                syscalls.plan(action, line, Context(self._options, self._profile.personality, Descriptors()))
            case CodeBlock():
                code.check(action.text, action.line)
            case Command():
                self.commands[index] = self._actions(action, line)

    def _check_packet(self, line: int, event: PacketEvent) -> None:
        packet = event.packet
        if isinstance(packet, TcpPacket) and packet.mutations:
            raise Unsupported(line, f"changes to a packet's bytes: {packet.mutations}")
        try:
            check(packet, 6 if self._options.on_wire_ipv6 else 4, inbound=event.inbound)
        except UnknownPart as error:
            raise Unsupported(line, error.reason) from None
        except Unbuildable as error:
            raise ScriptError(line, error.reason) from None


def too_long(line: int) -> Unsupported:
    """What to raise where a script goes on for longer than can be."""
    return Unsupported(line, f"more than {MOST_TIME:,.0f} seconds")
